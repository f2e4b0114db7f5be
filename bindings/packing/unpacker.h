#ifndef COROLUA_UNPACKER_H
#define COROLUA_UNPACKER_H

#include <lua.h>

/* The Lua function packing.unpacker(options) -> unpacker */
int unpacker_new(lua_State *L);

/* Makes the metatable; once per Lua state. */
void unpacker_register(lua_State *L);

#endif
