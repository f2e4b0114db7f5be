#ifndef COROLUA_RING_H
#define COROLUA_RING_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

/* Pushes { nodeid =, seq = }, which prints as nodeid.seq, the latter in
 * hexadecimal; the seq of a daemon's rings only rises. */
void push_ring(lua_State *L, uint32_t nodeid, uint64_t seq);

/* Pushes an array of node ids. */
void push_nodeids(lua_State *L, const uint32_t *nodeids, size_t count);

/* The node id at arg: 0, where least allows it, is this node. */
uint32_t check_nodeid(lua_State *L, int arg, lua_Integer least);

/* The CS_TRACK_ flag of "current", "changes" or "changes_only" at arg. */
unsigned int check_track(lua_State *L, int arg);

#endif
