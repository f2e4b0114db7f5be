#ifndef COROLUA_TRACE_RING_H
#define COROLUA_TRACE_RING_H

#include <stddef.h>
#include <stdint.h>

/*
 * The latest records in so many bytes: what is added pushes out the oldest. A
 * record lies in one piece, so some bytes at the end may be left over.
 */
struct ring {
	char *bytes;
	size_t room;      /* of bytes; 0 keeps nothing */
	uint64_t head;    /* where the oldest begins, counted from the start */
	uint64_t tail;    /* where the next one goes */
	uint64_t evicted; /* records that fell out */
};

/* In front of each record; what follows is the caller's. */
struct record {
	uint32_t size;    /* of all of it */
	uint32_t is_used; /* 0: bytes left over at the end */
};

/* Memory for that much, rounded up; 0, or errno. Raises nothing. */
int ring_open(struct ring *ring, size_t room);
void ring_close(struct ring *ring);

/* Room for a record of size bytes, header included; NULL if it never fits. */
void *ring_add(struct ring *ring, size_t size);

/* The first record at a place, and after it, which begins with ring->head; NULL
 * behind the last. Moves the place to the record. */
const struct record *ring_at(const struct ring *ring, uint64_t *place);

#endif
