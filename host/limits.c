/*
 * What a script may use: memory, and CPU time in one call of a handler.
 *
 * The CPU time is watched from outside: a timer that runs while this thread
 * does sends it a signal ten times per limit. The signal handler sees whether
 * still the same call runs, and once it has for the whole limit has what runs
 * interrupted, by a hook. Without that a hook would cost at every instruction.
 */
#include "host.h"

#include "limit.h"
#include "status.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { TICKS = 10 };

struct memory {
	size_t used;
	size_t limit;
};

static struct memory memory;

/* The CPU time of the handler that runs. */
struct watched {
	struct limit *limit;
	timer_t timer;
	unsigned long seen; /* the call that ran at the last tick */
	volatile sig_atomic_t ticks;
};

static struct watched watched;

/* The first size is a type where the block is new: see lua_Alloc. */
static void *allocate(void *data, void *block, size_t old, size_t size)
{
	struct memory *m = data;
	void *new;

	if (block == NULL)
		old = 0;
	if (size == 0) {
		free(block);
		m->used -= old;
		return NULL;
	}
	if (m->limit != 0 && size > old && m->used + (size - old) > m->limit)
		return NULL;
	new = realloc(block, size);
	if (new != NULL)
		m->used = m->used - old + size;
	return new;
}

static void on_tick(int signum)
{
	struct limit *limit = watched.limit;

	(void)signum;
	if (limit->running == NULL || limit->calls != watched.seen) {
		watched.seen = limit->calls;
		watched.ticks = 0;
		return;
	}
	if (watched.ticks < TICKS)
		watched.ticks = watched.ticks + 1;
	if (watched.ticks < TICKS)
		return;
	limit->exceeded = 1;
	limit_interrupt(limit);
}

/* The state is begun with Lua's own allocator, which ours can take over from
 * as both are realloc; so no argument of lua_newstate matters. */
lua_State *limits_new_state(void)
{
	lua_State *L = luaL_newstate();

	if (L == NULL)
		return NULL;
	memory.used = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 +
		      (size_t)lua_gc(L, LUA_GCCOUNTB);
	lua_setallocf(L, allocate, &memory);
	return L;
}

int limits_set_memory(lua_State *L)
{
	memory.limit = (size_t)luaL_checkinteger(L, 1);
	return 0;
}

static int start_timer(double seconds)
{
	struct sigaction action = {.sa_handler = on_tick};
	struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID,
				 .sigev_signo = SIGVTALRM};
	double tick = seconds / TICKS;
	struct itimerspec spec;

	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART;
	event._sigev_un._tid = gettid();
	if (sigaction(SIGVTALRM, &action, NULL) != 0 ||
	    timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &watched.timer) != 0)
		return -1;
	spec.it_interval.tv_sec = (time_t)tick;
	spec.it_interval.tv_nsec =
		(long)((tick - (double)(time_t)tick) * 1e9) + 1;
	spec.it_value = spec.it_interval;
	return timer_settime(watched.timer, 0, &spec, NULL);
}

int limits_set_handler(lua_State *L)
{
	struct limit *limit = limit_of(L);

	limit->seconds = luaL_checknumber(L, 1);
	if (limit->seconds <= 0)
		return 0;
	watched.limit = limit;
	if (start_timer(limit->seconds) != 0)
		return push_errno(L, "timer_create", errno);
	lua_pushboolean(L, true);
	return 1;
}
