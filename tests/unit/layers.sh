#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The direction of includes between the rooms: a room may include the public headers named for it here, its own
# private ones, and nothing else. src/run/protocol.h is the one private header that another room (plan) reads:
# the plan names the messages of the conversation.
set -u
cd "$1" || exit 1
status=0

allowed() {
	case $1 in
	base) echo 'base kernel' ;;
	spec | host | state) echo "base kernel $1" ;;
	plan) echo 'base kernel spec host plan' ;;
	seccomp) echo 'base kernel spec seccomp' ;;
	sys) echo 'base kernel plan sys' ;;
	cgroup) echo 'base kernel plan host cgroup resctrl' ;;
	run) echo 'base kernel spec host plan seccomp sys cgroup resctrl state run' ;;
	cli) echo 'base kernel spec host plan seccomp cgroup state run' ;;
	esac
}

for room in base spec host plan seccomp sys cgroup state run cli; do
	for header in $(grep -rhoE '#include <tare/[a-z]+\.h>' "src/$room" | sed 's|.*/||; s|\.h>||' | sort -u); do
		case " $(allowed $room) " in
		*" $header "*) ;;
		*) echo "src/$room includes tare/$header.h"; status=1 ;;
		esac
	done
	for path in $(grep -rhoE '#include "\.\./[^"]+"' "src/$room" | sort -u | cut -d'"' -f2); do
		[ "$room $path" = 'plan ../run/protocol.h' ] || { echo "src/$room includes $path"; status=1; }
	done
done
for file in $(grep -rl 'yajl' src --include=*.c); do
	[ "$file" = src/spec/json.c ] || { echo "$file knows yajl"; status=1; }
done
for file in $(grep -rlE '#include <seccomp\.h>' src --include=*.[ch]); do
	case $file in src/seccomp/*) ;; *) echo "$file knows libseccomp"; status=1 ;; esac
done
exit $status
