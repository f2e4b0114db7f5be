#ifndef COROLUA_DESCRIPTOR_H
#define COROLUA_DESCRIPTOR_H

#include <lua.h>

/*
 * An open file descriptor that Lua owns: the end of a pipe, a namespace, a
 * file. It is closed by close, by <close> or by the collector, once.
 */
#define DESCRIPTOR_NAME "corolua.descriptor"

/* Pushes a closed descriptor; its int is filled once the file is open. */
int *push_descriptor(lua_State *L);

/* The open descriptor at arg; raises if it is none, or closed. */
int check_descriptor(lua_State *L, int arg);

/* The descriptor at arg, or -1 where the argument is nil. */
int opt_descriptor(lua_State *L, int arg);

/* Makes the metatable; once per Lua state, before the first push. */
void descriptor_register(lua_State *L);

#endif
