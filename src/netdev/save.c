/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saves and restores the addresses and routes of a network device, as lists of rtnetlink(7) messages. Process:
 * the parent, as in src/parent/child.c.
 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "save.h"

#define BIT(type) (1ULL << (type))
#define FOREVER UINT32_MAX /* a lifetime without an end (INFINITY_LIFE_TIME of the kernel's addrconf.h) */

static int64_t now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return now.tv_sec;
}

/* --- lists of messages --- */

static void add_message(struct buf *list, const struct nlmsghdr *message)
{
	static const char padding[NLMSG_ALIGNTO];

	buf_add(list, message, message->nlmsg_len);
	buf_add(list, padding, NLMSG_ALIGN(message->nlmsg_len) - message->nlmsg_len);
}

/* Where to replay the messages of a saved device. */
struct replay {
	const struct netdev_saved *saved;
	int fd, index;
	int64_t age; /* seconds since the list was made */
	bool has_gateway;
};

/* Sends one message of a list. 0 or -errno. */
typedef int (*replay_one)(const struct replay *replay, const struct nlmsghdr *message);

/* Replays all messages, also after a failure. The result is that of the first failure. */
static int replay_all(const struct replay *replay, const struct buf *list, replay_one one)
{
	int first = 0;

	for (size_t at = 0; at < list->len;) {
		const struct nlmsghdr *message = (const struct nlmsghdr *)(const void *)(list->data + at);
		int r = one(replay, message);

		if (first == 0)
			first = r;
		at += NLMSG_ALIGN(message->nlmsg_len);
	}
	return first;
}

/* --- addresses --- */

#define ADDED_ATTRIBUTES (BIT(IFA_LOCAL) | BIT(IFA_ADDRESS) | BIT(IFA_BROADCAST) | BIT(IFA_RT_PRIORITY))
#define RESTORED_ATTRIBUTES (ADDED_ATTRIBUTES | BIT(IFA_LABEL) | BIT(IFA_PROTO))
#define RESTORED_FLAGS                                                                                         \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

static void save_address(void *context, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	struct netdev_saved *saved = context;

	if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof *body) &&
	    (int)body->ifa_index == saved->index &&
	    (body->ifa_family == AF_INET || body->ifa_family == AF_INET6))
		add_message(&saved->addresses, message);
}

static uint32_t address_flags(const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	const uint32_t *more = netlink_get(message, sizeof *body, IFA_FLAGS, sizeof *more);

	return more != NULL ? *more : body->ifa_flags;
}

static bool begin_address(struct netlink_request *request, const struct replay *replay,
			  const struct nlmsghdr *message, uint64_t attributes)
{
	struct ifaddrmsg body = *(const struct ifaddrmsg *)NLMSG_DATA(message);

	body.ifa_index = (uint32_t)replay->index;
	body.ifa_flags = 0;
	netlink_begin(request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_REPLACE, &body, sizeof body);
	return netlink_copy(request, message, sizeof body, attributes);
}

static int add_permanent_address(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	uint32_t flags = address_flags(message), restored_flags = flags & RESTORED_FLAGS;
	struct netlink_request request;

	if ((flags & IFA_F_PERMANENT) == 0 || body->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	if (!begin_address(&request, replay, message, ADDED_ATTRIBUTES) ||
	    !netlink_add(&request, IFA_FLAGS, &restored_flags, sizeof restored_flags))
		return -EMSGSIZE;
	return netlink_call(replay->fd, &request, NULL, NULL);
}

/* The rest of a lifetime after age seconds. */
static uint32_t remaining_lifetime(uint32_t seconds, int64_t age)
{
	if (seconds == FOREVER)
		return FOREVER;
	return seconds <= age ? 0 : seconds - (uint32_t)age;
}

static int restore_address_with(const struct replay *replay, const struct nlmsghdr *message, uint32_t flags)
{
	const struct ifa_cacheinfo *lifetime =
		netlink_get(message, sizeof(struct ifaddrmsg), IFA_CACHEINFO, sizeof *lifetime);
	struct ifa_cacheinfo remaining = {.ifa_prefered = FOREVER, .ifa_valid = FOREVER};
	struct netlink_request request;

	if (lifetime != NULL)
		remaining = *lifetime;
	remaining.ifa_valid = remaining_lifetime(remaining.ifa_valid, replay->age);
	remaining.ifa_prefered = remaining_lifetime(remaining.ifa_prefered, replay->age);
	if (remaining.ifa_valid == 0)
		return 0;
	if (!begin_address(&request, replay, message, RESTORED_ATTRIBUTES) ||
	    !netlink_add(&request, IFA_FLAGS, &flags, sizeof flags) ||
	    !netlink_add(&request, IFA_CACHEINFO, &remaining, sizeof remaining))
		return -EMSGSIZE;
	return netlink_call(replay->fd, &request, NULL, NULL);
}

/*
 * An IPv6 address that was in use is usable again at once, since routes with it as their source need that: it
 * is added with IFA_F_NODAD, without duplicate address detection, and the flag is then removed. The kernel
 * makes temporary addresses itself.
 */
static int restore_address(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	uint32_t flags = address_flags(message), restored_flags = flags & RESTORED_FLAGS;
	int r = 0;

	if (body->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0)
		return 0;
	if (body->ifa_family == AF_INET6 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_NODAD)) == 0)
		r = restore_address_with(replay, message, restored_flags | IFA_F_NODAD);
	return r < 0 ? r : restore_address_with(replay, message, restored_flags);
}

