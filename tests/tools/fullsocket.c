/* SPDX-License-Identifier: Apache-2.0 */
/* fullsocket PATH: a socket with a full queue of connections that it never accepts, until it is killed. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	char temporary[sizeof address.sun_path];
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (argc != 2 || strlen(argv[1]) + 5 > sizeof temporary)
		return 2;
	strcpy(temporary, argv[1]);
	strcat(temporary, ".new");
	strcpy(address.sun_path, temporary);
	if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 0) < 0)
		return 1;
	while (connect(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), (struct sockaddr *)&address,
		       sizeof address) == 0)
		;
	/* The path appears once the queue is full. */
	if (rename(temporary, argv[1]) < 0)
		return 1;
	pause();
	return 0;
}
