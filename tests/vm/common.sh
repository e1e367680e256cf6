# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# Shared by build, build-qemu and run: the paths of the images and of the emulator that belong to the present contents
# of the scripts.
here=$(cd "$(dirname "$0")" && pwd)
cache=${TARE_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/tare-vm}

say() {
	printf 'vm: %s\n' "$*" >&2
}

hash_of() {
	cat "$@" | sha256sum | cut -c 1-12
}

# The mirror that this machine's apt uses, or Debian's default one.
debian_mirror() {
	mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null | grep -v security | head -n 1)
	[ -n "$mirror" ] || mirror=$(awk '$1 == "deb" { print $2; exit }' /etc/apt/sources.list 2>/dev/null || true)
	mirror=${mirror:-http://deb.debian.org/debian}
	echo "${mirror%/}"
}

# shellcheck disable=SC2034
tree=$cache/tree-$(hash_of "$here/packages" "$here/build-tree").tar
# shellcheck disable=SC2034
image=$cache/image-$(hash_of "$here/packages" "$here/build-tree" "$here/build" "$here/guest"/*)
# shellcheck disable=SC2034
emulator=$cache/qemu-$(hash_of "$here/build-qemu")
