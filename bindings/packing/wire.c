/*
 * Bytes of frames. Integers are read and written byte by byte, little end
 * first, so neither the byte order nor the alignment of a machine matters.
 */
#include "packing/wire.h"

#include <string.h>

enum { MARK_0 = 0xC1, MARK_1 = 'P', VERSION = 1 };

static void put32(char *to, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		to[i] = (char)(unsigned char)(value >> (8 * i));
}

static void put64(char *to, uint64_t value)
{
	put32(to, (uint32_t)value);
	put32(to + 4, (uint32_t)(value >> 32));
}

static uint32_t get32(const char *from)
{
	uint32_t value = 0;

	for (int i = 3; i >= 0; i--)
		value = value << 8 | (unsigned char)from[i];
	return value;
}

static uint64_t get64(const char *from)
{
	return (uint64_t)get32(from + 4) << 32 | get32(from);
}

void wire_put_header(char *to, const struct wire_frame *frame)
{
	to[0] = (char)MARK_0;
	to[1] = MARK_1;
	to[2] = VERSION;
	to[3] = (char)frame->kind;
	put32(to + 4, frame->life);
	put32(to + 8, frame->ring_nodeid);
	put32(to + 12, frame->count);
	put64(to + 16, frame->ring_seq);
	put64(to + 24, frame->first);
}

void wire_put_length(char *to, uint32_t length)
{
	put32(to, length);
}

void wire_put_place(char *to, uint32_t total, uint32_t offset)
{
	put32(to, total);
	put32(to + 4, offset);
}

const char *wire_next(struct wire_frame *frame, size_t *length)
{
	const char *message = frame->body + WIRE_LENGTH;

	*length = get32(frame->body);
	frame->body = message + *length;
	frame->length -= WIRE_LENGTH + *length;
	return message;
}

/* Whether the body is exactly count messages. */
static const char *check_messages(const struct wire_frame *frame)
{
	const char *body = frame->body;
	size_t left = frame->length;

	for (uint32_t i = 0; i < frame->count; i++) {
		size_t length;

		if (left < WIRE_LENGTH)
			return "the frame ends before its last message";
		length = get32(body);
		left -= WIRE_LENGTH;
		if (length > left)
			return "a message is longer than its frame";
		body += WIRE_LENGTH + length;
		left -= length;
	}
	return left == 0 ? NULL : "bytes follow the last message of the frame";
}

static const char *open_fragment(struct wire_frame *frame)
{
	if (frame->count != 1)
		return "a fragment counts other than one message";
	if (frame->length <= WIRE_PLACE)
		return "a fragment without bytes";
	frame->total = get32(frame->body);
	frame->offset = get32(frame->body + 4);
	frame->body += WIRE_PLACE;
	frame->length -= WIRE_PLACE;
	if (frame->offset > frame->total ||
	    frame->length > frame->total - frame->offset)
		return "a fragment is longer than its message";
	return NULL;
}

static const char *open_body(struct wire_frame *frame)
{
	if (frame->kind == WIRE_FRAGMENT)
		return open_fragment(frame);
	if (frame->kind == WIRE_MESSAGES)
		return check_messages(frame);
	return "a kind of frame that is not known here";
}

const char *wire_open(struct wire_frame *frame, const char *bytes,
		      size_t length)
{
	if (length < 2 || (unsigned char)bytes[0] != MARK_0 ||
	    bytes[1] != MARK_1)
		return "not a frame of a packed group";
	if (length < WIRE_HEADER)
		return "the frame is shorter than its header";
	if (bytes[2] != VERSION)
		return "a version of the format that is not known here";
	*frame = (struct wire_frame){
		.kind = (enum wire_kind)(unsigned char)bytes[3],
		.life = get32(bytes + 4),
		.ring_nodeid = get32(bytes + 8),
		.count = get32(bytes + 12),
		.ring_seq = get64(bytes + 16),
		.first = get64(bytes + 24),
		.body = bytes + WIRE_HEADER,
		.length = length - WIRE_HEADER,
	};
	if (frame->count == 0)
		return "the frame holds no message";
	if (frame->first == 0 || frame->first > WIRE_LAST_NUMBER ||
	    frame->count - 1 > WIRE_LAST_NUMBER - frame->first)
		return "the numbers of the messages are out of range";
	return open_body(frame);
}
