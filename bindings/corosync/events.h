#ifndef COROLUA_EVENTS_H
#define COROLUA_EVENTS_H

#include <lua.h>
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

/* What a library tells of; a table by kind ends with a NULL name. */
struct event_kind {
	const char *handler; /* its name in scripts, "deliver" */
	/* Pushes the arguments behind the handle, which is at index 1; returns
	 * how many. The event is a copy that outlives whatever the pushes
	 * run. */
	int (*push)(lua_State *L, const struct event *event);
};

/* An event out of its queue, which nothing that happens to that can touch. */
struct taken {
	struct event *event;
	size_t room;
};

/*
 * Room for an event of size bytes, header included, at the end of the queue;
 * NULL, and the queue is marked, when there is no memory for it.
 */
void *events_add(struct events *events, int kind, size_t size);

/*
 * Takes the first event out of the queue, which must not be empty; false, and
 * it stays there, without memory for a copy.
 */
bool events_take(struct events *events, struct taken *taken);

/* Makes an event the first again; without memory the queue is marked. */
void events_put_back(struct events *events, const struct event *event);

void events_clear(struct events *events);

/* Frees the memory of what was taken, if there is any. */
void taken_free(struct taken *taken);

#endif
