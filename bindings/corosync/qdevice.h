#ifndef COROLUA_QDEVICE_H
#define COROLUA_QDEVICE_H

#include <corosync/votequorum.h>
#include <lua.h>

/*
 * For an unknown node the library copies a name without an end, out of memory
 * that nobody wrote, behind the struct: the slack takes it.
 */
struct roomy_info {
	struct votequorum_info info;
	char slack[4096];
};

/* Calls of votequorum handles for a quorum device: see struct verb. */
cs_error_t qdevice_register(lua_State *L);
cs_error_t qdevice_unregister(lua_State *L);
cs_error_t qdevice_update(lua_State *L);
cs_error_t qdevice_poll(lua_State *L);
cs_error_t qdevice_master_wins(lua_State *L);

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
cs_error_t qdevice_extra_info_get(lua_State *L);
cs_error_t qdevice_extra_info_set(lua_State *L);
#endif

#endif
