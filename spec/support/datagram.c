/*
 * For the specs alone: UDP sockets, since no library for Lua 5.4 that Debian
 * has gives them. A socket stays in the network in which it was opened.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/module.h"

#define DATAGRAM_NAME "spec.datagram"

enum { LONGEST = 65536, ROOM = 1024 * 1024 };

static int check_socket(lua_State *L)
{
	return *(int *)luaL_checkudata(L, 1, DATAGRAM_NAME);
}

static int push_failure(lua_State *L)
{
	lua_pushnil(L);
	lua_pushstring(L, strerror(errno));
	lua_pushstring(L, strerrorname_np(errno));
	return 3;
}

static struct sockaddr_in address_of(lua_State *L, const char *host, int port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
	};

	if (inet_pton(AF_INET, host, &address.sin_addr) != 1)
		luaL_error(L, "no address: %s", host);
	return address;
}

/* socket:send(payload, address, port) -> true | nil, message, code */
static int datagram_send(lua_State *L)
{
	size_t length;
	const char *payload = luaL_checklstring(L, 2, &length);
	struct sockaddr_in to = address_of(L, luaL_checkstring(L, 3),
					   (int)luaL_checkinteger(L, 4));

	if (sendto(check_socket(L), payload, length, 0, (struct sockaddr *)&to,
		   sizeof to) < 0)
		return push_failure(L);
	lua_pushboolean(L, 1);
	return 1;
}

/* socket:receive() -> payload | nil, message, code; does not wait */
static int datagram_receive(lua_State *L)
{
	static char buffer[LONGEST];
	ssize_t n = recv(check_socket(L), buffer, sizeof buffer, MSG_DONTWAIT);

	if (n < 0)
		return push_failure(L);
	lua_pushlstring(L, buffer, (size_t)n);
	return 1;
}

/* socket:leave_unchecked(): sends without a checksum from now on */
static int datagram_leave_unchecked(lua_State *L)
{
	int on = 1;

	setsockopt(check_socket(L), SOL_SOCKET, SO_NO_CHECK, &on, sizeof on);
	return 0;
}

static int datagram_fd(lua_State *L)
{
	lua_pushinteger(L, check_socket(L));
	return 1;
}

static int datagram_close(lua_State *L)
{
	int *fd = (int *)luaL_checkudata(L, 1, DATAGRAM_NAME);

	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return 0;
}

/* datagram.open(port) -> socket | nil, message, code */
static int datagram_open(lua_State *L)
{
	struct sockaddr_in own =
		address_of(L, "0.0.0.0", (int)luaL_checkinteger(L, 1));
	int *fd = (int *)lua_newuserdatauv(L, sizeof *fd, 0);
	int on = 1;
	int room = ROOM;

	*fd = -1;
	luaL_setmetatable(L, DATAGRAM_NAME);
	*fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(*fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
	setsockopt(*fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof room);
	if (bind(*fd, (struct sockaddr *)&own, sizeof own) != 0)
		return push_failure(L);
	return 1;
}

static const luaL_Reg methods[] = {
	{"close", datagram_close},
	{"fd", datagram_fd},
	{"leave_unchecked", datagram_leave_unchecked},
	{"receive", datagram_receive},
	{"send", datagram_send},
	{NULL, NULL},
};

MODULE(datagram)
{
	luaL_newmetatable(L, DATAGRAM_NAME);
	luaL_newlib(L, methods);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, datagram_close);
	lua_setfield(L, -2, "__gc");
	lua_newtable(L);
	lua_pushcfunction(L, datagram_open);
	lua_setfield(L, -2, "open");
	return 1;
}
