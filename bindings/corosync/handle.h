#ifndef COROLUA_HANDLE_H
#define COROLUA_HANDLE_H

#include <corosync/corotypes.h>
#include <lauxlib.h>
#include <lua.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/tap.h"
#include "corosync/blocking.h"
#include "corosync/events.h"

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

/* What the connection of one library or another is made with, and gives. */
struct connection {
	uint64_t id; /* of the C library */
	unsigned int
		flags;  /* what the script asked for, in the library's way */
	uint32_t type;  /* what the daemon calls itself: quorum alone */
	bool traced;    /* a trace is told of it */
	uint64_t place; /* connect_place(), where a trace wants it; else 0 */
};

struct library {
	const char *type;            /* "corosync.cpg", name of the metatable */
	const char *prefix;          /* "cpg", of the functions of C */
	const char *initialize_name; /* "cpg_model_initialize", for messages */
	const struct event_kind *kinds;
	size_t size; /* of its handles, which begin with struct handle */
	int values;  /* user values of its own, behind the handlers */
	/* Checks what initialize is given behind the callbacks, for connect; or
	 * NULL. */
	unsigned int (*check_flags)(lua_State *L);
	bool has_members; /* a handle may become a member of a group */
	bool is_traced;   /* a trace is told of handles */
	/* What else the new handle at the top needs, or NULL. */
	void (*begin)(lua_State *L, struct handle *handle);
	/* Only called by handle_connect, which sees that one thread at a time
	 * takes a slot for a handle; no Lua. */
	cs_error_t (*connect)(struct connection *connection);
	/* Pushes what initialize returns besides the handle, or NULL. */
	void (*push_type)(lua_State *L, uint32_t type);
	cs_error_t (*dispatch)(uint64_t id, cs_dispatch_flags_t mode);
	cs_error_t (*fd_get)(uint64_t id, int *fd);
	cs_error_t (*finalize)(uint64_t id);
	/* Methods that a worker may call as well; ends with a NULL name. NULL
	 * where no worker makes a connection of the library. */
	const struct blocking *blocking;
	bool only_workers; /* make these calls: they are no methods */
	/*
	 * Pushes the handler of an event, or nil to skip the event. NULL where
	 * the kind of the event says which handler it is.
	 */
	void (*push_handler)(lua_State *L, const struct event *event);
};

/* A handle has one connection in its life. */
enum handle_state {
	HANDLE_NEW,    /* not connected yet */
	HANDLE_OPEN,   /* the connection is the handle's */
	HANDLE_LENT,   /* a worker has it, or makes it */
	HANDLE_CLOSED, /* for good */
};

struct handle {
	const struct library *library;
	uint64_t id; /* of the C library */
	enum handle_state state;
	unsigned int forks;    /* fork_depth() when it was opened */
	unsigned int flags;    /* to connect with */
	unsigned int handlers; /* bit n: there is a handler for kind n */
	struct events events;
	struct taken spare; /* memory for the event that is pushed */
	struct life *life;  /* what a trace is told of it, or NULL */
};

/* The user values of a handle: the first is of dispatch, then come the
 * handlers by kind of event, then the library's own. */
enum { TURN_VALUE = 1, HANDLER_VALUE = 2 };

/*
 * Makes the metatable of the library with its own methods and the common ones,
 * and pushes its module, which has initialize, and prepare where a worker may
 * connect. Every function finds the library in its first upvalue, and the
 * metatable in the second. Returns 1.
 */
int open_library(lua_State *L, const struct library *library,
		 const luaL_Reg methods[]);

/* What the new handle wants to be connected with. */
struct connection handle_connection(const struct handle *handle);

/* The new handle has this connection. Raises nothing. */
void handle_has_connected(struct handle *handle,
			  const struct connection *connection);

/* Connects, in whatever thread. */
cs_error_t handle_connect(const struct library *library,
			  struct connection *connection);

/* The open handle at argument 1 of a method; raises if it is closed. */
void *check_handle(lua_State *L);

/* A method that hands nothing but the connection to the library. */
int call_plainly(lua_State *L, const char *call,
		 cs_error_t (*function)(uint64_t id));

/* nil, "cpg_dispatch: try again", "ERR_TRY_AGAIN" for the verb "dispatch". */
int push_verb_failure(lua_State *L, const struct library *library,
		      const char *verb, cs_error_t err);

/*
 * The handle at an index, of whatever library and open or closed; raises if it
 * is none.
 */
struct handle *check_any_handle(lua_State *L, int index);

/* The handle at an index goes over to a state. Raises nothing. */
void handle_become(lua_State *L, int index, enum handle_state state);

#endif
