#ifndef COROLUA_FORKED_H
#define COROLUA_FORKED_H

#include "common/module.h"

/*
 * A child made by fork, as long as it has not run another program, shares with
 * its parent what must have one owner: the connections and their memory, the
 * loop's descriptors, the threads (which it lacks), the processes of a lab. So
 * what was opened before the fork is the parent's alone, and the child only
 * forgets it.
 */

/* How many forks lie between this process and the one that was started. */
SHARED unsigned int fork_depth(void);

#endif
