#ifndef COROLUA_QDEVICE_H
#define COROLUA_QDEVICE_H

#include <lua.h>

/* Methods of votequorum handles for a quorum device. */
int qdevice_register(lua_State *L);
int qdevice_unregister(lua_State *L);
int qdevice_update(lua_State *L);
int qdevice_poll(lua_State *L);
int qdevice_master_wins(lua_State *L);

#if HAVE_VOTEQUORUM_QDEVICE_EXTRA_INFO
int qdevice_extra_info_get(lua_State *L);
int qdevice_extra_info_set(lua_State *L);
#endif

#endif
