#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: touches.sh SOURCE_DIRECTORY
# A property of the configuration is in few files: its value, its parser, its step, the function that carries it out.
set -u
cd "$1" || exit 1
status=0
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
	echo "$*"
	status=1
}

# The script finds a name in all its forms, in comments too, and nothing else.
mkdir -p "$work/include" "$work/src/room"
echo '	{"memoryPolicy", parse},' >"$work/src/room/a.c"
echo '	case PLAN_MEMORY_POLICY:' >"$work/src/room/b.c"
echo 'struct spec_memory_policy;' >"$work/include/c.h"
echo '/* Without a memory policy of the process. */' >"$work/src/room/d.c"
echo '	"memory-policy",' >"$work/src/room/e.c"
echo 'struct memory; struct policy; /* the I/O scheduler of a disk */ "sched_setscheduler"' >"$work/src/room/f.c"
echo 'memoryPolicy' >"$work/src/room/g.txt"
found=$(sh tests/touches -C "$work" memoryPolicy | tr '\n' ' ')
expected='include/c.h src/room/a.c src/room/b.c src/room/d.c src/room/e.c '
[ "$found" = "$expected" ] || fail "tests/touches finds '$found', not '$expected'"
found=$(sh tests/touches -C "$work" scheduler)
[ -z "$found" ] || fail "tests/touches finds a scheduler of a process in $found"

for property in scheduler memoryPolicy; do
	files=$(sh tests/touches $property)
	count=$(echo "$files" | grep -c .)
	[ "$count" -ge 3 ] || fail "$property is in $count files: tests/touches does not find it"
	[ "$count" -le 6 ] || fail "$property is in $count files, more than 6: $files"
done
exit $status
