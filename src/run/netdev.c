/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: network devices of the host move into the container's network namespace (runtime-spec
 * config-linux.md "Network Devices").
 *
 * Process: the parent, as in parent.c. It enters the container's network namespace for as long as it takes to
 * open a socket there, which stays in it. The kernel keeps a device's attributes when it moves, but closes it
 * and takes its addresses away, so these are put back behind it. Once a container exists its devices are its
 * own; only a creation that fails moves them back, as they were.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>

#include "netlink.h"
#include "parent.h"

struct move {
	struct move *previous;
	char name[IFNAMSIZ]; /* on the host */
	int index;           /* in the container */
	bool was_up;
	struct buf addresses; /* of struct netlink_request: RTM_NEWADDR */
};

struct netdev {
	int host_ns_fd, host_fd; /* the namespace, and a socket in it */
	int ns_fd, fd;           /* the container's */
	struct move *last;
};

#define CANNOT_FIND "cannot find network device '%s'"

/* --- questions --- */

struct link {
	int index;
	unsigned int flags;
};

static void take_link(void *context, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);

	if (message->nlmsg_type == RTM_NEWLINK && message->nlmsg_len >= NLMSG_LENGTH(sizeof *info))
		*(struct link *)context = (struct link){info->ifi_index, info->ifi_flags};
}

/* By name or, where that is NULL, by index. -ENODEV if there is none. */
static int find_link(int fd, const char *name, int index, struct link *ret)
{
	const struct ifinfomsg body = {.ifi_index = index};
	struct netlink_request request;

	netlink_begin(&request, RTM_GETLINK, 0, &body, sizeof body);
	if (name != NULL && !netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1))
		return -ENAMETOOLONG;
	*ret = (struct link){.index = 0};
	return netlink_call(fd, &request, take_link, ret);
}

static void take_highest(void *context, const struct nlmsghdr *message)
{
	struct link link = {.index = 0};
	int *highest = context;

	take_link(&link, message);
	if (link.index > *highest)
		*highest = link.index;
}

/* An index that is free: the same, if it is. */
static int free_index(int fd, int index, int *ret)
{
	const struct ifinfomsg body = {.ifi_index = 0};
	struct netlink_request request;
	struct link link;
	int highest = 0, r = find_link(fd, NULL, index, &link);

	*ret = index;
	if (r == -ENODEV)
		return 0;
	netlink_begin(&request, RTM_GETLINK, NLM_F_DUMP, &body, sizeof body);
	if (r == 0)
		r = netlink_call(fd, &request, take_highest, &highest);
	*ret = highest + 1;
	return r;
}

/* --- addresses --- */

#define KEPT_FLAGS                                                                                             \
	(IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN)

struct addresses {
	int index;
	struct buf *out;
};

/* Those that somebody gave it for good, and that mean something beyond the link. */
static void take_address(void *context, const struct nlmsghdr *message)
{
	static const struct {
		uint16_t type;
		bool is_number;
	} kept[] = {{IFA_LOCAL}, {IFA_ADDRESS}, {IFA_BROADCAST}, {IFA_RT_PRIORITY, true}};
	const struct addresses *addresses = context;
	struct ifaddrmsg body = *(const struct ifaddrmsg *)NLMSG_DATA(message);
	size_t size = body.ifa_family == AF_INET ? 4 : 16;
	struct netlink_request request;
	const uint32_t *more;
	uint32_t flags;

	if (message->nlmsg_type != RTM_NEWADDR || (int)body.ifa_index != addresses->index ||
	    (body.ifa_family != AF_INET && body.ifa_family != AF_INET6))
		return;
	more = netlink_get(message, sizeof body, IFA_FLAGS, sizeof *more);
	flags = more != NULL ? *more : body.ifa_flags;
	if ((flags & IFA_F_PERMANENT) == 0 || body.ifa_scope != RT_SCOPE_UNIVERSE)
		return;
	flags &= KEPT_FLAGS;
	body.ifa_flags = 0;
	netlink_begin(&request, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &body, sizeof body);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
		size_t len = kept[i].is_number ? sizeof(uint32_t) : size;
		const void *value = netlink_get(message, sizeof body, kept[i].type, len);

		if (value != NULL)
			(void)netlink_add(&request, kept[i].type, value, len);
	}
	(void)netlink_add(&request, IFA_FLAGS, &flags, sizeof flags);
	buf_add(addresses->out, &request, sizeof request);
}

