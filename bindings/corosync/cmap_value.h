#ifndef COROLUA_CMAP_VALUE_H
#define COROLUA_CMAP_VALUE_H

#include <corosync/cmap.h>
#include <lua.h>

#include "common/args.h"

/*
 * The typed values of cmap. Integers of all types are Lua integers, so that a
 * uint64 from 2^63 on is negative in Lua, and the same again when set.
 */
enum {
	VALUE_BYTES_MAX = 16 * 1024, /* of a string, its NUL included */
};

/* "int8" to "binary", by CMAP_VALUETYPE_ value. */
extern const struct name value_types[];

/* A value as the library takes it; bytes stands in number or on the stack. */
struct value {
	cmap_value_types_t type;
	size_t length;
	const void *bytes;
	union {
		uint64_t bits;
		float f;
		double d;
	} number;
};

/* The value of that type at arg; raises if it is none. */
void check_value(lua_State *L, int arg, cmap_value_types_t type,
		 struct value *value);

/* Pushes what the library gave; a string loses its NUL. */
void push_value(lua_State *L, cmap_value_types_t type, const void *bytes,
		size_t length);

#endif
