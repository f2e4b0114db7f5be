/* Timers of the loop: see timers.h. */
#include "loop/timers.h"

#include <errno.h>

#include "common/clock.h"

/* Descriptors have their turn between so many timers that are due at once. */
enum { TURN_MAX = 64 };

static void on_due(void *data);

static void disarm(struct timers *timers)
{
	if (timers->armed_for != 0)
		qb_loop_timer_del(timers->qb, timers->armed);
	timers->armed_for = 0;
}

/* libqb's timer is for the first of ours. */
static int arm(struct timers *timers)
{
	const struct due *first = heap_first(&timers->heap);
	uint64_t due = first != NULL ? first->time : 0;
	uint64_t time = clock_now();
	int err;

	if (timers->firing || due == timers->armed_for)
		return 0;
	disarm(timers);
	if (due == 0)
		return 0;
	err = qb_loop_timer_add(timers->qb, QB_LOOP_MED,
				due > time ? due - time : 0, timers, on_due,
				&timers->armed);
	if (err == 0)
		timers->armed_for = due;
	return -err;
}

static void fire_due(struct timers *timers)
{
	uint64_t time = clock_now();

	for (int i = 0; i < TURN_MAX; i++) {
		struct due *first = heap_first(&timers->heap);

		if (first == NULL || first->time > time || !timers->fire(first))
			return;
	}
}

static void on_due(void *data)
{
	struct timers *timers = data;

	timers->armed_for = 0;
	timers->firing = true;
	fire_due(timers);
	timers->firing = false;
	/* libqb had room for this very timer a moment ago. */
	arm(timers);
}

int timers_begin(struct timers *timers)
{
	disarm(timers);
	return arm(timers);
}

int timers_add(struct timers *timers, struct due *due, uint64_t nanoseconds)
{
	int err;

	due->time = clock_now() + nanoseconds;
	if (!heap_add(&timers->heap, due))
		return ENOMEM;
	err = arm(timers);
	if (err != 0)
		timers_remove(timers, due);
	return err;
}

void timers_remove(struct timers *timers, struct due *due)
{
	heap_remove(&timers->heap, due);
	arm(timers);
}

void timers_free(struct timers *timers)
{
	heap_free(&timers->heap);
	*timers = (struct timers){.qb = NULL};
}
