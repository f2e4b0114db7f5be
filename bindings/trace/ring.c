/* A ring of records of any size. */
#include "trace/ring.h"

#include <errno.h>
#include <stdlib.h>

static size_t aligned(size_t size)
{
	size_t unit = _Alignof(max_align_t);

	return (size + unit - 1) / unit * unit;
}

int ring_open(struct ring *ring, size_t room)
{
	*ring = (struct ring){.room = aligned(room)};
	if (room == 0)
		return 0;
	ring->bytes = malloc(ring->room);
	if (ring->bytes != NULL)
		return 0;
	ring->room = 0;
	return ENOMEM;
}

void ring_close(struct ring *ring)
{
	free(ring->bytes);
	*ring = (struct ring){.room = 0};
}

static struct record *record_at(const struct ring *ring, uint64_t place)
{
	return (struct record *)(void *)(ring->bytes + place % ring->room);
}

/* Until so many bytes are free. */
static void evict(struct ring *ring, size_t needed)
{
	while (ring->tail + needed - ring->head > ring->room) {
		const struct record *oldest = record_at(ring, ring->head);

		ring->evicted += oldest->is_used;
		ring->head += oldest->size;
	}
}

static struct record *append(struct ring *ring, size_t size, uint32_t is_used)
{
	struct record *record;

	evict(ring, size);
	record = record_at(ring, ring->tail);
	*record = (struct record){.size = (uint32_t)size, .is_used = is_used};
	ring->tail += size;
	return record;
}

void *ring_add(struct ring *ring, size_t size)
{
	size_t left;

	size = aligned(size);
	if (size > ring->room)
		return NULL;
	left = ring->room - ring->tail % ring->room;
	if (left < size)
		append(ring, left, 0);
	return append(ring, size, 1);
}

const struct record *ring_at(const struct ring *ring, uint64_t *place)
{
	while (*place < ring->tail) {
		const struct record *record = record_at(ring, *place);

		if (record->is_used)
			return record;
		*place += record->size;
	}
	return NULL;
}
