/*
 * corolua.net: the few requests of rtnetlink that build a lab's network. A
 * connection belongs to the network namespace in which it was opened.
 */
#include <lauxlib.h>
#include <linux/if.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/veth.h>
#include <netlink/route/neighbour.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "common/class.h"
#include "common/module.h"

#define NET_NAME "corolua.net"

/* Above the indexes that the far ends get from the kernel. */
enum { NEAR_INDEX = 1000 };

struct net {
	struct nl_sock *sock; /* NULL when closed */
};

static int push_outcome(lua_State *L, const char *what, int err)
{
	if (err >= 0) {
		lua_pushboolean(L, true);
		return 1;
	}
	lua_pushnil(L);
	lua_pushfstring(L, "%s: %s", what, nl_geterror(err));
	lua_pushstring(L, err == -NLE_PERM ? "EPERM" : "ERR_NETLINK");
	return 3;
}

static struct nl_sock *check_net(lua_State *L)
{
	struct net *net = luaL_checkudata(L, 1, NET_NAME);

	if (net->sock == NULL)
		luaL_argerror(L, 1, "the connection is closed");
	return net->sock;
}

/* A string and not a number, which Lua would convert where it stands. */
static const char *check_string(lua_State *L, int arg)
{
	luaL_checktype(L, arg, LUA_TSTRING);
	return lua_tostring(L, arg);
}

/* Raises, so that nothing else of netlink may be held by then. */
static struct nl_addr *check_address(lua_State *L, int arg, int family)
{
	const char *text = check_string(L, arg);
	struct nl_addr *addr;

	if (nl_addr_parse(text, family, &addr) < 0)
		luaL_argerror(L, arg, "not an address");
	return addr;
}

/* The cable and its far end, which is moved to another namespace. That end
 * must not be up yet: the kernel refuses to make it so. */
static int add_veth(struct nl_sock *sock, struct rtnl_link *link,
		    const char *peer_name, int peer_ns)
{
	struct rtnl_link *peer = rtnl_link_veth_get_peer(link);

	rtnl_link_set_name(peer, peer_name);
	rtnl_link_set_ns_fd(peer, peer_ns);
	rtnl_link_put(peer);
	return rtnl_link_add(sock, link, NLM_F_CREATE | NLM_F_EXCL);
}

/*
 * net:veth(name, mac, peer name, peer namespace's fd, index)
 *   -> true | nil, message, code
 *
 * The two ends must not have the same index: the kernel takes such a device
 * for one without a lower one, and tells of its carrier up to a second late.
 */
static int net_veth(lua_State *L)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	const char *peer = check_string(L, 4);
	int peer_ns = (int)luaL_checkinteger(L, 5);
	int index = (int)luaL_optinteger(L, 6, 0);
	struct nl_addr *mac = check_address(L, 3, AF_LLC);
	struct rtnl_link *link = rtnl_link_veth_alloc();
	int err = -NLE_NOMEM;

	if (link != NULL) {
		rtnl_link_set_name(link, name);
		rtnl_link_set_ifindex(link, NEAR_INDEX + index);
		rtnl_link_set_addr(link, mac);
		err = add_veth(sock, link, peer, peer_ns);
		rtnl_link_put(link);
	}
	nl_addr_put(mac);
	return push_outcome(L, "veth", err);
}

/* net:bridge(name) -> true | nil, message, code */
static int net_bridge(lua_State *L)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	struct rtnl_link *link = rtnl_link_alloc();
	int err = -NLE_NOMEM;

	if (link != NULL) {
		rtnl_link_set_name(link, name);
		err = rtnl_link_set_type(link, "bridge");
		if (err >= 0)
			err = rtnl_link_add(sock, link,
					    NLM_F_CREATE | NLM_F_EXCL);
		rtnl_link_put(link);
	}
	return push_outcome(L, "bridge", err);
}

/* Asks the kernel for a link. */
static int find_link(struct nl_sock *sock, const char *name,
		     struct rtnl_link **link)
{
	return rtnl_link_get_kernel(sock, 0, name, link);
}

static int change_flags(lua_State *L, const char *what, bool up)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	struct rtnl_link *link = NULL;
	struct rtnl_link *change = rtnl_link_alloc();
	int err = change == NULL ? -NLE_NOMEM : find_link(sock, name, &link);

	if (err >= 0) {
		if (up)
			rtnl_link_set_flags(change, IFF_UP);
		else
			rtnl_link_unset_flags(change, IFF_UP);
		err = rtnl_link_change(sock, link, change, 0);
	}
	rtnl_link_put(link);
	rtnl_link_put(change);
	return push_outcome(L, what, err);
}

/* net:up(name) -> true | nil, message, code */
static int net_up(lua_State *L)
{
	return change_flags(L, "link up", true);
}

/* net:down(name) -> true | nil, message, code */
static int net_down(lua_State *L)
{
	return change_flags(L, "link down", false);
}

