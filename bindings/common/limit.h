#ifndef COROLUA_LIMIT_H
#define COROLUA_LIMIT_H

#include <lauxlib.h>
#include <lua.h>
#include <signal.h>
#include <stdbool.h>

/*
 * What runs now, and whether it is to be interrupted. corolua.limit owns one
 * struct limit for each Lua state, under LIMIT_KEY; whoever calls a handler or
 * resumes a coroutine says so here. The host's timers read these fields in
 * signal handlers. What never loads corolua.limit has none, and pays nothing.
 */
#define LIMIT_KEY "corolua.limit"

/* How often the stop interrupts a task that runs. */
enum { STOP_NEVER, STOP_ONCE, STOP_ALWAYS };

struct limit {
	lua_State *volatile current;  /* runs now */
	lua_State *volatile task;     /* which that is, or is inside of; NULL */
	lua_State *volatile running;  /* runs a handler now, or NULL */
	volatile unsigned long calls; /* changes with every call of a handler */
	volatile unsigned long steps; /* and with every task that goes on */
	volatile sig_atomic_t exceeded; /* the handler is over its time */
	volatile sig_atomic_t stop;     /* how often, of the enum above */
	unsigned int own_instructions;  /* since the hook was set */
	double seconds;                 /* of CPU that a handler has */
	const char *own; /* how the sources of corolua begin, or NULL */
	void (*watch_stop)(double grace); /* the host's clock of a stop */
};

static inline struct limit *limit_of(lua_State *L)
{
	struct limit *limit;

	lua_getfield(L, LUA_REGISTRYINDEX, LIMIT_KEY);
	limit = (struct limit *)lua_touserdata(L, -1);
	lua_pop(L, 1);
	return limit;
}

/* Of the functions of corolua.limit, which have it as their first upvalue. */
static inline struct limit *limit_upvalue(lua_State *L)
{
	return (struct limit *)lua_touserdata(L, lua_upvalueindex(1));
}

/* The coroutine that a function was given first. */
static inline lua_State *limit_check_thread(lua_State *L)
{
	lua_State *co = lua_tothread(L, 1);

	luaL_argexpected(L, co != NULL, 1, "coroutine");
	return co;
}

/* Whether something is to be interrupted. */
static inline bool limit_is_due(const struct limit *limit)
{
	return limit->exceeded || limit->stop != STOP_NEVER;
}

/* What ran before is given back to limit_leave, so that calls may nest. */
static inline lua_State *limit_enter(struct limit *limit, lua_State *L)
{
	lua_State *before = limit->running;

	limit->calls++;
	limit->running = L;
	return before;
}

/* A hook that is left behind takes itself away. */
static inline void limit_leave(struct limit *limit, lua_State *before)
{
	limit->calls++;
	limit->running = before;
	limit->exceeded = 0;
}

/*
 * Has what runs now interrupted as soon as it is the script's own code; why
 * says `exceeded` or `stop`. May be called in a signal handler.
 */
void limit_interrupt(struct limit *limit);

/* Whether the stop has interrupted the task that runs, or left it alone. */
int limit_task_is_told(const struct limit *limit);

/* Whether it is a task, which the scheduler alone resumes. */
bool limit_is_marked(lua_State *co);

/*
 * What coroutine.resume of Lua does; the arguments are all but the first. It
 * raises nothing, so that its caller can put back what it has changed, and
 * then returns what coroutines_results makes of the number.
 */
int coroutines_resume(lua_State *L, lua_State *co);
int coroutines_results(lua_State *L, int results);

/* Puts ours in the place of what Lua has; the limit is on top of the stack. */
void coroutines_replace(lua_State *L);

#endif
