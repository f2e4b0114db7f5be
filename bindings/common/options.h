#ifndef COROLUA_OPTIONS_H
#define COROLUA_OPTIONS_H

#include <lua.h>
#include <stdbool.h>

/*
 * Tables of named options. A fault is raised as an error in the argument that
 * the table is, or stands in; where the table is nil, all options are.
 */
struct options {
	lua_State *L;
	int arg;
	int index; /* of the table, absolute */
};

/* Raises if it is no table, or has a key that is not in the NULL-ended list;
 * what names a key: "option". */
void check_keys(const struct options *options, const char *what,
		const char *const valid[]);

/* true or false; false where it is nil. */
bool option_flag(const struct options *options, const char *key);

/* An integer of min to max; otherwise where it is nil, which raises unless it
 * is in that range too. */
lua_Integer option_integer(const struct options *options, const char *key,
			   lua_Integer min, lua_Integer max,
			   lua_Integer otherwise);

/* A number of 0 to max; 0 where it is nil. */
double option_number(const struct options *options, const char *key,
		     double max);

#endif
