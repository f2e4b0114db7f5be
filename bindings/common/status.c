/*
 * The one place where an error of corosync or of the system becomes what a
 * script sees: nil, a message and a code. The code is the name of the C
 * constant without its CS_, and never changes; the message is for people.
 */
#include "common/status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

struct status {
	const char *code;
	const char *text;
};

static const struct status statuses[] = {
	[CS_OK] = {"OK", "no error"},
	[CS_ERR_LIBRARY] = {"ERR_LIBRARY",
			    "no connection to corosync (is it running?)"},
	[CS_ERR_VERSION] = {"ERR_VERSION", "version not supported"},
	[CS_ERR_INIT] = {"ERR_INIT", "initialization failed"},
	[CS_ERR_TIMEOUT] = {"ERR_TIMEOUT", "timed out"},
	[CS_ERR_TRY_AGAIN] = {"ERR_TRY_AGAIN", "try again"},
	[CS_ERR_INVALID_PARAM] = {"ERR_INVALID_PARAM",
				  "corosync refuses the parameter"},
	[CS_ERR_NO_MEMORY] = {"ERR_NO_MEMORY", "out of memory"},
	[CS_ERR_BAD_HANDLE] = {"ERR_BAD_HANDLE", "bad handle"},
	[CS_ERR_BUSY] = {"ERR_BUSY", "busy"},
	[CS_ERR_ACCESS] = {"ERR_ACCESS",
			   "corosync denies access to this user (see uidgid "
			   "in corosync.conf)"},
	[CS_ERR_NOT_EXIST] = {"ERR_NOT_EXIST", "does not exist"},
	[CS_ERR_NAME_TOO_LONG] = {"ERR_NAME_TOO_LONG", "name too long"},
	[CS_ERR_EXIST] = {"ERR_EXIST", "exists already"},
	[CS_ERR_NO_SPACE] = {"ERR_NO_SPACE", "no space (is /dev/shm full?)"},
	[CS_ERR_INTERRUPT] = {"ERR_INTERRUPT", "interrupted"},
	[CS_ERR_NAME_NOT_FOUND] = {"ERR_NAME_NOT_FOUND", "name not found"},
	[CS_ERR_NO_RESOURCES] = {"ERR_NO_RESOURCES", "no resources"},
	[CS_ERR_NOT_SUPPORTED] = {"ERR_NOT_SUPPORTED", "not supported"},
	[CS_ERR_BAD_OPERATION] = {"ERR_BAD_OPERATION", "bad operation"},
	[CS_ERR_FAILED_OPERATION] = {"ERR_FAILED_OPERATION",
				     "operation failed"},
	[CS_ERR_MESSAGE_ERROR] = {"ERR_MESSAGE_ERROR", "message error"},
	[CS_ERR_QUEUE_FULL] = {"ERR_QUEUE_FULL", "queue full"},
	[CS_ERR_QUEUE_NOT_AVAILABLE] = {"ERR_QUEUE_NOT_AVAILABLE",
					"queue not available"},
	[CS_ERR_BAD_FLAGS] = {"ERR_BAD_FLAGS", "bad flags"},
	[CS_ERR_TOO_BIG] = {"ERR_TOO_BIG", "too big"},
	[CS_ERR_NO_SECTIONS] = {"ERR_NO_SECTIONS", "nothing more"},
	[CS_ERR_CONTEXT_NOT_FOUND] = {"ERR_CONTEXT_NOT_FOUND",
				      "context not found"},
	[CS_ERR_TOO_MANY_GROUPS] = {"ERR_TOO_MANY_GROUPS", "too many groups"},
	[CS_ERR_SECURITY] = {"ERR_SECURITY", "security error"},
};

static const struct status *status_find(cs_error_t err)
{
	if ((size_t)err >= sizeof statuses / sizeof *statuses ||
	    statuses[err].code == NULL)
		return NULL;
	return &statuses[err];
}

const char *status_code(cs_error_t err)
{
	const struct status *status = status_find(err);

	return status != NULL ? status->code : NULL;
}

int push_failure(lua_State *L, const char *call, cs_error_t err)
{
	const struct status *status = status_find(err);

	lua_pushnil(L);
	if (status != NULL) {
		lua_pushfstring(L, "%s: %s", call, status->text);
		lua_pushstring(L, status->code);
	} else {
		lua_pushfstring(L, "%s: error %d", call, (int)err);
		lua_pushfstring(L, "ERR_%d", (int)err);
	}
	return 3;
}

int push_result(lua_State *L, const char *call, cs_error_t err)
{
	if (err != CS_OK)
		return push_failure(L, call, err);
	lua_pushboolean(L, 1);
	return 1;
}

int push_errno(lua_State *L, const char *call, int err)
{
	const char *name = strerrorname_np(err);

	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", call, strerror(err));
	if (name != NULL)
		lua_pushstring(L, name);
	else
		lua_pushfstring(L, "E%d", err);
	return 3;
}

int push_error(lua_State *L, const char *call, int err)
{
	if (err != 0)
		return push_errno(L, call, err);
	lua_pushboolean(L, 1);
	return 1;
}

int push_done(lua_State *L, const char *call, int result)
{
	return push_error(L, call, result == -1 ? errno : 0);
}
