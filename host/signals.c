/*
 * SIGINT and SIGTERM. The first is an event of the loop, and the script sees
 * the stop; the second ends the program in the signal handler itself, so that
 * a script that never gets back to the loop can be ended as well.
 */
#include "host.h"

#include "status.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { TELL_AFTER_NS = 500000000 };

static int event_fd = -1;
static timer_t tell_timer;
static volatile sig_atomic_t first;

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

static void tell_when_late(void)
{
	struct itimerspec late = {.it_value.tv_nsec = TELL_AFTER_NS};

	timer_settime(tell_timer, 0, &late, NULL);
}

static int make_tell_timer(void)
{
	struct sigaction action = {.sa_handler = on_late,
				   .sa_flags = SA_RESTART};
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL,
				 .sigev_signo = SIGALRM};

	sigemptyset(&action.sa_mask);
	if (sigaction(SIGALRM, &action, NULL) != 0)
		return -1;
	return timer_create(CLOCK_MONOTONIC, &event, &tell_timer);
}

static void on_stop_signal(int signum)
{
	uint64_t one = 1;
	int saved = errno;

	if (first != 0)
		_exit(128 + signum);
	first = signum;
	if (signum == SIGINT)
		tell_when_late();
	if (write(event_fd, &one, sizeof one) < 0)
		_exit(128 + signum);
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
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0)
		return push_errno(L, "eventfd", errno);
	if (make_tell_timer() != 0)
		return push_errno(L, "timer_create", errno);
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
