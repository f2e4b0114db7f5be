#ifndef COROLUA_SWITCH_QUEUE_H
#define COROLUA_SWITCH_QUEUE_H

#include "common/heap.h"
#include "switch/cell.h"

/* A frame that the switch has copied, to change it or to send it later. */
struct held {
	struct due due; /* on the monotonic clock */
	struct cell *cell;
	unsigned int to; /* port */
	size_t length;
	unsigned char frame[];
};

struct queue {
	struct heap heap;
	size_t bytes;
};

/* A copy of the frame, or NULL without memory. */
struct held *held_new(struct cell *cell, unsigned int to,
		      const unsigned char *frame, size_t length);

/* Takes the frame; false, and it stays the caller's, if the queue is full. */
bool queue_add(struct queue *queue, struct held *held);

/* The next frame if it is due, which then is the caller's, or NULL. */
struct held *queue_take(struct queue *queue, uint64_t now);

/*
 * Holds the queued frames of all revised cells against their new faults: a cut
 * drops them, and none waits longer than a new frame would. Where the limited
 * rate stays the same, they wait for their turn as before.
 */
void queue_revise(struct queue *queue, uint64_t now);

#endif
