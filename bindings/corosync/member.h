#ifndef COROLUA_MEMBER_H
#define COROLUA_MEMBER_H

#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Pushes the member object of a process: read-only, with the fields nodeid
 * and pid, and one object per process in a Lua state, so that members can be
 * compared with == and serve as keys.
 */
void push_member(lua_State *L, uint32_t nodeid, uint32_t pid);

/* Whether the value at arg is a member. */
bool is_member(lua_State *L, int arg);

/* Makes the metatable; before the first push. */
void members_register(lua_State *L);

#endif
