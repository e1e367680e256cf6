/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rtnetlink(7). Private to the room; runs in the parent. */
#ifndef TARE_RUN_NETLINK_H
#define TARE_RUN_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <tare/base.h>

struct netlink_request {
	_Alignas(struct nlmsghdr) char data[512];
};

/* The header and what every message of the type begins with (at most 64 bytes). NLM_F_REQUEST and _ACK are
 * added. */
void netlink_begin(struct netlink_request *request, unsigned int type, unsigned int flags, const void *body,
		   size_t size);
/* An attribute; all of a request together must fit into 512 bytes: false, and nothing added, if they do not. */
bool netlink_add(struct netlink_request *request, unsigned int type, const void *data, size_t size);

/* A socket of the caller's present network namespace; it stays in that. A descriptor or -errno. */
int netlink_open(void) MUST_CHECK;

/*
 * Sends the request, and gives all that comes back up to the end or the acknowledgement to on_message (may be
 * NULL). 0, or the kernel's -errno.
 */
typedef void (*netlink_message)(void *context, const struct nlmsghdr *message);
int netlink_call(int fd, struct netlink_request *request, netlink_message on_message, void *context) MUST_CHECK;

/* The attribute of a type behind the first `skip` bytes of a message's body, or NULL; at least size bytes long.
 */
const void *netlink_get(const struct nlmsghdr *message, size_t skip, unsigned int type, size_t size);

#endif
