# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# The cases for callers with fewer rights than root. With TARE_AS=user, $TARE is a program that runs tare as an ordinary
# user with subordinate ids; with TARE_AS=userns, as root of a user namespace, in a mount namespace that belongs to
# another one. In both, the caller has a delegated cgroup. The rest of a case stays as root. Cases that need root of the
# host are listed, with the reason, in the file needs-root.

AS_USER=1000                # its subordinate ids begin at $AS_FIRST
AS_FIRST=100000 AS_COUNT=65536

# Lines of needs-root: FILE.bats: user|userns|both: CASE: REASON. A case's name ends at the last ": ".
skip_needs_root() {
	[ -n "${TARE_AS:-}" ] || return 0
	local line rest
	while read -r line; do
		[[ "$line" == "${BATS_TEST_FILENAME##*/}: "* ]] || continue
		rest=${line#*: }
		[[ "${rest%%: *}" =~ ^($TARE_AS|both)$ ]] || continue
		rest=${rest#*: }
		[ "${rest%: *}" != "$BATS_TEST_DESCRIPTION" ] || skip "needs root of the host: ${rest##*: }"
	done <"$BATS_TEST_DIRNAME/needs-root"
}

# What the configuration of all cases has in addition. Device rules need root of the host.
changes_as() {
	case ${TARE_AS:-} in
	user)
		echo 'del(.linux.resources) | .linux.namespaces+=[{"type":"user"}] | .linux.gidMappings=.linux.uidMappings
			| .linux.uidMappings=[{"containerID":0,"hostID":'$AS_USER',"size":1},{"containerID":1,"hostID":'$AS_FIRST',"size":'$AS_COUNT'}]
			| .linux.gidMappings=.linux.uidMappings' ;;
	userns) echo 'del(.linux.resources)' ;;
	*) echo . ;;
	esac
}

# The host's number of a user or group id of the container.
on_host() { # ID
	if [ "${TARE_AS:-}" != user ]; then
		echo $((${MAPPED_TO:-${OTHER:-0}} + $1))
	elif [ "$1" = 0 ]; then
		echo $AS_USER
	else
		echo $((AS_FIRST + $1 - 1))
	fi
}

# Gives the container a user namespace, and the root file system to the root of that. With an ordinary user as the
# caller all containers have one.
add_user_namespace() {
	local first=100000 count=65536
	chmod 755 "$WORK"
	[ "${TARE_AS:-}" != user ] || { own_bundle; return; }
	[ -z "${TARE_AS:-}" ] || { first=1000 count=64536; }
	MAPPED_TO=$((${OTHER:-0} + first))
	chown -R "$MAPPED_TO:$MAPPED_TO" "$BUNDLE/rootfs"
	config --argjson first $first --argjson count $count '.linux.namespaces+=[{type:"user"}]
		| .linux.uidMappings=[{containerID:0,hostID:$first,size:$count}] | .linux.gidMappings=.linux.uidMappings'
}

# A file of /etc with one more line, for this case.
with_line() { # FILE LINE
	{ [ ! -e "$1" ] || sed "/^tester:/d" "$1"; echo "$2"; } >"$WORK/${1##*/}"
	[ -e "$1" ] || : >"$1"
	mount --bind "$WORK/${1##*/}" "$1"
}

become_other() {
	local enter
	TARE_PROGRAM=$WORK/as/program/tare
	mkdir -p "$WORK/as/program"
	for program in tare tare-systemd tare-doctor; do cp "${TARE%/*}/$program" "$WORK/as/program/"; done
	case $TARE_AS in
	user)
		command -v newuidmap >/dev/null || not_here "needs newuidmap (package uidmap)"
		OTHER=$AS_USER
		with_line /etc/passwd "tester:x:$AS_USER:$AS_USER::/:/bin/sh"
		with_line /etc/subuid "tester:$AS_FIRST:$AS_COUNT"
		with_line /etc/subgid "tester:$AS_FIRST:$AS_COUNT"
		enter="$(command -v setpriv) --reuid $AS_USER --regid $AS_USER --clear-groups" ;;
	userns)
		OTHER=$AS_FIRST
		unshare -U sleep infinity </dev/null >/dev/null 2>&1 3>&- &
		holder=$!
		wait_for '! [ "/proc/$holder/ns/user" -ef /proc/self/ns/user ]'
		echo "0 $AS_FIRST $AS_COUNT" >"/proc/$holder/uid_map"
		echo "0 $AS_FIRST $AS_COUNT" >"/proc/$holder/gid_map"
		enter="$(command -v nsenter) --user=\$user" ;;
	esac
	delegate
	chown -hR "$OTHER:$OTHER" "$WORK"
	chmod 755 "$WORK"
	# A procfs of another pid namespace does not show the process. Where the mount is missing the file has a text.
	echo none >"$WORK/as/user"
	[ "$TARE_AS" != userns ] || mount --bind "/proc/$holder/ns/user" "$WORK/as/user"
	# A hook that calls it is the other user already, and does not own it.
	cat >"$WORK/as/tare" <<-END
		#!/bin/sh
		[ -O "\$0" ] || exec $TARE_PROGRAM "\$@"
		user=$WORK/as/user
		[ ! -s \$user ] || user=/proc/${holder:-}/ns/user
		echo \$\$ >$(cgroup_mount)$DELEGATED/caller/cgroup.procs && exec $enter $TARE_PROGRAM "\$@"
	END
	chmod 755 "$WORK/as/tare"
	TARE=$WORK/as/tare
}

# A cgroup that belongs to the other user, with the caller's cgroup in it: the user's own service of systemd if there is
# a user with a service manager, so that systemd delegates what the user may have.
delegate() {
	local dir
	DELEGATED=/$ID.as
	if [ "$TARE_AS" = user ] && command -v as-tester >/dev/null; then
		DELEGATED=/user.slice/user-$AS_USER.slice/user@$AS_USER.service/app.slice/cases.service
		[ -e "$(cgroup_mount)$DELEGATED/caller" ] ||
			systemd-run --quiet --user --machine=tester@ --unit=cases -p Delegate=yes -p DelegateSubgroup=caller sleep infinity 3>&-
		wait_for '[ -e "$(cgroup_mount)$DELEGATED/caller" ]'
		return
	fi
	dir=$(cgroup_mount)$DELEGATED
	mkdir "$dir" "$dir/caller"
	chown "$OTHER" "$dir" "$dir"/cgroup.{procs,threads,subtree_control} "$dir/caller" "$dir/caller/cgroup.procs"
}

end_other() {
	case ${TARE_AS:-} in
	user) umount -q /etc/passwd /etc/subuid /etc/subgid || true ;;
	userns)
		umount -q "$WORK/as/user" || true
		[ -z "${holder:-}" ] || kill "$holder" ;;
	esac
}

end_delegation() {
	[[ "${DELEGATED:-}" == "/$ID.as" ]] || return 0
	echo 1 >"$(cgroup_mount)$DELEGATED/cgroup.kill"
	wait_for 'rmdir "$(cgroup_mount)$DELEGATED/caller" 2>/dev/null'
	rmdir "$(cgroup_mount)$DELEGATED"
}
