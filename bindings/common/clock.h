#ifndef COROLUA_CLOCK_H
#define COROLUA_CLOCK_H

#include <stdint.h>
#include <time.h>

enum { SECOND = 1000000000 }; /* nanoseconds */

static inline uint64_t clock_read(clockid_t clock)
{
	struct timespec time;

	clock_gettime(clock, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

/* Nanoseconds of the clock that never goes back; safe in a signal handler. */
static inline uint64_t clock_now(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

/* The same as of the last tick of the kernel, up to some milliseconds late: for
 * what is asked at every message. */
static inline uint64_t clock_coarse(void)
{
	return clock_read(CLOCK_MONOTONIC_COARSE);
}

#endif
