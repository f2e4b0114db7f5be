/*
 * The events of corosync.cpg: callbacks that copy them into the handle's queue,
 * and what their handlers are called with once cpg_dispatch has returned.
 */
#include "corosync/cpg.h"

#include <string.h>
#include <unistd.h>

#include "common/args.h"
#include "common/status.h"
#include "corosync/dispatch.h"
#include "corosync/member.h"
#include "corosync/ring_events.h"

enum kind { KIND_DELIVER, KIND_CONFCHG, KIND_TOTEM_CONFCHG };

static const struct name reasons[] = {
	{CPG_REASON_UNDEFINED, "undefined"},
	{CPG_REASON_JOIN, "join"},
	{CPG_REASON_LEAVE, "leave"},
	{CPG_REASON_NODEDOWN, "nodedown"},
	{CPG_REASON_NODEUP, "nodeup"},
	{CPG_REASON_PROCDOWN, "procdown"},
	{0, NULL},
};

/* A handle is in one group, so the events do not say in which. */
struct deliver {
	struct event event;
	uint32_t nodeid;
	uint32_t pid;
	size_t length;
	char payload[];
};

enum { ADDRESS_LISTS = 3 };

struct addresses {
	const struct cpg_address *list;
	size_t count;
};

struct confchg {
	struct event event;
	size_t counts[ADDRESS_LISTS];   /* of members, left, joined */
	struct cpg_address addresses[]; /* the lists, one by one */
};

