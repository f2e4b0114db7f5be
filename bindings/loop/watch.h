#ifndef COROLUA_WATCH_H
#define COROLUA_WATCH_H

#include <lua.h>
#include <qb/qbloop.h>
#include <stdbool.h>
#include <sys/types.h>

#include "loop/timers.h"

/*
 * What corolua.loop watches, one struct for all kinds: the mechanism is in
 * watch.c, what is particular to timers in timers.c, to child processes in
 * child.c.
 */
struct loop {
	qb_loop_t *qb;
	struct timers timers;
	lua_State *main;     /* every entry from libqb runs here */
	lua_Integer counted; /* active watches that keep a program running */
	unsigned int forks;  /* fork_depth() when it was made */
	bool running;
	bool stopped; /* stop was asked for, perhaps before run */
	bool failed;  /* the error is in the registry, under the loop */
};

enum kind {
	WATCH_FD,
	WATCH_TIMER,
	WATCH_SIGNAL,
	WATCH_CHILD,
	WATCH_POLLED_CHILD,
};

struct watch {
	struct loop *loop;
	enum kind kind;
	bool active;
	bool counts; /* keeps the program running while it is active */
	int fd;      /* what is watched; a child's pidfd is ours to close */
	pid_t pid;   /* of a child that is polled */
	union {
		struct due due;            /* of a timer */
		qb_loop_timer_handle tick; /* of a child that is polled */
		qb_loop_signal_handle signal;
	};
};

/* The loop that is the first upvalue of each function of the module. */
struct loop *loop_of(lua_State *L);

/*
 * The descriptors of the loop are the parent's: a child made by fork may
 * neither change what they tell nor wait for them, and must not come back to
 * it.
 */
bool loop_is_forked(const struct loop *loop);

/* Ends such a child, with the problem, if there is one, as its last words. */
void loop_end_if_forked(const struct loop *loop, const char *problem);

/* An inactive watch whose user value is the function at arg. */
struct watch *push_watch(lua_State *L, enum kind kind, int arg);

/* Once libqb has taken it. */
void watch_activate(struct watch *watch);

/* A watch that libqb refused: the failure is all that Lua sees of it. */
int watch_refused(lua_State *L, struct watch *watch, const char *call, int err);

/*
 * The one door from libqb into Lua: calls the watch's function with a word and
 * a number, each of which may be NULL.
 */
void loop_enter(struct watch *watch, const char *word,
		const lua_Integer *number);

/* loop.after_each, the Lua function */
int loop_after_each(lua_State *L);

/* loop.child, the Lua function */
int child_watch(lua_State *L);

/* Makes the metatable of watches. */
void watch_register(lua_State *L);

#endif
