#ifndef COROLUA_HANDLES_H
#define COROLUA_HANDLES_H

#include <lua.h>
#include <stdbool.h>

/*
 * The list of the handles of a Lua state, for a program that ends in good
 * order. A handle is in it for life, so that no memory is needed once there is
 * a connection to lose.
 */

/* Notes whether the handle at an index is open; the first time may raise. */
void list_handle(lua_State *L, int index, bool open);

/* Pushes an array of those that are open; returns how many. */
lua_Integer push_open_handles(lua_State *L);

#endif
