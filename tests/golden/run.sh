#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Plans compared as text: plan/NAME.json is a configuration, plan/NAME.txt what "tare plan" prints for it. The
# host's own part (where its cgroups are) is taken out. A change of behaviour is a change of these files.
set -u
tare=$1
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0
# What a service manager told the caller of this test.
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES

for config in "$here"/plan/*.json; do
	name=$(basename "$config" .json)
	mkdir -p "$work/$name/rootfs"
	cp "$config" "$work/$name/config.json"
	"$tare" plan -b "$work/$name" 2>&1 | sed "s|$work|/bundles|g" >"$work/$name.txt"
	if [ "$(id -u)" != 0 ]; then
		echo "plans of root are compared as root only"
		exit 77
	fi
	diff -u "$here/plan/$name.txt" "$work/$name.txt" || status=1
done
for kind in config rootless; do
	rm -f "$work/config.json"
	"$tare" spec -b "$work" --rootless="$([ $kind = rootless ] && echo true || echo false)"
	diff -u "$here/spec/$kind.json" "$work/config.json" || status=1
done
exit $status
