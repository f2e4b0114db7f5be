/* A growable byte queue of events. */
#include "corosync/events.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_MIN = 16 * 1024,
	BLOCK_KEEP = 4 * 1024 * 1024, /* an empty block above it is freed */
	TAKEN_MIN = 1024,
};

static size_t aligned(size_t size)
{
	size_t unit = _Alignof(max_align_t);

	return (size + unit - 1) / unit * unit;
}

static void events_compact(struct events *events)
{
	memmove(events->block, events->block + events->head,
		events->tail - events->head);
	events->tail -= events->head;
	events->head = 0;
}

static bool events_grow(struct events *events, size_t needed)
{
	size_t size = events->size > 0 ? events->size : BLOCK_MIN;
	char *block;

	while (size < needed)
		size *= 2;
	block = realloc(events->block, size);
	if (block == NULL)
		return false;
	events->block = block;
	events->size = size;
	return true;
}

/* Moving what is left to the front pays when it is at most half a block. */
static bool events_reserve(struct events *events, size_t size)
{
	if (events->size - events->tail >= size)
		return true;
	if (events->head > 0 && events->head >= events->size / 2)
		events_compact(events);
	return events->size - events->tail >= size ||
	       events_grow(events, events->tail + size);
}

void *events_add(struct events *events, int kind, size_t size)
{
	struct event *event;

	size = aligned(size);
	if (!events_reserve(events, size)) {
		events->lost = true;
		return NULL;
	}
	event = (struct event *)(void *)(events->block + events->tail);
	event->size = size;
	event->kind = kind;
	events->tail += size;
	events->count++;
	return event;
}

static const struct event *events_first(const struct events *events)
{
	return (const struct event *)(void *)(events->block + events->head);
}

static void events_drop_first(struct events *events)
{
	events->head += events_first(events)->size;
	events->count--;
	if (events->count > 0)
		return;
	events->head = events->tail = 0;
	if (events->size > BLOCK_KEEP) {
		free(events->block);
		events->block = NULL;
		events->size = 0;
	}
}

static bool taken_grow(struct taken *taken, size_t size)
{
	size_t room = taken->room > 0 ? taken->room : TAKEN_MIN;

	while (room < size)
		room *= 2;
	taken_free(taken);
	taken->event = malloc(room);
	if (taken->event == NULL)
		return false;
	taken->room = room;
	return true;
}

bool events_take(struct events *events, struct taken *taken)
{
	const struct event *first = events_first(events);

	if (first->size > taken->room && !taken_grow(taken, first->size))
		return false;
	memcpy(taken->event, first, first->size);
	events_drop_first(events);
	return true;
}

void events_put_back(struct events *events, const struct event *event)
{
	char *front;

	if (!events_reserve(events, event->size)) {
		events->lost = true;
		return;
	}
	front = events->block + events->head;
	memmove(front + event->size, front, events->tail - events->head);
	memcpy(front, event, event->size);
	events->tail += event->size;
	events->count++;
}

void events_clear(struct events *events)
{
	free(events->block);
	memset(events, 0, sizeof *events);
}

void taken_free(struct taken *taken)
{
	free(taken->event);
	*taken = (struct taken){.event = NULL};
}
