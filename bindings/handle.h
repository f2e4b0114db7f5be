#ifndef COROLUA_HANDLE_H
#define COROLUA_HANDLE_H

#include <corosync/corotypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "events.h"
#include "job.h"

/*
 * What the handles of the five libraries have in common: a connection that is
 * closed once and for all, callbacks that copy events into a queue, and the
 * dispatch that tells Lua of them after the library has returned.
 *
 * A module describes its library in one struct library, embeds struct handle
 * as the first member of its own struct, and gets the methods dispatch,
 * pending, fd_get and finalize, with __gc, __close and __tostring.
 */
struct handle;

struct library {
	const char *type;            /* "corosync.cpg", name of the metatable */
	const char *dispatch_name;   /* "cpg_dispatch", for messages */
	const char *fd_get_name;     /* "cpg_fd_get" */
	const char *finalize_name;   /* "cpg_finalize" */
	const char *const *handlers; /* names by kind of event, NULL-ended */
	cs_error_t (*dispatch)(uint64_t id, cs_dispatch_flags_t mode);
	cs_error_t (*fd_get)(uint64_t id, int *fd);
	cs_error_t (*finalize)(uint64_t id);
	/* Pushes the arguments behind the handle, which is at index 1; returns
	 * how many. */
	int (*push_event)(lua_State *L, const struct event *event);
	/* What a worker may do with a handle; ends with a NULL name, or NULL.
	 */
	const struct blocking *blocking;
	/*
	 * Pushes the handler of an event, or nil to skip the event. NULL where
	 * the kind of the event says which handler it is.
	 */
	void (*push_handler)(lua_State *L, const struct event *event);
};

struct handle {
	const struct library *library;
	uint64_t id; /* of the C library */
	bool open;
	unsigned int forks;    /* fork_depth() when it was opened */
	unsigned int handlers; /* bit n: there is a handler for kind n */
	struct events events;
};

/*
 * Makes the metatable of the library with its own methods and the common
 * ones. Every function finds the library in its first upvalue.
 */
void handle_register(lua_State *L, const struct library *library,
		     const luaL_Reg methods[]);

/* Sets functions that need the library as first upvalue, such as open. */
void handle_setfuncs(lua_State *L, const struct library *library,
		     const luaL_Reg functions[]);

/*
 * Pushes a new handle of size bytes, closed, with the handlers out of the
 * table at callbacks (which may be nil or missing). Unknown keys and values
 * that are not functions raise. The user value behind those of the handlers
 * is the library's own.
 */
void *push_handle(lua_State *L, const struct library *library, size_t size,
		  int callbacks);

/* Marks the handle at the top as connected, once the library gave its id. */
void handle_open(lua_State *L, struct handle *handle, uint64_t id);

/* The open handle at argument 1 of a method; raises if it is closed. */
void *check_handle(lua_State *L);

/*
 * The handle at an index, of whatever library and open or closed; raises if it
 * is none.
 */
struct handle *check_any_handle(lua_State *L, int index);

/* Gives the connection of the handle at an index away: it is closed now. */
void handle_lend(lua_State *L, int index);

/* The handle whose library is calling back; only valid in a callback. */
struct handle *handle_dispatching(void);

/*
 * Room for an event of the handle that dispatches; NULL if it has no handler
 * for that kind, or no memory (which dispatch then reports).
 */
void *handle_add_event(int kind, size_t size);

/* Whether dispatch would call a handler for this kind of event. */
bool handle_wants(const struct handle *handle, int kind);

#endif
