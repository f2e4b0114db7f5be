/*
 * Fuzzes the search for the name that was meant, as a peer reaches it by
 * calling a method that does not exist. An input is lines: the word, and the
 * candidates. What is found is a candidate, and the word itself where it is
 * one.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/spelling.h"

enum { WORDS = 32, LONGEST = 63 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void demand(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Each word has a block of its own, so that its end is guarded. */
static size_t read_words(const uint8_t *data, size_t size, char *words[])
{
	size_t count = 0;

	while (size > 0 && count < WORDS) {
		const uint8_t *end = memchr(data, '\n', size);
		size_t length = end == NULL ? size : (size_t)(end - data);
		size_t taken = end == NULL ? size : length + 1;

		words[count] = malloc(length + 1);
		demand(words[count] != NULL, "memory");
		memcpy(words[count], data, length);
		words[count++][length] = '\0';
		data += taken;
		size -= taken;
	}
	return count;
}

static void check(const char *word, const char *const candidates[],
		  const char *found)
{
	bool listed = found == NULL;
	bool same = false;

	for (size_t i = 0; candidates[i] != NULL; i++) {
		listed = listed || found == candidates[i];
		same = same || strcmp(word, candidates[i]) == 0;
	}
	demand(listed, "what is found is a candidate");
	if (same && strlen(word) <= LONGEST)
		demand(found != NULL && strcmp(word, found) == 0,
		       "a candidate is nearest to itself");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS + 1];
	size_t count = read_words(data, size, words);

	words[count] = NULL;
	if (count > 0) {
		const char *const *candidates = (const char *const *)words + 1;

		check(words[0], candidates, nearest(words[0], candidates));
	}
	for (size_t i = 0; i < count; i++)
		free(words[i]);
	return 0;
}
