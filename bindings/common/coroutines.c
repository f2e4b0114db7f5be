/*
 * What Lua has to run coroutines: all of it goes through here, so that
 * corolua.limit knows at any time what runs, and a stop or a limit reaches what
 * runs inside of a task.
 */
#include "common/limit.h"

#include <lauxlib.h>
#include <stdbool.h>

static int push_refusal(lua_State *L, const char *text)
{
	lua_pushboolean(L, false);
	lua_pushstring(L, text);
	return 2;
}

/* Instead of a number of results. */
enum { TOO_MANY_ARGUMENTS = -1, TOO_MANY_RESULTS = -2 };

int coroutines_resume(lua_State *L, lua_State *co)
{
	int given = lua_gettop(L) - 1, results, status;

	if (!lua_checkstack(co, given))
		return TOO_MANY_ARGUMENTS;
	lua_xmove(L, co, given);
	status = lua_resume(co, L, given, &results);
	if (status != LUA_OK && status != LUA_YIELD) {
		lua_xmove(co, L, 1);
		lua_pushboolean(L, false);
		lua_insert(L, -2);
		return 2;
	}
	if (!lua_checkstack(L, results + 1)) {
		lua_pop(co, results);
		return TOO_MANY_RESULTS;
	}
	lua_pushboolean(L, true);
	lua_xmove(co, L, results);
	return results + 1;
}

int coroutines_results(lua_State *L, int results)
{
	if (results == TOO_MANY_ARGUMENTS)
		return push_refusal(L, "too many arguments to resume");
	if (results == TOO_MANY_RESULTS)
		return push_refusal(L, "too many results to resume");
	return results;
}

/* What runs inside of another coroutine, and what had it run. */
struct inner {
	struct limit *limit;
	lua_State *current;
	lua_State *running;
};

static struct inner enter_inner(struct limit *limit, lua_State *co)
{
	struct inner inner = {limit, limit->current, limit->running};

	if (limit->running != NULL)
		limit->running = co;
	limit->current = co;
	if (limit_is_due(limit))
		limit_interrupt(limit);
	return inner;
}

static void leave_inner(const struct inner *inner)
{
	struct limit *limit = inner->limit;

	limit->current = inner->current;
	limit->running = inner->running;
	/* The interruption came inside: what is outside is no better. */
	if (limit_is_due(limit))
		limit_interrupt(limit);
}

static bool is_foreign_task(const struct limit *limit, lua_State *co)
{
	return limit_is_marked(co) && co != limit->task;
}

/* coroutine.resume, for what runs inside a task */
static int resume(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);
	lua_State *co = limit_check_thread(L);
	struct inner inner;
	int results;

	if (is_foreign_task(limit, co))
		return push_refusal(L, "cannot resume a task, which goes on by "
				       "itself (see task:wait)");
	inner = enter_inner(limit, co);
	results = coroutines_resume(L, co);
	leave_inner(&inner);
	return coroutines_results(L, results);
}

/* Raises the error on top, a sentence with the place of the caller before it.
 */
static int raise_here(lua_State *L)
{
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* coroutine.close, whose <close> variables run in the coroutine; Lua's own is
 * the second upvalue */
static int close_coroutine(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);
	lua_State *co = limit_check_thread(L);
	struct inner inner;
	int status;

	if (is_foreign_task(limit, co))
		return luaL_error(L,
				  "cannot close a task, which ends by itself");
	lua_settop(L, 1);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 1);
	inner = enter_inner(limit, co);
	status = lua_pcall(L, 1, LUA_MULTRET, 0);
	leave_inner(&inner);
	if (status == LUA_OK)
		return lua_gettop(L);
	return raise_here(L);
}

static int close_thread(lua_State *co, lua_State *from)
{
#if LUA_VERSION_NUM > 504 || LUA_VERSION_RELEASE_NUM >= 50406
	return lua_closethread(co, from);
#else
	(void)from;
	return lua_resetthread(co);
#endif
}

/* Of a coroutine that raised, as lua_status and its error then. */
static int close_failed(lua_State *L, lua_State *co)
{
	struct inner inner = enter_inner(limit_upvalue(L), co);
	int status = close_thread(co, L);

	leave_inner(&inner);
	lua_xmove(co, L, 1);
	return status;
}

/* What coroutine.wrap gives; its second upvalue is the coroutine. */
static int call_wrapped(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(2));
	int results, status;

	lua_pushvalue(L, lua_upvalueindex(2));
	lua_insert(L, 1);
	results = resume(L);
	if (lua_toboolean(L, -results))
		return results - 1;
	status = lua_status(co);
	if (status > LUA_YIELD)
		status = close_failed(L, co);
	return status == LUA_ERRMEM ? lua_error(L) : raise_here(L);
}

/* coroutine.wrap */
static int wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	lua_pushvalue(L, lua_upvalueindex(1));
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushcclosure(L, call_wrapped, 2);
	return 1;
}

static const luaL_Reg functions[] = {
	{"resume", resume},
	{"wrap", wrap},
	{NULL, NULL},
};

/* In the table of coroutines, above the limit. */
static void replace_close(lua_State *L)
{
	lua_pushvalue(L, -2);
	lua_getfield(L, -2, "close");
	lua_pushcclosure(L, close_coroutine, 2);
	lua_setfield(L, -2, "close");
}

void coroutines_replace(lua_State *L)
{
	lua_getglobal(L, "coroutine");
	lua_pushvalue(L, -2);
	luaL_setfuncs(L, functions, 1);
	replace_close(L);
	lua_pop(L, 1);
}
