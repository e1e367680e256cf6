#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# usage: apparmor.sh PROFILE TARE
# The AppArmor profile is for the installed program, permits user namespaces, and confines nothing. If AppArmor 4 is
# installed, its parser accepts the profile.
set -eu
profile=$1 tare=$2
# Without comments and blank lines.
rules=$(sed 's/#.*//; s/^ *//; /^$/d' "$profile")
expected="abi <abi/4.0>,
include <tunables/global>
profile tare $tare flags=(unconfined) {
userns,
include if exists <local/tare>
}"
[ "$rules" = "$expected" ] || { echo "the profile is:"; echo "$rules"; exit 1; }
if command -v apparmor_parser >/dev/null && [ -e /etc/apparmor.d/abi/4.0 ]; then
	apparmor_parser -Q -S "$profile" >/dev/null
fi
