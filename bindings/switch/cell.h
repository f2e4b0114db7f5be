#ifndef COROLUA_SWITCH_CELL_H
#define COROLUA_SWITCH_CELL_H

#include "switch/random.h"
#include "switch/shared.h"

/* One direction between two nodes on one link, as the switch itself sees it. */
struct cell {
	struct faults faults;
	bool perfect; /* no fault at all */
	bool revised; /* its faults changed with this request */
	bool slow;    /* at the same limited rate as before */
	uint64_t seed;
	uint64_t epoch; /* how many times its faults were set */
	uint64_t free;  /* when the limited rate takes the next frame */
	size_t queued;  /* bytes in the delay queue */
	struct random random;
	_Atomic uint64_t *counters; /* of its slot */
};

/* What is to be done with one frame. */
struct verdict {
	unsigned int copies; /* 0 to 2 */
	bool corrupt;
	uint64_t damage; /* which bit, where corrupt */
	uint64_t due[2]; /* of each copy; now or earlier: at once */
};

/* One cell for each slot of the shared memory, or NULL. */
struct cell *cells_new(struct shared *shared, uint64_t seed);

/* Takes all staged faults. */
void cells_revise(struct cell *cells, struct shared *shared);

/* Decides on a frame of that many bytes, and counts what is decided. */
void cell_judge(struct cell *cell, size_t length, uint64_t now,
		struct verdict *verdict);

#endif
