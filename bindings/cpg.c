/*
 * corosync.cpg: closed process groups.
 *
 * A handle is for one group and one life. After cpg_leave the daemon goes on
 * sending to the handle, and a second cpg_join on it never returns; so the
 * state of a handle is kept here, a used handle refuses to join, and after the
 * own LEAVE nothing is delivered any more.
 */
#include <corosync/cpg.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "handle.h"
#include "members.h"
#include "module.h"
#include "ring.h"
#include "status.h"

enum kind { KIND_DELIVER, KIND_CONFCHG, KIND_TOTEM_CONFCHG };

/* Behind the handlers, which are user values from 1 on. */
enum { SENDER_VALUE = KIND_TOTEM_CONFCHG + 2 };

static const char *const handlers[] = {
	[KIND_DELIVER] = "deliver",
	[KIND_CONFCHG] = "confchg",
	[KIND_TOTEM_CONFCHG] = "totem_confchg",
	NULL,
};

enum state { STATE_NEW, STATE_JOINED, STATE_LEAVING, STATE_LEFT };

static const struct name states[] = {
	{STATE_NEW, "new"},
	{STATE_JOINED, "joined"},
	{STATE_LEAVING, "leaving"},
	{STATE_LEFT, "left"},
	{0, NULL},
};

static const struct name reasons[] = {
	{CPG_REASON_UNDEFINED, "undefined"},
	{CPG_REASON_JOIN, "join"},
	{CPG_REASON_LEAVE, "leave"},
	{CPG_REASON_NODEDOWN, "nodedown"},
	{CPG_REASON_NODEUP, "nodeup"},
	{CPG_REASON_PROCDOWN, "procdown"},
	{0, NULL},
};

static const struct name guarantees[] = {
	{CPG_TYPE_UNORDERED, "unordered"},
	{CPG_TYPE_FIFO, "fifo"},
	{CPG_TYPE_AGREED, "agreed"},
	{CPG_TYPE_SAFE, "safe"},
	{0, NULL},
};

static const struct name iterations[] = {
	{CPG_ITERATION_NAME_ONLY, "name_only"},
	{CPG_ITERATION_ONE_GROUP, "one_group"},
	{CPG_ITERATION_ALL, "all"},
	{0, NULL},
};

static const struct name flow_states[] = {
	{CPG_FLOW_CONTROL_DISABLED, "disabled"},
	{CPG_FLOW_CONTROL_ENABLED, "enabled"},
	{0, NULL},
};

#define JOINED_BEFORE                                                          \
	"the handle has joined a group before; open a new one for each join"

/* The longest name that corosync handles in all places. */
enum { GROUP_NAME_MAX = CPG_MAX_NAME_LENGTH - 1 };

struct cpg {
	struct handle handle;
	enum state state;
	struct cpg_name group; /* once joined */
	uint32_t nodeid;       /* own one, known from leave on */
	unsigned int flags;    /* to connect with */
	/* Of the latest message; its object is the user value SENDER_VALUE. */
	uint32_t sender_nodeid;
	uint32_t sender_pid;
};

/* A call of a handle that a worker makes. */
struct call {
	struct job job;
	struct cpg_name group;
	uint32_t nodeid;
	unsigned int flags;
};

struct deliver {
	struct event event;
	struct cpg_name group;
	uint32_t nodeid;
	uint32_t pid;
	size_t length;
	char payload[];
};

struct confchg {
	struct event event;
	struct cpg_name group;
	size_t members;
	size_t left;
	size_t joined;
	struct cpg_address addresses[]; /* the three lists, one by one */
};

struct totem_confchg {
	struct event event;
	struct cpg_ring_id ring;
	size_t count;
	uint32_t nodeids[];
};

static void push_group(lua_State *L, const struct cpg_name *group)
{
	lua_pushlstring(L, group->value, group->length);
}

static void push_members(lua_State *L, const struct cpg_address *list,
			 size_t count)
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

/* The handle is at index 1, as in every call of push_event. */
static int push_deliver(lua_State *L, const struct event *event)
{
	const struct deliver *deliver = (const void *)event;

	push_group(L, &deliver->group);
	lua_pushlstring(L, deliver->payload, deliver->length);
	push_sender(L, lua_touserdata(L, 1), deliver);
	return 3;
}

static int push_confchg(lua_State *L, const struct event *event)
{
	const struct confchg *confchg = (const void *)event;
	const struct cpg_address *left = confchg->addresses + confchg->members;

	push_group(L, &confchg->group);
	push_members(L, confchg->addresses, confchg->members);
	push_changes(L, left, confchg->left);
	push_changes(L, left + confchg->left, confchg->joined);
	return 4;
}

