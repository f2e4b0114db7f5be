#ifndef COROLUA_SWITCH_ENGINE_H
#define COROLUA_SWITCH_ENGINE_H

#include <sys/types.h>

#include "switch/shared.h"

/* What the program hands over to the process it forks. */
struct plan {
	struct shared *shared;
	int control; /* the child's end; closed means: end */
	int pcap;    /* or -1 */
	int sockets[PORTS_MAX];
	size_t ring_bytes; /* of each port */
	uint64_t seed;
	pid_t parent;
};

/* The life of the child process. */
_Noreturn void engine_run(struct plan *plan);

#endif
