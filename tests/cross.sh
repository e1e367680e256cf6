#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: cross.sh BUILD_DIRECTORY
# Compiles everything for aarch64, and links init and the watcher for it. init runs until it fails for lack of a parent,
# and the watcher passes its test. The other programs are not linked, because their libraries are not installed for
# aarch64.
set -eu
build=$(cd "${1:?usage: cross.sh BUILD_DIRECTORY}" && pwd)
cd "$(dirname "$0")/.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
warnings='-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wno-missing-field-initializers -Werror'

compile() { # FILE OUTPUT FLAGS...
	file=$1 output=$2
	shift 2
	# shellcheck disable=SC2086
	aarch64-linux-gnu-gcc -std=gnu17 -O2 -D_GNU_SOURCE $warnings -fPIE -DTARE_HAS_SYSTEMD=true -DTARE_HELPERS='"/"' "$@" \
		-Iinclude -I"$build" -I"$build/src" -idirafter /usr/include -c "$file" -o "$output"
}

# Of what is not linked only the diagnostics count.
for file in src/*/*.c; do
	compile "$file" "$work/any.o" -fsyntax-only
done
link() { # PROGRAM OUTPUT
	mkdir "$work/objects"
	for file in $(ninja -C "$build" -t commands "src/$1" | sed -n 's|.* -c .*/\(src/[a-z]*/[^ /]*\.c\)$|\1|p'); do
		compile "$file" "$work/objects/$(echo "$file" | tr / _).o" -ffreestanding -fno-stack-protector \
			-U_FORTIFY_SOURCE -fno-tree-loop-distribute-patterns -fno-asynchronous-unwind-tables \
			-ffunction-sections
	done
	aarch64-linux-gnu-gcc -fPIE -nostdlib -nostartfiles -static-pie -Wl,--gc-sections,-z,now,-z,noexecstack \
		"$work"/objects/*.o -o "$2"
	rm -r "$work/objects"
}
link tare-init "$work/init"
link tare-watch "$work/watch"
sh tests/unit/watch.sh qemu-aarch64-static "$work/watch"

# Before init reports that it has no plan it has relocated itself, formatted text and made system calls. Both machines
# must send the same message; they have the same byte order.
python3 - "$build/src/tare-init" "$work/init" <<'END'
import socket, subprocess, sys

def failure(*program):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    first = theirs.fileno()
    subprocess.run([*program, str(first), "init"], pass_fds=[first], timeout=60)
    theirs.close()
    return ours.recv(4096)

native = failure(sys.argv[1])
foreign = failure("qemu-aarch64-static", sys.argv[2])
print(foreign[24:].replace(b"\0", b" ").split())
sys.exit(native != foreign or b"plan" not in foreign)
END
