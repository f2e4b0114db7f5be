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

static void account_in(struct queue *queue, const struct held *held)
{
	queue->bytes += held_size(held);
	held->cell->queued += held_size(held);
	counter_add(&held->cell->counters[CELL_DELAYED], 1);
	counter_add(&held->cell->counters[CELL_QUEUED], 1);
}

static void account_out(struct queue *queue, const struct held *held)
{
	queue->bytes -= held_size(held);
	held->cell->queued -= held_size(held);
	counter_add(&held->cell->counters[CELL_QUEUED], UINT64_MAX);
}

bool queue_add(struct queue *queue, struct held *held)
{
	if (queue->bytes + held_size(held) > QUEUE_BYTES ||
	    held->cell->queued + held_size(held) > CELL_BYTES ||
	    !heap_add(&queue->heap, &held->due))
		return false;
	account_in(queue, held);
	return true;
}

struct held *queue_take(struct queue *queue, uint64_t now)
{
	struct held *held = (void *)heap_first(&queue->heap);

	if (held == NULL || held->due.time > now)
		return NULL;
	heap_remove(&queue->heap, &held->due);
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
	if (held->due.time > latest && !cell->slow)
		held->due.time = latest;
	return true;
}

static void queue_cut(struct queue *queue, struct held *held)
{
	counter_add(&held->cell->counters[CELL_BLOCKED], 1);
	account_out(queue, held);
	free(held);
}

void queue_revise(struct queue *queue, uint64_t now)
{
	struct heap *heap = &queue->heap;
	size_t kept = 0;

	for (size_t i = 0; i < heap->count; i++) {
		struct held *held = (void *)heap->list[i];

		if (held_revise(held, now))
			heap->list[kept++] = &held->due;
		else
			queue_cut(queue, held);
	}
	heap->count = kept;
	heap_order(heap);
}