void push_members(lua_State *L, const struct cpg_address *list, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		push_member(L, list[i].nodeid, list[i].pid);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

static void push_changes(lua_State *L, const struct cpg_address *list,
			 size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_createtable(L, 0, 2);
		push_member(L, list[i].nodeid, list[i].pid);
		lua_setfield(L, -2, "member");
		push_name(L, reasons, list[i].reason);
		lua_setfield(L, -2, "reason");
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}

/* Messages of one sender mostly come in a row: this spares the look-up. */
static void push_sender(lua_State *L, struct cpg *self,
			const struct deliver *deliver)
{
	if (deliver->nodeid == self->sender_nodeid &&
	    deliver->pid == self->sender_pid) {
		lua_getiuservalue(L, 1, SENDER_VALUE);
		return;
	}
	push_member(L, deliver->nodeid, deliver->pid);
	lua_pushvalue(L, -1);
	lua_setiuservalue(L, 1, SENDER_VALUE);
	self->sender_nodeid = deliver->nodeid;
	self->sender_pid = deliver->pid;
}

/* The handle is at index 1, as in every push of an event. */
static int push_deliver(lua_State *L, const struct event *event)
{
	const struct deliver *deliver = (const void *)event;

	lua_getiuservalue(L, 1, GROUP_VALUE);
	lua_pushlstring(L, deliver->payload, deliver->length);
	push_sender(L, lua_touserdata(L, 1), deliver);
	return 3;
}

static int push_confchg(lua_State *L, const struct event *event)
{
	const struct confchg *confchg = (const void *)event;
	const struct cpg_address *left =
		confchg->addresses + confchg->counts[0];

	lua_getiuservalue(L, 1, GROUP_VALUE);
	push_members(L, confchg->addresses, confchg->counts[0]);
	push_changes(L, left, confchg->counts[1]);
	push_changes(L, left + confchg->counts[1], confchg->counts[2]);
	return 4;
}

const struct event_kind group_kinds[] = {
	[KIND_DELIVER] = {"deliver", push_deliver},
	[KIND_CONFCHG] = {"confchg", push_confchg},
	[KIND_TOTEM_CONFCHG] = {"totem_confchg", push_ring_event},
	{NULL, NULL},
};

static void on_deliver(cpg_handle_t id, const struct cpg_name *group,
		       uint32_t nodeid, uint32_t pid, void *payload,
		       size_t length)
{
	const struct cpg *self = (const void *)handle_dispatching();
	struct life *life = self->handle.life;
	struct deliver *deliver;

	(void)id;
	(void)group;
	if (self->state == STATE_LEFT)
		return;
	if (life != NULL)
		life->tap->delivered(life, nodeid, pid, payload, length);
	deliver = handle_add_event(KIND_DELIVER, sizeof *deliver + length);
	if (deliver == NULL)
		return;
	deliver->nodeid = nodeid;
	deliver->pid = pid;
	deliver->length = length;
	memcpy(deliver->payload, payload, length);
}

static bool is_own_leave(const struct cpg *self, const struct cpg_name *group,
			 const struct addresses *left)
{
	if (self->state != STATE_LEAVING ||
	    group->length != self->group.length ||
	    memcmp(group->value, self->group.value, group->length) != 0)
		return false;
	for (size_t i = 0; i < left->count; i++)
		if (left->list[i].nodeid == self->nodeid &&
		    left->list[i].pid == (uint32_t)getpid() &&
		    left->list[i].reason == CPG_REASON_LEAVE)
			return true;
	return false;
}

static const char *reason_of(unsigned int reason)
{
	const struct name *entry = reasons;

	while (entry->name != NULL && entry->value != reason)
		entry++;
	return entry->name != NULL ? entry->name : reasons[0].name;
}

static void tell_confchg(struct life *life, const struct cpg_name *group,
			 const struct addresses lists[])
{
	struct tap_member members[ADDRESS_LISTS][CPG_MEMBERS_MAX];
	struct tap_members told[ADDRESS_LISTS];

	for (size_t n = 0; n < ADDRESS_LISTS; n++) {
		const struct cpg_address *list = lists[n].list;
		size_t count = lists[n].count;

		if (count > CPG_MEMBERS_MAX)
			count = CPG_MEMBERS_MAX;
		for (size_t i = 0; i < count; i++)
			members[n][i] =
				(struct tap_member){list[i].nodeid, list[i].pid,
						    reason_of(list[i].reason)};
		told[n] = (struct tap_members){members[n], count};
	}
	life->tap->confchg(life, group->value, group->length, told[0], told[1],
			   told[2]);
}

static void add_confchg(const struct addresses lists[])
{
	struct confchg *confchg;
	struct cpg_address *end;
	size_t count = 0;

	for (size_t n = 0; n < ADDRESS_LISTS; n++)
		count += lists[n].count;
	confchg = handle_add_event(KIND_CONFCHG,
				   sizeof *confchg + count * sizeof *end);
	if (confchg == NULL)
		return;
	end = confchg->addresses;
	for (size_t n = 0; n < ADDRESS_LISTS; n++) {
		confchg->counts[n] = lists[n].count;
		if (lists[n].count > 0)
			memcpy(end, lists[n].list,
			       lists[n].count * sizeof *end);
		end += lists[n].count;
	}
}

/* Behind its own LEAVE a handle is told of nothing, and so is its trace. */
static void on_confchg(cpg_handle_t id, const struct cpg_name *group,
		       const struct cpg_address *members, size_t member_count,
		       const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *joined, size_t joined_count)
{
	const struct addresses lists[ADDRESS_LISTS] = {
		{members, member_count},
		{left, left_count},
		{joined, joined_count},
	};
	struct cpg *self = (void *)handle_dispatching();
	struct life *life = self->handle.life;

	(void)id;
	if (self->state == STATE_LEFT)
		return;
	if (life != NULL)
		tell_confchg(life, group, lists);
	if (is_own_leave(self, group, &lists[1])) {
		self->state = STATE_LEFT;
		if (life != NULL)
			life->tap->left(life);
	}
	add_confchg(lists);
}

static void on_totem_confchg(cpg_handle_t id, struct cpg_ring_id ring,
			     uint32_t count, const uint32_t *nodeids)
{
	const struct cpg *self = (const void *)handle_dispatching();
	const struct tap_nodes nodes = {nodeids, count};
	struct life *life = self->handle.life;

	(void)id;
	if (self->state == STATE_LEFT)
		return;
	if (life != NULL)
		life->tap->ring(life, (struct tap_ring){ring.nodeid, ring.seq},
				nodes);
	add_ring_event(KIND_TOTEM_CONFCHG, ring.nodeid, ring.seq, &nodes, 1);
}

cs_error_t group_connect(struct connection *connection)
{
	cpg_model_v1_data_t data = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
		.cpg_totem_confchg_fn = on_totem_confchg,
		.flags = connection->flags,
	};

	return cpg_model_initialize(&connection->id, CPG_MODEL_V1,
				    (cpg_model_data_t *)&data, NULL);
}

void group_tell_sent(struct life *life, cs_error_t err,
		     const struct iovec *payload)
{
	const char *code = status_code(err);

	if (err == CS_ERR_LIBRARY)
		life->tap->lost(life);
	if (err == CS_OK)
		life->tap->sent(life, payload->iov_base, payload->iov_len);
	else
		life->tap->refused(life, code != NULL ? code : "ERR_UNKNOWN");
}
