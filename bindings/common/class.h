#ifndef COROLUA_CLASS_H
#define COROLUA_CLASS_H

#include <lauxlib.h>
#include <lua.h>

/*
 * Makes the metatable of a class of userdata, once per Lua state: methods may
 * be NULL, and so may what the collector and <close> call.
 */
void register_class(lua_State *L, const char *name, const luaL_Reg methods[],
		    lua_CFunction gc, lua_CFunction close);

/*
 * Pushes the weak table that stands in the registry under a key, shared by all
 * modules and made at the first call; mode is "k" or "v".
 */
void push_weak(lua_State *L, const char *key, const char *mode);

#endif
