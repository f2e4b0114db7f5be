#ifndef COROLUA_ITERATE_H
#define COROLUA_ITERATE_H

#include <corosync/corotypes.h>
#include <lua.h>
#include <stdint.h>

/*
 * An iteration of a library, which is read to its end before Lua takes the
 * first step, so that what it lists may change meanwhile.
 */
struct iteration {
	uint64_t handle; /* of the C library */
	uint64_t id;
	unsigned int kind; /* of what is asked for, in the library's way */
	int width;         /* how many values a step has */
	const char *call;  /* that next makes, for messages */
	/* Pushes the values of the next step, if there is one. */
	cs_error_t (*next)(lua_State *L, const struct iteration *iteration);
	void (*finalize)(const struct iteration *iteration);
};

/* Pushes the iterator of Lua, or the failure; returns how many values. */
int push_iterator(lua_State *L, const struct iteration *iteration);

#endif
