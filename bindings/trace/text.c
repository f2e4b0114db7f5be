/* How the parts of a line are written: numbers, hashes, strings of others. */
#include "trace/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char digits[] = "0123456789abcdef";

char *put_bytes(char *to, const char *bytes, size_t length)
{
	memcpy(to, bytes, length);
	return to + length;
}

char *put_number(char *to, uint64_t number)
{
	char reversed[NUMBER_MAX];
	size_t count = 0;

	do {
		reversed[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	while (count > 0)
		*to++ = reversed[--count];
	return to;
}

char *put_hash(char *to, uint64_t hash)
{
	*to++ = '"';
	for (int shift = 48; shift >= 0; shift -= 4)
		*to++ = digits[hash >> shift & 0xf];
	*to++ = '"';
	return to;
}

static char *put_escaped(char *to, unsigned char byte)
{
	to = put_literal(to, "\\u00");
	*to++ = digits[byte >> 4];
	*to++ = digits[byte & 0xf];
	return to;
}

static bool is_plain(unsigned char byte)
{
	return byte >= ' ' && byte <= '~' && byte != '"' && byte != '\\';
}

char *put_string(char *to, const char *bytes, size_t length)
{
	*to++ = '"';
	for (size_t i = 0; i < length; i++) {
		unsigned char byte = (unsigned char)bytes[i];

		if (is_plain(byte))
			*to++ = (char)byte;
		else
			to = put_escaped(to, byte);
	}
	*to++ = '"';
	return to;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
	return hash ^ hash >> 29;
}

/* Eight bytes at a time; what is left is filled with zeroes, and the length
 * tells it from bytes that are zero. */
uint64_t hash_of(const void *bytes, size_t length)
{
	const char *at = bytes;
	uint64_t hash = mix(UINT64_C(0x2545F4914F6CDD1D), length);
	uint64_t word;

	for (; length >= sizeof word; length -= sizeof word) {
		memcpy(&word, at, sizeof word);
		hash = mix(hash, word);
		at += sizeof word;
	}
	word = 0;
	if (length > 0)
		memcpy(&word, at, length);
	return mix(mix(hash, word), UINT64_C(0xBF58476D1CE4E5B9)) >> 12;
}

char *text_reserve(struct text *text, size_t most)
{
	size_t room = text->room > 0 ? text->room : 256;
	char *bytes;

	if (text->is_lost)
		return NULL;
	while (room - text->length < most)
		room *= 2;
	if (room == text->room)
		return text->bytes + text->length;
	bytes = realloc(text->bytes, room);
	if (bytes == NULL) {
		text->is_lost = true;
		return NULL;
	}
	text->bytes = bytes;
	text->room = room;
	return bytes + text->length;
}

void text_grow(struct text *text, const char *end)
{
	text->length = (size_t)(end - text->bytes);
}

void text_add(struct text *text, const char *bytes, size_t length)
{
	char *to = text_reserve(text, length);

	if (to != NULL && length > 0)
		text_grow(text, put_bytes(to, bytes, length));
}

void text_print(struct text *text, const char *format, ...)
{
	va_list list;
	size_t length;
	char *to;

	va_start(list, format);
	length = (size_t)vsnprintf(NULL, 0, format, list);
	va_end(list);
	to = text_reserve(text, length + 1);
	if (to == NULL)
		return;
	va_start(list, format);
	vsnprintf(to, length + 1, format, list);
	va_end(list);
	text_grow(text, to + length);
}

void text_add_string(struct text *text, const char *bytes, size_t length)
{
	char *to = text_reserve(text, length * ESCAPED_MAX + 2);

	if (to != NULL)
		text_grow(text, put_string(to, bytes, length));
}

void text_clear(struct text *text)
{
	text->length = 0;
	text->is_lost = false;
}

void text_free(struct text *text)
{
	free(text->bytes);
	*text = (struct text){.bytes = NULL};
}
