/*
 * SIGINT and SIGTERM. The first is an event of the loop, and the script sees
 * the stop; the second ends the program in the signal handler itself, so that
 * a script that never gets back to the loop can be ended as well.
 */
#include "host.h"

#include "forked.h"
#include "status.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int event_fd = -1;
static volatile sig_atomic_t first;
static unsigned int forks; /* fork_depth() of the process that is told */

static void on_stop_signal(int signum)
{
	uint64_t one = 1;
	int saved = errno;

	/* The event of a child made by fork would be its parent's. */
	if (first != 0 || forks != fork_depth())
		_exit(128 + signum);
	first = signum;
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
