/*
 * corolua.limit: how handlers that run as tasks come under the limit of their
 * CPU time. A task that calls handlers is resumed through here, and leaves the
 * limit whenever it waits; without a limit nothing is done.
 */
#include "limit.h"

#include <lauxlib.h>

#include "module.h"

/* The limit that a task runs under now, for next. */
static struct limit *current;

/* limit.resume(task, ...): coroutine.resume of a task that calls handlers */
static int limit_resume(lua_State *L)
{
	struct limit *limit = limit_of(L);
	lua_State *co = lua_tothread(L, 1);
	lua_State *before = NULL;

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	if (limit != NULL && co != NULL)
		before = limit_enter(limit, co);
	current = limit;
	lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
	current = NULL;
	if (limit != NULL && co != NULL)
		limit_leave(limit, co, before);
	return lua_gettop(L);
}

/* limit.next(): the task goes over to its next handler, with new time */
static int limit_next(lua_State *L)
{
	(void)L;
	if (current != NULL)
		current->calls++;
	return 0;
}

static int pcall_done(lua_State *L, int status, lua_KContext context)
{
	struct limit *limit = limit_of(L);

	(void)context;
	if (limit != NULL) {
		limit->calls++;
		limit->release(limit, L);
	}
	lua_pushboolean(L, status == LUA_OK || status == LUA_YIELD);
	lua_replace(L, 1);
	return lua_gettop(L);
}

/*
 * limit.pcall(note, fn, ...): xpcall(fn, note, ...); a handler that exceeded
 * the limit has returned when it does, so the error does not repeat after it
 */
static int limit_pcall(lua_State *L)
{
	int status;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checkany(L, 2);
	status =
		lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, 0, pcall_done);
	return pcall_done(L, status, 0);
}

static const luaL_Reg functions[] = {
	{"next", limit_next},
	{"pcall", limit_pcall},
	{NULL, NULL},
};

MODULE(corolua_limit)
{
	luaL_newlib(L, functions);
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, "resume");
	lua_remove(L, -2);
	lua_pushcclosure(L, limit_resume, 1);
	lua_setfield(L, -2, "resume");
	return 1;
}
