#ifndef COROLUA_CMAP_H
#define COROLUA_CMAP_H

#include <corosync/cmap.h>

#include "corosync/handle.h"

/* What the files of corosync.cmap share: tracks are in cmap_track.c. */

/* Of struct library. */
extern const struct event_kind map_kinds[];
void map_push_handler(lua_State *L, const struct event *event);

/* The new handle, at the top, has no track yet. */
void map_track_nothing(lua_State *L, struct handle *handle);

/* The prefix at arg; NULL where there is none, which stands for all keys. */
const char *map_opt_prefix(lua_State *L, int arg, const char *what);

/* handle:track_add and handle:track_delete, the Lua functions */
int map_track_add(lua_State *L);
int map_track_delete(lua_State *L);

/* The calls that a worker makes. */
extern const struct blocking map_jobs[];

#endif
