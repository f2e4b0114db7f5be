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

struct confchg {
	struct event event;
	size_t members;
	size_t left;
	size_t joined;
	struct cpg_address addresses[]; /* the three lists, one by one */
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
	const struct cpg_address *left = confchg->addresses + confchg->members;

	lua_getiuservalue(L, 1, GROUP_VALUE);
	push_members(L, confchg->addresses, confchg->members);
	push_changes(L, left, confchg->left);
	push_changes(L, left + confchg->left, confchg->joined);
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
	struct deliver *deliver;

	(void)id;
	(void)group;
	if (self->state == STATE_LEFT)
		return;
	deliver = handle_add_event(KIND_DELIVER, sizeof *deliver + length);
	if (deliver == NULL)
		return;
	deliver->nodeid = nodeid;
	deliver->pid = pid;
	deliver->length = length;
	memcpy(deliver->payload, payload, length);
}

static bool is_own_leave(const struct cpg *self, const struct cpg_name *group,
			 const struct cpg_address *left, size_t count)
{
	if (self->state != STATE_LEAVING ||
	    group->length != self->group.length ||
	    memcmp(group->value, self->group.value, group->length) != 0)
		return false;
	for (size_t i = 0; i < count; i++)
		if (left[i].nodeid == self->nodeid &&
		    left[i].pid == (uint32_t)getpid() &&
		    left[i].reason == CPG_REASON_LEAVE)
			return true;
	return false;
}

static void add_addresses(struct cpg_address **end,
			  const struct cpg_address *list, size_t count)
{
	if (count > 0)
		memcpy(*end, list, count * sizeof *list);
	*end += count;
}

static void on_confchg(cpg_handle_t id, const struct cpg_name *group,
		       const struct cpg_address *members, size_t member_count,
		       const struct cpg_address *left, size_t left_count,
		       const struct cpg_address *joined, size_t joined_count)
{
	struct cpg *self = (void *)handle_dispatching();
	struct confchg *confchg;
	struct cpg_address *end;

	(void)id;
	if (self->state == STATE_LEFT)
		return;
	if (is_own_leave(self, group, left, left_count))
		self->state = STATE_LEFT;
	confchg = handle_add_event(
		KIND_CONFCHG,
		sizeof *confchg + (member_count + left_count + joined_count) *
					  sizeof *end);
	if (confchg == NULL)
		return;
	confchg->members = member_count;
	confchg->left = left_count;
	confchg->joined = joined_count;
	end = confchg->addresses;
	add_addresses(&end, members, member_count);
	add_addresses(&end, left, left_count);
	add_addresses(&end, joined, joined_count);
}

static void on_totem_confchg(cpg_handle_t id, struct cpg_ring_id ring,
			     uint32_t count, const uint32_t *nodeids)
{
	const struct cpg *self = (const void *)handle_dispatching();
	const struct tap_nodes nodes = {nodeids, count};

	(void)id;
	if (self->state != STATE_LEFT)
		add_ring_event(KIND_TOTEM_CONFCHG, ring.nodeid, ring.seq,
			       &nodes, 1);
}

/* Behind its own LEAVE a handle is told of nothing, and so is its trace. */
static struct life *dispatching_life(void)
{
	const struct cpg *self = (const void *)handle_dispatching();

	return self->state == STATE_LEFT ? NULL : self->handle.life;
}

static void on_traced_deliver(cpg_handle_t id, const struct cpg_name *group,
			      uint32_t nodeid, uint32_t pid, void *payload,
			      size_t length)
{
	struct life *life = dispatching_life();

	if (life != NULL)
		life->tap->delivered(life, nodeid, pid, payload, length);
	on_deliver(id, group, nodeid, pid, payload, length);
}

static const char *reason_of(unsigned int reason)
{
	const struct name *entry = reasons;

	while (entry->name != NULL && entry->value != reason)
		entry++;
	return entry->name != NULL ? entry->name : reasons[0].name;
}

static struct tap_members tapped(struct tap_member *to,
				 const struct cpg_address *list, size_t count)
{
	if (count > CPG_MEMBERS_MAX)
		count = CPG_MEMBERS_MAX;
	for (size_t i = 0; i < count; i++)
		to[i] = (struct tap_member){list[i].nodeid, list[i].pid,
					    reason_of(list[i].reason)};
	return (struct tap_members){to, count};
}

static void on_traced_confchg(cpg_handle_t id, const struct cpg_name *group,
			      const struct cpg_address *members,
			      size_t member_count,
			      const struct cpg_address *left, size_t left_count,
			      const struct cpg_address *joined,
			      size_t joined_count)
{
	struct tap_member lists[3][CPG_MEMBERS_MAX];
	const struct cpg *self = (const void *)handle_dispatching();
	struct life *life = dispatching_life();

	if (life != NULL)
		life->tap->confchg(life, group->value, group->length,
				   tapped(lists[0], members, member_count),
				   tapped(lists[1], left, left_count),
				   tapped(lists[2], joined, joined_count));
	on_confchg(id, group, members, member_count, left, left_count, joined,
		   joined_count);
	if (life != NULL && self->state == STATE_LEFT)
		life->tap->left(life);
}

static void on_traced_totem_confchg(cpg_handle_t id, struct cpg_ring_id ring,
				    uint32_t count, const uint32_t *nodeids)
{
	struct life *life = dispatching_life();

	if (life != NULL)
		life->tap->ring(life, (struct tap_ring){ring.nodeid, ring.seq},
				(struct tap_nodes){nodeids, count});
	on_totem_confchg(id, ring, count, nodeids);
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

	if (connection->traced) {
		data.cpg_deliver_fn = on_traced_deliver;
		data.cpg_confchg_fn = on_traced_confchg;
		data.cpg_totem_confchg_fn = on_traced_totem_confchg;
	}
	return cpg_model_initialize(&connection->id, CPG_MODEL_V1,
				    (cpg_model_data_t *)&data, NULL);
}

cs_error_t group_dispatch(uint64_t id, cs_dispatch_flags_t mode)
{
	cs_error_t err = cpg_dispatch(id, mode);
	struct life *life;

	if (err != CS_ERR_LIBRARY)
		return err;
	life = handle_dispatching()->life;
	if (life != NULL)
		life->tap->lost(life);
	return err;
}

static void tell_sent(struct life *life, cs_error_t err,
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

cs_error_t group_mcast(struct cpg *self, cpg_guarantee_t guarantee,
		       const struct iovec *payload)
{
	cs_error_t err =
		cpg_mcast_joined(self->handle.id, guarantee, payload, 1);

	if (self->handle.life != NULL)
		tell_sent(self->handle.life, err, payload);
	return err;
}
