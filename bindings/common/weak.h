#ifndef COROLUA_WEAK_H
#define COROLUA_WEAK_H

#include <lua.h>

/*
 * Pushes the weak table that stands in the registry under a key, made at the
 * first call; mode is "k" or "v".
 */
void push_weak(lua_State *L, const char *key, const char *mode);

#endif
