/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "keep.h"

#define BIT(type) (1ULL << (type))
#define FOREVER UINT32_MAX /* a lifetime (INFINITY_LIFE_TIME of the kernel's addrconf.h) */

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

/* One of a list and where it goes. */
struct replay {
	const struct netdev_kept *kept;
	int fd, index;
	int64_t age; /* seconds since the list was made */
	bool has_gateway;
};

typedef int (*replay_one)(const struct replay *replay, const struct nlmsghdr *message);

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

#define GIVEN_ATTRIBUTES (BIT(IFA_LOCAL) | BIT(IFA_ADDRESS) | BIT(IFA_BROADCAST) | BIT(IFA_RT_PRIORITY))
#define KEPT_ATTRIBUTES (GIVEN_ATTRIBUTES | BIT(IFA_LABEL) | BIT(IFA_PROTO))
#define KEPT_FLAGS                                                                                             \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

static void take_address(void *context, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	struct netdev_kept *kept = context;

	if (message->nlmsg_type == RTM_NEWADDR && message->nlmsg_len >= NLMSG_LENGTH(sizeof *body) &&
	    (int)body->ifa_index == kept->index &&
	    (body->ifa_family == AF_INET || body->ifa_family == AF_INET6))
		add_message(&kept->addresses, message);
}

static uint32_t flags_of(const struct nlmsghdr *message)
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

static int give_address(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	uint32_t flags = flags_of(message), kept_flags = flags & KEPT_FLAGS;
	struct netlink_request request;

	if ((flags & IFA_F_PERMANENT) == 0 || body->ifa_scope != RT_SCOPE_UNIVERSE)
		return 0;
	if (!begin_address(&request, replay, message, GIVEN_ATTRIBUTES) ||
	    !netlink_add(&request, IFA_FLAGS, &kept_flags, sizeof kept_flags))
		return -EMSGSIZE;
	return netlink_call(replay->fd, &request, NULL, NULL);
}

/* What is left of a lifetime. */
static uint32_t rest_of(uint32_t seconds, int64_t age)
{
	if (seconds == FOREVER)
		return FOREVER;
	return seconds <= age ? 0 : seconds - (uint32_t)age;
}

static int put_address_with(const struct replay *replay, const struct nlmsghdr *message, uint32_t flags)
{
	const struct ifa_cacheinfo *lifetime =
		netlink_get(message, sizeof(struct ifaddrmsg), IFA_CACHEINFO, sizeof *lifetime);
	struct ifa_cacheinfo rest = {.ifa_prefered = FOREVER, .ifa_valid = FOREVER};
	struct netlink_request request;

	if (lifetime != NULL)
		rest = *lifetime;
	rest.ifa_valid = rest_of(rest.ifa_valid, replay->age);
	rest.ifa_prefered = rest_of(rest.ifa_prefered, replay->age);
	if (rest.ifa_valid == 0)
		return 0;
	if (!begin_address(&request, replay, message, KEPT_ATTRIBUTES) ||
	    !netlink_add(&request, IFA_FLAGS, &flags, sizeof flags) ||
	    !netlink_add(&request, IFA_CACHEINFO, &rest, sizeof rest))
		return -EMSGSIZE;
	return netlink_call(replay->fd, &request, NULL, NULL);
}

/*
 * An IPv6 address that was in use is so again at once, as routes from it need it: it comes without a search for
 * duplicates, and then loses the mark of that. A temporary one is the kernel's to make.
 */
static int put_address(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct ifaddrmsg *body = NLMSG_DATA(message);
	uint32_t flags = flags_of(message), kept_flags = flags & KEPT_FLAGS;
	int r = 0;

	if (body->ifa_family == AF_INET6 && (flags & IFA_F_TEMPORARY) != 0)
		return 0;
	if (body->ifa_family == AF_INET6 && (flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED | IFA_F_NODAD)) == 0)
		r = put_address_with(replay, message, kept_flags | IFA_F_NODAD);
	return r < 0 ? r : put_address_with(replay, message, kept_flags);
}

