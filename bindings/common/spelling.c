/* Which of several words was meant. */
#include "common/spelling.h"

#include <stddef.h>
#include <string.h>

enum { WORD_MAX = 63 };

static size_t min3(size_t a, size_t b, size_t c)
{
	size_t least = a < b ? a : b;

	return least < c ? least : c;
}

/* The Levenshtein distance of two words; b has at most WORD_MAX bytes. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1];
	size_t length = strlen(b);

	for (size_t j = 0; j <= length; j++)
		row[j] = j;
	for (size_t i = 1; a[i - 1] != '\0'; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= length; j++) {
			size_t above = row[j];
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;

			row[j] = min3(above + 1, row[j - 1] + 1,
				      diagonal + cost);
			diagonal = above;
		}
	}
	return row[length];
}

/* What is longer than WORD_MAX is no slip of the hand, on either side. */
const char *nearest(const char *word, const char *const candidates[])
{
	const char *best = NULL;
	size_t least = (strlen(word) + 2) / 3;

	if (strlen(word) > WORD_MAX)
		return NULL;
	for (size_t i = 0; candidates[i] != NULL; i++) {
		size_t edits;

		if (strlen(candidates[i]) > WORD_MAX)
			continue;
		edits = distance(word, candidates[i]);
		if (edits <= least && (best == NULL || edits < least)) {
			best = candidates[i];
			least = edits;
		}
	}
	return best;
}
