/* Timers of the loop: see timers.h. */
#include "loop/timers.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "loop/watch.h"

/* Descriptors have their turn between so many timers that are due at once. */
enum { TURN_MAX = 64 };

enum { FIRST_ROOM = 64 };

uint64_t timers_now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static bool is_before(const struct watch *a, const struct watch *b)
{
	if (a->timer.due != b->timer.due)
		return a->timer.due < b->timer.due;
	return a->timer.number < b->timer.number;
}

static void put(struct timers *timers, size_t index, struct watch *watch)
{
	timers->heap[index] = watch;
	watch->timer.place = index + 1;
}

/* Finds the place of a watch from an index upwards, then downwards. */
static void sift(struct timers *timers, size_t index, struct watch *watch)
{
	struct watch **heap = timers->heap;

	for (; index > 0; index = (index - 1) / 2) {
		struct watch *parent = heap[(index - 1) / 2];

		if (is_before(parent, watch))
			break;
		put(timers, index, parent);
	}
	for (;;) {
		size_t child = 2 * index + 1;

		if (child + 1 < timers->count &&
		    is_before(heap[child + 1], heap[child]))
			child++;
		if (child >= timers->count || is_before(watch, heap[child]))
			break;
		put(timers, index, heap[child]);
		index = child;
	}
	put(timers, index, watch);
}

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
	uint64_t due = timers->count > 0 ? timers->heap[0]->timer.due : 0;
	uint64_t time = timers_now();
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
	uint64_t time = timers_now();

	for (int i = 0; i < TURN_MAX && timers->count > 0; i++) {
		struct watch *watch = timers->heap[0];

		if (watch->timer.due > time || watch->loop->stopped ||
		    watch->loop->failed)
			return;
		timers_remove(timers, watch);
		loop_enter(watch, NULL, NULL);
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

static int grow(struct timers *timers)
{
	size_t room = timers->room == 0 ? FIRST_ROOM : 2 * timers->room;
	void *heap;

	if (timers->count < timers->room)
		return 0;
	heap = realloc(timers->heap, room * sizeof(struct watch *));
	if (heap == NULL)
		return ENOMEM;
	timers->heap = heap;
	timers->room = room;
	return 0;
}

int timers_add(struct timers *timers, struct watch *watch, uint64_t nanoseconds)
{
	int err = grow(timers);

	if (err != 0)
		return err;
	watch->timer.due = timers_now() + nanoseconds;
	watch->timer.number = timers->added++;
	sift(timers, timers->count++, watch);
	err = arm(timers);
	if (err != 0)
		timers_remove(timers, watch);
	return err;
}

void timers_remove(struct timers *timers, struct watch *watch)
{
	size_t place = watch->timer.place;
	struct watch *last;

	if (place == 0)
		return;
	watch->timer.place = 0;
	last = timers->heap[--timers->count];
	if (last != watch)
		sift(timers, place - 1, last);
	arm(timers);
}

void timers_free(struct timers *timers)
{
	free(timers->heap);
	*timers = (struct timers){.qb = NULL};
}
