/* SPDX-License-Identifier: Apache-2.0 */
/*
 * linux.netDevices: moves network devices of the host into the container's network namespace (runtime-spec
 * config-linux.md, "Network Devices"), and back if the creation fails.
 *
 * Process: the parent, as in src/parent/child.c. It enters the container's network namespace only to open a
 * netlink socket, which stays in that namespace. When a device moves, the kernel keeps its attributes, but sets
 * it down and removes its addresses, so the parent adds the addresses and sets it up again after the move. The
 * devices belong to a container once it exists; only a creation that fails moves them back, and restores their
 * state on the host (save.h).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <sched.h>
#include <string.h>

#include <tare/netdev.h>

#include "save.h"

struct move {
	struct move *previous;
	char name[IFNAMSIZ]; /* on the host */
	int index;           /* in the container; after move_back, on the host; 0: the device does not exist */
	struct netdev_saved saved;
};

struct netdev {
	int host_ns_fd, host_fd; /* the host's network namespace, and a netlink socket in it */
	int ns_fd, fd;           /* the same of the container */
	struct move *last;       /* the end of the list of moves */
};

#define CANNOT_FIND "cannot find network device '%s'"

/* --- queries --- */

struct link {
	int index;
	unsigned int flags;
	uint32_t master;
};

static void read_link(void *context, const struct nlmsghdr *message)
{
	const struct ifinfomsg *info = NLMSG_DATA(message);
	const uint32_t *master;

	if (message->nlmsg_type != RTM_NEWLINK || message->nlmsg_len < NLMSG_LENGTH(sizeof *info))
		return;
	master = netlink_get(message, sizeof *info, IFLA_MASTER, sizeof *master);
	*(struct link *)context = (struct link){info->ifi_index, info->ifi_flags, master == NULL ? 0 : *master};
}

/* Finds a device by name or, if that is NULL, by index. -ENODEV if there is none. */
static int find_link(int fd, const char *name, int index, struct link *ret)
{
	const struct ifinfomsg body = {.ifi_index = index};
	struct netlink_request request;

	netlink_begin(&request, RTM_GETLINK, 0, &body, sizeof body);
	if (name != NULL && !netlink_add(&request, IFLA_IFNAME, name, strlen(name) + 1))
		return -ENAMETOOLONG;
	*ret = (struct link){.index = 0};
	return netlink_call(fd, &request, read_link, ret);
}

static void read_highest_index(void *context, const struct nlmsghdr *message)
{
	struct link link = {.index = 0};
	int *highest = context;

	read_link(&link, message);
	if (link.index > *highest)
		*highest = link.index;
}

/* An unused index in the namespace of fd: index itself, or one above all others. */
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
		r = netlink_collect(fd, &request, &(struct netlink_dump){read_highest_index, &highest, NULL});
	*ret = highest + 1;
	return r;
}

/* --- moves --- */

/* Moves a device to the namespace ns_fd and renames it. new_index 0: the kernel chooses the index. */
static int move_link(int fd, int index, int ns_fd, const char *name, int new_index)
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
 * Moves a device back to the host, with its previous index if that is unused: routes and firewalls may refer to
 * it. If its name is in use on the host, the kernel may report that only after the move: then the device has
 * its previous index, and the name that it had in the container.
 */
static int move_back(const struct netdev *netdev, struct move *move)
{
	const char *name = move->name;
	struct link link;
	int index = move->index, result;
	int r = move_link(netdev->fd, index, netdev->host_ns_fd, name, move->saved.index);

	move->index = 0;
	/* The device has not moved, or has been removed. */
	if (r == -ENODEV)
		return 0;
	if (r < 0) {
		int again = move_link(netdev->fd, index, netdev->host_ns_fd, name, 0);

		if (again == -ENODEV)
			name = NULL;
		else
			r = again;
	}
	if (r < 0 && name != NULL)
		return r;
	result = find_link(netdev->host_fd, name, name == NULL ? move->saved.index : 0, &link);
	if (result >= 0) {
		move->index = link.index;
		result = netdev_restore(netdev->host_fd, link.index, &move->saved);
	}
	return r < 0 ? r : result;
}

static void add_failure(const struct move *move, int r, struct err *err)
{
	if (r < 0)
		err_hint(err, "and network device '%s' could not be restored: %s", move->name, ERRNO_TEXT(r));
}

static void restore_routes(const struct netdev *netdev, bool has_gateway, struct err *err)
{
	for (struct move *move = netdev->last; move != NULL; move = move->previous)
		if (move->index > 0)
			add_failure(
				move,
				netdev_restore_routes(netdev->host_fd, move->index, &move->saved, has_gateway),
				err);
}

void netdev_undo(const struct netdev *netdev, struct err *err)
{
	if (netdev == NULL)
		return;
	for (struct move *move = netdev->last; move != NULL; move = move->previous)
		if (move->index > 0)
			add_failure(move, move_back(netdev, move), err);
	restore_routes(netdev, false, err);
	restore_routes(netdev, true, err);
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
		netdev_saved_done(&move->saved);
		mem_free(&move);
	}
	mem_free(netdev_ptr);
}

/* --- the step --- */

static int open_own_ns(void)
{
	return k_openat(AT_FDCWD, "/proc/self/ns/net", O_RDONLY | O_CLOEXEC, 0);
}

/*
 * Opens both namespaces and their sockets. container_fd: a namespace or a pidfd. If the parent cannot return to
 * the host's namespace, the creation must fail.
 */
static int open_namespaces(struct netdev *netdev, int container_fd, struct err *err)
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
		return err_system(err, r, "cannot return to the host's network namespace");
	return netdev->fd < 0 ? err_system(err, netdev->fd, "cannot open the container's network") : 0;
}

static int prepare(struct netdev **netdev, int container_fd, struct err *err)
{
	if (*netdev != NULL)
		return 0;
	*netdev = mem_alloc(sizeof **netdev);
	**netdev = (struct netdev){-1, -1, -1, -1, NULL};
	return open_namespaces(*netdev, container_fd, err);
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

/* Adds a move to the list before the device moves, so that netdev_undo finds it after any failure. */
static struct move *new_move(struct netdev *netdev, const char *name, const struct link *link)
{
	struct move *move = mem_alloc(sizeof *move);

	str_format(move->name, sizeof move->name, "%s", name);
	move->saved = (struct netdev_saved){
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
	bool is_immovable = false;
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
		r = netdev_save(netdev->host_fd, &move->saved);
	if (r >= 0) {
		r = move_link(netdev->host_fd, link.index, netdev->ns_fd, new_name, move->index);
		is_immovable = r == -EINVAL;
	}
	if (r >= 0)
		r = netdev_add_addresses(netdev->fd, move->index, &move->saved);
	if (r >= 0)
		r = netdev_set_up(netdev->fd, move->index);
	if (r < 0) {
		r = err_system(err, r, "cannot move network device '%s' into the container", name);
		/* The kernel's only cause, for a valid name and index: dev_change_net_namespace. */
		if (is_immovable)
			err_hint(err, "a device of this kind cannot be moved to another network namespace");
	}
	return r;
}
