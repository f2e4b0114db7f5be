/*
 * A library that is slow to deliver: preloaded into a program, it holds back
 * what the dispatch call that DELAY names would deliver, for so many of every
 * 250 milliseconds, as if the daemon's socket had nothing yet:
 *
 *	DELAY="quorum_dispatch=200" LD_PRELOAD=delay.so corolua ...
 */
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "behind.h"

enum { PERIOD = 250, PAUSE = 2000000, MILLION = 1000000, THOUSAND = 1000 };

/* How many milliseconds of each period a call is held back. */
static long delay_of(const char *call)
{
	const char *setting = getenv("DELAY");
	size_t length = strlen(call);

	if (setting == NULL || strncmp(setting, call, length) != 0 ||
	    setting[length] != '=')
		return 0;
	return strtol(setting + length + 1, NULL, 10);
}

/* The program polls on meanwhile, and must leave others the processor. */
static int is_held_back(const char *call)
{
	static const struct timespec pause = {.tv_nsec = PAUSE};
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if ((now.tv_sec * THOUSAND + now.tv_nsec / MILLION) % PERIOD >=
	    delay_of(call))
		return 0;
	nanosleep(&pause, NULL);
	return 1;
}

#define DELAY(call, handle_type)                                               \
	__attribute__((visibility("default"))) cs_error_t call(                \
		handle_type handle, cs_dispatch_flags_t mode)                  \
	{                                                                      \
		cs_error_t (*real)(handle_type, cs_dispatch_flags_t);          \
                                                                               \
		if (is_held_back(#call))                                       \
			return CS_ERR_TRY_AGAIN;                               \
		*(void **)&real = behind(#call);                               \
		return real(handle, mode);                                     \
	}

DELAY(cpg_dispatch, cpg_handle_t)
DELAY(quorum_dispatch, quorum_handle_t)
