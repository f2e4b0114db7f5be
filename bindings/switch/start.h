#ifndef COROLUA_SWITCH_START_H
#define COROLUA_SWITCH_START_H

#include "switch/engine.h"

/* The program's side of a running switch. */
struct switch_process {
	pid_t pid;
	int control; /* readable when the switch has ended; -1 once closed */
	uint32_t sequence;
	bool reaped;
	int status; /* as waitpid gives it, once reaped */
	struct switch_shared *shared;
	size_t size; /* of the shared memory */
};

/* Why something could not be done; a sentence and an errno. */
struct switch_failure {
	int error;
	char text[SWITCH_FAILURE];
};

/* Makes the shared memory for that many nodes and links. */
bool switch_prepare(struct switch_process *process, unsigned int nodes,
		    unsigned int links, struct switch_failure *failure);

/*
 * Opens the ports named in the shared memory and forks the switch, in the
 * network namespace of the caller. Returns before the rings are made.
 */
bool switch_fork(struct switch_process *process, const char *pcap,
		 size_t ring_bytes, uint64_t seed,
		 struct switch_failure *failure);

/* Has a request served, which waits for the rings where they are not ready. */
bool switch_request(struct switch_process *process, enum switch_request kind,
		    struct switch_failure *failure);

/* Whether the process runs; it is reaped when it does not. */
bool switch_alive(struct switch_process *process);

/* Ends the switch and frees what was taken. May be called again. */
void switch_close(struct switch_process *process);

#endif