static int push_totem_confchg(lua_State *L, const struct event *event)
{
	const struct totem_confchg *confchg = (const void *)event;

	push_ring(L, confchg->ring.nodeid, confchg->ring.seq);
	push_nodeids(L, confchg->nodeids, confchg->count);
	return 2;
}

static int push_event(lua_State *L, const struct event *event)
{
	switch ((enum kind)event->kind) {
	case KIND_DELIVER:
		return push_deliver(L, event);
	case KIND_CONFCHG:
		return push_confchg(L, event);
	case KIND_TOTEM_CONFCHG:
		return push_totem_confchg(L, event);
	}
	return 0;
}

static void on_deliver(cpg_handle_t id, const struct cpg_name *group,
		       uint32_t nodeid, uint32_t pid, void *payload,
		       size_t length)
{
	const struct cpg *self = (const void *)handle_dispatching();
	struct deliver *deliver;

	(void)id;
	if (self->state == STATE_LEFT)
		return;
	deliver = handle_add_event(KIND_DELIVER, sizeof *deliver + length);
	if (deliver == NULL)
		return;
	deliver->group = *group;
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

static void append(struct cpg_address **end, const struct cpg_address *list,
		   size_t count)
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
	confchg->group = *group;
	confchg->members = member_count;
	confchg->left = left_count;
	confchg->joined = joined_count;
	end = confchg->addresses;
	append(&end, members, member_count);
	append(&end, left, left_count);
	append(&end, joined, joined_count);
}

static void on_totem_confchg(cpg_handle_t id, struct cpg_ring_id ring,
			     uint32_t count, const uint32_t *nodeids)
{
	const struct cpg *self = (const void *)handle_dispatching();
	struct totem_confchg *confchg;

	(void)id;
	if (self->state == STATE_LEFT)
		return;
	confchg = handle_add_event(KIND_TOTEM_CONFCHG,
				   sizeof *confchg + count * sizeof *nodeids);
	if (confchg == NULL)
		return;
	confchg->ring = ring;
	confchg->count = count;
	memcpy(confchg->nodeids, nodeids, count * sizeof *nodeids);
}

static void check_group(lua_State *L, int arg, struct cpg_name *group)
{
	size_t length;
	const char *text =
		check_text(L, arg, "group name", 1, GROUP_NAME_MAX, &length);

	memset(group, 0, sizeof *group);
	group->length = (uint32_t)length;
	memcpy(group->value, text, length);
}

static cs_error_t connect_daemon(unsigned int flags, cpg_handle_t *id)
{
	cpg_model_v1_data_t data = {
		.model = CPG_MODEL_V1,
		.cpg_deliver_fn = on_deliver,
		.cpg_confchg_fn = on_confchg,
		.cpg_totem_confchg_fn = on_totem_confchg,
		.flags = flags,
	};

	return cpg_model_initialize(id, CPG_MODEL_V1, (cpg_model_data_t *)&data,
				    NULL);
}

static void check_initialize_job(lua_State *L, int arg, struct handle *handle,
				 struct job *job)
{
	(void)L;
	(void)arg;
	((struct call *)job)->flags = ((struct cpg *)handle)->flags;
}

static cs_error_t run_initialize_job(struct job *job)
{
	return connect_daemon(((struct call *)job)->flags, &job->id);
}

static void check_join_job(lua_State *L, int arg, struct handle *handle,
			   struct job *job)
{
	check_group(L, arg, &((struct call *)job)->group);
	if (((struct cpg *)handle)->state != STATE_NEW)
		luaL_error(L, JOINED_BEFORE);
}

static cs_error_t run_join_job(struct job *job)
{
	struct call *call = (struct call *)job;
	cs_error_t err = cpg_local_get(job->id, &call->nodeid);

	return err == CS_OK ? cpg_join(job->id, &call->group) : err;
}

/* The own member object, which the JOIN is known by. */
static int push_join_job(lua_State *L, struct handle *handle,
			 const struct job *job)
{
	const struct call *call = (const struct call *)job;
	struct cpg *self = (struct cpg *)handle;

	self->group = call->group;
	self->state = STATE_JOINED;
	push_member(L, call->nodeid, (uint32_t)getpid());
	return 1;
}

static void check_leave_job(lua_State *L, int arg, struct handle *handle,
			    struct job *job)
{
	const struct cpg *self = (struct cpg *)handle;

