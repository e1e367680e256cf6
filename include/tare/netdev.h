/* SPDX-License-Identifier: Apache-2.0 */
/*
 * netdev: network devices of the host move into the container. All of it runs in the parent (runtime-spec
 * config-linux.md, "Network Devices").
 */
#ifndef TARE_NETDEV_H
#define TARE_NETDEV_H

#include <tare/plan.h>

/* Two network namespaces, a socket in each, and the devices that have moved. */
struct netdev;

/*
 * Moves one device of a plan. container_fd is the container's network namespace, or a pidfd of a process in it.
 * *netdev is NULL at the first call and is kept by the caller, also after a failure, up to netdev_done.
 */
int netdev_move(struct netdev **netdev, int container_fd, const struct plan *plan,
		const struct plan_net_device *device, struct err *err) MUST_CHECK;

/* -ENODEV if the caller's network namespace has no such device. */
int netdev_check(const char *name, struct err *err) MUST_CHECK;

/* Moves all devices back; what cannot be put back as it was is added to the hint of *err. netdev may be NULL.
 */
void netdev_undo(const struct netdev *netdev, struct err *err);

/* Frees *netdev, which may be NULL; the devices stay where they are. */
void netdev_done(struct netdev **netdev);

#endif
