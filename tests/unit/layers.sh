#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The direction of includes between the rooms: a room may include the public headers named for it here, its own
# private ones, and nothing else.
set -u
cd "$1" || exit 1
status=0

allowed() {
	case $1 in
	base) echo 'await base kernel' ;;
	freestanding) echo 'base freestanding kernel' ;;
	protocol) echo 'base kernel protocol' ;;
	spec) echo 'base kernel spec' ;;
	host) echo 'base host kernel' ;;
	plan) echo 'base host kernel plan protocol spec' ;;
	seccomp) echo 'base kernel seccomp' ;;
	sys) echo 'await base hooks kernel sys' ;;
	cgroup) echo 'base cgroup kernel resctrl' ;;
	netdev) echo 'base kernel netdev' ;;
	state) echo 'base kernel state' ;;
	systemd) echo 'await base cgroup freestanding kernel state systemd' ;;
	container) echo 'await base cgroup container hooks host kernel notify plan resctrl spec sys systemd' ;;
	init) echo 'base freestanding hooks init kernel plan protocol sys' ;;
	parent) echo 'await base container hooks init kernel notify parent plan protocol resctrl seccomp state sys systemd' ;;
	command) echo 'await base command container hooks kernel notify parent protocol sys systemd' ;;
	check) echo 'base check host kernel parent plan resctrl spec sys systemd' ;;
	cli) echo 'base check command host kernel plan seccomp spec state' ;;
	esac
}

for room in base freestanding protocol spec host plan seccomp sys cgroup netdev state systemd container init parent command check cli; do
	for header in $(grep -rhoE '#include <tare/[a-z]+\.h>' "src/$room" | sed 's|.*/||; s|\.h>||' | sort -u); do
		case " $(allowed $room) " in
		*" $header "*) ;;
		*) echo "src/$room includes tare/$header.h"; status=1 ;;
		esac
	done
	for path in $(grep -rhoE '#include "\.\./[^"]+"' "src/$room" | sort -u | cut -d'"' -f2); do
		echo "src/$room includes $path"
		status=1
	done
done
for file in $(grep -rl 'yajl' src --include=*.c); do
	[ "$file" = src/spec/dom.c ] || { echo "$file knows yajl"; status=1; }
done
for file in $(grep -rlE '#include <seccomp\.h>' src --include=*.[ch]); do
	case $file in src/seccomp/*) ;; *) echo "$file knows libseccomp"; status=1 ;; esac
done
exit $status
