/* Rings and lists of nodes, which three libraries report alike. */
#include "ring.h"

#include <corosync/corotypes.h>

#include "args.h"

static const struct name tracks[] = {
	{CS_TRACK_CURRENT, "current"},
	{CS_TRACK_CHANGES, "changes"},
	{CS_TRACK_CHANGES_ONLY, "changes_only"},
	{0, NULL},
};

unsigned int check_track(lua_State *L, int arg)
{
	return check_name(L, arg, "flags", tracks);
}

void push_ring(lua_State *L, uint32_t nodeid, uint64_t seq)
{
	lua_createtable(L, 0, 2);
	lua_pushinteger(L, nodeid);
	lua_setfield(L, -2, "nodeid");
	lua_pushinteger(L, (lua_Integer)seq);
	lua_setfield(L, -2, "seq");
}

void push_nodeids(lua_State *L, const uint32_t *nodeids, size_t count)
{
	lua_createtable(L, (int)count, 0);
	for (size_t i = 0; i < count; i++) {
		lua_pushinteger(L, nodeids[i]);
		lua_rawseti(L, -2, (lua_Integer)i + 1);
	}
}
