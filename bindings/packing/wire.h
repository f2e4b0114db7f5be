#ifndef COROLUA_WIRE_H
#define COROLUA_WIRE_H

#include <stddef.h>
#include <stdint.h>

/*
 * The frames of packed groups, as docs/wire.md lays them down. Nothing here
 * knows of Lua or allocates.
 */

enum {
	WIRE_HEADER = 32,     /* bytes before the body of every frame */
	WIRE_LENGTH = 4,      /* bytes before each message of a frame */
	WIRE_PLACE = 8,       /* bytes before the piece in a fragment */
	WIRE_ATOMIC = 1047552 /* what corosync takes as one message */
};

/* Numbers stay within the integers of Lua. */
#define WIRE_LAST_NUMBER ((uint64_t)INT64_MAX)

enum wire_kind {
	WIRE_MESSAGES = 1, /* whole messages, numbered in a row from first */
	WIRE_FRAGMENT = 2  /* a piece of the one message numbered first */
};

struct wire_frame {
	enum wire_kind kind;
	uint32_t life;        /* one join of the sender */
	uint32_t ring_nodeid; /* the ring that the sender was in */
	uint32_t count;       /* messages in the frame; 1 in a fragment */
	uint64_t ring_seq;
	uint64_t first;   /* the number of the first message */
	uint32_t total;   /* fragment: the bytes of the whole message */
	uint32_t offset;  /* fragment: where the piece lies in it */
	const char *body; /* the messages, or the piece */
	size_t length;
};

/* Writes the WIRE_HEADER bytes of a frame. */
void wire_put_header(char *to, const struct wire_frame *frame);

/* Writes the WIRE_LENGTH bytes that stand before a message. */
void wire_put_length(char *to, uint32_t length);

/* Writes the WIRE_PLACE bytes that stand before the piece of a fragment. */
void wire_put_place(char *to, uint32_t total, uint32_t offset);

/*
 * Reads a frame, whose body then points into bytes. Gives NULL, or why the
 * frame is malformed; it has looked at every length, so what follows cannot
 * fail.
 */
const char *wire_open(struct wire_frame *frame, const char *bytes,
		      size_t length);

/* Takes the next message off the body of an opened frame. */
const char *wire_next(struct wire_frame *frame, size_t *length);

#endif
