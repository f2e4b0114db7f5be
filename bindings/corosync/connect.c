/* One thread at a time takes a slot for a new handle. */
#include "corosync/connect.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

enum { POLL_NANOSECONDS = 20000 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct connecting *last; /* who went in last, while its call runs */

/* The threads that a fork has left behind neither take their slot any more nor
 * give the lock back. */
static void on_fork_in_child(void)
{
	pthread_mutex_init(&lock, NULL);
	last = NULL;
}

__attribute__((constructor)) static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, on_fork_in_child);
}

static bool has_slot(const struct connecting *connecting)
{
	return __atomic_load_n(connecting->id, __ATOMIC_ACQUIRE) != 0 ||
	       __atomic_load_n(&connecting->returned, __ATOMIC_ACQUIRE) != 0;
}

void connect_enter(struct connecting *connecting, uint64_t *id)
{
	static const struct timespec pause = {.tv_nsec = POLL_NANOSECONDS};

	*id = 0;
	*connecting = (struct connecting){.id = id};
	pthread_mutex_lock(&lock);
	while (last != NULL && !has_slot(last))
		nanosleep(&pause, NULL);
	last = connecting;
	pthread_mutex_unlock(&lock);
}

void connect_return(struct connecting *connecting)
{
	/* First for who holds the lock and waits for this one. */
	__atomic_store_n(&connecting->returned, 1, __ATOMIC_RELEASE);
	pthread_mutex_lock(&lock);
	if (last == connecting)
		last = NULL;
	pthread_mutex_unlock(&lock);
}

uint64_t connect_place(void)
{
	struct stat status;

	if (stat("/proc/thread-self/ns/net", &status) != 0)
		return 0;
	return (uint64_t)status.st_ino;
}
