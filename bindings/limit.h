#ifndef COROLUA_LIMIT_H
#define COROLUA_LIMIT_H

#include <lua.h>

/*
 * How the program watches the CPU time of handlers. The host owns one struct
 * limit and registers it under LIMIT_KEY as a light userdata; whoever calls a
 * handler says so here. The host's timer reads these fields in a signal
 * handler. Without a host there is no limit, and nothing to pay for it.
 */
#define LIMIT_KEY "corolua.limit"

struct limit {
	lua_State *volatile running;  /* runs a handler now, or NULL */
	volatile unsigned long calls; /* changes with every call of a handler */
	void (*release)(struct limit *limit, lua_State *L); /* lifts the hook */
};

static inline struct limit *limit_of(lua_State *L)
{
	struct limit *limit;

	lua_getfield(L, LUA_REGISTRYINDEX, LIMIT_KEY);
	limit = (struct limit *)lua_touserdata(L, -1);
	lua_pop(L, 1);
	return limit;
}

/* What ran before is given back to limit_leave, so that calls may nest. */
static inline lua_State *limit_enter(struct limit *limit, lua_State *L)
{
	lua_State *before = limit->running;

	limit->calls++;
	limit->running = L;
	return before;
}

static inline void limit_leave(struct limit *limit, lua_State *L,
			       lua_State *before)
{
	limit->calls++;
	limit->running = before;
	limit->release(limit, L);
}

#endif
