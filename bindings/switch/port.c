/*
 * The receiving side. A ring of version 2 hands over each frame at once, where
 * version 3 keeps it back for up to a millisecond: too long for a token that
 * goes round. A frame that does not fit into a slot comes by the socket's
 * ordinary queue.
 */
#include "switch/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	SLOT_LEAST = 2048,
	SLOT_MOST = 128 * 1024,
	SLOT_OVERHEAD = 256, /* the kernel's headers, the address, padding */
	SLOTS_LEAST = 32,
	SLOTS_MOST = 4096,
	BLOCK = 64 * 1024,
};

static int set_flag(int fd, int option, int value)
{
	return setsockopt(fd, SOL_PACKET, option, &value, sizeof value);
}

/* Without a protocol the socket receives nothing until it is bound. */
int port_open(const char *name, unsigned int *index)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return -1;
	*index = if_nametoindex(name);
	if (*index != 0 && set_flag(fd, PACKET_VERSION, TPACKET_V2) == 0 &&
	    set_flag(fd, PACKET_VNET_HDR, 1) == 0 &&
	    set_flag(fd, PACKET_COPY_THRESH, 1) == 0 &&
	    set_flag(fd, PACKET_IGNORE_OUTGOING, 1) == 0 &&
	    set_flag(fd, PACKET_QDISC_BYPASS, 1) == 0)
		return fd;
	err = errno;
	close(fd);
	errno = err;
	return -1;
}

/* A power of two, so that slots fill blocks without a rest. */
static size_t slot_size(const struct port *port)
{
	struct ifreq request = {0};
	size_t size = SLOT_LEAST;
	size_t mtu = ETH_DATA_LEN;

	memcpy(request.ifr_name, port->shared->name, IF_NAMESIZE);
	if (ioctl(port->fd, SIOCGIFMTU, &request) == 0)
		mtu = (size_t)request.ifr_mtu;
	while (size < mtu + SLOT_OVERHEAD && size < SLOT_MOST)
		size *= 2;
	return size;
}

static int ring_request(struct port *port, unsigned int slots)
{
	size_t block = port->size > BLOCK ? port->size : BLOCK;
	struct tpacket_req request = {
		.tp_block_size = (unsigned int)block,
		.tp_block_nr = (unsigned int)(slots * port->size / block),
		.tp_frame_size = (unsigned int)port->size,
		.tp_frame_nr = slots,
	};

	return setsockopt(port->fd, SOL_PACKET, PACKET_RX_RING, &request,
			  sizeof request);
}

/* A power of two: half as many are whole blocks again. */
static unsigned int slots_wanted(const struct port *port, size_t bytes)
{
	unsigned int slots = SLOTS_MOST;

	while (slots > SLOTS_LEAST && slots * port->size > bytes)
		slots /= 2;
	return slots;
}

static int ring_make(struct port *port, size_t bytes)
{
	unsigned int slots = slots_wanted(port, bytes);
	void *ring;

	while (ring_request(port, slots) != 0) {
		if (errno != ENOMEM || slots / 2 < SLOTS_LEAST)
			return -1;
		slots /= 2;
	}
	ring = mmap(NULL, slots * port->size, PROT_READ | PROT_WRITE,
		    MAP_SHARED, port->fd, 0);
	if (ring == MAP_FAILED)
		return -1;
	port->ring = ring;
	port->slots = port->shared->slots = slots;
	return 0;
}

static int receive_all(struct port *port)
{
	struct packet_mreq request = {
		.mr_ifindex = (int)port->shared->index,
		.mr_type = PACKET_MR_PROMISC,
	};
	struct sockaddr_ll address = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)port->shared->index,
	};

	if (setsockopt(port->fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request,
		       sizeof request) != 0)
		return -1;
	return bind(port->fd, (struct sockaddr *)&address, sizeof address);
}

/* Binding an interface that is down leaves an error behind; it may come up. */
int port_start(struct port *port, size_t bytes)
{
	port->size = slot_size(port);
	if (ring_make(port, bytes) != 0 || receive_all(port) != 0)
		return -1;
	port_clear_error(port);
	return 0;
}

int port_stop(struct port *port, size_t bytes)
{
	(void)bytes;
	munmap(port->ring, port->slots * port->size);
	return close(port->fd);
}

static unsigned char *slot_at(const struct port *port, unsigned int number)
{
	return port->ring + (size_t)(number % port->slots) * port->size;
}

enum port_found port_next(struct port *port, unsigned char **frame,
			  size_t *length)
{
	unsigned char *slot = slot_at(port, port->head);
	struct tpacket2_hdr *header = (struct tpacket2_hdr *)(void *)slot;
	uint32_t status = __atomic_load_n(&header->tp_status, __ATOMIC_ACQUIRE);

	if (port->taken == port->slots || (status & TP_STATUS_USER) == 0)
		return PORT_EMPTY;
	port->head++;
	port->taken++;
	*frame = slot + header->tp_mac - FRAME_HEADER;
	*length = header->tp_snaplen + FRAME_HEADER;
	if ((status & TP_STATUS_COPY) != 0)
		return PORT_LONG;
	return header->tp_snaplen == header->tp_len ? PORT_FRAME : PORT_CUT;
}

size_t port_read_long(struct port *port, unsigned char *buffer, size_t size)
{
	ssize_t n = recv(port->fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC);

	return n > FRAME_HEADER && (size_t)n <= size ? (size_t)n : 0;
}

void port_release(struct port *port)
{
	for (; port->taken > 0; port->taken--) {
		unsigned char *slot = slot_at(port, port->head - port->taken);
		struct tpacket2_hdr *header =
			(struct tpacket2_hdr *)(void *)slot;

		__atomic_store_n(&header->tp_status, TP_STATUS_KERNEL,
				 __ATOMIC_RELEASE);
	}
}

void port_clear_error(struct port *port)
{
	int error;
	socklen_t size = sizeof error;

	(void)getsockopt(port->fd, SOL_SOCKET, SO_ERROR, &error, &size);
}

static void count_ring_drops(struct port *port)
{
	struct tpacket_stats statistics;
	socklen_t size = sizeof statistics;

	if (getsockopt(port->fd, SOL_PACKET, PACKET_STATISTICS, &statistics,
		       &size) == 0)
		counter_add(&port->shared->counters[PORT_DROPPED],
			    statistics.tp_drops);
}

/* What the far end's backlog refused is a dropped frame of our own end. */
static void note_overrun(struct port *ports, unsigned int count,
			 const char *name, uint64_t drops)
{
	for (unsigned int i = 0; i < count; i++)
		if (strcmp(ports[i].shared->name, name) == 0)
			atomic_store(&ports[i].shared->counters[PORT_OVERRUN],
				     drops - ports[i].overrun);
}

void ports_count_drops(struct port *ports, unsigned int count)
{
	char line[512];
	char name[IF_NAMESIZE];
	unsigned long long drops;
	FILE *file = fopen("/proc/self/net/dev", "re");

	for (unsigned int i = 0; i < count; i++)
		count_ring_drops(&ports[i]);
	while (file != NULL && fgets(line, sizeof line, file) != NULL)
		if (sscanf(line,
			   " %15[^:]: %*u %*u %*u %*u %*u %*u %*u %*u "
			   "%*u %*u %*u %llu",
			   name, &drops) == 2)
			note_overrun(ports, count, name, drops);
	if (file != NULL)
		fclose(file);
}