	(void)arg;
	if (self->state != STATE_JOINED)
		luaL_error(L, "the handle is not joined");
	((struct call *)job)->group = self->group;
}

static cs_error_t run_leave_job(struct job *job)
{
	struct call *call = (struct call *)job;
	cs_error_t err = cpg_local_get(job->id, &call->nodeid);

	return err == CS_OK ? cpg_leave(job->id, &call->group) : err;
}

static int push_leave_job(lua_State *L, struct handle *handle,
			  const struct job *job)
{
	struct cpg *self = (struct cpg *)handle;

	self->nodeid = ((const struct call *)job)->nodeid;
	self->state = STATE_LEAVING;
	lua_pushboolean(L, 1);
	return 1;
}

static const struct blocking blocking[] = {
	{"initialize", "cpg_model_initialize", sizeof(struct call), true,
	 check_initialize_job, run_initialize_job, NULL},
	{"join", "cpg_join", sizeof(struct call), false, check_join_job,
	 run_join_job, push_join_job},
	{"leave", "cpg_leave", sizeof(struct call), false, check_leave_job,
	 run_leave_job, push_leave_job},
	{NULL, NULL, 0, false, NULL, NULL, NULL},
};

static const struct library library = {
	.type = "corosync.cpg",
	.dispatch_name = "cpg_dispatch",
	.fd_get_name = "cpg_fd_get",
	.finalize_name = "cpg_finalize",
	.handlers = handlers,
	.dispatch = cpg_dispatch,
	.fd_get = cpg_fd_get,
	.finalize = cpg_finalize,
	.push_event = push_event,
	.blocking = blocking,
};

static int push_not_joined(lua_State *L, const char *call)
{
	lua_pushnil(L);
	lua_pushfstring(L, "%s: the handle is not joined", call);
	lua_pushliteral(L, "ERR_NOT_EXIST");
	return 3;
}

/*
 * handle:join(group) -> true | nil, message, code
 *
 * Joins the group, which stands for "joined" from here on: what is sent now is
 * delivered after the own JOIN. A handle joins once in its life.
 */
static int group_join(lua_State *L)
{
	struct cpg *self = check_handle(L);
	struct cpg_name group;
	cs_error_t err;

	check_group(L, 2, &group);
	if (self->state != STATE_NEW)
		return luaL_error(L, JOINED_BEFORE);
	err = cpg_join(self->handle.id, &group);
	if (err != CS_OK)
		return push_failure(L, "cpg_join", err);
	self->group = group;
	self->state = STATE_JOINED;
	lua_pushboolean(L, 1);
	return 1;
}

static cs_error_t leave(struct cpg *self)
{
	cs_error_t err = cpg_local_get(self->handle.id, &self->nodeid);

	if (err != CS_OK)
		return err;
	return cpg_leave(self->handle.id, &self->group);
}

/*
 * handle:leave() -> true | nil, message, code
 *
 * Leaves the joined group. Events go on until the own LEAVE has been
 * dispatched; after it there are none.
 */
static int group_leave(lua_State *L)
{
	struct cpg *self = check_handle(L);
	cs_error_t err;

	if (self->state != STATE_JOINED)
		return push_not_joined(L, "cpg_leave");
	err = leave(self);
	if (err != CS_OK)
		return push_failure(L, "cpg_leave", err);
	self->state = STATE_LEAVING;
	lua_pushboolean(L, 1);
	return 1;
}

/* Joins the array of strings at arg, which stays on the stack. */
static void concatenate(lua_State *L, int arg)
{
	luaL_Buffer buffer;
	lua_Integer count = luaL_len(L, arg);

	luaL_buffinit(L, &buffer);
	for (lua_Integer i = 1; i <= count; i++) {
		if (lua_geti(L, arg, i) != LUA_TSTRING)
			luaL_error(L,
				   "bad argument #%d to 'mcast_joined' "
				   "(payload[%I] must be a string, got %s)",
				   arg - 1, (LUAI_UACINT)i,
				   luaL_typename(L, -1));
		luaL_addvalue(&buffer);
	}
	luaL_pushresult(&buffer);
	lua_replace(L, arg);
}

static struct iovec check_payload(lua_State *L, int arg)
{
	struct iovec iovec;