/* --- routes --- */

#define ROUTE_ATTRIBUTES                                                                                       \
	(BIT(RTA_DST) | BIT(RTA_SRC) | BIT(RTA_GATEWAY) | BIT(RTA_PRIORITY) | BIT(RTA_PREFSRC) |               \
	 BIT(RTA_METRICS) | BIT(RTA_FLOW) | BIT(RTA_TABLE) | BIT(RTA_VIA) | BIT(RTA_PREF) |                    \
	 BIT(RTA_ENCAP_TYPE) | BIT(RTA_ENCAP))

#define FOR_EACH_NEXTHOP(hop, len)                                                                             \
	for (; (len) >= (int)sizeof *(hop) && RTNH_OK(hop, len);                                               \
	     (len) -= RTNH_ALIGN((hop)->rtnh_len), (hop) = RTNH_NEXT(hop))

static int route_device(const struct nlmsghdr *message)
{
	const int *index = netlink_get(message, sizeof(struct rtmsg), RTA_OIF, sizeof *index);

	return index == NULL ? 0 : *index;
}

/* The nexthops of a route that has several, and their bytes; NULL if it has one. */
static const struct rtnexthop *nexthops_of(const struct nlmsghdr *message, int *ret_len)
{
	const struct rtnexthop *hop = netlink_get(message, sizeof(struct rtmsg), RTA_MULTIPATH, sizeof *hop);

	*ret_len = hop == NULL ? 0 : (int)RTA_PAYLOAD((const struct rtattr *)(const void *)hop - 1);
	return hop;
}

static bool uses_device(const struct nlmsghdr *message, int index)
{
	int len;
	const struct rtnexthop *hop = nexthops_of(message, &len);

	FOR_EACH_NEXTHOP(hop, len)
	if (hop->rtnh_ifindex == index)
		return true;
	return route_device(message) == index;
}

/*
 * Whether one of the addresses is the route's preferred source. The kernel removes such an IPv4 route with the
 * address, over whichever device it is.
 */
static bool uses_source(const struct nlmsghdr *message, const struct buf *addresses)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const uint32_t *source = netlink_get(message, sizeof *route, RTA_PREFSRC, sizeof *source);

	if (route->rtm_family != AF_INET || source == NULL)
		return false;
	for (size_t at = 0; at < addresses->len;) {
		const struct nlmsghdr *address = (const struct nlmsghdr *)(const void *)(addresses->data + at);
		const struct ifaddrmsg *body = NLMSG_DATA(address);
		const uint32_t *local = netlink_get(address, sizeof *body, IFA_LOCAL, sizeof *local);

		if (body->ifa_family == AF_INET && local != NULL && *local == *source)
			return true;
		at += NLMSG_ALIGN(address->nlmsg_len);
	}
	return false;
}

/*
 * Whether the kernel makes the route itself: for an address, from a router's advertisement or redirect, or as
 * an entry of a cache.
 */
static bool is_made_by_kernel(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	return (route->rtm_flags & RTM_F_CLONED) != 0 || route->rtm_protocol == RTPROT_REDIRECT ||
	       (route->rtm_family == AF_INET6 && route->rtm_protocol == RTPROT_RA) ||
	       (route->rtm_table == RT_TABLE_LOCAL && route->rtm_protocol == RTPROT_KERNEL);
}

static void save_route(void *context, const struct nlmsghdr *message)
{
	struct netdev_saved *saved = context;

	if (message->nlmsg_type == RTM_NEWROUTE && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg)) &&
	    !is_made_by_kernel(message) &&
	    (uses_device(message, saved->index) || uses_source(message, &saved->addresses)))
		add_message(&saved->routes, message);
}

static int index_now(const struct replay *replay, int index)
{
	return index == replay->saved->index ? replay->index : index;
}

/*
 * Adds the nexthops of a multipath route. The kernel removes an IPv4 route with its first nexthop that is
 * removed, so all are added; of an IPv6 route it removes that nexthop alone.
 */
static bool add_nexthops(struct netlink_request *request, const struct replay *replay,
			 const struct nlmsghdr *message)
{
	bool has_all_nexthops = ((const struct rtmsg *)NLMSG_DATA(message))->rtm_family == AF_INET;
	_cleanup_buf_ struct buf list = {0};
	int len;
	const struct rtnexthop *hop = nexthops_of(message, &len);

	FOR_EACH_NEXTHOP(hop, len)
	{
		struct rtnexthop *copy;
		size_t at = list.len;

		/* The kernel refuses a nexthop over a device that is down. */
		if ((!has_all_nexthops && hop->rtnh_ifindex != replay->saved->index) ||
		    (hop->rtnh_flags & RTNH_F_DEAD) != 0)
			continue;
		buf_add(&list, hop, RTNH_ALIGN(hop->rtnh_len));
		copy = (struct rtnexthop *)(void *)(list.data + at);
		copy->rtnh_flags &= RTNH_F_ONLINK;
		copy->rtnh_ifindex = index_now(replay, hop->rtnh_ifindex);
	}
	return list.len == 0 || netlink_add(request, RTA_MULTIPATH, list.data, list.len);
}

