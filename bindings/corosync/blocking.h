#ifndef COROLUA_BLOCKING_H
#define COROLUA_BLOCKING_H

#include <corosync/corotypes.h>
#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The calls of a library that wait for the daemon. A daemon that is stopped
 * answers none of them, and they know no timeout, so an event loop must not
 * make them itself: corolua.worker makes each in a thread of its own. The
 * method of the same name makes it on the spot.
 *
 * A connection belongs to one thread at a time: while a worker has it, the
 * handle in Lua is closed.
 */
struct handle;
struct library;
struct job;

struct blocking {
	const char *name; /* in scripts, "join" */
	const char *call; /* for messages, "cpg_join" */
	size_t size;      /* of the struct that begins with struct job */
	/* Takes the arguments from arg on into the job; raises on bad ones. The
	 * handle is at index 1. */
	void (*check)(lua_State *L, int arg, struct handle *handle,
		      struct job *job);
	/* Makes the call, in whatever thread: no Lua, no handle. */
	cs_error_t (*run)(struct job *job);
	/* Pushes the results after CS_OK, with the handle open again; NULL for
	 * true. */
	int (*push)(lua_State *L, struct handle *handle, const struct job *job);
};

/* No job is larger. */
enum { JOB_MOST = 8 * 1024 };

struct job {
	const struct library *library;
	const struct blocking *blocking;
	uint64_t id;    /* of the C library */
	bool connected; /* id is a connection that has to be finalized */
};

/* The method, with a handle at index 1 and the arguments behind it. */
int call_on_the_spot(lua_State *L, const struct blocking *blocking);

/* What the method and the worker return of a call that succeeded. */
int push_job(lua_State *L, struct handle *handle, const struct job *job);

#endif
