/*
 * The matrix and its decisions. A cell has a stream of random numbers of its
 * own, which begins anew each time its faults are set and depends on the seed,
 * the cell and how often it was set: so the traffic of other cells, and what
 * went before, change nothing in what happens to a sequence of frames.
 */
#include "switch/cell.h"

#include <stdlib.h>

enum { HOLD_LEAST = 1000000, HOLD_MOST = 10000000 }; /* nanoseconds */

static bool is_perfect(const struct faults *faults)
{
	return !faults->block && faults->loss == 0 && faults->duplicate == 0 &&
	       faults->reorder == 0 && faults->corrupt == 0 &&
	       faults->delay == 0 && faults->jitter == 0 && !(faults->rate > 0);
}

struct cell *cells_new(struct shared *shared, uint64_t seed)
{
	size_t count = cell_count(shared);
	struct cell *cells = calloc(count, sizeof *cells);

	for (size_t i = 0; cells != NULL && i < count; i++) {
		cells[i].perfect = true;
		cells[i].seed = random_mix(seed) + i;
		cells[i].counters = shared->slot[i].counters;
	}
	return cells;
}

static void cell_revise(struct cell *cell, const struct faults *faults)
{
	cell->slow = faults->rate > 0 && !(faults->rate < cell->faults.rate) &&
		     !(faults->rate > cell->faults.rate);
	cell->faults = *faults;
	cell->perfect = is_perfect(faults);
	if (!cell->slow)
		cell->free = 0;
	random_seed(&cell->random, cell->seed, ++cell->epoch);
}

void cells_revise(struct cell *cells, struct shared *shared)
{
	size_t count = cell_count(shared);

	for (size_t i = 0; i < count; i++) {
		cells[i].revised = shared->slot[i].changed;
		shared->slot[i].changed = false;
		if (cells[i].revised)
			cell_revise(&cells[i], &shared->slot[i].staged);
	}
}

/* When a copy that waits for its turn on a slow cable has left it. */
static uint64_t leave_cable(struct cell *cell, size_t length, uint64_t now)
{
	uint64_t start = cell->free > now ? cell->free : now;

	if (!(cell->faults.rate > 0))
		return now;
	cell->free =
		start + (uint64_t)((double)length * 8e9 / cell->faults.rate);
	return cell->free;
}

static uint64_t draw_due(struct cell *cell, size_t length, uint64_t now)
{
	const struct faults *faults = &cell->faults;
	uint64_t due = leave_cable(cell, length, now) + faults->delay;

	if (faults->jitter != 0)
		due += random_below(&cell->random, faults->jitter + 1);
	if (random_chance(&cell->random, faults->reorder)) {
		counter_add(&cell->counters[CELL_REORDERED], 1);
		due += HOLD_LEAST +
		       random_below(&cell->random, HOLD_MOST - HOLD_LEAST);
	}
	return due;
}

static void draw_damage(struct cell *cell, struct verdict *verdict)
{
	verdict->corrupt = random_chance(&cell->random, cell->faults.corrupt);
	if (!verdict->corrupt)
		return;
	counter_add(&cell->counters[CELL_CORRUPTED], 1);
	verdict->damage = random_below(&cell->random, UINT64_MAX);
}

static unsigned int draw_copies(struct cell *cell)
{
	if (!random_chance(&cell->random, cell->faults.duplicate))
		return 1;
	counter_add(&cell->counters[CELL_DUPLICATED], 1);
	return 2;
}

void cell_judge(struct cell *cell, size_t length, uint64_t now,
		struct verdict *verdict)
{
	*verdict = (struct verdict){0};
	if (cell->faults.block) {
		counter_add(&cell->counters[CELL_BLOCKED], 1);
		return;
	}
	if (random_chance(&cell->random, cell->faults.loss)) {
		counter_add(&cell->counters[CELL_LOST], 1);
		return;
	}
	draw_damage(cell, verdict);
	verdict->copies = draw_copies(cell);
	for (unsigned int i = 0; i < verdict->copies; i++)
		verdict->due[i] = draw_due(cell, length, now);
}
