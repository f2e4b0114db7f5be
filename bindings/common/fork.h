#ifndef COROLUA_FORK_H
#define COROLUA_FORK_H

#include <sys/types.h>

#include "common/module.h"

/*
 * fork, where the child has all signals blocked: no signal handler of the
 * program may run in it. It unblocks them with their default meaning.
 */
pid_t fork_quiet(void);
void fork_default_signals(void);

/*
 * How many forks lie between this process and the one that was started. A child
 * made by fork, as long as it has not run another program, shares with its
 * parent what must have one owner: the connections and their memory, the loop's
 * descriptors, the threads (which it lacks), the processes of a lab. So what
 * was opened before the fork is the parent's alone, and the child only forgets
 * it.
 */
SHARED unsigned int fork_depth(void);

#endif
