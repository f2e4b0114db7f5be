#ifndef COROLUA_SWITCH_ENGINE_H
#define COROLUA_SWITCH_ENGINE_H

#include <sys/types.h>

#include "switch/shared.h"

/* What the program hands over to the process it forks. */
struct switch_plan {
	struct switch_shared *shared;
	int control; /* the child's end; closed means: end */
	int pcap;    /* or -1 */
	int sockets[SWITCH_PORTS];
	size_t ring_bytes; /* of each port */
	uint64_t seed;
	pid_t parent;
};

/* The life of the child process. */
_Noreturn void switch_run(struct switch_plan *plan);

#endif