/* --- routes --- */

#define ROUTE_ATTRIBUTES                                                                                       \
	(BIT(RTA_DST) | BIT(RTA_SRC) | BIT(RTA_GATEWAY) | BIT(RTA_PRIORITY) | BIT(RTA_PREFSRC) |               \
	 BIT(RTA_METRICS) | BIT(RTA_FLOW) | BIT(RTA_TABLE) | BIT(RTA_VIA) | BIT(RTA_PREF) |                    \
	 BIT(RTA_ENCAP_TYPE) | BIT(RTA_ENCAP))

#define FOR_EACH_NEXTHOP(hop, len)                                                                             \
	for (; (len) >= (int)sizeof *(hop) && RTNH_OK(hop, len);                                               \
	     (len) -= RTNH_ALIGN((hop)->rtnh_len), (hop) = RTNH_NEXT(hop))

static int device_of(const struct nlmsghdr *message)
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

static bool is_over(const struct nlmsghdr *message, int index)
{
	int len;
	const struct rtnexthop *hop = nexthops_of(message, &len);

	FOR_EACH_NEXTHOP(hop, len)
	if (hop->rtnh_ifindex == index)
		return true;
	return device_of(message) == index;
}

/* An IPv4 address takes the routes along that it is the preferred source of, over whichever device. */
static bool is_from(const struct nlmsghdr *message, const struct buf *addresses)
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

/* Not what comes with the addresses, nor with a router's advertisements, nor what is but remembered. */
static bool is_of_kernel(const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);

	return (route->rtm_flags & RTM_F_CLONED) != 0 || route->rtm_protocol == RTPROT_REDIRECT ||
	       (route->rtm_family == AF_INET6 && route->rtm_protocol == RTPROT_RA) ||
	       (route->rtm_table == RT_TABLE_LOCAL && route->rtm_protocol == RTPROT_KERNEL);
}

static void take_route(void *context, const struct nlmsghdr *message)
{
	struct netdev_kept *kept = context;

	if (message->nlmsg_type == RTM_NEWROUTE && message->nlmsg_len >= NLMSG_LENGTH(sizeof(struct rtmsg)) &&
	    !is_of_kernel(message) && (is_over(message, kept->index) || is_from(message, &kept->addresses)))
		add_message(&kept->routes, message);
}

static int same_device(const struct replay *replay, int index)
{
	return index == replay->kept->index ? replay->index : index;
}

/* IPv4 loses a route with the first nexthop that goes, IPv6 that nexthop alone. */
static bool add_nexthops(struct netlink_request *request, const struct replay *replay,
			 const struct nlmsghdr *message)
{
	bool is_whole = ((const struct rtmsg *)NLMSG_DATA(message))->rtm_family == AF_INET;
	_cleanup_buf_ struct buf list = {0};
	int len;
	const struct rtnexthop *hop = nexthops_of(message, &len);

	FOR_EACH_NEXTHOP(hop, len)
	{
		struct rtnexthop *copy;
		size_t at = list.len;

		/* The kernel takes none over a device that is down. */
		if ((!is_whole && hop->rtnh_ifindex != replay->kept->index) ||
		    (hop->rtnh_flags & RTNH_F_DEAD) != 0)
			continue;
		buf_add(&list, hop, RTNH_ALIGN(hop->rtnh_len));
		copy = (struct rtnexthop *)(void *)(list.data + at);
		copy->rtnh_flags &= RTNH_F_ONLINK;
		copy->rtnh_ifindex = same_device(replay, hop->rtnh_ifindex);
	}
	return list.len == 0 || netlink_add(request, RTA_MULTIPATH, list.data, list.len);
}

static uint32_t rest_of_route(const struct replay *replay, const struct nlmsghdr *message)
{
	const struct rtmsg *route = NLMSG_DATA(message);
	const struct rta_cacheinfo *info = netlink_get(message, sizeof *route, RTA_CACHEINFO, sizeof *info);

	if (route->rtm_family != AF_INET6 || info == NULL || info->rta_expires == 0)
		return FOREVER;
	return info->rta_expires < 0
		       ? 0
		       : rest_of((uint32_t)(info->rta_expires / sysconf(_SC_CLK_TCK)), replay->age);
}

