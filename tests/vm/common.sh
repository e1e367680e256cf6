# shellcheck shell=sh
# SPDX-License-Identifier: Apache-2.0
# What build and run share: where the images are, and which one belongs to the scripts as they are now.
here=$(cd "$(dirname "$0")" && pwd)
cache=${TARE_VM:-${XDG_CACHE_HOME:-$HOME/.cache}/tare-vm}

say() {
	printf 'vm: %s\n' "$*" >&2
}

hash_of() {
	cat "$@" | sha256sum | cut -c 1-12
}

# shellcheck disable=SC2034
tree=$cache/tree-$(hash_of "$here/packages" "$here/build-tree").tar
# shellcheck disable=SC2034
image=$cache/image-$(hash_of "$here/packages" "$here/build-tree" "$here/build" "$here/guest"/*)
