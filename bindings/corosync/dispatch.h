#ifndef COROLUA_DISPATCH_H
#define COROLUA_DISPATCH_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

#include "corosync/handle.h"

/* How events come from a library to the handlers of a handle. */

/* The handle whose library is calling back; only valid in a callback. */
struct handle *handle_dispatching(void);

/*
 * Room for an event of the handle that dispatches; NULL if it has no handler
 * for that kind, or no memory (which dispatch then reports).
 */
void *handle_add_event(int kind, size_t size);

/* handle:dispatch, the method */
int handle_dispatch(lua_State *L);

/* Makes the metatable of what a dispatch holds. */
void dispatch_register(lua_State *L);

#endif
