/* The list of handles, which all modules loaded in one Lua state share. */
#include "common/handles.h"

#include "common/class.h"

#define HANDLES_KEY "corosync.handles"

void list_handle(lua_State *L, int index, bool open)
{
	index = lua_absindex(L, index);
	push_weak(L, HANDLES_KEY, "k");
	lua_pushvalue(L, index);
	lua_pushboolean(L, open);
	lua_rawset(L, -3);
	lua_pop(L, 1);
}

lua_Integer push_open_handles(lua_State *L)
{
	lua_Integer count = 0;

	lua_newtable(L);
	push_weak(L, HANDLES_KEY, "k");
	lua_pushnil(L);
	while (lua_next(L, -2)) {
		if (lua_toboolean(L, -1)) {
			lua_pushvalue(L, -2);
			lua_rawseti(L, -5, ++count);
		}
		lua_pop(L, 1);
	}
	lua_pop(L, 1);
	return count;
}
