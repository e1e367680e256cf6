#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs the build dependencies, builds tare, and runs a container that prints its own environment. As root on Debian
# 12 or newer. TARE=PROGRAM uses a program that is already built. Except for the packages, the host is unchanged
# afterwards.
set -eu
cd "$(dirname "$0")/.."
if [ "$(id -u)" != 0 ]; then
	echo 'the demonstration needs root (packages, and a container that root makes)' >&2
	exit 1
fi
sh tests/install-dependencies build
if [ -z "${TARE:-}" ]; then
	[ -d build ] || meson setup build
	ninja -C build
	TARE=$PWD/build/src/tare
fi
bundle=$(mktemp -d)
trap 'rm -rf "$bundle"' EXIT
mkdir -p "$bundle/rootfs/bin"
cp "$(command -v busybox)" "$bundle/rootfs/bin/busybox"
for name in sh cat grep hostname id ip ls mount ps; do
	ln -s busybox "$bundle/rootfs/bin/$name"
done
"$TARE" spec -b "$bundle"
# shellcheck disable=SC2016
script='echo "I am process $$ on host $(hostname), $(id)"
echo; echo "My processes:"; ps
echo; echo "My network:"; ip -o addr
echo; echo "My mounts:"; mount
echo; echo "My capabilities:"; grep -E "Cap|NoNewPrivs" /proc/self/status'
jq --arg script "$script" '.process.terminal = false | .process.args = ["sh", "-c", $script]' \
	"$bundle/config.json" >"$bundle/config.new"
mv "$bundle/config.new" "$bundle/config.json"
"$TARE" run -b "$bundle" "demo.$$"
