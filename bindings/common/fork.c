/* Children made by fork: see fork.h. */
#include "common/fork.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

static unsigned int depth;

static void on_fork_in_child(void)
{
	depth++;
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, on_fork_in_child);
}

unsigned int fork_depth(void)
{
	return depth;
}

pid_t fork_quiet(void)
{
	sigset_t all, before;
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

void fork_default_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		signal(number, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}