static bool make_route(struct netlink_request *request, const struct replay *replay,
		       const struct nlmsghdr *message)
{
	struct rtmsg body = *(const struct rtmsg *)NLMSG_DATA(message);
	uint32_t rest = rest_of_route(replay, message);
	int device = same_device(replay, device_of(message));

	body.rtm_flags &= RTNH_F_ONLINK;
	netlink_begin(request, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_APPEND, &body, sizeof body);
	return netlink_copy(request, message, sizeof body, ROUTE_ATTRIBUTES) &&
	       add_nexthops(request, replay, message) &&
	       (device == 0 || netlink_add(request, RTA_OIF, &device, sizeof device)) &&
	       (rest == FOREVER || netlink_add(request, RTA_EXPIRES, &rest, sizeof rest));
}

static int put_route(const struct replay *replay, const struct nlmsghdr *message)
{
	bool has_gateway = netlink_get(message, sizeof(struct rtmsg), RTA_GATEWAY, 0) != NULL ||
			   netlink_get(message, sizeof(struct rtmsg), RTA_VIA, 0) != NULL ||
			   netlink_get(message, sizeof(struct rtmsg), RTA_MULTIPATH, 0) != NULL;
	struct netlink_request request;
	int r;

	if (has_gateway != replay->has_gateway || rest_of_route(replay, message) == 0)
		return 0;
	if (!make_route(&request, replay, message))
		return -EMSGSIZE;
	r = netlink_call(replay->fd, &request, NULL, NULL);
	return r == -EEXIST ? 0 : r;
}

/* --- all of it --- */

static int collect(int fd, unsigned int type, const struct netlink_dump *dump)
{
	/* Both kinds of questions may begin with just the family (rtnetlink(7)). */
	const struct rtmsg body = {.rtm_family = AF_UNSPEC};
	struct netlink_request request;

	netlink_begin(&request, type, NLM_F_DUMP, &body, sizeof body);
	return netlink_collect(fd, &request, dump);
}

int netdev_keep(int fd, struct netdev_kept *kept)
{
	int r = collect(fd, RTM_GETADDR, &(struct netlink_dump){take_address, kept, &kept->addresses});

	kept->saved_at = now_seconds();
	if (r < 0)
		return r;
	r = collect(fd, RTM_GETROUTE, &(struct netlink_dump){take_route, kept, &kept->routes});
	/* A table that never rests keeps no container from being created: the last look at it counts. */
	return r == -EAGAIN ? 0 : r;
}

void netdev_kept_done(struct netdev_kept *kept)
{
	buf_done(&kept->addresses);
	buf_done(&kept->routes);
}

int netdev_give_addresses(int fd, int index, const struct netdev_kept *kept)
{
	const struct replay replay = {.kept = kept, .fd = fd, .index = index};

	return replay_all(&replay, &kept->addresses, give_address);
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

/* Up comes first: the kernel makes no route for an address of a device that is down, but when it is for good.
 */
int netdev_put_back(int fd, int index, const struct netdev_kept *kept)
{
	const struct replay replay = {
		.kept = kept, .fd = fd, .index = index, .age = now_seconds() - kept->saved_at};
	int master = kept->master == 0 ? 0 : set_master(fd, index, kept->master);
	int up = kept->was_up ? netdev_set_up(fd, index) : 0;
	int r = replay_all(&replay, &kept->addresses, put_address);

	return master < 0 ? master : up < 0 ? up : r;
}

int netdev_put_back_routes(int fd, int index, const struct netdev_kept *kept, bool has_gateway)
{
	const struct replay replay = {.kept = kept,
				      .fd = fd,
				      .index = index,
				      .age = now_seconds() - kept->saved_at,
				      .has_gateway = has_gateway};

	return replay_all(&replay, &kept->routes, put_route);
}
