/* Metatables of userdata and of weak tables. */
#include "common/class.h"

static void set_metamethod(lua_State *L, const char *name,
			   lua_CFunction function)
{
	if (function == NULL)
		return;
	lua_pushcfunction(L, function);
	lua_setfield(L, -2, name);
}

void register_class(lua_State *L, const char *name, const luaL_Reg methods[],
		    lua_CFunction gc, lua_CFunction close)
{
	luaL_newmetatable(L, name);
	set_metamethod(L, "__gc", gc);
	set_metamethod(L, "__close", close);
	if (methods != NULL) {
		lua_newtable(L);
		luaL_setfuncs(L, methods, 0);
		lua_setfield(L, -2, "__index");
	}
	lua_pop(L, 1);
}

void push_weak(lua_State *L, const char *key, const char *mode)
{
	if (lua_getfield(L, LUA_REGISTRYINDEX, key) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushstring(L, mode);
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, key);
}
