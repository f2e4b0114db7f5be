/*
 * Return codes that a real daemon cannot be made to give: preloaded into a
 * program, it answers the calls that STUB names with the code given there,
 * without asking the library, and leaves all others alone:
 *
 *	STUB="cpg_join=6 cpg_mcast_joined=16" LD_PRELOAD=stub.so corolua ...
 */
#include <corosync/cpg.h>
#include <corosync/quorum.h>
#include <corosync/votequorum.h>
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "behind.h"

/* The code that STUB gives for a call, or 0. */
static cs_error_t scripted(const char *call)
{
	const char *list = getenv("STUB");
	const char *entry = list;
	size_t length = strlen(call);

	while (entry != NULL && (entry = strstr(entry, call)) != NULL) {
		if ((entry == list || entry[-1] == ' ') && entry[length] == '=')
			return (cs_error_t)atoi(entry + length + 1);
		entry += length;
	}
	return 0;
}

#define STUB(call, parameters, ...)                                            \
	__attribute__((visibility("default"))) cs_error_t call parameters      \
	{                                                                      \
		cs_error_t(*real) parameters;                                  \
		cs_error_t code = scripted(#call);                             \
                                                                               \
		if (code != 0)                                                 \
			return code;                                           \
		*(void **)&real = behind(#call);                               \
		return real(__VA_ARGS__);                                      \
	}

STUB(cpg_model_initialize,
     (cpg_handle_t * handle, cpg_model_t model, cpg_model_data_t *data,
      void *context),
     handle, model, data, context)
STUB(cpg_finalize, (cpg_handle_t handle), handle)
STUB(cpg_fd_get, (cpg_handle_t handle, int *fd), handle, fd)
STUB(cpg_dispatch, (cpg_handle_t handle, cs_dispatch_flags_t mode), handle,
     mode)
STUB(cpg_join, (cpg_handle_t handle, const struct cpg_name *group), handle,
     group)
STUB(cpg_leave, (cpg_handle_t handle, const struct cpg_name *group), handle,
     group)
STUB(cpg_mcast_joined,
     (cpg_handle_t handle, cpg_guarantee_t guarantee, const struct iovec *iovec,
      unsigned int count),
     handle, guarantee, iovec, count)
STUB(cpg_membership_get,
     (cpg_handle_t handle, struct cpg_name *group, struct cpg_address *list,
      int *count),
     handle, group, list, count)
STUB(cpg_local_get, (cpg_handle_t handle, unsigned int *nodeid), handle, nodeid)
STUB(cpg_iteration_next,
     (cpg_iteration_handle_t handle,
      struct cpg_iteration_description_t *description),
     handle, description)
STUB(votequorum_initialize,
     (votequorum_handle_t * handle, votequorum_callbacks_t *callbacks), handle,
     callbacks)
STUB(votequorum_getinfo,
     (votequorum_handle_t handle, unsigned int nodeid,
      struct votequorum_info *info),
     handle, nodeid, info)
STUB(quorum_model_initialize,
     (quorum_handle_t * handle, quorum_model_t model, quorum_model_data_t *data,
      uint32_t *type, void *context),
     handle, model, data, type, context)

/* Of the system: here the code is an error number. */
__attribute__((visibility("default"))) int setns(int fd, int type)
{
	int (*real)(int, int);
	int code = (int)scripted("setns");

	if (code != 0) {
		errno = code;
		return -1;
	}
	*(void **)&real = dlsym(RTLD_NEXT, "setns");
	return real(fd, type);
}
