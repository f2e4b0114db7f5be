#ifndef COROLUA_SWITCH_START_H
#define COROLUA_SWITCH_START_H

#include "switch/engine.h"

/* The program's side of a running switch. */
struct process {
	pid_t pid;
	int control; /* readable when the switch has ended; -1 once closed */
	uint32_t sequence;
	bool reaped;
	int status; /* as waitpid gives it, once reaped */
	struct shared *shared;
	size_t size; /* of the shared memory */
};

/* Why something could not be done; a sentence and an errno. */
struct failure {
	int error;
	char text[FAILURE_MAX];
};

/* Makes the shared memory for that many nodes and links. */
bool process_prepare(struct process *process, unsigned int nodes,
		     unsigned int links, struct failure *failure);

/*
 * Opens the ports named in the shared memory and forks the switch, in the
 * network namespace of the caller. Returns before the rings are made.
 */
bool process_fork(struct process *process, const char *pcap, size_t ring_bytes,
		  uint64_t seed, struct failure *failure);

/* Has a request served, which waits for the rings where they are not ready. */
bool process_request(struct process *process, enum request kind,
		     struct failure *failure);

/* Whether the process runs; it is reaped when it does not. */
bool process_alive(struct process *process);

/* Ends the switch and frees what was taken. May be called again. */
void process_close(struct process *process);

#endif
