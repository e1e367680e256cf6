/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netdev: network devices of the host move into the container. All of it runs in the parent, and needs
 * CAP_NET_ADMIN in both network namespaces (runtime-spec config-linux.md, "Network Devices").
 */
#ifndef TARE_NETDEV_H
#define TARE_NETDEV_H

#include <tare/plan.h>

/* Both network namespaces, a netlink socket in each, and the devices that have moved. */
struct netdev;

/*
 * Moves one device of a plan. container_fd is the container's network namespace, or a pidfd of a process in it.
 * *netdev is NULL at the first call; the caller keeps it until netdev_done, also after a failure. 0 or -errno
 * with *err; ERR_CONFIG if the container has a device of that name.
 */
int netdev_move(struct netdev **netdev, int container_fd, const struct plan *plan,
		const struct plan_net_device *device, struct err *err) MUST_CHECK;

/* 0 if the caller's network namespace has the device, -ENODEV if not, another -errno if that is unknown. */
int netdev_check(const char *name, struct err *err) MUST_CHECK;

/*
 * Moves all devices back to the host and restores their addresses, routes and state. A failure is added to the
 * hint of *err, and does not stop the rest. netdev may be NULL.
 */
void netdev_undo(const struct netdev *netdev, struct err *err);

/* Frees *netdev, which may be NULL. The devices stay where they are. */
void netdev_done(struct netdev **netdev);

#endif
