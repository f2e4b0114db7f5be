/*
 * What the switch knows of a frame's inside: enough of IPv4, IPv6 and UDP to
 * finish a checksum, and to damage a payload.
 */
#include "switch/frame.h"

#include <endian.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <string.h>

enum {
	IPV4_HEADER = 20,
	IPV4_FRAGMENT = 6, /* offset of the flags and the fragment's place */
	IPV4_PROTOCOL = 9,
	IPV6_HEADER = 40,
	IPV6_NEXT = 6,
	UDP_HEADER = 8,
	UDP_LENGTH = 4,
	UDP_CHECKSUM = 6,
};

static unsigned int read16(const unsigned char *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

static void write16(unsigned char *at, unsigned int value)
{
	at[0] = (unsigned char)(value >> 8);
	at[1] = (unsigned char)value;
}

static unsigned int fold(uint64_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (unsigned int)sum;
}

/* 0 would mean that there is no checksum; in ones' complement ffff is 0 too. */
static void write_checksum(unsigned char *at, unsigned int sum)
{
	unsigned int checksum = ~sum & 0xffff;

	write16(at, checksum == 0 ? 0xffff : checksum);
}

static unsigned int sum_of(const unsigned char *bytes, size_t length)
{
	uint64_t sum = 0;

	for (size_t i = 0; i + 1 < length; i += 2)
		sum += read16(bytes + i);
	if (length % 2 != 0)
		sum += (unsigned int)bytes[length - 1] << 8;
	return fold(sum);
}

/* The field holds the pseudo header's sum, and so is summed with the rest. */
bool frame_complete(unsigned char *frame, size_t length)
{
	struct virtio_net_hdr header;
	unsigned char *bytes = frame + FRAME_HEADER;
	size_t start;
	size_t field;

	length -= FRAME_HEADER;
	memcpy(&header, frame, sizeof header);
	start = le16toh(header.csum_start);
	field = start + le16toh(header.csum_offset);
	if (header.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		return false;
	memset(frame, 0, FRAME_HEADER);
	if ((header.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) == 0)
		return true;
	if (field + 2 > length)
		return false;
	write_checksum(bytes + field, sum_of(bytes + start, length - start));
	return true;
}

/* Offset of what follows an IPv4 header if that is whole and UDP, else 0. */
static size_t find_ipv4(const unsigned char *ip, size_t length)
{
	size_t header = (size_t)(ip[0] & 0xf) * 4;

	if (length < IPV4_HEADER || header < IPV4_HEADER ||
	    ip[IPV4_PROTOCOL] != IPPROTO_UDP ||
	    (read16(ip + IPV4_FRAGMENT) & 0x3fff) != 0)
		return 0;
	return header;
}

static size_t find_ipv6(const unsigned char *ip, size_t length)
{
	if (length < IPV6_HEADER || ip[IPV6_NEXT] != IPPROTO_UDP)
		return 0;
	return IPV6_HEADER;
}

/* The UDP header, or NULL; *size becomes its length with the payload. */
static unsigned char *find_udp(unsigned char *bytes, size_t length,
			       size_t *size)
{
	size_t at = 0;
	unsigned int type;

	if (length <= ETHER_HDR_LEN)
		return NULL;
	type = read16(bytes + ETHER_HDR_LEN - ETHER_TYPE_LEN);
	bytes += ETHER_HDR_LEN;
	length -= ETHER_HDR_LEN;
	if (type == ETHERTYPE_IP)
		at = find_ipv4(bytes, length);
	else if (type == ETHERTYPE_IPV6)
		at = find_ipv6(bytes, length);
	if (at == 0 || at + UDP_HEADER > length)
		return NULL;
	*size = read16(bytes + at + UDP_LENGTH);
	return at + *size <= length ? bytes + at : NULL;
}

/* What a word's change adds to the sum is its new value and the old one's
 * complement. */
static void repair_checksum(unsigned char *udp, unsigned int before,
			    unsigned int after)
{
	unsigned int sum = ~read16(udp + UDP_CHECKSUM) & 0xffff;

	write_checksum(udp + UDP_CHECKSUM,
		       fold((uint64_t)sum + (~before & 0xffff) + after));
}

static unsigned int word_at(const unsigned char *udp, size_t size, size_t at)
{
	at &= ~(size_t)1;
	return at + 1 < size ? read16(udp + at) : (unsigned int)udp[at] << 8;
}

bool frame_corrupt(unsigned char *frame, size_t length, uint64_t random,
		   bool repair)
{
	size_t size = 0;
	size_t at;
	unsigned int before;
	unsigned char *udp;
	bool checked;

	if (!frame_complete(frame, length))
		return false;
	udp = find_udp(frame + FRAME_HEADER, length - FRAME_HEADER, &size);
	if (udp == NULL || size <= UDP_HEADER)
		return false;
	checked = read16(udp + UDP_CHECKSUM) != 0;
	at = UDP_HEADER + random / 8 % (size - UDP_HEADER);
	before = word_at(udp, size, at);
	udp[at] ^= (unsigned char)(1U << random % 8);
	if (repair && checked)
		repair_checksum(udp, before, word_at(udp, size, at));
	return repair || checked;
}
