/* Threads that work beside the main one, and end by themselves. */
#include "common/thread.h"

#include <pthread.h>
#include <signal.h>

int thread_start(void *(*body)(void *), void *data)
{
	sigset_t all, before;
	pthread_t thread;
	int err;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(&thread, NULL, body, data);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (err == 0)
		pthread_detach(thread);
	return err;
}
