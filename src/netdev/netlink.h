/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rtnetlink(7). Private to the room; runs in the parent. */
#ifndef TARE_NETDEV_NETLINK_H
#define TARE_NETDEV_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <tare/base.h>

struct netlink_request {
	_Alignas(struct nlmsghdr) char data[4096];
};

/* The header and what every message of the type begins with (at most 64 bytes). NLM_F_REQUEST and _ACK are
 * added. */
void netlink_begin(struct netlink_request *request, unsigned int type, unsigned int flags, const void *body,
		   size_t size);
/* An attribute; all of a request together must fit into 4096 bytes: false, and nothing added, if they do not.
 */
bool netlink_add(struct netlink_request *request, unsigned int type, const void *data, size_t size);

/* The attributes of these types (a bit each) behind the first `skip` bytes of a message's body, as they are. */
bool netlink_copy(struct netlink_request *request, const struct nlmsghdr *message, size_t skip, uint64_t types);

/* A socket of the caller's present network namespace; it stays in that. A descriptor or -errno. */
int netlink_open(void) MUST_CHECK;

/*
 * Sends the request, and gives all that comes back up to the end or the acknowledgement to on_message (may be
 * NULL). 0, or the kernel's -errno.
 */
typedef void (*netlink_message)(void *context, const struct nlmsghdr *message);
int netlink_call(int fd, struct netlink_request *request, netlink_message on_message, void *context) MUST_CHECK;

/*
 * A request with NLM_F_DUMP. What changes during it interrupts it (NLM_F_DUMP_INTR): then it is sent again, and
 * ret, to which on_message may add, is cut back to what was in it before. ret may be NULL. -EAGAIN if that goes
 * on.
 */
struct netlink_dump {
	netlink_message on_message;
	void *context;
	struct buf *ret;
};
int netlink_collect(int fd, struct netlink_request *request, const struct netlink_dump *dump) MUST_CHECK;

/* The attribute of a type behind the first `skip` bytes of a message's body, or NULL; at least size bytes long.
 */
const void *netlink_get(const struct nlmsghdr *message, size_t skip, unsigned int type, size_t size);

#endif
