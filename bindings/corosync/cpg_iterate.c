/* handle:iterate: what groups there are, and who is in them. */
#include "corosync/cpg.h"

#include <lauxlib.h>

#include "common/args.h"
#include "common/status.h"
#include "corosync/member.h"

static const struct name iterations[] = {
	{CPG_ITERATION_NAME_ONLY, "name_only"},
	{CPG_ITERATION_ONE_GROUP, "one_group"},
	{CPG_ITERATION_ALL, "all"},
	{0, NULL},
};

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
	lua_pushlstring(L, description->group.value, description->group.length);
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
int group_iterate(lua_State *L)
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
