#ifndef COROLUA_HOST_H
#define COROLUA_HOST_H

#include <lua.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* corolua.host: what the command line in Lua needs of the program. */
int luaopen_corolua_host(lua_State *L);

/* A new state whose memory can be limited, or NULL. */
lua_State *limits_new_state(void);

/* host.set_memory_limit(bytes): 0 is none */
int limits_set_memory(lua_State *L);

/* host.set_handler_limit(seconds) -> true | nil, message, code; 0 is none */
int limits_set_handler(lua_State *L);

/* host.watch_signals() -> fd | nil, message, code: readable once a first
 * SIGINT or SIGTERM has come; a second one ends the program at once. */
int signals_watch(lua_State *L);

/* No timer touches the state from here on, as it is about to be closed. */
void limits_end(void);
void signals_end(void);

/* host.signal() -> the number of the first signal, or nil */
int signals_first(lua_State *L);

/*
 * A timer by that clock, not started yet, whose signal calls the handler in
 * this thread; starts it, again and again where the interval is not 0. Times
 * are nanoseconds. Both return 0, or -1 with errno.
 */
int ticker_make(timer_t *timer, clockid_t clock, int signum,
		void (*handler)(int signum));
int ticker_start(timer_t timer, int64_t first, int64_t interval);

/* host.log_open(level, "stderr" | "syslog") */
int log_open(lua_State *L);

/* host.log(level, text) */
int log_line(lua_State *L);

#endif
