#ifndef COROLUA_SWITCH_FORWARD_H
#define COROLUA_SWITCH_FORWARD_H

#include "switch/port.h"
#include "switch/send.h"

enum {
	ADDRESSES = 1024,        /* a power of two */
	LONG_FRAME = 128 * 1024, /* longer than any the kernel makes */
};

/* Behind which port a hardware address is, on one link. */
struct address {
	uint64_t key; /* link and address, 0 for none */
	unsigned int port;
};

/* Everything the switch process owns. */
struct engine {
	struct shared *shared;
	struct cell *cells;
	struct queue queue;
	struct pcap pcap;
	uint64_t now; /* on the monotonic clock, at the start of this round */
	unsigned int count;
	struct port ports[PORTS_MAX];
	struct sender *senders; /* one for each port */
	struct address addresses[ADDRESSES];
	unsigned char long_frame[LONG_FRAME];
};

/* Takes what has come to a port; its slots stay taken. */
void forward_port(struct engine *engine, unsigned int from);

/* Sends the held frames that are due. */
void forward_due(struct engine *engine);

/* Ends a round: all frames leave, and their slots are given back. */
void forward_flush(struct engine *engine);

#endif
