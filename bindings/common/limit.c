/*
 * corolua.limit: what interrupts the script's own code, be it a handler over
 * its CPU time or a task at a stop. All coroutines are resumed through here, so
 * that it is known at any time what runs; an interruption is a hook on that.
 *
 * The hook is called at each instruction, and raises only in functions that are
 * not of corolua: those are left to finish what they began, and the error comes
 * where the script goes on. New coroutines inherit the hook; it takes itself
 * away wherever nothing is to be interrupted.
 */
#include "common/limit.h"

#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

#include "common/module.h"

/* How the sources of those modules begin that are compiled into the program. */
static const char EMBEDDED[] = "=corolua/";

/*
 * Where only corolua itself has run for so many instructions, the hook goes, as
 * it makes all of them slow; the host's timer sets it again.
 */
enum { OWN_MAX = 10000 };

/* Values of the area that Lua keeps for us with each thread. */
static const char is_task;    /* the scheduler alone resumes it */
static const char is_pending; /* it is to be interrupted once */
static const char is_told;    /* it was; or the stop does not concern it */

/* What a stop raises: its address is its key in the registry. */
static const char stopped;

static const char **mark_of(lua_State *co)
{
	return lua_getextraspace(co);
}

/* Threads older than this module have anything there. */
bool limit_is_marked(lua_State *co)
{
	const char *mark = *mark_of(co);

	return mark == &is_task || mark == &is_pending || mark == &is_told;
}

static bool is_own(const struct limit *limit, const char *source)
{
	return strncmp(source, EMBEDDED, sizeof EMBEDDED - 1) == 0 ||
	       (limit->own != NULL &&
		strncmp(source, limit->own, strlen(limit->own)) == 0);
}

static int raise_exceeded(lua_State *L, const struct limit *limit)
{
	luaL_where(L, 0);
	lua_pushfstring(L,
			"handler ran longer than %f s of CPU (--handler-limit)",
			(LUAI_UACNUMBER)limit->seconds);
	lua_concat(L, 2);
	return lua_error(L);
}

static int raise_stopped(lua_State *L, struct limit *limit)
{
	if (limit->stop == STOP_ONCE)
		limit->stop = STOP_NEVER;
	if (limit->stop == STOP_NEVER)
		lua_sethook(L, NULL, 0, 0);
	if (limit->task != NULL)
		*mark_of(limit->task) = &is_told;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &stopped);
	return lua_error(L);
}

static void on_instruction(lua_State *L, lua_Debug *ar)
{
	struct limit *limit = limit_of(L);
	bool is_stopping = *mark_of(L) == &is_pending ||
			   (limit->stop != STOP_NEVER && limit->task != NULL);

	if (!limit->exceeded && !is_stopping) {
		lua_sethook(L, NULL, 0, 0);
		return;
	}
	lua_getinfo(L, "S", ar);
	if (is_own(limit, ar->source)) {
		if (++limit->own_instructions > OWN_MAX)
			lua_sethook(L, NULL, 0, 0);
		return;
	}
	if (limit->exceeded)
		raise_exceeded(L, limit);
	raise_stopped(L, limit);
}

static void set_hook(struct limit *limit, lua_State *L)
{
	limit->own_instructions = 0;
	lua_sethook(L, on_instruction, LUA_MASKCOUNT, 1);
}

void limit_interrupt(struct limit *limit)
{
	set_hook(limit, limit->current);
}

int limit_task_is_told(const struct limit *limit)
{
	return *mark_of(limit->task) == &is_told;
}

/* A task goes on, until it waits or ends. */
static int step(lua_State *L, bool is_handler)
{
	struct limit *limit = limit_upvalue(L);
	lua_State *before = limit->current;
	lua_State *co = limit_check_thread(L);
	int results;

	if (!limit_is_marked(co))
		*mark_of(co) = &is_task;
	else if (*mark_of(co) == &is_pending)
		set_hook(limit, co);
	if (is_handler) {
		limit->calls++;
		limit->running = co;
	}
	limit->steps++;
	limit->current = co;
	limit->task = co;
	results = coroutines_resume(L, co);
	limit->task = NULL;
	limit->current = before;
	limit->stop = STOP_NEVER;
	if (is_handler)
		limit_leave(limit, NULL);
	return coroutines_results(L, results);
}

/* limit.step(task, ...): coroutine.resume of a task */
static int limit_step(lua_State *L)
{
	return step(L, false);
}

/* limit.resume(task, ...): the same for a task that calls handlers, which
 * have their time each between two waits */
static int limit_resume(lua_State *L)
{
	return step(L, true);
}