/* net:enslave(name, bridge) -> true | nil, message, code */
static int net_enslave(lua_State *L)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	const char *bridge = check_string(L, 3);
	struct rtnl_link *link = NULL;
	struct rtnl_link *master = NULL;
	int err = find_link(sock, name, &link);

	if (err >= 0)
		err = find_link(sock, bridge, &master);
	if (err >= 0)
		err = rtnl_link_enslave(sock, master, link);
	rtnl_link_put(link);
	rtnl_link_put(master);
	return push_outcome(L, "enslave", err);
}

static int add_address(struct nl_sock *sock, int index, struct nl_addr *local)
{
	struct rtnl_addr *addr = rtnl_addr_alloc();
	int err;

	if (addr == NULL)
		return -NLE_NOMEM;
	rtnl_addr_set_ifindex(addr, index);
	err = rtnl_addr_set_local(addr, local);
	if (err >= 0)
		err = rtnl_addr_add(sock, addr, 0);
	rtnl_addr_put(addr);
	return err;
}

/* net:address(name, "10.77.0.1/24") -> true | nil, message, code */
static int net_address(lua_State *L)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	struct nl_addr *local = check_address(L, 3, AF_INET);
	struct rtnl_link *link = NULL;
	int err = find_link(sock, name, &link);

	if (err >= 0)
		err = add_address(sock, rtnl_link_get_ifindex(link), local);
	nl_addr_put(local);
	rtnl_link_put(link);
	return push_outcome(L, "address", err);
}

static int add_neighbour(struct nl_sock *sock, int index, struct nl_addr *to,
			 struct nl_addr *mac)
{
	struct rtnl_neigh *neigh = rtnl_neigh_alloc();
	int err;

	if (neigh == NULL)
		return -NLE_NOMEM;
	rtnl_neigh_set_ifindex(neigh, index);
	rtnl_neigh_set_lladdr(neigh, mac);
	rtnl_neigh_set_state(neigh, NUD_PERMANENT);
	err = rtnl_neigh_set_dst(neigh, to);
	if (err >= 0)
		err = rtnl_neigh_add(sock, neigh, NLM_F_CREATE);
	rtnl_neigh_put(neigh);
	return err;
}

/* The pair that lua_next left on top of the stack. */
static int add_pair(lua_State *L, struct nl_sock *sock, int index)
{
	int key = lua_gettop(L) - 1;
	const char *mac_text = check_string(L, key + 1);
	struct nl_addr *to = check_address(L, key, AF_INET);
	struct nl_addr *mac;
	int err = nl_addr_parse(mac_text, AF_LLC, &mac);

	if (err < 0) {
		nl_addr_put(to);
		return luaL_argerror(L, key + 1, "not an address");
	}
	err = add_neighbour(sock, index, to, mac);
	nl_addr_put(to);
	nl_addr_put(mac);
	return err;
}

/* net:neighbours(name, { [address] = mac }) -> true | nil, message, code */
static int net_neighbours(lua_State *L)
{
	struct nl_sock *sock = check_net(L);
	const char *name = check_string(L, 2);
	struct rtnl_link *link = NULL;
	int err;
	int index;

	luaL_checktype(L, 3, LUA_TTABLE);
	err = find_link(sock, name, &link);
	if (err < 0)
		return push_outcome(L, "neighbours", err);
	index = rtnl_link_get_ifindex(link);
	rtnl_link_put(link);
	lua_settop(L, 3);
	lua_pushnil(L);
	while (err >= 0 && lua_next(L, 3)) {
		err = add_pair(L, sock, index);
		lua_pop(L, 1);
	}
	return push_outcome(L, "neighbours", err);
}

/* net:close() */
static int net_close(lua_State *L)
{
	struct net *net = luaL_checkudata(L, 1, NET_NAME);
	struct nl_sock *sock = net->sock;

	net->sock = NULL;
	nl_socket_free(sock);
	return 0;
}

/* net.open() -> connection | nil, message, code */
static int net_open(lua_State *L)
{
	struct net *net = lua_newuserdatauv(L, sizeof *net, 0);
	int err;

	net->sock = NULL;
	luaL_setmetatable(L, NET_NAME);
	net->sock = nl_socket_alloc();
	if (net->sock == NULL)
		return push_outcome(L, "netlink", -NLE_NOMEM);
	err = nl_connect(net->sock, NETLINK_ROUTE);
	return err < 0 ? push_outcome(L, "netlink", err) : 1;
}

static const luaL_Reg net_methods[] = {
	{"address", net_address},
	{"bridge", net_bridge},
	{"close", net_close},
	{"down", net_down},
	{"enslave", net_enslave},
	{"neighbours", net_neighbours},
	{"up", net_up},
	{"veth", net_veth},
	{NULL, NULL},
};

static const luaL_Reg net_functions[] = {
	{"open", net_open},
	{NULL, NULL},
};

MODULE(corolua_net)
{
	luaL_checkversion(L);
	register_class(L, NET_NAME, net_methods, net_close, net_close);
	luaL_newlib(L, net_functions);
	return 1;
}
