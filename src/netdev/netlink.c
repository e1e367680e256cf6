/* SPDX-License-Identifier: Apache-2.0 */
/* Requests of rtnetlink(7) and their answers. Process: the parent, as in src/parent/child.c. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "netlink.h"

#define ANSWER_MAX 65536 /* bytes: the kernel's datagrams are not longer */
#define TRIES 16         /* for a dump that is interrupted */

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

struct answer {
	netlink_message on_message;
	void *context;
	bool is_interrupted;
};

/* Reads the messages of one datagram. 1 if more follow, 0 at the end of the answer, or the kernel's -errno. */
static int read_answer(const struct nlmsghdr *message, size_t len, struct answer *answer)
{
	for (; NLMSG_OK(message, len); message = NLMSG_NEXT(message, len)) {
		const struct nlmsgerr *error = NLMSG_DATA(message);

		answer->is_interrupted |= (message->nlmsg_flags & NLM_F_DUMP_INTR) != 0;
		if (message->nlmsg_type == NLMSG_DONE)
			return answer->is_interrupted ? -EAGAIN : 0;
		if (message->nlmsg_type == NLMSG_ERROR)
			return message->nlmsg_len < NLMSG_LENGTH(sizeof *error) ? -EBADMSG : error->error;
		if (answer->on_message != NULL)
			answer->on_message(answer->context, message);
	}
	return 1;
}

int netlink_call(int fd, struct netlink_request *request, netlink_message on_message, void *context)
{
	struct answer answer = {on_message, context, false};
	_cleanup_free_ char *data = mem_alloc(ANSWER_MAX);
	int r = io_write_all(fd, request->data, header_of(request)->nlmsg_len);

	if (r == 0)
		r = 1;
	while (r > 0) {
		ssize_t len = k_read(fd, data, ANSWER_MAX);

		if (len == -EINTR)
			continue;
		if (len <= 0)
			return len < 0 ? (int)len : -EBADMSG;
		r = read_answer((const struct nlmsghdr *)(void *)data, (size_t)len, &answer);
	}
	return r;
}

int netlink_collect(int fd, struct netlink_request *request, const struct netlink_dump *dump)
{
	size_t before = dump->ret == NULL ? 0 : dump->ret->len;
	int r = -EAGAIN;

	for (int i = 0; i < TRIES && r == -EAGAIN; i++) {
		if (dump->ret != NULL)
			dump->ret->len = before;
		r = netlink_call(fd, request, dump->on_message, dump->context);
	}
	return r;
}

static const struct rtattr *attributes_of(const struct nlmsghdr *message, size_t skip, size_t *ret_len)
{
	*ret_len = NLMSG_SPACE(skip) > message->nlmsg_len ? 0 : message->nlmsg_len - NLMSG_SPACE(skip);
	return (const struct rtattr *)(const void *)((const char *)NLMSG_DATA(message) + NLMSG_ALIGN(skip));
}

bool netlink_copy(struct netlink_request *request, const struct nlmsghdr *message, size_t skip, uint64_t types)
{
	size_t len;
	const struct rtattr *attribute = attributes_of(message, skip, &len);

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len)) {
		unsigned int type = attribute->rta_type & NLA_TYPE_MASK;

		if (type < 64 && (types >> type & 1) != 0 &&
		    !netlink_add(request, attribute->rta_type, RTA_DATA(attribute), RTA_PAYLOAD(attribute)))
			return false;
	}
	return true;
}

const void *netlink_get(const struct nlmsghdr *message, size_t skip, unsigned int type, size_t size)
{
	size_t len;
	const struct rtattr *attribute = attributes_of(message, skip, &len);

	for (; RTA_OK(attribute, len); attribute = RTA_NEXT(attribute, len))
		if (attribute->rta_type == type && RTA_PAYLOAD(attribute) >= size)
			return RTA_DATA(attribute);
	return NULL;
}
