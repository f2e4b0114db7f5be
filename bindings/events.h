#ifndef COROLUA_EVENTS_H
#define COROLUA_EVENTS_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The queue of one handle: what the callbacks of a library saw, in order,
 * until Lua is told of it. All events stand in one block that is reused, so
 * that an event costs a copy and no allocation.
 */
struct events {
	char *block;
	size_t size; /* of the block */
	size_t head; /* where the first event starts */
	size_t tail; /* where the next one goes */
	size_t count;
	bool lost; /* an event found no memory */
};

/* In front of each event; what follows is the library's own struct. */
struct event {
	size_t size; /* of all of it, this header included */
	int kind;
};

/*
 * Room for an event of size bytes, header included, at the end of the queue;
 * NULL, and the queue is marked, when there is no memory for it.
 */
void *events_add(struct events *events, int kind, size_t size);

/* The first event, valid until the next call, or NULL. */
const struct event *events_first(const struct events *events);

void events_drop_first(struct events *events);
void events_clear(struct events *events);

#endif
