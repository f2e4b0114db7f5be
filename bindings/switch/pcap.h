#ifndef COROLUA_SWITCH_PCAP_H
#define COROLUA_SWITCH_PCAP_H

#include "switch/shared.h"

/* Holds the longest frame several times. */
enum { PCAP_BUFFER = 512 * 1024 };

/* A capture file of the classic format, with stamps of nanoseconds. */
struct pcap {
	int fd; /* -1 for no capture */
	bool broken;
	size_t used;
	uint64_t frames;       /* in the buffer */
	struct shared *shared; /* counts there */
	unsigned char buffer[PCAP_BUFFER];
};

void pcap_start(struct pcap *pcap, int fd, struct shared *shared);

/* Adds a frame that has just been forwarded. */
void pcap_add(struct pcap *pcap, const unsigned char *frame, size_t length);

/* Writes what is buffered, before the switch sleeps or ends. */
void pcap_flush(struct pcap *pcap);

#endif
