/*
 * SIGINT and SIGTERM. The first is an event of the loop, and the script sees
 * the stop; the second ends the program in the signal handler itself, so that
 * a script that is in a function of C can be ended as well.
 *
 * A task that runs does not see the stop. A clock that begins with it, or
 * where the scheduler says so, has the task interrupted a second later, and at
 * each instruction once the same task has run for a second more.
 */
#include "host.h"

#include "common/clock.h"
#include "common/fork.h"
#include "common/limit.h"
#include "common/status.h"

#include <errno.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { TICK_NANOSECONDS = 20000000, TELL_AFTER_NANOSECONDS = 500000000 };

/* What a task that runs has from the stop, and then from one interruption to
 * all the others. */
enum { GRACE = 1 }; /* second */

/*
 * It ticks by the CPU time of the thread, as a signal in the middle of
 * epoll_wait would have libqb begin its timeout anew; what it measures is the
 * clock that never goes back.
 */
struct clock {
	struct limit *volatile limit; /* NULL once the state is closed */
	timer_t timer;
	uint64_t due;       /* when tasks are interrupted */
	uint64_t since;     /* when the step was seen first, or interrupted */
	unsigned long seen; /* the step that ran at the last tick */
};

static struct clock stop_clock;
static int event_fd = -1;
static timer_t tell_timer;
static volatile sig_atomic_t first;
static unsigned int forks; /* fork_depth() of the process that is told */

static void watch_stop(double grace)
{
	stop_clock.due = clock_now() + (uint64_t)(grace * SECOND);
	ticker_start(stop_clock.timer, TICK_NANOSECONDS, TICK_NANOSECONDS);
}

/* A task that was told while it waited has a second as well. */
static void on_tick(int signum)
{
	struct clock *clock = &stop_clock;
	struct limit *limit = clock->limit;
	uint64_t now = clock_now();

	(void)signum;
	if (limit == NULL)
		return;
	if (limit->task == NULL || limit->steps != clock->seen) {
		clock->seen = limit->steps;
		clock->since = now;
	}
	if (limit->task == NULL || now < clock->due)
		return;
	if (!limit_task_is_told(limit)) {
		limit->stop = STOP_ONCE;
		clock->since = now;
	} else if (now >= clock->since + (uint64_t)GRACE * SECOND) {
		limit->stop = STOP_ALWAYS;
	} else {
		return;
	}
	limit_interrupt(limit);
}

/* Whoever pressed Ctrl-C sees nothing of a script that goes on. */
static void on_late(int signum)
{
	static const char text[] = "corolua: stopping; again to end at once\n";
	int saved = errno;
	ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);

	(void)signum;
	(void)written;
	errno = saved;
}

static void on_stop_signal(int signum)
{
	uint64_t one = 1;
	int saved = errno;

	/* The event of a child made by fork would be its parent's. */
	if (first != 0 || forks != fork_depth())
		_exit(128 + signum);
	first = signum;
	if (signum == SIGINT)
		ticker_start(tell_timer, TELL_AFTER_NANOSECONDS, 0);
	if (write(event_fd, &one, sizeof one) < 0)
		_exit(128 + signum);
	watch_stop(GRACE);
	errno = saved;
}

/* A signal that our parent had ignored stays so, as under nohup. */
static int catch_signal(int signum)
{
	struct sigaction action;

	if (sigaction(signum, NULL, &action) != 0)
		return -1;
	if (action.sa_handler == SIG_IGN)
		return 0;
	action = (struct sigaction){.sa_handler = on_stop_signal};
	sigemptyset(&action.sa_mask);
	action.sa_flags = SA_RESTART;
	return sigaction(signum, &action, NULL);
}

int signals_watch(lua_State *L)
{
	stop_clock.limit = limit_of(L);
	if (ticker_make(&stop_clock.timer, CLOCK_THREAD_CPUTIME_ID, SIGPROF,
			on_tick) != 0 ||
	    ticker_make(&tell_timer, CLOCK_MONOTONIC, SIGALRM, on_late) != 0)
		return push_errno(L, "timer_create", errno);
	stop_clock.limit->watch_stop = watch_stop;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return push_errno(L, "eventfd", errno);
	forks = fork_depth();
	if (catch_signal(SIGINT) != 0 || catch_signal(SIGTERM) != 0)
		return push_errno(L, "sigaction", errno);
	lua_pushinteger(L, event_fd);
	return 1;
}

int signals_first(lua_State *L)
{
	if (first == 0)
		lua_pushnil(L);
	else
		lua_pushinteger(L, first);
	return 1;
}

void signals_end(void)
{
	stop_clock.limit = NULL;
}
