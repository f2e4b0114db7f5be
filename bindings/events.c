/* A growable byte queue of events. */
#include "events.h"

#include <stdlib.h>
#include <string.h>

enum {
	BLOCK_MIN = 16 * 1024,
	BLOCK_KEEP = 4 * 1024 * 1024, /* an empty block above it is freed */
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

const struct event *events_first(const struct events *events)
{
	if (events->count == 0)
		return NULL;
	return (const struct event *)(void *)(events->block + events->head);
}

void events_drop_first(struct events *events)
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

void events_clear(struct events *events)
{
	free(events->block);
	memset(events, 0, sizeof *events);
}