	if (lua_istable(L, arg))
		concatenate(L, arg);
	else if (lua_type(L, arg) != LUA_TSTRING)
		luaL_argerror(L, arg,
			      lua_pushfstring(L,
					      "payload must be a string or an "
					      "array of strings, got %s",
					      luaL_typename(L, arg)));
	iovec.iov_base = (void *)lua_tolstring(L, arg, &iovec.iov_len);
	return iovec;
}

/*
 * handle:mcast_joined(payload, guarantee) -> true | nil, message, code
 *
 * Sends a string, or an array of strings as one message, to all members, the
 * sender included. true says that the daemon will see it, not that it has been
 * delivered. The guarantee may be left out: corosync delivers "agreed".
 */
static int group_mcast_joined(lua_State *L)
{
	struct cpg *self = check_handle(L);
	unsigned int guarantee =
		opt_name(L, 3, "guarantee", guarantees, CPG_TYPE_AGREED);
	struct iovec iovec = check_payload(L, 2);
	cs_error_t err;

	if (self->state != STATE_JOINED)
		return push_not_joined(L, "cpg_mcast_joined");
	err = cpg_mcast_joined(self->handle.id, (cpg_guarantee_t)guarantee,
			       &iovec, 1);
	if (err != CS_OK)
		return push_failure(L, "cpg_mcast_joined", err);
	lua_pushboolean(L, 1);
	return 1;
}

/*
 * handle:membership_get(group) -> { member, ... } | nil, message, code
 *
 * The members of a group as the daemon knows them now, which may be newer than
 * the last event; the joined group where none is named.
 */
