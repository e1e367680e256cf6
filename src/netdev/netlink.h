/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of rtnetlink(7). Private to the room; runs in the parent. */
#ifndef TARE_NETDEV_NETLINK_H
#define TARE_NETDEV_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>

#include <tare/base.h>

/* --- requests --- */

struct netlink_request {
	_Alignas(struct nlmsghdr) char data[4096];
};

/*
 * Begins a request with the header and the body that is fixed for the type (at most 64 bytes). NLM_F_REQUEST
 * and NLM_F_ACK are added to flags.
 */
void netlink_begin(struct netlink_request *request, unsigned int type, unsigned int flags, const void *body,
		   size_t size);
/* Adds an attribute. false, without an effect, if the request would be longer than 4096 bytes. */
bool netlink_add(struct netlink_request *request, unsigned int type, const void *data, size_t size);
/*
 * Adds the attributes of these types (a bit each) of a message, unchanged. They begin after the first `skip`
 * bytes of its body. false if the request would be too long.
 */
bool netlink_copy(struct netlink_request *request, const struct nlmsghdr *message, size_t skip, uint64_t types);

/* --- answers --- */

/* A netlink socket of the caller's current network namespace; it stays in that. A descriptor or -errno. */
int netlink_open(void) MUST_CHECK;

/*
 * Sends the request, and calls on_message (may be NULL) for each message of the answer, up to its end or the
 * acknowledgement. 0, or the kernel's -errno.
 */
typedef void (*netlink_message)(void *context, const struct nlmsghdr *message);
int netlink_call(int fd, struct netlink_request *request, netlink_message on_message, void *context) MUST_CHECK;

/*
 * As netlink_call, for a request with NLM_F_DUMP. The kernel interrupts a dump if its table changes
 * (NLM_F_DUMP_INTR): the request is then sent again, and ret, to which on_message may add, is truncated to its
 * previous length. ret may be NULL. -EAGAIN if each of 16 tries is interrupted.
 */
struct netlink_dump {
	netlink_message on_message;
	void *context;
	struct buf *ret;
};
int netlink_collect(int fd, struct netlink_request *request, const struct netlink_dump *dump) MUST_CHECK;

/*
 * The data of a message's first attribute of a type, after the first `skip` bytes of its body. NULL if there is
 * none with at least size bytes.
 */
const void *netlink_get(const struct nlmsghdr *message, size_t skip, unsigned int type, size_t size);

#endif
