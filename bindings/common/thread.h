#ifndef COROLUA_THREAD_H
#define COROLUA_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/*
 * Threads that do errands for the main one, which learns by a descriptor that
 * one is over; no Lua. Each errand may have a thread of its own, or a crew has
 * one thread, which does them in the order they were given.
 */
enum progress { PROGRESS_RUNNING, PROGRESS_OVER, PROGRESS_ABANDONED };

/* What is to be done begins with this, all zero but for its functions. */
struct errand {
	struct errand *next;
	enum progress progress;
	struct crew *crew;                  /* that it was given to */
	void (*run)(struct errand *errand); /* in a thread */
	/* Frees what nobody wants any more, in a thread, as it may wait. */
	void (*discard)(struct errand *errand);
};

struct errands {
	struct errand *first;
	struct errand **end;
};

struct crew {
	pthread_mutex_t lock;
	pthread_cond_t given;
	struct errands waiting; /* for the one thread */
	struct errands over;
	void (*end)(struct crew *crew); /* see crew_serve */
	bool ended;
	int fd;             /* readable once an errand is over */
	unsigned int forks; /* fork_depth() of the process with the threads */
};

/* 0 or an errno. */
int crew_open(struct crew *crew);

/* Once it has no thread. */
void crew_close(struct crew *crew);

/* False in a child made by fork, which has none of the threads: a fork may have
 * left the lock in the hands of one. */
bool crew_is_here(const struct crew *crew);

/* Has it done by a thread of its own, which has it too; 0 or an errno. */
int errand_start(struct errand *errand, struct crew *crew);

/* Nobody waits for it any more: its thread discards it. False if it is over,
 * and so the caller's. */
bool errand_abandon(struct errand *errand);

/* Has it discarded in a thread of its own; 0 or an errno. */
int errand_discard(struct errand *errand);

/* The next that is over, in the order they ended, which is the caller's; NULL
 * if there is none. */
struct errand *crew_take(struct crew *crew);

/* Starts the one thread, which calls end once crew_end was called and all that
 * it was given is done; 0 or an errno. */
int crew_serve(struct crew *crew, void (*end)(struct crew *crew));

/* The errand is the one thread's from now on. */
void crew_give(struct crew *crew, struct errand *errand);

void crew_end(struct crew *crew);

#endif
