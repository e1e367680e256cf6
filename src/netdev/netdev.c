/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: network devices of the host move into the container's network namespace (runtime-spec
 * config-linux.md "Network Devices").
 *
 * Process: the parent, as in parent.c. It enters the container's network namespace for as long as it takes to
 * open a socket there, which stays in it. The kernel keeps a device's attributes when it moves, but closes it
 * and takes its addresses away, so these are put back behind it. Once a container exists its devices are its
 * own; only a creation that fails moves them back, as they were: netdev_keep.h.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>

#include <tare/netdev.h>

#include "keep.h"

struct move {
	struct move *previous;
	char name[IFNAMSIZ]; /* on the host */
	int index;           /* in the container, and then on the host again; 0: not there */
	struct netdev_kept kept;
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
	uint32_t master;
};

static void take_link(void *context, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const uint32_t *master;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof *info))
		return;
	master = netlink_get(message, sizeof *info, IFLA_MASTER, sizeof *master);
	*(struct link *)context = (struct link){info->ifi_index, info->ifi_flags, master == NULL ? 0 : *master};
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
		r = netlink_collect(fd, &request, &(struct netlink_dump){take_highest, &highest, NULL});
	*ret = highest + 1;
	return r;
}

/* --- there and back --- */

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

/*
 * Under the index that it had, if that is still free: routes and firewalls may know the device by it. The
 * kernel may find the name taken when the device has moved already: then it is there under that index, and the
 * name it had in the container.
 */
static int send_back(const struct netdev *netdev, struct move *move)
{
	const char *name = move->name;
	struct link link;
	int index = move->index, put;
	int r = send_over(netdev->fd, index, netdev->host_ns_fd, name, move->kept.index);

	move->index = 0;
	/* It has not gone, or is no more. */
	if (r == -ENODEV)
		return 0;
	if (r < 0) {
		int again = send_over(netdev->fd, index, netdev->host_ns_fd, name, 0);

		if (again == -ENODEV)
			name = NULL;
		else
			r = again;
	}
	if (r < 0 && name != NULL)
		return r;
	put = find_link(netdev->host_fd, name, name == NULL ? move->kept.index : 0, &link);
	if (put >= 0) {
		move->index = link.index;
		put = netdev_put_back(netdev->host_fd, link.index, &move->kept);
	}
	return r < 0 ? r : put;
}

static void explain(const struct move *move, int r, struct err *err)
{
	if (r < 0)
		err_hint(err, "and network device '%s' could not be put back as it was: %s", move->name,
			 strerror(-r));
}

static void put_back_routes(const struct netdev *netdev, bool has_gateway, struct err *err)
{
	for (struct move *move = netdev->last; move != NULL; move = move->previous)
		if (move->index > 0)
			explain(move,
				netdev_put_back_routes(netdev->host_fd, move->index, &move->kept, has_gateway),
				err);
}

void netdev_undo(const struct netdev *netdev, struct err *err)
{
	if (netdev == NULL)
		return;
	for (struct move *move = netdev->last; move != NULL; move = move->previous)
		if (move->index > 0)
			explain(move, send_back(netdev, move), err);
	put_back_routes(netdev, false, err);
	put_back_routes(netdev, true, err);
}

void netdev_done(struct netdev **netdev_ptr)
{
	struct netdev *netdev = *netdev_ptr;

	if (netdev == NULL)
		return;
	fd_close(&netdev->host_ns_fd);
	fd_close(&netdev->host_fd);
	fd_close(&netdev->ns_fd);
	fd_close(&netdev->fd);
	for (struct move *move = netdev->last, *previous; move != NULL; move = previous) {
		previous = move->previous;
		netdev_kept_done(&move->kept);
		mem_free(&move);
	}
	mem_free(netdev_ptr);
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

static int prepare(struct netdev **netdev, int container_fd, struct err *err)
{
	if (*netdev != NULL)
		return 0;
	*netdev = mem_alloc(sizeof **netdev);
	**netdev = (struct netdev){-1, -1, -1, -1, NULL};
	return open_both(*netdev, container_fd, err);
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
static struct move *new_move(struct netdev *netdev, const char *name, const struct link *link)
{
	struct move *move = mem_alloc(sizeof *move);

	str_format(move->name, sizeof move->name, "%s", name);
	move->kept = (struct netdev_kept){
		.index = link->index, .master = link->master, .was_up = (link->flags & IFF_UP) != 0};
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

int netdev_move(struct netdev **netdev_ptr, int container_fd, const struct plan *plan,
		const struct plan_net_device *device, struct err *err)
{
	const char *name = plan_get(plan, device->name);
	const char *new_name = plan_get(plan, device->new_name);
	struct netdev *netdev;
	struct move *move;
	struct link link;
	int r = prepare(netdev_ptr, container_fd, err);

	if (r < 0)
		return r;
	netdev = *netdev_ptr;
	r = find_link(netdev->host_fd, name, 0, &link);
	if (r < 0)
		return err_system(err, r, CANNOT_FIND, name);
	r = check_name(netdev, new_name, err);
	if (r < 0)
		return r;
	move = new_move(netdev, name, &link);
	r = free_index(netdev->fd, link.index, &move->index);
	if (r >= 0)
		r = netdev_keep(netdev->host_fd, &move->kept);
	if (r >= 0)
		r = send_over(netdev->host_fd, link.index, netdev->ns_fd, new_name, move->index);
	if (r >= 0)
		r = netdev_give_addresses(netdev->fd, move->index, &move->kept);
	if (r >= 0)
		r = netdev_set_up(netdev->fd, move->index);
	if (r < 0) {
		r = err_system(err, r, "cannot move network device '%s' into the container", name);
		if (r == -EINVAL)
			err_hint(err, "some kinds of devices belong to one network namespace for good");
	}
	return r;
}
