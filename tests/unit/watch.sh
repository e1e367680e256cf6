#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: watch.sh PROGRAM...
# Tests the watcher with plain files instead of a cgroup's files. Plain files cause no events, but the watcher also
# reads them from time to time once init has exited, and a descriptor that can be read stands for the pidfd of an init
# that has exited.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# In one write of the same length, because the kernel never shows a part of its counters.
write_files() { # populated oom_kill
	printf 'low 0\noom 9\noom_kill %s\noom_group_kill 0\n' "$2" 1<>"$work/memory"
	printf 'populated %s\nfrozen 0\n' "$1" 1<>"$work/events"
}

begin() { # program...
	printf -- '- -\n' >"$work/end"
	timeout 60 "$@" watch test 0<>"$work/end" 1<"$work/events" 2<"$work/memory" 3<"$work/events" 4<"$work/events" &
	watcher=$!
}

check_end() { # text
	for _ in 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9; do
		[ "$(cat "$work/end")" != "$1" ] || return 0
		sleep 0.1
	done
	echo "the file has '$(cat "$work/end")', not '$1'"
	status=1
}

exits_with() { # text
	wait $watcher || { echo "it exited with status $?"; status=1; }
	check_end "$1"
}

write_files 0 0 && begin "$@" && exits_with '- - 0'
rm "$work/memory" && write_files 0 18446744073709551615 && begin "$@" && exits_with '- - 18446744073709551615'
# Every change, while there still are processes.
rm "$work/memory" && write_files 1 00 && begin "$@"
sleep 0.3
check_end '- -'
write_files 1 09 && check_end '- - 9'
write_files 1 12 && check_end '- - 12'
kill -0 $watcher || status=1
write_files 0 13 && exits_with '- - 13'
# The cgroup is removed too early: the last known count stays, and no other is written.
write_files 1 02 && begin "$@" && check_end '- - 2'
: >"$work/memory" && : >"$work/events" && exits_with '- - 2'
: >"$work/memory" && : >"$work/events" && begin "$@" && exits_with '- -'
exit $status
