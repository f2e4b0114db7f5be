#ifndef COROLUA_TRACE_TEXT_H
#define COROLUA_TRACE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The parts of a line. Each put_* writes at `to` and returns where the next one
 * goes; that there is room is the caller's business.
 */
enum {
	NUMBER_MAX = 20, /* bytes of the longest number */
	HASH_MAX = 15,   /* of a hash, with its quotes */
	ESCAPED_MAX = 6, /* of one byte of a string */
};

char *put_bytes(char *to, const char *bytes, size_t length);
char *put_number(char *to, uint64_t number);
char *put_hash(char *to, uint64_t hash);

/* A string: all but printable ASCII is \u00XX, so that each character is one
 * byte, whatever a peer has sent. */
char *put_string(char *to, const char *bytes, size_t length);

/* put_literal(to, ",\"h\":") */
#define put_literal(to, literal) put_bytes(to, literal, sizeof(literal) - 1)

/* A hash of all bytes: 52 bits, which a JSON number would keep as well. */
uint64_t hash_of(const void *bytes, size_t length);

/* A line that grows. Without memory it is marked, and not told. */
struct text {
	char *bytes;
	size_t length;
	size_t room;
	bool is_lost;
};

/* Where `most` bytes more may be put; NULL without memory. */
char *text_reserve(struct text *text, size_t most);

/* What was put there ends at `end`. */
void text_grow(struct text *text, const char *end);

void text_add(struct text *text, const char *bytes, size_t length);
void text_add_string(struct text *text, const char *bytes, size_t length);

/* As printf does; nothing in it is escaped. */
__attribute__((format(printf, 2, 3))) void text_print(struct text *text,
						      const char *format, ...);

/* Empty again; the memory stays. */
void text_clear(struct text *text);
void text_free(struct text *text);

#endif
