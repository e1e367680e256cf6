# SPDX-License-Identifier: Apache-2.0
# Places where the caller has fewer rights than root of a host, one case for each: does a start work there? What other
# runtimes do in the same place is printed beside it, if they are installed. Only the result of tare can fail a case.

load helpers

PEERS=(runc crun bwrap)

# A bundle and directories for states that belong to uid 65534. The program prints "works". Other runtimes refuse this
# version of the specification, or a group of terminals that is not mapped.
prepare() {
	[ "$(</proc/sys/user/max_user_namespaces)" -gt 0 ] || host_lacks "no user namespaces"
	cp "$TARE" "$WORK/tare"
	chmod 755 "$WORK" "$BUNDLE"
	mkdir "$WORK/states"
	config '.process.args=["/bin/echo","works"]'
	for_peers
	chown -R 65534:65534 "$WORK/states" "$BUNDLE"
}

for_peers() {
	config '.ociVersion="1.0.2" | .mounts|=map(if .options then .options-=["gid=5"] else . end)'
}

# The bundle's configuration as spec --rootless writes it.
rootless() { # flag of spec
	rm "$BUNDLE/config.json"
	as_user "$WORK/tare" spec "$1" -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["/bin/echo","works"]'
	for_peers
}

# Runs the bundle by a runtime in a place. bwrap has no bundles: it gets the root file system and new namespaces.
start_by() { # RUNTIME PLACE...
	local runtime=$1
	shift
	case $runtime in
	tare) "$@" "$WORK/tare" --root "$WORK/states/tare" run -b "$BUNDLE" "$ID" ;;
	bwrap) "$@" timeout "$HANGS" bwrap --bind "$BUNDLE/rootfs" / --unshare-pid --proc /proc --dev /dev /bin/echo works ;;
	*) "$@" timeout "$HANGS" "$runtime" --root "$WORK/states/$runtime" run -b "$BUNDLE" "$ID.$runtime" ;;
	esac </dev/null 3>&-
}

print_peers() { # PLACE...
	local peer
	for peer in "${PEERS[@]}"; do
		command -v "$peer" >/dev/null || continue
		run start_by "$peer" "$@"
		if [ "$status" = 0 ] && [[ "$output" == *works* ]]; then
			echo "# $BATS_TEST_DESCRIPTION: $peer: yes" >&3
		else
			echo "# $BATS_TEST_DESCRIPTION: $peer: no (${lines[-1]:-status $status})" >&3
		fi
	done
}

works() { # PLACE...
	run start_by tare "$@"
	[ "$status $output" = "0 works" ] || { echo "$*: $output"; return 1; }
	print_peers "$@"
}

refused() { # WORDS PLACE...
	run start_by tare "${@:2}"
	[ "$status ${#lines[@]}" = "1 1" ] && [[ "$output" == *"$1"* ]] || { echo "${*:2}: $output"; return 1; }
	print_peers "${@:2}"
}

as_user() {
	setpriv --reuid 65534 --regid 65534 --groups 65534,4 env -u XDG_RUNTIME_DIR "$@"
}

@test "unshare -Urm" {
	prepare
	works as_user unshare -Urm
}

@test "unshare -rmpf --mount-proc" {
	prepare
	works as_user unshare -rmpf --mount-proc
}

@test "bwrap as uid 0" {
	command -v bwrap >/dev/null || not_here "needs bubblewrap"
	prepare
	works as_user bwrap --unshare-user --uid 0 --gid 0 --dev-bind / / --cap-add ALL
}

@test "a user, with the configuration of spec --rootless" {
	prepare
	rootless --rootless=single
	works as_user
}

@test "unshare -Ur: without a mount namespace of its own" {
	prepare
	works as_user unshare -Ur
}

# The rest of a container of tare around the bundle: all capabilities, a read-only cgroup2 mount, masked paths. The
# host's programs are there for other runtimes, at the same paths.
in_tare() { # COMMAND...
	local outer=$WORK/outer args
	if [ ! -e "$outer" ]; then
		mkdir -p "$outer/rootfs/tmp"
		"$TARE" spec -b "$outer"
	fi
	args=$(jq -cn '$ARGS.positional' --args -- "$@")
	jq --argjson args "$args" --arg work "$WORK" --arg path "$PATH" --argjson caps "$("$TARE" features | jq .linux.capabilities)" '
		.process.terminal=false | .process.env=["PATH="+$path] | .process.args=$args | .root.readonly=false | .linux.resources={}
		| .process.capabilities=(["bounding","effective","permitted"]|map({key:.,value:$caps})|from_entries)
		| .mounts+=(["/usr","/bin","/lib","/lib64",$work,($path|split(":")[])]|unique|map({destination:.,source:.,options:["rbind"]}))' \
		"$outer/config.json" >"$outer/new.json"
	mv "$outer/new.json" "$outer/config.json"
	"$TARE" --root "$WORK/outer-state" --log "$WORK/outer.log" run -b "$outer" "$ID.outer"
}

