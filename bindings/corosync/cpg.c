/*
 * corosync.cpg: closed process groups.
 *
 * A handle is for one group and one life. After cpg_leave the daemon goes on
 * sending to the handle, and a second cpg_join on it never returns; so the
 * state of a handle is kept here, a used handle refuses to join, and after the
 * own LEAVE nothing is delivered any more.
 */
#include "corosync/cpg.h"

#include <lauxlib.h>
#include <string.h>

#include "common/args.h"
#include "common/module.h"
#include "common/options.h"
#include "common/status.h"
#include "corosync/iterate.h"
#include "corosync/member.h"
#include "corosync/ring.h"

static const struct name states[] = {
	{STATE_NEW, "new"},
	{STATE_JOINED, "joined"},
	{STATE_LEAVING, "leaving"},
	{STATE_LEFT, "left"},
	{0, NULL},
};

static const struct name guarantees[] = {
	{CPG_TYPE_UNORDERED, "unordered"},
	{CPG_TYPE_FIFO, "fifo"},
	{CPG_TYPE_AGREED, "agreed"},
	{CPG_TYPE_SAFE, "safe"},
	{0, NULL},
};

static const struct name flow_states[] = {
	{CPG_FLOW_CONTROL_DISABLED, "disabled"},
	{CPG_FLOW_CONTROL_ENABLED, "enabled"},
	{0, NULL},
};

static const struct name iterations[] = {
	{CPG_ITERATION_NAME_ONLY, "name_only"},
	{CPG_ITERATION_ONE_GROUP, "one_group"},
	{CPG_ITERATION_ALL, "all"},
	{0, NULL},
};

/* The longest name that corosync handles in all places. */
enum { GROUP_NAME_MAX = CPG_MAX_NAME_LENGTH - 1 };

void check_group(lua_State *L, int arg, struct cpg_name *group)
{
	size_t length;
	const char *text =
		check_text(L, arg, "group name", 1, GROUP_NAME_MAX, &length);

	memset(group, 0, sizeof *group);
	group->length = (uint32_t)length;
	memcpy(group->value, text, length);
}

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
	int results = call_on_the_spot(L, &group_jobs[GROUP_JOIN]);

	/* A worker gives the own member. */
	if (results == 1)
		lua_pushboolean(L, 1);
	return results;
}

/*
 * handle:leave() -> true | nil, message, code
 *
 * Leaves the joined group. Events go on until the own LEAVE has been
 * dispatched; after it there are none.
 */
static int group_leave(lua_State *L)
{
	const struct cpg *self = check_handle(L);

	if (self->state != STATE_JOINED)
		return push_not_joined(L, "cpg_leave");
	return call_on_the_spot(L, &group_jobs[GROUP_LEAVE]);
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
		raise_argument(L, arg,
			       "payload must be a string or an array of "
			       "strings, got %s",
			       luaL_typename(L, arg));
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
	unsigned int guarantee =
		opt_name(L, 3, "guarantee", guarantees, CPG_TYPE_AGREED);
	struct iovec iovec = check_payload(L, 2);
	/* Last, as joining an array may have run a finalizer. */
	struct cpg *self = check_handle(L);
	cs_error_t err;

	if (self->state != STATE_JOINED)
		return push_not_joined(L, "cpg_mcast_joined");
	err = cpg_mcast_joined(self->handle.id, (cpg_guarantee_t)guarantee,
			       &iovec, 1);
	if (self->handle.life != NULL)
		group_tell_sent(self->handle.life, err, &iovec);
	return push_result(L, "cpg_mcast_joined", err);
}

/*
 * handle:membership_get(group) -> { member, ... } | nil, message, code
 *
 * The members of a group as the daemon knows them now, which may be newer than
 * the last event; the joined group where none is named.
 */
static cs_error_t group_membership_get(lua_State *L)
{
	struct cpg *self = check_handle(L);
	struct cpg_name group = self->group;
	struct cpg_address list[CPG_MEMBERS_MAX];
	int count = CPG_MEMBERS_MAX;
	cs_error_t err;

	if (!lua_isnoneornil(L, 2) || self->state == STATE_NEW)
		check_group(L, 2, &group);
	err = cpg_membership_get(self->handle.id, &group, list, &count);
	if (err == CS_OK)
		push_members(L, list, (size_t)count);
	return err;
}

/*
 * handle:flow_control_state_get() -> "disabled" | "enabled"
 *                                  | nil, message, code
 *
 * Corosync always says "disabled", also while it answers "ERR_TRY_AGAIN".
 */
