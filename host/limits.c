/*
 * What a script may use of CPU time in one call of a handler. Its memory is
 * limited in allocator.c.
 *
 * The CPU time is watched from outside: a timer that runs while this thread
 * does sends it a signal ten times per limit. The signal handler sees whether
 * still the same call runs, and once it has for the whole limit has what runs
 * interrupted, by a hook. Without that a hook would cost at every instruction.
 */
#include "host.h"

#include "common/clock.h"
#include "common/limit.h"
#include "common/status.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>

enum { TICKS = 10 };

/* The CPU time of the handler that runs. */
struct watched {
	struct limit *volatile limit; /* NULL once the state is closed */
	timer_t timer;
	unsigned long seen; /* the call that ran at the last tick */
	volatile sig_atomic_t ticks;
};

static struct watched watched;

static void on_tick(int signum)
{
	struct limit *limit = watched.limit;

	(void)signum;
	if (limit == NULL)
		return;
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

int limits_set_handler(lua_State *L)
{
	struct limit *limit = limit_of(L);
	int64_t tick;

	limit->seconds = luaL_checknumber(L, 1);
	if (limit->seconds <= 0)
		return 0;
	watched.limit = limit;
	/* One more than the whole nanoseconds: never none, which is off. */
	tick = (int64_t)(limit->seconds / TICKS * SECOND) + 1;
	if (ticker_make(&watched.timer, CLOCK_THREAD_CPUTIME_ID, SIGVTALRM,
			on_tick) != 0)
		return push_errno(L, "timer_create", errno);
	return push_done(L, "timer_settime",
			 ticker_start(watched.timer, tick, tick));
}

void limits_end(void)
{
	watched.limit = NULL;
}
