/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#define ANSWER_MAX 65536 /* bytes of one datagram: the kernel makes none that is longer */

static struct nlmsghdr *header_of(struct netlink_request *request)
{
	return (struct nlmsghdr *)(void *)request->data;
}

void netlink_begin(struct netlink_request *request, unsigned int type, unsigned int flags, const void *body,
		   size_t size)
{
	struct nlmsghdr *header = header_of(request);

	memset(request, 0, sizeof *request);
	header->nlmsg_type = (uint16_t)type;
	header->nlmsg_flags = (uint16_t)(flags | NLM_F_REQUEST | NLM_F_ACK);
	header->nlmsg_len = (uint32_t)NLMSG_LENGTH(size);
	memcpy(NLMSG_DATA(header), body, size);
}

bool netlink_add(struct netlink_request *request, unsigned int type, const void *data, size_t size)
{
	struct nlmsghdr *header = header_of(request);
	size_t at = NLMSG_ALIGN(header->nlmsg_len);
	struct rtattr *attribute = (struct rtattr *)(void *)(request->data + at);

	if (at + RTA_SPACE(size) > sizeof request->data)
		return false;
	attribute->rta_type = (uint16_t)type;
	attribute->rta_len = (uint16_t)RTA_LENGTH(size);
	memcpy(RTA_DATA(attribute), data, size);
	header->nlmsg_len = (uint32_t)(at + RTA_LENGTH(size));
	return true;
}

int netlink_open(void)
{
	return k_socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
}

/* 1 to read on, 0 at the end, or the kernel's -errno. */
static int read_answer(const struct nlmsghdr *message, size_t len, netlink_message on_message, void *context)
{
	for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
		const struct nlmsgerr *error = NLMSG_DATA(message);

		if (message->nlmsg_type == NLMSG_DONE)
			return 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return message->nlmsg_len < NLMSG_LENGTH(sizeof *error) ? -EBADMSG : error->error;
		if (on_message != NULL)
			on_message(context, message);
	}
	return 1;
}

int netlink_call(int fd, struct netlink_request *request, netlink_message on_message, void *context)
{
	_cleanup_free_ char *answer = mem_alloc(ANSWER_MAX);
	int r = io_write_all(fd, request->data, header_of(request)->nlmsg_len);

	if (r == 0)
		r = 1;
	while (r > 0) {
		ssize_t len = k_read(fd, answer, ANSWER_MAX);

		if (len == -EINTR)
			continue;
		if (len <= 0)
			return len < 0 ? (int)len : -EBADMSG;
		r = read_answer((const struct nlmsghdr *)(void *)answer, (size_t)len, on_message, context);
	}
	return r;
}

const void *netlink_get(const struct nlmsghdr *message, size_t skip, unsigned int type, size_t size)
{
	const struct rtattr *attribute =
		(const struct rtattr *)(const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(skip));
	size_t len = NLMSG_SPACE(skip) > message->nlmsg_len ? 0 : message->nlmsg_len - NLMSG_SPACE(skip);

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type == type && RTA_PAYLOAD(attribute) >= size)
			return RTA_DATA(attribute);
	return NULL;
}
