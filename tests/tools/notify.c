/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify MESSAGE...: sends each MESSAGE to the socket in NOTIFY_SOCKET, like sd_notify(3). It is static, so
 * that it can be copied into a container. If a message cannot be sent it prints the reason and exits with 1.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("NOTIFY_SOCKET");
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	if (path == NULL || strlen(path) >= sizeof address.sun_path) {
		fprintf(stderr, "no NOTIFY_SOCKET\n");
		return 1;
	}
	strcpy(address.sun_path, path);
	for (int i = 1; i < argc; i++) {
		if (sendto(fd, argv[i], strlen(argv[i]), 0, (void *)&address, sizeof address) < 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}
