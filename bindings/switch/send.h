#ifndef COROLUA_SWITCH_SEND_H
#define COROLUA_SWITCH_SEND_H

#include <sys/socket.h>

#include "switch/pcap.h"
#include "switch/queue.h"

enum { SEND_BATCH = 256 };

/* Frames on their way to one port, sent by one call. */
struct sender {
	int fd;
	unsigned int count;
	struct pcap *pcap;
	struct mmsghdr messages[SEND_BATCH];
	struct iovec bytes[SEND_BATCH];
	struct cell *cells[SEND_BATCH];
	struct held *held[SEND_BATCH]; /* freed once sent, or NULL */
};

void sender_init(struct sender *sender, int fd, struct pcap *pcap);

/*
 * Adds a frame, which must stay where it is until the sender is flushed. The
 * sender frees the held frame it belongs to, if any.
 */
void sender_add(struct sender *sender, struct cell *cell, unsigned char *frame,
		size_t length, struct held *held);

void sender_flush(struct sender *sender);

#endif
