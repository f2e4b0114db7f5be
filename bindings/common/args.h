#ifndef COROLUA_ARGS_H
#define COROLUA_ARGS_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Checks of arguments. Each raises at the caller's line with a sentence that
 * names the argument and what was expected.
 */

/* One value of an enum and its name in scripts; a table ends with NULL. */
struct name {
	unsigned int value;
	const char *name;
};

/* An integer of min to max; what names it: "votes". */
lua_Integer check_range(lua_State *L, int arg, const char *what,
			lua_Integer min, lua_Integer max);

/* A string of min to max bytes without NUL; what names it: "group name". The
 * length may be NULL. */
const char *check_text(lua_State *L, int arg, const char *what, size_t min,
		       size_t max, size_t *length);

/* Any string of at most max bytes. */
const char *check_bytes(lua_State *L, int arg, const char *what, size_t max,
			size_t *length);

/* true or false; nil is neither. */
bool check_boolean(lua_State *L, int arg, const char *what);

/* The value of a name out of the table. */
unsigned int check_name(lua_State *L, int arg, const char *what,
			const struct name *names);

/* The same, with a default where the argument is missing. */
unsigned int opt_name(lua_State *L, int arg, const char *what,
		      const struct name *names, unsigned int otherwise);

/* Raises for argument arg, with a message as of lua_pushfstring. */
int raise_argument(lua_State *L, int arg, const char *format, ...);

/* The name of a value; pushes "unknown (7)" if the table has none. */
void push_name(lua_State *L, const struct name *names, unsigned int value);

#endif
