#ifndef COROLUA_FORK_H
#define COROLUA_FORK_H

#include <errno.h>
#include <signal.h>
#include <unistd.h>

/*
 * fork, where the child has all signals blocked: no signal handler of the
 * program may run in it. It unblocks them once they have their default
 * meaning again.
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

#endif
