/* Rings and lists of nodes, which three libraries report alike. */
#include "corosync/ring.h"

#include <inttypes.h>
#include <stdio.h>

#include <corosync/corotypes.h>
#include <lauxlib.h>

#include "common/args.h"
#include "common/fields.h"

#define RING_TYPE "corosync.ring"

static const struct name tracks[] = {
	{CS_TRACK_CURRENT, "current"},
	{CS_TRACK_CHANGES, "changes"},
	{CS_TRACK_CHANGES_ONLY, "changes_only"},
	{0, NULL},
};

uint32_t check_nodeid(lua_State *L, int arg, lua_Integer least)
{
	return (uint32_t)check_range(L, arg, "nodeid", least, UINT32_MAX);
}

unsigned int check_track(lua_State *L, int arg)
{
	return check_name(L, arg, "flags", tracks);
}

/* tostring(ring) -> "1.2a", as the tools of corosync print it */
static int ring_tostring(lua_State *L)
{
	char text[32];

	lua_getfield(L, 1, "nodeid");
	lua_getfield(L, 1, "seq");
	snprintf(text, sizeof text, "%" PRIu32 ".%" PRIx64,
		 (uint32_t)luaL_checkinteger(L, -2),
		 (uint64_t)luaL_checkinteger(L, -1));
	lua_pushstring(L, text);
	return 1;
}

/* Complete before it is known by its name: what is short of memory goes on with
 * a whole one next time. */
static void push_ring_class(lua_State *L)
{
	if (luaL_getmetatable(L, RING_TYPE) != LUA_TNIL)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushcfunction(L, ring_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, RING_TYPE);
}

void push_ring(lua_State *L, uint32_t nodeid, uint64_t seq)
{
	lua_createtable(L, 0, 2);
	set_integer(L, "nodeid", nodeid);
	set_integer(L, "seq", (lua_Integer)seq);
	push_ring_class(L);
	lua_setmetatable(L, -2);
}

void push_nodeids(lua_State *L, const uint32_t *nodeids, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(L, nodeids[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}