static uint32_t remaining_route_lifetime(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct rta_cacheinfo *info = netlink_get(message, sizeof *route, RTA_CACHEINFO, sizeof *info);

	if (route->rtm_family != AF_INET6 || info == NULL || info->rta_expires == 0)
		return FOREVER;
	return info->rta_expires < 0
		       ? 0
		       : remaining_lifetime((uint32_t)(info->rta_expires / sysconf(_SC_CLK_TCK)), replay->age);
}

static bool make_route(struct netlink_request *request, const struct replay *replay,
		       const struct nlmsghdr *message)
{
	struct rtmsg body = *(const struct rtmsg *)NLMSG_DATA(message);
	uint32_t remaining = remaining_route_lifetime(replay, message);
	int device = index_now(replay, route_device(message));

	body.rtm_flags &= RTNH_F_ONLINK;
	netlink_begin(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &body, sizeof body);
	return netlink_copy(request, message, sizeof body, ROUTE_ATTRIBUTES) &&
	       add_nexthops(request, replay, message) &&
	       (device == 0 || netlink_add(request, RTA_OIF, &device, sizeof device)) &&
	       (remaining == FOREVER || netlink_add(request, RTA_EXPIRES, &remaining, sizeof remaining));
}

static int restore_route(const struct replay *replay, const struct nlmsghdr *message)
{
	bool has_gateway = netlink_get(message, sizeof(struct rtmsg), RTA_GATEWAY, 0) != NULL ||
			   netlink_get(message, sizeof(struct rtmsg), RTA_VIA, 0) != NULL ||
			   netlink_get(message, sizeof(struct rtmsg), RTA_MULTIPATH, 0) != NULL;
	struct netlink_request request;
	int r;

	if (has_gateway != replay->has_gateway || remaining_route_lifetime(replay, message) == 0)
		return 0;
	if (!make_route(&request, replay, message))
		return -EMSGSIZE;
	r = netlink_call(replay->fd, &request, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

/* --- the functions of save.h --- */

static int collect(int fd, unsigned int type, const struct netlink_dump *dump)
{
	/* RTM_GETADDR and RTM_GETROUTE need only the family, which is first in both bodies (rtnetlink(7)). */
	const struct rtmsg body = {.rtm_family = AF_UNSPEC};
	struct netlink_request request;

	netlink_begin(&request, type, NLM_F_DUMP, &body, sizeof body);
	return netlink_collect(fd, &request, dump);
}

int netdev_save(int fd, struct netdev_saved *saved)
{
	int r = collect(fd, RTM_GETADDR, &(struct netlink_dump){save_address, saved, &saved->addresses});

	saved->saved_at = now_seconds();
	if (r < 0)
		return r;
	r = collect(fd, RTM_GETROUTE, &(struct netlink_dump){save_route, saved, &saved->routes});
	/* A routing table that changes all the time must not stop a creation: the last dump is used. */
	return r == -EAGAIN ? 0 : r;
}

void netdev_saved_done(struct netdev_saved *saved)
{
	buf_done(&saved->addresses);
	buf_done(&saved->routes);
}

int netdev_add_addresses(int fd, int index, const struct netdev_saved *saved)
{
	const struct replay replay = {.saved = saved, .fd = fd, .index = index};

	return replay_all(&replay, &saved->addresses, add_permanent_address);
}

int netdev_set_up(int fd, int index)
{
	const struct ifinfomsg body = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &body, sizeof body);
	return netlink_call(fd, &request, NULL, NULL);
}

static int set_master(int fd, int index, uint32_t master)
{
	const struct ifinfomsg body = {.ifi_index = index};
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &body, sizeof body);
	if (!netlink_add(&request, IFLA_MASTER, &master, sizeof master))
		return -EMSGSIZE;
	return netlink_call(fd, &request, NULL, NULL);
}

/*
 * The device is set up before its addresses are added: the kernel makes the routes of an address only while the
 * device is up, except for permanent addresses.
 */
int netdev_restore(int fd, int index, const struct netdev_saved *saved)
{
	const struct replay replay = {
		.saved = saved, .fd = fd, .index = index, .age = now_seconds() - saved->saved_at};
	int master = saved->master == 0 ? 0 : set_master(fd, index, saved->master);
	int up = saved->was_up ? netdev_set_up(fd, index) : 0;
	int r = replay_all(&replay, &saved->addresses, restore_address);

	return master < 0 ? master : up < 0 ? up : r;
}

int netdev_restore_routes(int fd, int index, const struct netdev_saved *saved, bool has_gateway)
{
	const struct replay replay = {.saved = saved,
				      .fd = fd,
				      .index = index,
				      .age = now_seconds() - saved->saved_at,
				      .has_gateway = has_gateway};

	return replay_all(&replay, &saved->routes, restore_route);
}
