#ifndef COROLUA_SWITCH_PORT_H
#define COROLUA_SWITCH_PORT_H

#include "switch/frame.h"
#include "switch/shared.h"

/* A packet socket on one interface, and its receive ring. */
struct port {
	int fd;
	unsigned char *ring;
	size_t size; /* of a slot in bytes */
	unsigned int slots;
	unsigned int head;  /* the next slot to read */
	unsigned int taken; /* slots read and not yet given back */
	uint64_t overrun;   /* of the interface when the switch started */
	struct switch_port *shared;
};

/* What port_next found. */
enum port_found {
	PORT_EMPTY,
	PORT_FRAME,
	PORT_LONG, /* does not fit into a slot: port_read_long has it */
	PORT_CUT,  /* did not fit, and the rest is lost */
};

/*
 * Opens the packet socket of an interface, which receives nothing yet, and
 * finds the interface's number. Returns -1 with errno.
 */
int port_open(const char *name, unsigned int *index);

/*
 * Makes the receive ring of at most that many bytes, smaller where the kernel
 * has not that much, and starts to receive. Returns -1 with errno.
 */
int port_start(struct port *port, size_t bytes);

/* Frees the ring and closes the socket; bytes is not used. Returns 0. */
int port_stop(struct port *port, size_t bytes);

/* The next frame, which stays in its slot until port_release. */
enum port_found port_next(struct port *port, unsigned char **frame,
			  size_t *length);

/* Reads a frame longer than a slot into the buffer; 0 if it was not kept. */
size_t port_read_long(struct port *port, unsigned char *buffer, size_t size);

/* Gives all slots that were taken back to the kernel. */
void port_release(struct port *port);

/* Forgets that the interface was down, so that poll does not report it. */
void port_clear_error(struct port *port);

/* Adds what the kernel has dropped since the last time. */
void ports_count_drops(struct port *ports, unsigned int count);

#endif
