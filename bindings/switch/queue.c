/*
 * The delay queue. Its memory is bounded, also for each cell, so that one slow
 * cable leaves room for the others.
 */
#include "switch/queue.h"

#include <stdlib.h>
#include <string.h>

enum {
	QUEUE_BYTES = 64 * 1024 * 1024,
	CELL_BYTES = 16 * 1024 * 1024,
	FIRST_ROOM = 1024,
};

struct held *held_new(struct cell *cell, unsigned int to,
		      const unsigned char *frame, size_t length)
{
	struct held *held = malloc(sizeof *held + length);

	if (held == NULL)
		return NULL;
	held->cell = cell;
	held->to = to;
	held->length = length;
	memcpy(held->frame, frame, length);
	return held;
}

static size_t held_size(const struct held *held)
{
	return sizeof *held + held->length;
}

static bool is_before(const struct held *a, const struct held *b)
{
	return a->due != b->due ? a->due < b->due : a->sequence < b->sequence;
}

static void sift_up(struct queue *queue, size_t at)
{
	struct held *held = queue->heap[at];

	while (at > 0 && is_before(held, queue->heap[(at - 1) / 2])) {
		queue->heap[at] = queue->heap[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	queue->heap[at] = held;
}

static void sift_down(struct queue *queue, size_t at)
{
	struct held *held = queue->heap[at];
	size_t child;

	while ((child = 2 * at + 1) < queue->count) {
		if (child + 1 < queue->count &&
		    is_before(queue->heap[child + 1], queue->heap[child]))
			child++;
		if (!is_before(queue->heap[child], held))
			break;
		queue->heap[at] = queue->heap[child];
		at = child;
	}
	queue->heap[at] = held;
}

static bool queue_grow(struct queue *queue)
{
	size_t room = queue->room == 0 ? FIRST_ROOM : queue->room * 2;
	struct held **heap = realloc(queue->heap, room * sizeof(void *));

	if (heap == NULL)
		return false;
	queue->heap = heap;
	queue->room = room;
	return true;
}

static void account_in(struct queue *queue, const struct held *held)
{
	queue->bytes += held_size(held);
	held->cell->queued += held_size(held);
	switch_count(&held->cell->counters->delayed, 1);
	switch_count(&held->cell->counters->queued, 1);
}

static void account_out(struct queue *queue, const struct held *held)
{
	queue->bytes -= held_size(held);
	held->cell->queued -= held_size(held);
	switch_count(&held->cell->counters->queued, UINT64_MAX);
}

bool queue_add(struct queue *queue, struct held *held)
{
	if (queue->bytes + held_size(held) > QUEUE_BYTES ||
	    held->cell->queued + held_size(held) > CELL_BYTES ||
	    (queue->count == queue->room && !queue_grow(queue)))
		return false;
	held->sequence = queue->sequence++;
	queue->heap[queue->count++] = held;
	sift_up(queue, queue->count - 1);
	account_in(queue, held);
	return true;
}

struct held *queue_take(struct queue *queue, uint64_t now)
{
	struct held *held;

	if (queue->count == 0 || queue->heap[0]->due > now)
		return NULL;
	held = queue->heap[0];
	queue->heap[0] = queue->heap[--queue->count];
	if (queue->count > 0)
		sift_down(queue, 0);
	account_out(queue, held);
	return held;
}

/* Returns whether the frame is still to be sent. */
static bool held_revise(struct held *held, uint64_t now)
{
	const struct cell *cell = held->cell;
	uint64_t latest = now + cell->faults.delay + cell->faults.jitter;

	if (!cell->revised)
		return true;
	if (cell->faults.block)
		return false;
	if (held->due > latest && !cell->slow)
		held->due = latest;
	return true;
}

static void queue_cut(struct queue *queue, struct held *held)
{
	switch_count(&held->cell->counters->blocked, 1);
	account_out(queue, held);
	free(held);
}

void queue_revise(struct queue *queue, uint64_t now)
{
	size_t kept = 0;

	for (size_t i = 0; i < queue->count; i++) {
		struct held *held = queue->heap[i];

		if (held_revise(held, now))
			queue->heap[kept++] = held;
		else
			queue_cut(queue, held);
	}
	queue->count = kept;
	for (size_t i = kept / 2; i-- > 0;)
		sift_down(queue, i);
}
