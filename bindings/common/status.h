#ifndef COROLUA_STATUS_H
#define COROLUA_STATUS_H

#include <corosync/corotypes.h>
#include <lua.h>

/*
 * Each pushes nil, a message and a short code that scripts branch on, and
 * returns 3, so that a function of Lua can end with it.
 */

/* nil, "cpg_join: try again", "ERR_TRY_AGAIN"; unknown codes are "ERR_42". */
int push_failure(lua_State *L, const char *call, cs_error_t err);

/* The code as scripts see it, which is NULL for those without a name. */
const char *status_code(cs_error_t err);

/* Pushes true and returns 1 for CS_OK, else does as push_failure. */
int push_result(lua_State *L, const char *call, cs_error_t err);

/* nil, "unshare: Operation not permitted", "EPERM". */
int push_errno(lua_State *L, const char *call, int err);

/* Pushes true and returns 1 where err is 0, else does as push_errno. */
int push_error(lua_State *L, const char *call, int err);

/* The same for a call that returns -1 with errno. */
int push_done(lua_State *L, const char *call, int result);

#endif
