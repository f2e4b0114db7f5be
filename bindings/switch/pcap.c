/*
 * The capture of what crossed the switch. Checksums that a sender left to its
 * network card are finished in the copy, as they would be on a cable. When the
 * file takes no more, the switch goes on and counts what is missing.
 */
#include "switch/pcap.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "switch/frame.h"

enum { SNAPLEN = 131072, LINK_ETHERNET = 1 };

struct file_header {
	uint32_t magic;
	uint16_t major;
	uint16_t minor;
	int32_t zone;
	uint32_t accuracy;
	uint32_t snaplen;
	uint32_t network;
};

struct record_header {
	uint32_t seconds;
	uint32_t nanoseconds;
	uint32_t captured;
	uint32_t length;
};

static void append(struct pcap *pcap, const void *bytes, size_t length)
{
	memcpy(pcap->buffer + pcap->used, bytes, length);
	pcap->used += length;
}

void pcap_start(struct pcap *pcap, int fd, struct shared *shared)
{
	struct file_header header = {
		.magic = 0xa1b23c4d,
		.major = 2,
		.minor = 4,
		.snaplen = SNAPLEN,
		.network = LINK_ETHERNET,
	};

	pcap->fd = fd;
	pcap->shared = shared;
	if (fd >= 0)
		append(pcap, &header, sizeof header);
	pcap_flush(pcap);
}

static bool pcap_write(struct pcap *pcap)
{
	size_t done = 0;

	while (done < pcap->used) {
		ssize_t n =
			write(pcap->fd, pcap->buffer + done, pcap->used - done);

		if (n > 0)
			done += (size_t)n;
		else if (n == 0 || errno != EINTR)
			return false;
	}
	return true;
}

void pcap_flush(struct pcap *pcap)
{
	if (pcap->used == 0)
		return;
	if (!pcap->broken)
		pcap->broken = !pcap_write(pcap);
	counter_add(pcap->broken ? &pcap->shared->uncaptured
				 : &pcap->shared->captured,
		    pcap->frames);
	pcap->frames = 0;
	pcap->used = 0;
}

/* The record's header takes the place of the one that is not on the cable. */
static void append_record(struct pcap *pcap, const unsigned char *frame,
			  size_t length)
{
	struct timespec now;
	struct record_header record;
	unsigned char *copy =
		pcap->buffer + pcap->used + sizeof record - FRAME_HEADER;

	memcpy(copy, frame, length);
	frame_complete(copy, length);
	clock_gettime(CLOCK_REALTIME, &now);
	record.seconds = (uint32_t)now.tv_sec;
	record.nanoseconds = (uint32_t)now.tv_nsec;
	record.captured = record.length = (uint32_t)(length - FRAME_HEADER);
	append(pcap, &record, sizeof record);
	pcap->used += length - FRAME_HEADER;
	pcap->frames++;
}

void pcap_add(struct pcap *pcap, const unsigned char *frame, size_t length)
{
	if (pcap->fd < 0)
		return;
	if (pcap->used + sizeof(struct record_header) + length > PCAP_BUFFER)
		pcap_flush(pcap);
	append_record(pcap, frame, length);
}
