#ifndef COROLUA_SPAWN_PLAN_H
#define COROLUA_SPAWN_PLAN_H

#include <lua.h>
#include <sys/types.h>

enum placement { PLACE_GROUP, PLACE_SESSION, PLACE_TERMINAL };

/* What the child does before it runs the program. The pointers are to strings
 * that Lua holds on the stack or in the options until the child has run it. */
struct spawn_plan {
	const char **argv;
	const char **envp;
	const char **binds; /* source, target, …, NULL */
	const char *cwd;
	enum placement placement;
	int net;
	int stdio[3];
	int guard;
	int report;
	pid_t parent;
};

/* Reads the arguments of sys.spawn; raises if they are wrong. What the plan
 * points to stays on the stack. */
void check_spawn_plan(lua_State *L, struct spawn_plan *plan);

#endif
