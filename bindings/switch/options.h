#ifndef COROLUA_SWITCH_OPTIONS_H
#define COROLUA_SWITCH_OPTIONS_H

#include <lua.h>

#include "switch/shared.h"

/* The ports option of start: who is behind which interface. */
struct ports {
	unsigned int count;
	unsigned int nodes; /* the highest number */
	unsigned int links; /* how many */
	struct switch_port port[PORTS_MAX];
};

/* Reads the ports of the options table at arg; raises if they are wrong. */
void check_ports(lua_State *L, int arg, struct ports *ports);

/* Reads the faults in the table at that index, which may be nil. What is wrong
 * is raised as an error in argument arg. */
void check_faults(lua_State *L, int arg, int index, struct faults *faults);

#endif
