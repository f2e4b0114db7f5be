#ifndef COROLUA_SPELLING_H
#define COROLUA_SPELLING_H

/* The candidate that is the fewest edits away, or NULL if none is near; the
 * list ends with NULL. */
const char *nearest(const char *word, const char *const candidates[]);

#endif
