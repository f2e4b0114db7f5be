#ifndef COROLUA_SWITCH_FRAME_H
#define COROLUA_SWITCH_FRAME_H

#include <linux/virtio_net.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A frame as a packet socket gives and takes it: the header that says what of
 * its checksum is unfinished, then the bytes of the cable. Lengths count both.
 */
enum { FRAME_HEADER = sizeof(struct virtio_net_hdr) };

/*
 * Writes the checksum that the sender left to its network card. Returns false
 * for a frame that still is to be cut into several.
 */
bool frame_complete(unsigned char *frame, size_t length);

/*
 * Flips one bit of the UDP payload, chosen by the random number. Without
 * repair the receiver's checksum finds it; with repair the checksum is made
 * right. Returns false where the receiver would see neither a wrong checksum
 * nor a payload: the check of a real cable would have dropped such a frame.
 */
bool frame_corrupt(unsigned char *frame, size_t length, uint64_t random,
		   bool repair);

#endif
