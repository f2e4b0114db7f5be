#include "common/forked.h"

#include <pthread.h>

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