static int save_addresses(int fd, int index, struct buf *out)
{
	const struct ifaddrmsg body = {.ifa_family = AF_UNSPEC};
	struct addresses addresses = {index, out};
	struct netlink_request request;

	netlink_begin(&request, RTM_GETADDR, NLM_F_DUMP, &body, sizeof body);
	return netlink_call(fd, &request, take_address, &addresses);
}

static int restore_addresses(int fd, int index, const struct buf *addresses)
{
	struct netlink_request request;
	int r = 0;

	for (size_t at = 0; r == 0 && at < addresses->len; at += sizeof request) {
		struct ifaddrmsg *body = (struct ifaddrmsg *)(void *)(request.data + NLMSG_HDRLEN);

		memcpy(&request, addresses->data + at, sizeof request);
		body->ifa_index = (uint32_t)index;
		r = netlink_call(fd, &request, NULL, NULL);
	}
	return r;
}

/* --- there and back --- */

static int set_up(int fd, int index)
{
	const struct ifinfomsg body = {.ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP};
	struct netlink_request request;

	netlink_begin(&request, RTM_NEWLINK, 0, &body, sizeof body);
	return netlink_call(fd, &request, NULL, NULL);
}

/* new_index 0: whichever it gets. */
static int send_over(int fd, int index, int ns_fd, const char *name, int new_index)
{
	const struct ifinfomsg body = {.ifi_index = index};
	struct netlink_request request;
	uint32_t ns = (uint32_t)ns_fd;

	netlink_begin(&request, RTM_SETLINK, 0, &body, sizeof body);
	if (!netlink_add(&request, IFLA_NET_NS_FD, &ns, sizeof ns) ||
	    !netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1) ||
	    (new_index > 0 && !netlink_add(&request, IFLA_NEW_IFINDEX, &new_index, sizeof new_index)))
		return -EMSGSIZE;
	return netlink_call(fd, &request, NULL, NULL);
}

static void send_back(const struct netdev *netdev, const struct move *move)
{
	struct link link;

	if (send_over(netdev->fd, move->index, netdev->host_ns_fd, move->name, 0) < 0 ||
	    find_link(netdev->host_fd, move->name, 0, &link) < 0)
		return;
	(void)!restore_addresses(netdev->host_fd, link.index, &move->addresses);
	if (move->was_up)
		(void)!set_up(netdev->host_fd, link.index);
}

void netdev_undo(struct parent *parent)
{
	for (struct move *move = parent->netdev == NULL ? NULL : parent->netdev->last; move != NULL;
	     move = move->previous)
		send_back(parent->netdev, move);
}

void netdev_done(struct parent *parent)
{
	struct netdev *netdev = parent->netdev;

	if (netdev == NULL)
		return;
	fd_close(&netdev->host_ns_fd);
	fd_close(&netdev->host_fd);
	fd_close(&netdev->ns_fd);
	fd_close(&netdev->fd);
	for (struct move *move = netdev->last, *previous; move != NULL; move = previous) {
		previous = move->previous;
		buf_done(&move->addresses);
		mem_free(&move);
	}
	mem_free(&parent->netdev);
}

/* --- the step --- */

static int open_own_ns(void)
{
	return k_openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
}

