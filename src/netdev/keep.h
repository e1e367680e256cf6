/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the host loses with a network device that moves into a container: addresses and routes are the network
 * namespace's, not the device's. Private to the room; runs in the parent.
 */
#ifndef TARE_NETDEV_KEEP_H
#define TARE_NETDEV_KEEP_H

#include "netlink.h"

struct netdev_kept {
	int index;
	uint32_t master; /* the index of the bridge or the like that it is a port of, or 0 */
	bool was_up;
	int64_t saved_at;             /* seconds of CLOCK_BOOTTIME: what has a lifetime grows older meanwhile */
	struct buf addresses, routes; /* as the kernel told them: RTM_NEWADDR, RTM_NEWROUTE */
};

/*
 * Fills in addresses and routes, of the device whose index is set; fd is a netlink socket of the host's network
 * namespace. 0 or -errno. netdev_kept_done frees what has been filled in, also after a failure.
 */
int netdev_keep(int fd, struct netdev_kept *kept) MUST_CHECK;
void netdev_kept_done(struct netdev_kept *kept);

/*
 * Gives the device of an index, in the namespace of fd, the addresses that somebody gave it for good and that
 * mean something beyond the link (runtime-spec config-linux.md, "Network Devices"). 0 or -errno.
 */
int netdev_give_addresses(int fd, int index, const struct netdev_kept *kept) MUST_CHECK;

int netdev_set_up(int fd, int index) MUST_CHECK;

/*
 * The device is back on the host, with this index: makes it what it was there. Both go on after a failure and
 * return the first one. The routes of all devices follow when these are all there, those to a neighbour before
 * those through one. A route that somebody has made meanwhile stays. Not put back: what the kernel learns from
 * routers, and makes by itself; neighbours, queueing disciplines, nexthop objects, settings in /proc/sys.
 */
int netdev_put_back(int fd, int index, const struct netdev_kept *kept) MUST_CHECK;
int netdev_put_back_routes(int fd, int index, const struct netdev_kept *kept, bool has_gateway) MUST_CHECK;

#endif
