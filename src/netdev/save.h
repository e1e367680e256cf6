/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Saves what the host loses when a network device moves into a container, and restores it: addresses and routes
 * belong to the network namespace, not to the device. Private to the room; runs in the parent.
 */
#ifndef TARE_NETDEV_SAVE_H
#define TARE_NETDEV_SAVE_H

#include "netlink.h"

struct netdev_saved {
	int index;       /* on the host */
	uint32_t master; /* the index of the bridge or other device that it is a port of, or 0 */
	bool was_up;
	int64_t saved_at;             /* CLOCK_BOOTTIME, in seconds: lifetimes continue from then on */
	struct buf addresses, routes; /* messages of the kernel: RTM_NEWADDR, RTM_NEWROUTE */
};

/*
 * Saves addresses and routes of the device saved->index. fd: a netlink socket of the host's network namespace.
 * 0 or -errno; netdev_saved_done frees the lists in both cases.
 */
int netdev_save(int fd, struct netdev_saved *saved) MUST_CHECK;
void netdev_saved_done(struct netdev_saved *saved);

/*
 * Adds the saved permanent addresses of global scope to device index in the namespace of fd (runtime-spec
 * config-linux.md, "Network Devices"). 0 or -errno.
 */
int netdev_add_addresses(int fd, int index, const struct netdev_saved *saved) MUST_CHECK;

/* Sets the device up in the namespace of fd. 0 or -errno. */
int netdev_set_up(int fd, int index) MUST_CHECK;

/*
 * Restore master, up state and addresses of a device that is back on the host, with this index; then its
 * routes. Call the second function for all devices after the first one for all, without and then with
 * has_gateway: a route through a gateway needs the route to the gateway. Both continue after a failure, and
 * return the first one: 0 or -errno.
 *
 * An existing route is kept. Not restored: what the kernel makes itself or learns from routers; neighbours,
 * queueing disciplines, nexthop objects, settings in /proc/sys.
 */
int netdev_restore(int fd, int index, const struct netdev_saved *saved) MUST_CHECK;
int netdev_restore_routes(int fd, int index, const struct netdev_saved *saved, bool has_gateway) MUST_CHECK;

#endif
