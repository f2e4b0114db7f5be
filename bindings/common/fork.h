#ifndef COROLUA_FORK_H
#define COROLUA_FORK_H

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/*
 * fork, where the child has all signals blocked: no signal handler of the
 * program may run in it. It unblocks them with their default meaning.
 */
static inline pid_t fork_quiet(void)
{
	sigset_t all;
	sigset_t before;
	pid_t pid;
	int error;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &before);
	pid = fork();
	error = errno;
	if (pid != 0)
		sigprocmask(SIG_SETMASK, &before, NULL);
	errno = error;
	return pid;
}

static inline void fork_default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

#endif
