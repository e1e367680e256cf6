# SPDX-License-Identifier: Apache-2.0
# What all other cases rely on: each case has its own mounts, and sees every change of them and no others.
load helpers

# Watches a mount namespace that is made from the case's, runs the script in it ("here") or in the namespace that it was
# made from ("elsewhere"), from which mounts propagate. The report is in $report.
watched() { # elsewhere | here, script
	rm -rf "$WORK/inner" && mkdir -p "$WORK/inner/dir" "$WORK/inner/early"
	(
		watch='' WORK=$WORK/inner
		own_mounts
		mount --make-rshared /
		mount -t tmpfs early "$WORK/early"
		mkdir "$WORK/a\\b c"
		mount -t tmpfs early "$WORK/a\\b c"
		mkfifo "$WORK/ready" "$WORK/go"
		(
			own_mounts
			watch_mounts
			echo >"$WORK/ready"
			read -r <"$WORK/go"
			[ "$1" = elsewhere ] || eval "$2"
			end_watch
		) &
		read -r <"$WORK/ready"
		[ "$1" = here ] || eval "$2"
		echo >"$WORK/go"
		wait $!
	) 3>&-
	report=$(<"$WORK/inner/watch.report")
}

@test "a change of the case's mounts is seen, also one that is undone at once" {
	watched here 'mount -t tmpfs new "$WORK/dir"'
	[[ "$report" == "+ $WORK/inner/dir: "*"the mounts changed: 1" ]]
	# Another mount of the same source over a mount.
	watched here 'mount -t tmpfs early "$WORK/early"'
	[[ "$report" == "+ $WORK/inner/early: "*"the mounts changed: 1" ]]
	watched here 'mount -t tmpfs new "$WORK/dir"; umount "$WORK/dir"'
	[[ "$report" == *"the mounts changed, and back" || "$report" == *"- $WORK/inner/dir: "* ]]
	watched here 'umount "$WORK/early"'
	[[ "$report" == "- $WORK/inner/early: "*"the mounts changed: 1" ]]
	watched here 'mount -o remount,bind,ro "$WORK/early"'
	[[ "$report" == "- $WORK/inner/early: "*"+ $WORK/inner/early: "*" with ro,"*"the mounts changed: 1" ]]
	watched here 'mount -o remount,size=1m "$WORK/early"'
	[[ "$report" == "- $WORK/inner/early: "*"+ $WORK/inner/early: "*"size=1024k"*"the mounts changed: 1" ]]
	watched here 'mount --make-shared "$WORK/early"'
	[[ "$report" == "- $WORK/inner/early: "*"+ $WORK/inner/early: "*" shared:"*"the mounts changed: 1" ]]
	watched here 'mount --move "$WORK/early" "$WORK/dir"'
	[[ "$report" == "- $WORK/inner/early: "*"+ $WORK/inner/dir: "*"the mounts changed: 1" ]]
}

@test "mounts and unmounts in another namespace are not reported" {
	watched elsewhere 'mount -t tmpfs new "$WORK/dir"; umount "$WORK/early"; umount "$WORK/dir"'
	[ -z "$report" ] || { echo "$report"; return 1; }
	# The kernel removes the mounts on a directory that is removed, in all namespaces.
	watched elsewhere 'umount "$WORK/early"; rmdir "$WORK/early"; umount "$WORK/a\\b c"; rmdir "$WORK/a\\b c"'
	[ -z "$report" ] || { echo "$report"; return 1; }
}

@test "a case's mounts are separate from the caller's" {
	[ "$(readlink /proc/self/ns/mnt)" != "$(readlink "/proc/$PPID/ns/mnt")" ]
	! grep -E ' (shared|master):' /proc/self/mountinfo
}
