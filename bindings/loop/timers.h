#ifndef COROLUA_TIMERS_H
#define COROLUA_TIMERS_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/heap.h"

/*
 * The timers of a loop: a heap by the time they are due, over one timer of
 * libqb, which keeps its own in a list that it searches from the front.
 */
struct timers {
	qb_loop_t *qb;
	struct heap heap;
	/* Called with each that is due, which it removes; false, and it stays,
	 * where no more may be fired now. */
	bool (*fire)(struct due *due);
	qb_loop_timer_handle armed;
	uint64_t armed_for; /* 0 while libqb has no timer of ours */
	bool firing;
};

/*
 * To be called before the loop runs; 0 or an errno. A timer of libqb that had
 * expired when the loop was stopped would sleep until something else happens.
 */
int timers_begin(struct timers *timers);

/* Fires after so long, never early; 0 or an errno. */
int timers_add(struct timers *timers, struct due *due, uint64_t nanoseconds);

/* Nothing if it is not in the heap. */
void timers_remove(struct timers *timers, struct due *due);

void timers_free(struct timers *timers);

#endif
