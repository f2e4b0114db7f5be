#ifndef COROLUA_HEAP_H
#define COROLUA_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is due at a time, the first on top of a binary heap. What is due
 * together keeps the order in which it came. The heap points to what others
 * own, which begins with struct due or finds itself from it.
 */
struct due {
	uint64_t time;
	uint64_t number; /* the heap's own, as is the place */
	size_t place;    /* one more than the index; 0 is in no heap */
};

struct heap {
	struct due **list;
	size_t count;
	size_t room;
	uint64_t added;
};

/* False without memory. */
bool heap_add(struct heap *heap, struct due *due);

/* Nothing if it is not in the heap. */
void heap_remove(struct heap *heap, struct due *due);

/* The first, or NULL. */
static inline struct due *heap_first(const struct heap *heap)
{
	return heap->count > 0 ? heap->list[0] : NULL;
}

/* Puts all in order again, after times were changed, or some were taken out of
 * the list. */
void heap_order(struct heap *heap);

void heap_free(struct heap *heap);

#endif