@test "a container of tare" {
	prepare
	config '.linux.resources={} | .linux.namespaces-=[{"type":"cgroup"}]'
	works in_tare
}

@test "a container of tare, with another user namespace" {
	prepare
	chown -R 0:0 "$BUNDLE"
	config '.linux.resources={} | .linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{containerID:0,hostID:0,size:1}]
		| .linux.gidMappings=.linux.uidMappings'
	works in_tare
}

@test "Docker's seccomp filter" {
	prepare
	local rules=(clone3=38 'clone&0x7e020000=1') call
	for call in unshare setns mount umount2 open_tree move_mount fsopen fsconfig fsmount mount_setattr pivot_root; do rules+=("$call=1"); done
	refused "a seccomp filter around tare refuses clone3(2): its profile has to allow it" "$TOOLS/refuse" "${rules[@]}" --
}

# chroot(2) to a directory that is no mount point; the host's programs are there for other runtimes.
in_chroot() { # COMMAND...
	unshare -mpf --mount-proc --propagation private sh -c 'jail=$1; work=$2; shift 2
		for dir in /usr /bin /lib /lib64 /proc /sys /dev "$work"; do [ ! -d "$dir" ] || { mkdir -p "$jail$dir" && mount --rbind "$dir" "$jail$dir"; }; done
		exec chroot "$jail" "$@"' . "$JAIL" "$WORK" "$@"
}

@test "a chroot that is no mount point" {
	prepare
	JAIL=$(mktemp -d)
	config '.linux.resources={}'
	works in_chroot
	find "$JAIL" -depth -type d -exec rmdir {} +
}

@test "a user in a delegated cgroup, with a plain configuration: ps and pause" {
	prepare
	MINE=$(cgroup_mount)/$ID.mine
	mkdir "$MINE" "$MINE/caller"
	chown 65534 "$MINE" "$MINE/cgroup.procs" "$MINE/cgroup.subtree_control" "$MINE/caller" "$MINE/caller/cgroup.procs"
	rootless --rootless=single
	config '.process.args=["sleep","1000"] | del(.linux.resources)'
	in_cgroup() { # COMMAND...
		sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$MINE/caller" setpriv --reuid 65534 --regid 65534 --clear-groups "$@"
	}
	commands='"$@" --root "$S" create -b "$B" x </dev/null >"$B/out" 2>&1 && "$@" --root "$S" start x && "$@" --root "$S" ps x | grep -q "[0-9]" &&
		"$@" --root "$S" pause x && "$@" --root "$S" resume x && echo works; "$@" --root "$S" delete --force x >>"$B/out" 2>&1; cat "$B/out"'
	for runtime in tare runc crun; do
		mkdir -p "$WORK/states/$runtime"
		chown 65534 "$WORK/states/$runtime"
		[ $runtime = tare ] || command -v $runtime >/dev/null || continue
		run in_cgroup env S="$WORK/states/$runtime" B="$BUNDLE" timeout "$HANGS" sh -c "$commands" . "$([ $runtime != tare ] || echo "$WORK/")$runtime" 3>&-
		grep -qx works <<<"$output" && result=yes || result="no (${output//$'\n'/; })"
		if [ $runtime = tare ]; then
			[ "$output" = works ] || { echo "$output"; break; }
		else
			echo "# $BATS_TEST_DESCRIPTION: $runtime: $result" >&3
		fi
	done
	rmdir "$MINE/caller" "$MINE"
	[ $runtime != tare ]
}

@test "a user without XDG_RUNTIME_DIR" {
	prepare
	rootless --rootless=single
	local runtime result
	# Nothing of the host's /run and /tmp is used.
	elsewhere() { # COMMAND...
		unshare -m --propagation private sh -c 'mount --bind "$0" /mnt && mount -t tmpfs none /run && mount -t tmpfs -o mode=1777 none /tmp && cd / &&
			exec setpriv --reuid 65534 --regid 65534 --clear-groups env -u XDG_RUNTIME_DIR "$@"' "$WORK" "$@" </dev/null 3>&-
	}
	run -0 elsewhere /mnt/tare run -b /mnt/bundle "$ID"
	[ "$output" = works ] || { echo "$output"; return 1; }
	for runtime in runc crun; do
		command -v $runtime >/dev/null || continue
		run elsewhere timeout "$HANGS" $runtime run -b /mnt/bundle "$ID"
		[[ "$output" == *works* ]] && result=yes || result="no (${lines[-1]:-status $status})"
		echo "# $BATS_TEST_DESCRIPTION: $runtime: $result" >&3
	done
}