/* limit.next(): the task goes over to its next handler, with new time */
static int limit_next(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);

	limit->calls++;
	limit->exceeded = 0;
	return 0;
}

static int pcall_done(lua_State *L, int status, lua_KContext context)
{
	struct limit *limit = (struct limit *)context;

	limit->calls++;
	limit->exceeded = 0;
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
	lua_KContext limit = (lua_KContext)limit_upvalue(L);
	int status;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	luaL_checkany(L, 2);
	status = lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 1, limit,
			    pcall_done);
	return pcall_done(L, status, limit);
}

/* limit.within(task, fn, ...): pcall(fn, ...), outside of a task that the stop
 * takes for the one that runs; it cannot yield */
static int limit_within(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);
	lua_State *current = limit->current;
	lua_State *task = limit_check_thread(L);
	int status;

	luaL_checkany(L, 2);
	limit->steps++;
	limit->current = L;
	limit->task = task;
	status = lua_pcall(L, lua_gettop(L) - 2, LUA_MULTRET, 0);
	limit->task = NULL;
	limit->current = current;
	limit->stop = STOP_NEVER;
	lua_pushboolean(L, status == LUA_OK);
	lua_replace(L, 1);
	return lua_gettop(L);
}

/* limit.interrupt(task): raises limit.STOPPED in it, once, as soon as it runs
 * the script's own code; only if it was not interrupted and not excused */
static int limit_interrupt_task(lua_State *L)
{
	lua_State *co = limit_check_thread(L);

	if (*mark_of(co) != &is_told)
		*mark_of(co) = &is_pending;
	return 0;
}

/* limit.excuse(task): the stop does not interrupt it */
static int limit_excuse(lua_State *L)
{
	*mark_of(limit_check_thread(L)) = &is_told;
	return 0;
}

/* limit.is_told(task) -> whether the stop has interrupted it, or will as soon
 * as it can, or it was excused */
static int limit_is_told(lua_State *L)
{
	const char *mark = *mark_of(limit_check_thread(L));

	lua_pushboolean(L, mark == &is_told || mark == &is_pending);
	return 1;
}

/* limit.watch_stop(seconds): after so long a task that runs is interrupted,
 * and one that runs a second longer at each instruction, if there is a host */
static int limit_watch_stop(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);
	double grace = luaL_checknumber(L, 1);

	if (limit->watch_stop != NULL)
		limit->watch_stop(grace);
	return 0;
}

/* limit.set_own(prefix): how the sources of corolua's functions begin */
static int limit_set_own(lua_State *L)
{
	struct limit *limit = limit_upvalue(L);

	luaL_checkstring(L, 1);
	lua_settop(L, 1);
	limit->own = lua_tostring(L, 1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &limit->own);
	return 0;
}

/* limit.is_own(source) -> whether that is a source of corolua */
static int limit_is_own(lua_State *L)
{
	lua_pushboolean(L, is_own(limit_upvalue(L), luaL_checkstring(L, 1)));
	return 1;
}

static const luaL_Reg functions[] = {
	{"step", limit_step},
	{"resume", limit_resume},
	{"next", limit_next},
	{"pcall", limit_pcall},
	{"within", limit_within},
	{"interrupt", limit_interrupt_task},
	{"excuse", limit_excuse},
	{"is_told", limit_is_told},
	{"watch_stop", limit_watch_stop},
	{"set_own", limit_set_own},
	{"is_own", limit_is_own},
	{NULL, NULL},
};

static int stopped_tostring(lua_State *L)
{
	lua_pushliteral(L, "the program is stopping");
	return 1;
}

static void push_stopped(lua_State *L)
{
	lua_newtable(L);
	lua_createtable(L, 0, 2);
	lua_pushliteral(L, "corolua.stopped");
	lua_setfield(L, -2, "__name");
	lua_pushcfunction(L, stopped_tostring);
	lua_setfield(L, -2, "__tostring");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &stopped);
}

/* The main state is what runs where no coroutine does. */
static void push_limit(lua_State *L)
{
	struct limit *limit = lua_newuserdatauv(L, sizeof *limit, 0);

	*limit = (struct limit){.task = NULL};
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	limit->current = lua_tothread(L, -1);
	*mark_of(limit->current) = NULL;
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_setfield(L, LUA_REGISTRYINDEX, LIMIT_KEY);
}

/* Leaves the module, and what Lua has to run coroutines replaced by ours. */
MODULE(corolua_limit)
{
	luaL_newlibtable(L, functions);
	push_stopped(L);
	lua_setfield(L, -2, "STOPPED");
	push_limit(L);
	coroutines_replace(L);
	luaL_setfuncs(L, functions, 1);
	return 1;
}
