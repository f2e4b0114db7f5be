#ifndef COROLUA_TAP_H
#define COROLUA_TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the thin handles tell a trace of. The tap stands in the registry while
 * somebody listens. A handle looks for it when it is made: without one it has
 * no life, which is all that is asked for a message. None of the functions
 * raises, waits or runs Lua.
 */
#define TAP_KEY "corolua.tap"

struct tap;

/* One life of one handle; made by open, freed by close. */
struct life {
	const struct tap *tap;
	uint64_t place; /* inode of the network it is connected in, or 0 */
};

struct tap_member {
	uint32_t nodeid;
	uint32_t pid;
	const char *reason; /* of a change, a constant */
};

struct tap_members {
	const struct tap_member *list;
	size_t count;
};

struct tap_nodes {
	const uint32_t *list;
	size_t count;
};

struct tap_ring {
	uint32_t nodeid;
	uint64_t seq;
};

struct tap {
	/* Of a handle that may become a member of a group, or of another one;
	 * NULL without memory: then nothing is told of it. */
	struct life *(*open)(const struct tap *tap, bool is_member);
	void (*close)(struct life *life);
	void (*sent)(struct life *life, const void *payload, size_t length);
	/* The code is what scripts see, as "ERR_TRY_AGAIN". */
	void (*refused)(struct life *life, const char *code);
	void (*delivered)(struct life *life, uint32_t nodeid, uint32_t pid,
			  const void *payload, size_t length);
	void (*confchg)(struct life *life, const char *group, size_t length,
			struct tap_members members, struct tap_members left,
			struct tap_members joined);
	void (*ring)(struct life *life, struct tap_ring ring,
		     struct tap_nodes nodes);
	/* Behind the nodelist that came with it. */
	void (*quorum)(struct life *life, bool quorate, struct tap_ring ring,
		       struct tap_nodes nodes);
	void (*nodelist)(struct life *life, struct tap_nodes joined,
			 struct tap_nodes left);
	/* The own LEAVE has been read; the connection is gone. */
	void (*left)(struct life *life);
	void (*lost)(struct life *life);
};

#endif
