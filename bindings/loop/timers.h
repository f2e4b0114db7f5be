#ifndef COROLUA_TIMERS_H
#define COROLUA_TIMERS_H

#include <qb/qbloop.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct watch;

/*
 * The timers of a loop: a heap by the time they are due, over one timer of
 * libqb, which keeps its own in a list that it searches from the front.
 */
struct timers {
	qb_loop_t *qb;
	struct watch **heap;
	size_t count;
	size_t room;
	uint64_t added; /* timers of one time fire in the order they came in */
	qb_loop_timer_handle armed;
	uint64_t armed_for; /* 0 while libqb has no timer of ours */
	bool firing;
};

/* What a watch has for it. */
struct timer {
	uint64_t due; /* nanoseconds of the clock that never goes back */
	uint64_t number;
	size_t place; /* in the heap; one more than the index, 0 is not in it */
};

/* Nanoseconds of the clock that never goes back. */
uint64_t timers_now(void);

/*
 * To be called before the loop runs; 0 or an errno. A timer of libqb that had
 * expired when the loop was stopped would sleep until something else happens.
 */
int timers_begin(struct timers *timers);

/* Has loop_enter called with the watch then, never early; 0 or an errno. */
int timers_add(struct timers *timers, struct watch *watch,
	       uint64_t nanoseconds);

/* Nothing if it is not in the heap. */
void timers_remove(struct timers *timers, struct watch *watch);

void timers_free(struct timers *timers);

#endif
