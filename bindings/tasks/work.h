#ifndef COROLUA_WORK_H
#define COROLUA_WORK_H

#include <corosync/corotypes.h>
#include <stdbool.h>

#include "corosync/blocking.h"

/*
 * Calls of the libraries that are made by threads of their own; no Lua. Two
 * threads share a piece of work: the one that makes the call, and the main one
 * that waits for it or has given it up. What was given up stays with its
 * thread, which finalizes the connection whenever the daemon lets it.
 */
enum progress { PROGRESS_RUNNING, PROGRESS_FINISHED, PROGRESS_ABANDONED };

struct work {
	struct work *next; /* in the list of the finished */
	enum progress progress;
	int network; /* the namespace to make the call in, or -1 */
	int error;   /* of the system, before the call was made */
	cs_error_t err;
	struct job *job;
};

/* To be called before all others, again or not; 0 or an errno. */
int work_prepare(void);

/* False in a child made by fork, which has none of the threads. */
bool work_has_threads(void);

/* The descriptor that is readable once a call is over. */
int work_fd(void);

/* Work in no namespace, whose job is zeroed but for these; NULL without memory.
 */
struct work *work_new(const struct library *library,
		      const struct blocking *blocking);

/* Frees it and its job, and lets the namespace go. */
void work_free(struct work *work);

/* Makes the call in a thread, which has the work too; 0 or an errno. */
int work_start(struct work *work);

/* Nobody waits for it any more: it is its thread's, or over and freed. */
void work_abandon(struct work *work);

/* The next that is over, in the order they ended; NULL if there is none. */
struct work *work_take(void);

/* Finalizes the connection of what was taken, in a thread, and frees it. */
void work_let_go(struct work *work);

#endif
