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

#include "common/limit.h"
#include "common/status.h"

#include <errno.h>
#include <lauxlib.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>

enum { TICKS = 10, SECOND = 1000000000 };

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

void limits_end(void)
{
	watched.limit = NULL;
}
