/* A binary heap: see heap.h. */
#include "common/heap.h"

#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static bool is_before(const struct due *a, const struct due *b)
{
	return a->time != b->time ? a->time < b->time : a->number < b->number;
}

static void put(struct heap *heap, size_t index, struct due *due)
{
	heap->list[index] = due;
	due->place = index + 1;
}

/* Finds the place from an index downwards. */
static void sift_down(struct heap *heap, size_t index, struct due *due)
{
	struct due **list = heap->list;
	size_t child;

	while ((child = 2 * index + 1) < heap->count) {
		if (child + 1 < heap->count &&
		    is_before(list[child + 1], list[child]))
			child++;
		if (is_before(due, list[child]))
			break;
		put(heap, index, list[child]);
		index = child;
	}
	put(heap, index, due);
}

/* Finds the place from an index upwards, then downwards. */
static void sift(struct heap *heap, size_t index, struct due *due)
{
	while (index > 0 && is_before(due, heap->list[(index - 1) / 2])) {
		put(heap, index, heap->list[(index - 1) / 2]);
		index = (index - 1) / 2;
	}
	sift_down(heap, index, due);
}

static bool heap_grow(struct heap *heap)
{
	size_t room = heap->room == 0 ? FIRST_ROOM : 2 * heap->room;
	void *list = realloc(heap->list, room * sizeof(struct due *));

	if (list == NULL)
		return false;
	heap->list = list;
	heap->room = room;
	return true;
}

bool heap_add(struct heap *heap, struct due *due)
{
	if (heap->count == heap->room && !heap_grow(heap))
		return false;
	due->number = heap->added++;
	sift(heap, heap->count++, due);
	return true;
}

void heap_remove(struct heap *heap, struct due *due)
{
	size_t place = due->place;
	struct due *last;

	if (place == 0)
		return;
	due->place = 0;
	last = heap->list[--heap->count];
	if (last != due)
		sift(heap, place - 1, last);
}

void heap_order(struct heap *heap)
{
	for (size_t i = heap->count; i-- > 0;)
		sift_down(heap, i, heap->list[i]);
}

void heap_free(struct heap *heap)
{
	free(heap->list);
	*heap = (struct heap){.list = NULL};
}