static int group_membership_get(lua_State *L)
{
	struct cpg *self = check_handle(L);
	struct cpg_name group = self->group;
	struct cpg_address list[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;
	cs_error_t err;

	if (!lua_isnoneornil(L, 2) || self->state == STATE_NEW)
		check_group(L, 2, &group);
	err = cpg_membership_get(self->handle.id, &group, list, &count);
	if (err != CS_OK)
		return push_failure(L, "cpg_membership_get", err);
	push_members(L, list, (size_t)count);
	return 1;
}

/* handle:local_get() -> nodeid | nil, message, code */
static int group_local_get(lua_State *L)
{
	const struct cpg *self = check_handle(L);
	unsigned int nodeid;
	cs_error_t err = cpg_local_get(self->handle.id, &nodeid);

	if (err != CS_OK)
		return push_failure(L, "cpg_local_get", err);
	lua_pushinteger(L, nodeid);
	return 1;
}

/*
 * handle:max_atomic_msgsize_get() -> bytes | nil, message, code
 *
 * The largest payload that is one message on the wire. A larger one is sent in
 * fragments while the call blocks, and lost with "ERR_INTERRUPT" if the
 * membership changes meanwhile.
 */
static int group_max_atomic_msgsize_get(lua_State *L)
{
	const struct cpg *self = check_handle(L);
	uint32_t size;
	cs_error_t err = cpg_max_atomic_msgsize_get(self->handle.id, &size);

	if (err != CS_OK)
		return push_failure(L, "cpg_max_atomic_msgsize_get", err);
	lua_pushinteger(L, size);
	return 1;
}

/*
 * handle:flow_control_state_get() -> "disabled" | "enabled"
 *                                  | nil, message, code
 *
 * Corosync always says "disabled", also while it answers "ERR_TRY_AGAIN".
 */
static int group_flow_control_state_get(lua_State *L)
{
	const struct cpg *self = check_handle(L);
	cpg_flow_control_state_t state;
	cs_error_t err = cpg_flow_control_state_get(self->handle.id, &state);

	if (err != CS_OK)
		return push_failure(L, "cpg_flow_control_state_get", err);
	push_name(L, flow_states, state);
	return 1;
}

/*
 * handle:state() -> "new" | "joined" | "leaving" | "left"
 *
 * Where the handle stands in its one life; "left" once the own LEAVE was read.
 */
static int group_state(lua_State *L)
{
	const struct cpg *self = check_handle(L);

	push_name(L, states, self->state);
	return 1;
}

static int next_entry(lua_State *L)
{
	lua_Integer next = lua_tointeger(L, lua_upvalueindex(2)) + 1;

	lua_pushinteger(L, next);
	lua_replace(L, lua_upvalueindex(2));
	lua_rawgeti(L, lua_upvalueindex(1), next);
	return 1;
}

static void
push_description(lua_State *L, unsigned int kind,
		 const struct cpg_iteration_description_t *description)
{
	lua_createtable(L, 0, 2);
	push_group(L, &description->group);
	lua_setfield(L, -2, "group");
	if (kind != CPG_ITERATION_NAME_ONLY) {
		push_member(L, description->nodeid, description->pid);
		lua_setfield(L, -2, "member");
	}
}

/* A protected call, so that the iteration is finalized whatever happens. */
static int collect(lua_State *L)
{
	cpg_iteration_handle_t iteration =
		(cpg_iteration_handle_t)lua_tointeger(L, 1);
	unsigned int kind = (unsigned int)lua_tointeger(L, 2);
	struct cpg_iteration_description_t description;
	cs_error_t err;

	lua_newtable(L);
	while ((err = cpg_iteration_next(iteration, &description)) == CS_OK) {
		push_description(L, kind, &description);
		lua_rawseti(L, -2, luaL_len(L, -2) + 1);
	}
	lua_pushinteger(L, err);
	return 2;
}

/*
 * handle:iterate("all" | "one_group" | "name_only", group)
 *   -> iterator of { group =, member = } | nil, message, code
 *
 * What groups there are and who is in them, as one snapshot of the daemon.
 * "one_group" wants the group; "name_only" gives no members.
 */
static int group_iterate(lua_State *L)
{
	const struct cpg *self = check_handle(L);
	unsigned int kind = check_name(L, 2, "kind", iterations);
	bool one = kind == CPG_ITERATION_ONE_GROUP;
	struct cpg_name group;
	cpg_iteration_handle_t iteration;
	cs_error_t err;
	int status;

	if (one)
		check_group(L, 3, &group);
	err = cpg_iteration_initialize(self->handle.id,
				       (cpg_iteration_type_t)kind,
				       one ? &group : NULL, &iteration);
	if (err != CS_OK)
		return push_failure(L, "cpg_iteration_initialize", err);
	lua_pushcfunction(L, collect);
	lua_pushinteger(L, (lua_Integer)iteration);
	lua_pushinteger(L, kind);
	status = lua_pcall(L, 2, 2, 0);
	cpg_iteration_finalize(iteration);
	if (status != LUA_OK)
		return lua_error(L);
	err = (cs_error_t)lua_tointeger(L, -1);
	if (err != CS_ERR_NO_SECTIONS)
		return push_failure(L, "cpg_iteration_next", err);
	lua_pushinteger(L, 0);
	lua_replace(L, -2);
	lua_pushcclosure(L, next_entry, 2);
	return 1;
}

static unsigned int check_flags(lua_State *L, int arg)
{
	static const char *const options[] = {
		"deliver_initial_totem_conf",
		NULL,
	};

	check_keys(L, arg, "option", options);
	return check_flag(L, arg, options[0])
		       ? CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF
		       : 0;
}

static struct cpg *push_prepared(lua_State *L)
{
	unsigned int flags = check_flags(L, 2);
	struct cpg *self = push_handle(L, &library, sizeof *self, 1);

	self->flags = flags;
	return self;
}

/*
 * cpg.initialize(callbacks, options) -> handle | nil, message, code
 *
 * Connects to the local daemon (cpg_model_initialize, model v1). Callbacks are
 * deliver(handle, group, payload, from), confchg(handle, group, members, left,
 * joined) and totem_confchg(handle, ring, nodeids), each of which may be left
 * out; the option deliver_initial_totem_conf gives the ring at the join.
 */
static int initialize(lua_State *L)
{
	struct cpg *self = push_prepared(L);
	cpg_handle_t id;
	cs_error_t err = connect_daemon(self->flags, &id);

	if (err != CS_OK)
		return push_failure(L, "cpg_model_initialize", err);
	handle_open(L, &self->handle, id);
	return 1;
}

/*
 * cpg.prepare(callbacks, options) -> handle
 *
 * The handle of initialize, still closed: corolua.worker connects it.
 */
static int prepare(lua_State *L)
{
	push_prepared(L);
	return 1;
}

static const luaL_Reg methods[] = {
	{"join", group_join},
	{"leave", group_leave},
	{"mcast_joined", group_mcast_joined},
	{"membership_get", group_membership_get},
	{"local_get", group_local_get},
	{"max_atomic_msgsize_get", group_max_atomic_msgsize_get},
	{"flow_control_state_get", group_flow_control_state_get},
	{"iterate", group_iterate},
	{"state", group_state},
	{NULL, NULL},
};

static const luaL_Reg functions[] = {
	{"initialize", initialize},
	{"prepare", prepare},
	{NULL, NULL},
};

MODULE(corosync_cpg)
{
	handle_register(L, &library, methods);
	luaL_newlib(L, functions);
	return 1;
}