static cs_error_t group_flow_control_state_get(lua_State *L)
{
	cpg_flow_control_state_t state;
	cs_error_t err = cpg_flow_control_state_get(check_id(L), &state);

	if (err == CS_OK)
		push_name(L, flow_states, state);
	return err;
}

/*
 * handle:local_get() -> nodeid | nil, message, code
 * handle:max_atomic_msgsize_get() -> bytes | nil, message, code
 *
 * The latter is the largest payload that is one message on the wire. A larger
 * one is sent in fragments while the call blocks, and lost with "ERR_INTERRUPT"
 * if the membership changes meanwhile.
 */
static const struct verb verbs[] = {
	{"membership_get", .make = group_membership_get},
	{"local_get", .number = cpg_local_get},
	{"max_atomic_msgsize_get", .number = cpg_max_atomic_msgsize_get},
	{"flow_control_state_get", .make = group_flow_control_state_get},
	{.name = NULL},
};

static cs_error_t push_next(lua_State *L, const struct iteration *iteration)
{
	struct cpg_iteration_description_t found;
	cs_error_t err = cpg_iteration_next(iteration->id, &found);

	if (err != CS_OK)
		return err;
	lua_createtable(L, 0, 2);
	lua_pushlstring(L, found.group.value, found.group.length);
	lua_setfield(L, -2, "group");
	if (iteration->kind != CPG_ITERATION_NAME_ONLY) {
		push_member(L, found.nodeid, found.pid);
		lua_setfield(L, -2, "member");
	}
	return CS_OK;
}

static void end_iteration(const struct iteration *iteration)
{
	cpg_iteration_finalize(iteration->id);
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
	struct iteration iteration = {
		.width = 1,
		.call = "cpg_iteration_next",
		.kind = kind,
		.next = push_next,
		.finalize = end_iteration,
	};
	cs_error_t err;

	if (one)
		check_group(L, 3, &group);
	err = cpg_iteration_initialize(self->handle.id,
				       (cpg_iteration_type_t)kind,
				       one ? &group : NULL, &iteration.id);
	if (err != CS_OK)
		return push_failure(L, "cpg_iteration_initialize", err);
	return push_iterator(L, &iteration);
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

/*
 * cpg.initialize(callbacks, options) -> handle | nil, message, code
 *
 * Connects to the local daemon (cpg_model_initialize, model v1). Callbacks are
 * deliver(handle, group, payload, from), confchg(handle, group, members, left,
 * joined) and totem_confchg(handle, ring, nodeids), each of which may be left
 * out; the option deliver_initial_totem_conf gives the ring at the join.
 */
static unsigned int check_flags(lua_State *L)
{
	static const char *const keys[] = {"deliver_initial_totem_conf", NULL};
	const struct options options = {L, 2, 2};

	check_keys(&options, "option", keys);
	return option_flag(&options, keys[0])
		       ? CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF
		       : 0;
}

static const struct library library = {
	.type = "corosync.cpg",
	.prefix = "cpg",
	.initialize_name = "cpg_model_initialize",
	.kinds = group_kinds,
	.size = sizeof(struct cpg),
	.values = GROUP_VALUES,
	.check_flags = check_flags,
	.has_members = true,
	.is_traced = true,
	.connect = group_connect,
	.dispatch = cpg_dispatch,
	.fd_get = cpg_fd_get,
	.finalize = cpg_finalize,
	.blocking = group_jobs,
	.verbs = verbs,
};

static const luaL_Reg methods[] = {
	{"join", group_join},
	{"leave", group_leave},
	{"mcast_joined", group_mcast_joined},
	{"iterate", group_iterate},
	{"state", group_state},
	{NULL, NULL},
};

/* cpg.member(nodeid, pid) -> member: the one that events tell of, too */
static int cpg_member(lua_State *L)
{
	uint32_t nodeid = check_nodeid(L, 1, 1);
	lua_Integer pid = check_range(L, 2, "pid", 1, UINT32_MAX);

	push_member(L, nodeid, (uint32_t)pid);
	return 1;
}

/* cpg.is_member(value) -> boolean */
static int cpg_is_member(lua_State *L)
{
	luaL_checkany(L, 1);
	lua_pushboolean(L, is_member(L, 1));
	return 1;
}

static const luaL_Reg functions[] = {
	{"is_member", cpg_is_member},
	{"member", cpg_member},
	{NULL, NULL},
};

MODULE(corosync_cpg)
{
	members_register(L);
	open_library(L, &library, methods);
	luaL_setfuncs(L, functions, 0);
	return 1;
}
