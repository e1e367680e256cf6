#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: watch.sh PROGRAM...
# The watcher with files in the places of a cgroup's: no changes are told of those, but it looks now and then once
# init has ended, and anything that can be read stands for the pidfd of one that has.
set -u
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0

# In one write of the same length, since the kernel never shows half of what it has counted.
say() { # populated oom_kill
	printf 'low 0\noom 9\noom_kill %s\noom_group_kill 0\n' "$2" 1<>"$work/memory"
	printf 'populated %s\nfrozen 0\n' "$1" 1<>"$work/events"
}

begin() { # program...
	printf -- '- -\n' >"$work/end"
	timeout 60 "$@" watch test 0<>"$work/end" 1<"$work/events" 2<"$work/memory" 3<"$work/events" 4<"$work/events" &
	watcher=$!
}

is_said() { # text
	for _ in 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9; do
		[ "$(cat "$work/end")" != "$1" ] || return 0
		sleep 0.1
	done
	echo "the file says '$(cat "$work/end")', not '$1'"
	status=1
}

ends() { # text
	wait $watcher || { echo "it ended with status $?"; status=1; }
	is_said "$1"
}

say 0 0 && begin "$@" && ends '- - 0'
rm "$work/memory" && say 0 18446744073709551615 && begin "$@" && ends '- - 18446744073709551615'
# Each time, while there still are processes.
rm "$work/memory" && say 1 00 && begin "$@"
sleep 0.3
is_said '- -'
say 1 09 && is_said '- - 9'
say 1 12 && is_said '- - 12'
kill -0 $watcher || status=1
say 0 13 && ends '- - 13'
# The cgroup went too early: what is known stays, and nothing is invented.
say 1 02 && begin "$@" && is_said '- - 2'
: >"$work/memory" && : >"$work/events" && ends '- - 2'
: >"$work/memory" && : >"$work/events" && begin "$@" && ends '- -'
exit $status