/* container_fd: a namespace or a pidfd. Whoever cannot come back must not go on. */
static int open_both(struct netdev *netdev, int container_fd, struct err *err)
{
	int r;

	netdev->host_ns_fd = open_own_ns();
	netdev->host_fd = netdev->host_ns_fd < 0 ? netdev->host_ns_fd : netlink_open();
	if (netdev->host_fd < 0)
		return err_system(err, netdev->host_fd, "cannot open the host's network");
	r = k_setns(container_fd, CLONE_NEWNET);
	if (r < 0)
		return err_system(err, r, "cannot enter the container's network namespace");
	netdev->ns_fd = open_own_ns();
	netdev->fd = netdev->ns_fd < 0 ? netdev->ns_fd : netlink_open();
	r = k_setns(netdev->host_ns_fd, CLONE_NEWNET);
	if (r < 0)
		return err_system(err, r, "cannot come back to the host's network namespace");
	return netdev->fd < 0 ? err_system(err, netdev->fd, "cannot open the container's network") : 0;
}

static int prepare(struct parent *parent, const struct plan_net_device *device, struct err *err)
{
	struct netdev *netdev;

	if (parent->netdev != NULL)
		return 0;
	parent->netdev = netdev = mem_alloc(sizeof *netdev);
	*netdev = (struct netdev){-1, -1, -1, -1, NULL};
	return open_both(netdev, device->slot == PLAN_NO_SLOT ? parent->pidfd : parent->slots[device->slot],
			 err);
}

static int check_name(const struct netdev *netdev, const char *name, struct err *err)
{
	struct link link;
	int r;

	if (strchr(name, '%') != NULL)
		return 0;
	r = find_link(netdev->fd, name, 0, &link);
	if (r == 0)
		return err_set(err, ERR_CONFIG, EEXIST, NULL,
			       "cannot name a network device '%s': the container has one of that name", name);
	return r == -ENODEV ? 0 : err_system(err, r, "cannot look for network device '%s'", name);
}

/* Hung up before it is sent, so that it comes back whatever happens from then on. */
static struct move *new_move(struct netdev *netdev, const char *name, bool was_up)
{
	struct move *move = mem_alloc(sizeof *move);

	str_format(move->name, sizeof move->name, "%s", name);
	move->was_up = was_up;
	move->previous = netdev->last;
	netdev->last = move;
	return move;
}

int netdev_check(const char *name, struct err *err)
{
	_cleanup_fd_ int fd = netlink_open();
	struct link link;
	int r = fd < 0 ? fd : find_link(fd, name, 0, &link);

	return r < 0 ? err_system(err, r, CANNOT_FIND, name) : 0;
}

int netdev_move(struct parent *parent, const struct plan_net_device *device, struct err *err)
{
	const char *name = plan_get(parent->plan, device->name);
	const char *new_name = plan_get(parent->plan, device->new_name);
	struct netdev *netdev;
	struct move *move;
	struct link link;
	int r = prepare(parent, device, err);

	if (r < 0)
		return r;
	netdev = parent->netdev;
	r = find_link(netdev->host_fd, name, 0, &link);
	if (r < 0)
		return err_system(err, r, CANNOT_FIND, name);
	r = check_name(netdev, new_name, err);
	if (r < 0)
		return r;
	move = new_move(netdev, name, (link.flags & IFF_UP) != 0);
	r = free_index(netdev->fd, link.index, &move->index);
	if (r >= 0)
		r = save_addresses(netdev->host_fd, link.index, &move->addresses);
	if (r >= 0)
		r = send_over(netdev->host_fd, link.index, netdev->ns_fd, new_name, move->index);
	if (r >= 0)
		r = restore_addresses(netdev->fd, move->index, &move->addresses);
	if (r >= 0)
		r = set_up(netdev->fd, move->index);
	if (r < 0) {
		r = err_system(err, r, "cannot move network device '%s' into the container", name);
		if (r == -EINVAL)
			err_hint(err, "some kinds of devices belong to one network namespace for good");
	}
	return r;
}
