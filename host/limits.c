/*
 * What a script may use of CPU time in one call of a handler. Its memory is
 * limited in allocator.c.
 *
 * The CPU time is watched from outside: a timer that runs while this thread
 * does sends it a signal ten times per limit. The signal handler sees whether
 * still the same call runs, and once it has for the whole limit sets a hook on
 * the coroutine that runs. Without that a hook would cost at every instruction.
 */
#include "host.h"

#include "limit.h"
#include "status.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { TICKS = 10, SECOND = 1000000000 };

struct watched {
	struct limit limit;
	double seconds;
	timer_t timer;
	unsigned long seen; /* the call that ran at the last tick */
	volatile sig_atomic_t ticks;
	volatile sig_atomic_t exceeded;
};

static struct watched watched;

static void hook(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	luaL_error(L, "handler ran longer than %f s of CPU (--handler-limit)",
		   (LUAI_UACNUMBER)watched.seconds);
}

static void on_tick(int signum)
{
	lua_State *running = watched.limit.running;

	(void)signum;
	if (running == NULL || watched.limit.calls != watched.seen) {
		watched.seen = watched.limit.calls;
		watched.ticks = 0;
		return;
	}
	if (watched.ticks < TICKS)
		watched.ticks = watched.ticks + 1;
	if (watched.ticks < TICKS)
		return;
	watched.exceeded = 1;
	lua_sethook(running, hook, LUA_MASKCOUNT, 1);
}

static void release(struct limit *limit, lua_State *L)
{
	(void)limit;
	if (!watched.exceeded)
		return;
	watched.exceeded = 0;
	lua_sethook(L, NULL, 0, 0);
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

/* coroutine.resume, which says what runs inside a handler. */
static int limited_resume(lua_State *L)
{
	lua_CFunction resume = lua_tocfunction(L, lua_upvalueindex(2));
	lua_State *co = lua_tothread(L, 1);
	lua_State *before = watched.limit.running;
	int results;

	if (before == NULL || co == NULL)
		return resume(L);
	watched.limit.running = co;
	results = resume(L);
	watched.limit.running = before;
	/* The limit was reached inside: the one that resumed is no better. */
	if (watched.exceeded)
		lua_sethook(before, hook, LUA_MASKCOUNT, 1);
	return results;
}

/* What coroutine.wrap gives; its first upvalue is the coroutine. */
static int limited_call(lua_State *L)
{
	lua_State *co = lua_tothread(L, lua_upvalueindex(1));
	int results;

	lua_pushvalue(L, lua_upvalueindex(1));
	lua_insert(L, 1);
	results = limited_resume(L);
	if (lua_toboolean(L, -results))
		return results - 1;
	if (lua_status(co) > LUA_YIELD) {
		close_thread(co, L);
		lua_xmove(co, L, 1);
	}
	if (lua_type(L, -1) == LUA_TSTRING) {
		luaL_where(L, 1);
		lua_insert(L, -2);
		lua_concat(L, 2);
	}
	return lua_error(L);
}

/* coroutine.wrap */
static int limited_wrap(lua_State *L)
{
	lua_State *co;

	luaL_checktype(L, 1, LUA_TFUNCTION);
	co = lua_newthread(L);
	lua_pushvalue(L, 1);
	lua_xmove(L, co, 1);
	lua_pushvalue(L, lua_upvalueindex(2));
	lua_pushcclosure(L, limited_call, 2);
	return 1;
}

static void limit_coroutines(lua_State *L)
{
	lua_getglobal(L, "coroutine");
	lua_getfield(L, -1, "resume");
	lua_pushnil(L);
	lua_pushvalue(L, -2);
	lua_pushcclosure(L, limited_resume, 2);
	lua_setfield(L, -3, "resume");
	lua_pushnil(L);
	lua_insert(L, -2);
	lua_pushcclosure(L, limited_wrap, 2);
	lua_setfield(L, -2, "wrap");
	lua_pop(L, 1);
}

static int start_timer(double seconds)
{
	struct sigaction action = {.sa_handler = on_tick};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = SIGVTALRM};
	/* One more than the whole nanoseconds: never none, which is off. */
	int64_t tick = (int64_t)(seconds / TICKS * SECOND) + 1;
	struct itimerspec spec;

	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART;
	event._sigev_un._tid = gettid();
	if (sigaction(SIGVTALRM, &action, NULL) != 0 ||
	    timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watched.timer) != 0)
		return -1;
	spec.it_interval.tv_sec = tick / SECOND;
	spec.it_interval.tv_nsec = tick % SECOND;
	spec.it_value = spec.it_interval;
	return timer_settime(watched.timer, 0, &spec, NULL);
}

int limits_set_handler(lua_State *L)
{
	watched.seconds = luaL_checknumber(L, 1);
	watched.limit.release = release;
	if (watched.seconds <= 0)
		return 0;
	if (start_timer(watched.seconds) != 0)
		return push_errno(L, "timer_create", errno);
	lua_pushlightuserdata(L, &watched.limit);
	lua_setfield(L, LUA_REGISTRYINDEX, LIMIT_KEY);
	limit_coroutines(L);
	lua_pushboolean(L, true);
	return 1;
}
