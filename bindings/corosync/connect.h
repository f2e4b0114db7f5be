#ifndef COROLUA_CONNECT_H
#define COROLUA_CONNECT_H

#include <stdint.h>

#include "common/module.h"

/*
 * The libraries find the slot of a new handle without a lock, so that two
 * threads that connect at the same time may get the same one. Who connects does
 * so between these two calls: the second in line waits until the first has its
 * slot, which shows in *id before the daemon is asked, and never for the
 * daemon.
 */
struct connecting {
	uint64_t *id; /* 0 until the library has written the handle there */
	int returned; /* the call is over */
};

SHARED void connect_enter(struct connecting *connecting, uint64_t *id);
SHARED void connect_return(struct connecting *connecting);

/* The network that the thread is in, by its inode; 0 where that is not told. */
uint64_t connect_place(void);

#endif
