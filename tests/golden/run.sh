#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: run.sh TARE
# Compares the output of tare with the files beside this script: plan/NAME.json and user/NAME.json are configurations,
# NAME.txt is what "tare plan" prints for them as root and as a user, and spec/ has what "tare spec" writes. Paths and
# ids of the host are replaced first. A change of behaviour changes these files. plan/ is compared only as root.
set -u
umask 022
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
status=0 as=
# Variables of the service manager that started the caller of this test.
unset NOTIFY_SOCKET LISTEN_FDS LISTEN_PID LISTEN_FDNAMES
# A user may lack access to the directory of the program.
cp "$1" "$work/tare"
chmod 755 "$work"
user=$(id -u)

plan() { # folder NAME
	mkdir -p "$work/$2/rootfs"
	sed "s/\"hostID\": 1000,/\"hostID\": $user,/" "$here/$1/$2.json" >"$work/$2/config.json"
	# shellcheck disable=SC2086
	$as "$work/tare" plan -b "$work/$2" 2>&1 | sed "s|$work|/bundles|g; s/0:$user:1\\b/0:1000:1/g" >"$work/$2.txt"
	diff -u "$here/$1/$2.txt" "$work/$2.txt" || status=1
	rm -r "${work:?}/$2"
}

for kind in config rootless; do
	"$work/tare" spec -b "$work" --rootless="$([ $kind = rootless ] && echo true || echo false)"
	sed "s/\"hostID\": $user,/\"hostID\": 0,/" "$work/config.json" | diff -u "$here/spec/$kind.json" - || status=1
	rm -f "$work/config.json"
done
if [ "$user" = 0 ]; then
	for config in "$here"/plan/*.json; do plan plan "$(basename "$config" .json)"; done
	user=1000 as='setpriv --reuid 1000 --regid 1000 --clear-groups'
fi
for config in "$here"/user/*.json; do plan user "$(basename "$config" .json)"; done
exit $status
