#ifndef COROLUA_SWITCH_SHARED_H
#define COROLUA_SWITCH_SHARED_H

#include <net/if.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The memory that the program and its switch share. The program stages faults
 * here and reads the counters; a request over the control socket says when the
 * staged faults are to be taken, all in one step.
 */

enum {
	NODES_MAX = 64,
	LINKS_MAX = 8,
	PORTS_MAX = 128,
	FAILURE_MAX = 256,
};

/* A probability is the number of cases out of this many. */
#define CERTAIN (UINT64_C(1) << 32)

/* What happens to the frames of one cell; all zero is a perfect cable. */
struct faults {
	bool block;
	bool repair; /* makes the checksum of corrupted frames right */
	uint64_t loss;
	uint64_t duplicate;
	uint64_t reorder;
	uint64_t corrupt;
	uint64_t delay;  /* nanoseconds */
	uint64_t jitter; /* nanoseconds, on top of the delay */
	double rate;     /* bits per second, 0 for no limit */
};

/*
 * The counters of a cell, which only the switch writes. At any time offered +
 * duplicated is the sum of forwarded, blocked, lost, discarded, overflow,
 * refused and queued.
 */
enum cell_counter {
	CELL_OFFERED,    /* frames that came for this cell */
	CELL_FORWARDED,  /* handed to the destination's cable */
	CELL_BLOCKED,    /* by a cut, the delay queue included */
	CELL_LOST,       /* by the fault loss */
	CELL_DUPLICATED, /* additional copies */
	CELL_REORDERED,  /* held back behind later frames */
	CELL_CORRUPTED,  /* by the fault corrupt */
	CELL_DISCARDED,  /* corrupted, without a UDP checksum */
	CELL_DELAYED,    /* went through the delay queue */
	CELL_OVERFLOW,   /* the delay queue was full */
	CELL_REFUSED,    /* the kernel did not take it */
	CELL_QUEUED,     /* in the delay queue now */
	CELL_COUNTERS,
};

enum port_counter {
	PORT_RECEIVED,
	PORT_DROPPED,   /* by the kernel, the ring being full */
	PORT_OVERSIZED, /* longer than a slot, and not kept */
	PORT_UNWANTED,  /* for the node they came from */
	PORT_OVERRUN,   /* the far end's backlog was full */
	PORT_COUNTERS,
};

/* One direction between two nodes on one link. */
struct slot {
	struct faults staged;
	bool changed; /* staged is to be taken with the next request */
	_Atomic uint64_t counters[CELL_COUNTERS];
};

struct switch_port {
	char name[IF_NAMESIZE];
	unsigned int index; /* of the interface */
	unsigned int node;  /* from 1 */
	unsigned int link;  /* from 0 */
	unsigned int slots; /* of the receive ring, as allocated */
	_Atomic uint64_t counters[PORT_COUNTERS];
};

struct shared {
	unsigned int ports;
	unsigned int nodes;
	unsigned int links;
	int error;                   /* errno of what ended the switch */
	char failure[FAILURE_MAX];   /* and its sentence */
	_Atomic uint64_t captured;   /* frames written to the pcap file */
	_Atomic uint64_t uncaptured; /* frames it had no room for */
	struct switch_port port[PORTS_MAX];
	struct slot slot[];
};

enum request { REQUEST_SYNC = 1, REQUEST_APPLY };

struct message {
	uint32_t kind;
	uint32_t sequence; /* a reply carries that of its request */
};

static inline size_t cell_count(const struct shared *shared)
{
	return (size_t)shared->links * shared->nodes * shared->nodes;
}

/* The slot of nodes from and to, which count from 1. */
static inline size_t slot_index(const struct shared *shared, unsigned int link,
				unsigned int from, unsigned int to)
{
	return ((size_t)link * shared->nodes + from - 1) * shared->nodes + to -
	       1;
}

/* There is one writer, so that no locked addition is needed. */
static inline void counter_add(_Atomic uint64_t *counter, uint64_t add)
{
	uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);

	atomic_store_explicit(counter, value + add, memory_order_relaxed);
}

static inline uint64_t counter_read(_Atomic uint64_t *counter)
{
	return atomic_load_explicit(counter, memory_order_relaxed);
}

#endif
