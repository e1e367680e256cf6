# SPDX-License-Identifier: Apache-2.0
# Callers with fewer rights than root of the host: root of a user namespace, in a container of another runtime or of
# tare itself, in a chroot, or under a seccomp filter. What works there, and the messages about what does not.

load helpers

# Runs tare as root of a user namespace that another user made, with two more groups. setgroups is denied there
# (unshare -r).
as_root_of() { # flags of unshare, tare's arguments...
	# shellcheck disable=SC2086
	setpriv --reuid 65534 --regid 65534 --groups 65534,4,24 unshare $1 "$WORK/tare" --root "$ROOT" "${@:2}" 3>&-
}

# A bundle and a state root that belong to that user.
for_user() {
	[ "$(</proc/sys/user/max_user_namespaces)" -gt 0 ] || host_lacks "no user namespaces"
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir -p "$ROOT"
	chown -R 65534:65534 "$ROOT" "$BUNDLE"
}

# The flags of unshare with which the cases run: as such a root is usually made.
HABITS=(-Urm "-rmpf --mount-proc")

@test "setgroups denied: the caller's groups stay, and state notes it" {
	for_user
	script 'id -G'
	for habit in "${HABITS[@]}"; do
		run -0 as_root_of "$habit" run -b "$BUNDLE" "$ID"
		[ "$output" = "0 65534 65534" ]
	done
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	for habit in "${HABITS[@]}"; do
		rm -f "$BUNDLE/config.json"
		as_root_of "$habit" spec --rootless -b "$BUNDLE"
		config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["id","-G"]'
		run -0 as_root_of "$habit" run -b "$BUNDLE" "$ID"
		[ "$output" = "0 65534 65534" ]
	done
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	script 'sleep 1000'
	# A pid of another pid namespace cannot be checked later, so all commands run in one user namespace.
	cat >"$WORK/commands" <<-'END'
		set -e
		tare() { "$WORK/tare" --root "$ROOT" "$@"; }
		tare create -b "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 </dev/null
		tare start "$ID"
		tare state "$ID"
		tare exec "$ID" id -G >"$BUNDLE/exec"
		tare kill "$ID" KILL
		tare delete --force "$ID"
	END
	export WORK ROOT BUNDLE ID
	run -0 setpriv --reuid 65534 --regid 65534 --groups 65534,4,24 unshare -Urm sh "$WORK/commands" 3>&-
	[ ! -s "$BUNDLE/out" ]
	jq -e '.notes | any(test("^/process/user/additionalGids: .*setgroups is denied.*: 2 groups of the caller stay"))' <<<"$output"
	[ "$(<"$BUNDLE/exec")" = "0 65534 65534" ]
}

@test "setgroups denied: a container that joins the user namespace of another one there" {
	for_user
	cat >"$WORK/commands" <<-'END'
		tare() { "$WORK/tare" --root "$ROOT" "$@"; }
		unshare -U sleep 1000 &
		pid=$!
		until [ "$(readlink /proc/$pid/ns/user)" != "$(readlink /proc/self/ns/user)" ]; do sleep 0.05; done
		echo 0 0 1 >/proc/$pid/uid_map && echo 0 0 1 >/proc/$pid/gid_map
		sed -i "s|PATH_OF_THE_NAMESPACE|/proc/$pid/ns/user|" "$BUNDLE/config.json"
		tare run -b "$BUNDLE" "$ID"
		status=$?
		kill $pid
		exit $status
	END
	script 'id -G'
	config '.linux.namespaces+=[{"type":"user","path":"PATH_OF_THE_NAMESPACE"}] | .mounts|=map(select(.type=="proc" or .type=="tmpfs")) | .linux.resources={}'
	chown 65534:65534 "$BUNDLE/config.json"
	export WORK ROOT BUNDLE ID
	run -0 setpriv --reuid 65534 --regid 65534 --groups 65534,4 unshare -Urm sh "$WORK/commands" 3>&-
	[ "$output" = "0 65534" ] || { echo "$output"; return 1; }
}

# Starts a container in a user namespace of another user, who has denied setgroups in it.
in_denied_namespace() { # COMMAND...
	local result=0 # "run" sets status
	setpriv --reuid 65534 --regid 65534 --clear-groups unshare -U --map-root-user sleep 1000 </dev/null >/dev/null 2>&1 3>&- &
	holder=$!
	wait_for 'grep -q deny "/proc/$holder/setgroups"'
	config --arg p "/proc/$holder/ns/user" '.linux.namespaces|=map(select(.type!="user"))+[{"type":"user","path":$p}]'
	"$@" || result=$?
	kill $holder
	return $result
}

@test "a user namespace to join in which setgroups is denied: root drops its groups before, a user's stay and are noted" {
	for_user
	config '.mounts|=map(select(.type=="proc" or .type=="tmpfs")) | .linux.resources={} | del(.process.rlimits)'
	script 'id -G'
	chmod 644 "$BUNDLE/config.json"
	as_root() { setpriv --groups 4,24 "$TARE" --root "$WORK/root" "$@" </dev/null 3>&-; }
	as_owner() { setpriv --reuid 65534 --regid 65534 --groups 65534,4 "$WORK/tare" --root "$ROOT" "$@" </dev/null 3>&-; }
	run -0 in_denied_namespace as_root run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
	run -0 in_denied_namespace as_owner run -b "$BUNDLE" "$ID"
	[ "$output" = "0 65534" ] || { echo "$output"; return 1; }
	# The same for exec. Root has dropped its groups, so there is no note.
	config '.process.args=["sleep","1000"]'
	commands() { # CALLER
		$1 create -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
		$1 state "$ID" | jq -c '[.notes[]? | select(test("additionalGids"))] | length'
		$1 start "$ID"
		$1 exec "$ID" id -G
		$1 delete --force "$ID"
	}
	run -0 in_denied_namespace commands as_root
	[ "$output" = $'0\n0' ] || { echo "$output"; return 1; }
	run -0 in_denied_namespace commands as_owner
	[ "$output" = $'1\n0 65534' ] || { echo "$output"; return 1; }
	# A filter around tare that refuses to drop root's groups.
	filtered() { # errno
		as_root run -d -b "$BUNDLE" "$ID"
		run -255 setpriv --groups 4,24 "$TOOLS/refuse" setgroups=$1 -- "$TARE" --root "$WORK/root" exec "$ID" id -G
		as_root delete --force "$ID"
		[[ "$output" == "tare: exec $ID: cannot drop the caller's groups before the container is entered: "*" (a seccomp filter around tare refuses setgroups(2): its profile has to allow it)" ]]
	}
	for errno in 1 13 38; do in_denied_namespace filtered $errno || { echo "$output"; return 1; }; done
	# Groups that are requested are an error.
	config '.process.user.additionalGids=[0]'
	run -1 in_denied_namespace as_root run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /process/user/additionalGids: cannot set any additional groups in a rootless container (setgroups is denied in this user namespace: /proc/self/setgroups)" ] || { echo "$output"; return 1; }
}

@test "each process that enters a user namespace cannot be traced by the processes there" {
	for_user
	command -v strace >/dev/null || not_here "needs strace"
	config '.mounts|=map(select(.type=="proc" or .type=="tmpfs")) | .linux.resources={} | del(.process.rlimits)'
	script true
	traced() {
		ASAN_OPTIONS=detect_leaks=0 strace -f -qqq -o "$WORK/trace" -e trace=prctl,setns "$TARE" --root "$WORK/root" \
			run -b "$BUNDLE" "$ID" </dev/null 3>&-
	}
	run -0 in_denied_namespace traced
	run awk '/PR_SET_DUMPABLE, SUID_DUMP_DISABLE\) = 0/ { safe[$1] = 1 }
		/setns\(.*(CLONE_NEWUSER|, 0)\)/ { n += /CLONE_NEWUSER/; if (!safe[$1]) print "can be traced: " $0 }
		END { if (n == 0) print "no process has entered one" }' "$WORK/trace"
	[ -z "$output" ] || { echo "$output"; cat "$WORK/trace"; return 1; }
}

@test "in bubblewrap as uid 0, with the host's /proc or a new one" {
	for_user
	command -v bwrap >/dev/null || not_here "needs bubblewrap"
	script 'id -G'
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	in_bubblewrap() { # tare's arguments...
		setpriv --reuid 65534 --regid 65534 --groups 65534,4,24 bwrap --unshare-user --uid 0 --gid 0 --dev-bind / / \
			"${proc[@]}" --cap-add ALL "$WORK/tare" --root "$ROOT" "$@" 3>&-
	}
	for form in own rootless; do
		if [ $form = rootless ]; then
			rm "$BUNDLE/config.json"
			proc=()
			in_bubblewrap spec --rootless=single -b "$BUNDLE"
			config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["id","-G"]'
		fi
		for proc in "" "--unshare-pid --proc /proc"; do
			read -ra proc <<<"$proc"
			run -0 in_bubblewrap run -b "$BUNDLE" "$ID"
			[ "$output" = "0 65534 65534" ] || { echo "$form, ${proc[*]}: $output"; return 1; }
		done
	done
}

@test "setgroups denied: no note about a caller without other groups" {
	for_user
	script 'sleep 1000'
	run -0 setpriv --reuid 65534 --regid 65534 --groups 65534 unshare -Urm sh -c '
		"$0" --root "$1" create -b "$2" "$3" </dev/null >/dev/null; "$0" --root "$1" state "$3"
		"$0" --root "$1" delete --force "$3"' "$WORK/tare" "$ROOT" "$BUNDLE" "$ID" 3>&-
	jq -e '.notes // [] | any(test("additionalGids")) | not' <<<"$output"
	# As root of the host no note at all, and no such member.
	ROOT=$WORK/root
	create "$ID"
	tare state "$ID" | jq -e 'has("notes") | not'
}

@test "setgroups denied: groups that the configuration asks for are an error" {
	for_user
	config '.process.user.additionalGids=[0]'
	for habit in "${HABITS[@]}"; do
		run -1 as_root_of "$habit" run -b "$BUNDLE" "$ID"
		[ "$output" = "tare: run $ID: /process/user/additionalGids: cannot set any additional groups in a rootless container (setgroups is denied in this user namespace: /proc/self/setgroups)" ]
	done
	config 'del(.process.user.additionalGids) | .process.args=["sleep","1000"]'
	run -0 setpriv --reuid 65534 --regid 65534 --groups 65534 unshare -Urm sh -c '
		"$0" --root "$1" create -b "$2" "$3" </dev/null >/dev/null; ! "$0" --root "$1" exec -g 0 "$3" true
		"$0" --root "$1" delete --force "$3"' "$WORK/tare" "$ROOT" "$BUNDLE" "$ID" 3>&-
	[[ "$output" == *"cannot set any additional groups in a rootless container (setgroups is denied"* ]]
}

@test "a devpts group that is not mapped: no group has access to terminals, and state notes it" {
	for_user
	script 'grep devpts /proc/self/mounts'
	for habit in "${HABITS[@]}"; do
		run -0 as_root_of "$habit" run -b "$BUNDLE" "$ID"
		[[ "$output" == *"mode=600,"* && "$output" != *gid=5* ]]
	done
	# A new user namespace, of which the mappings are known.
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":65534,"size":1}]
		| .linux.gidMappings=.linux.uidMappings'
	ROOT=$WORK/root
	run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"mode=600,"* && "$output" != *gid=5* ]]
	grep -q '/mounts/2: .*gid=5' "$WORK/log"
}

@test "root of a user namespace without a mount namespace of its own: create, start, exec, delete; binds" {
	for_user
	mkdir "$BUNDLE/data"
	echo text >"$BUNDLE/data/file"
	script 'sleep 1000'
	config --arg s "$BUNDLE/data" '.mounts+=[{"destination":"/data","source":$s,"options":["rbind","ro"]}]'
	cat >"$WORK/commands" <<-'END'
		set -e
		tare() { "$WORK/tare" --root "$ROOT" "$@"; }
		tare create -b "$BUNDLE" "$ID" >"$BUNDLE/out" 2>&1 </dev/null
		tare start "$ID"
		tare exec "$ID" sh -c 'cat /data/file; touch /data/new 2>&1 || true'
		tare kill "$ID" KILL
		tare delete --force "$ID"
		tare list -q
	END
	export WORK ROOT BUNDLE ID
	run -0 as_nobody unshare -Ur sh "$WORK/commands"
	[ "$output" = $'text\ntouch: /data/new: Read-only file system' ]
	[ ! -s "$BUNDLE/out" ]
	# Also with a user namespace of the container's own, and for root of the host.
	script 'cat /data/file'
	run -0 unshare -Ur "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID" 3>&-
	[ "$output" = text ]
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":0,"size":1}]
		| .linux.gidMappings=.linux.uidMappings'
	run -0 as_root_of -Ur run -b "$BUNDLE" "$ID"
	[ "$output" = text ]
}

@test "in a time namespace, which needs the bridge, init opens the same sources: a user's, in a user namespace, a tmpfs as root" {
	for_user
	script 'ls /data; [ "$(readlink /proc/self/ns/time)" != '"$(readlink /proc/self/ns/time)"' ]'
	mkdir "$BUNDLE/data"
	: >"$BUNDLE/data/file"
	config --arg b "$BUNDLE" '.linux.namespaces+=[{type:"time"}] | del(.linux.resources)
		| .mounts+=[{destination:"/data",source:($b+"/data"),options:["rbind"]},{destination:"/bin",source:($b+"/rootfs/bin"),options:["rbind"]}]'
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	inner='.linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:$u,size:1}] | .linux.gidMappings=.linux.uidMappings'
	config --argjson u 65534 "$inner"
	run -0 as_nobody "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	config --argjson u 0 "$inner"
	run -0 as_root_of -Ur run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	run -0 as_root_of -Ur run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
	config '.annotations={"org.tare.root":"tmpfs"}'
	run -0 "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
	[ "$output" = file ]
}

# Prints, from a jail that is chroot(2)ed to: the output of the container's program, what an exec sees in "/", and the
# difference that all this made to the mounts. All mounts are shared, as systemd makes them, so that a mount of the
# container would appear on the host, and one that it detaches would disappear there.
in_jail() { # mounted|plain, flags of create
	grep -q __asan_init "$TARE" && host_lacks "a sanitized program needs libraries, and the jail has none"
	mkdir -p "$WORK/jail/proc" "$WORK/jail/dev" "$WORK/jail/sys" "$WORK/jail/b"
	cp "$TARE" "$WORK/jail/tare"
	cp -a "$BUNDLE/." "$WORK/jail/b"
	cat >"$WORK/commands" <<-'END'
		set -e
		mount --make-rshared /
		[ "$1" = plain ] || mount --bind "$2" "$2"
		cd /
		for dir in proc dev sys; do mount --rbind /$dir "$2/$dir"; done
		jailed() { chroot "$jail" /tare --root /s --cgroup-manager disabled "$@"; }
		jail=$2 flags=$3
		cat /proc/self/mountinfo >"$2.before"
		jailed create $flags -b /b x </dev/null >"$2.out" 2>&1
		jailed start x
		jailed exec x ls /
		jailed delete --force x
		cat "$2.out"
		diff "$2.before" /proc/self/mountinfo
	END
	run unshare -mpf --mount-proc --propagation private bash "$WORK/commands" "$1" "$WORK/jail" "${2:-}" 3>&-
	[ "$status" = 0 ] || { echo "$1: $output"; return 1; }
}

@test "in a chroot, on a mount point or not: the container's root is its own, also for exec" {
	script 'ls /; exec sleep 1000'
	touch "$BUNDLE/rootfs/container"
	for flags in '' --no-pivot; do
		for kind in mounted plain; do
			in_jail $kind $flags
			[[ "$output" == *container* ]] || { echo "$kind: $output"; return 1; }
			# In the same words as in the rootfs: nothing of the host or of the jail.
			for name in "${lines[@]}"; do
				[ -e "$BUNDLE/rootfs/$name" ] || [[ $name =~ ^(dev|proc|sys)$ ]] || { echo "$kind: $output"; return 1; }
			done
		done
	done
}

@test "a caller without CAP_SYS_CHROOT: the error names it" {
	run -1 setpriv --bounding-set -sys_chroot --inh-caps -sys_chroot "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /root/path: cannot enter the root of the mount namespace: operation not permitted (it needs CAP_SYS_CHROOT)" ] || { echo "$output"; return 1; }
	user_ns
	run -1 setpriv --bounding-set -sys_chroot --inh-caps -sys_chroot "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /root/path: cannot enter the mount namespace for mount sources: operation not permitted (it needs CAP_SYS_CHROOT)" ] || { echo "$output"; return 1; }
	# A check reports it once, and not again for each mount.
	run -1 setpriv --bounding-set -sys_chroot --inh-caps -sys_chroot "$TARE" --root "$ROOT" --cgroup-manager disabled check -b "$BUNDLE"
	[ "$(grep -c "cannot enter the mount namespace for mount sources" <<<"$output")" = 1 ] || { echo "$output"; return 1; }
}

# A user namespace of the container's own, that maps the ids of the caller, and all other namespaces but these.
user_ns() { # types of namespaces that are the caller's
	config --arg n "$*" '.linux.namespaces|=map(select([.type]|inside($n|split(" "))|not))+[{"type":"user"}]
		| .linux.uidMappings=[{"containerID":0,"hostID":0,"size":65536}] | .linux.gidMappings=.linux.uidMappings
		| .linux.resources={}'
}

# Runs a command where /proc and /sys are as in a container: parts are masked, others are read-only. A user namespace
# that is made there cannot mount another procfs or sysfs.
masked() { # command...
	unshare -mpf --mount-proc --propagation private sh -c '
		mount -t tmpfs -o ro none /proc/fs && mount --bind /dev/null /proc/version &&
		mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys &&
		mount -t tmpfs -o ro none /sys/kernel && exec "$@"' . "$@" 3>&-
}

masked_tare() {
	masked "$TARE" --root "$ROOT" --cgroup-manager disabled "$@"
}

# Creates the container where /proc is masked, and leaves the JSON of state in $output.
masked_state() { # flags of create
	run -0 masked sh -c 'tare=$0 root=$1 bundle=$2; shift 2
		"$tare" --root "$root" --cgroup-manager disabled create -b "$bundle" "$@" masked </dev/null >"$bundle/out" 2>&1 || { cat "$bundle/out"; exit 1; }
		"$tare" --root "$root" state masked
		"$tare" --root "$root" delete --force masked' "$TARE" "$ROOT" "$BUNDLE" "$@"
}

# Linux 7.0 and later allow subset=pid where another procfs is refused.
has_relaxed_subset() {
	masked unshare -Urmpf mount -t proc -o subset=pid proc /proc 2>/dev/null
}

@test "a procfs that is refused, in the caller's pid namespace: a bind of the caller's, with all masks" {
	user_ns pid
	has_relaxed_subset && host_lacks "subset=pid is allowed here, and comes first"
	admin='["bounding","effective","permitted","inheritable","ambient"]|map({key:.,value:["CAP_SYS_ADMIN"]})|from_entries'
	config '.linux.maskedPaths=["/proc/loadavg","/proc/irq"] | .linux.readonlyPaths=["/proc/bus"] | .process.capabilities=('"$admin"')'
	cat >"$BUNDLE/rootfs/look" <<-'END'
		umount /proc/version; umount /proc/sys; umount /proc/fs; mount -o remount,bind,rw /proc/sys
		cat /proc/version /proc/loadavg
		ls /proc/irq /proc/fs
		(echo >/proc/sys/kernel/sched_autogroup_enabled) 2>&1
		cat /proc/self/mountinfo
	END
	config '.process.args=["sh","-c","sh /look 2>/dev/null"]'
	for option in '' --proc=bind; do
		run -0 masked_tare run $option -b "$BUNDLE" "$ID"
		[ "$(sed '/: Read-only file system/d; /^[0-9]* [0-9]* [0-9]*:/d' <<<"$output")" = $'/proc/fs:\n\n/proc/irq:' ] || { echo "$output"; return 1; }
		[ "$(grep -c 'Read-only file system' <<<"$output")" = 1 ]
		[ "$(awk '$5 == "/proc/bus" { print substr($6, 1, 3) }' <<<"$output")" = ro, ]
		# What was mounted below the caller's is read-only, because a new procfs would not have it.
		[ "$(awk '$5 == "/proc/version" { print substr($6, 1, 3) }' <<<"$output")" = ro, ]
		# Its processes are those of the caller's pid namespace, and mounts of the caller do not arrive in it.
		[[ "$(awk '$5 ~ "^/proc" { print $7 }' <<<"$output" | sort -u)" == - ]]
	done
	config '.process.args=["sleep","1000"]'
	masked_state
	jq -e '.annotations["org.tare.proc"] == "bind" and (.notes | index(["/mounts/0: /proc is a bind of the caller'"'"'s"]))' <<<"$output"
	run -1 masked_tare run --proc fresh -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0: cannot mount 'proc' on '/proc': operation not permitted (needs a pid namespace that belongs to the container's user namespace)" ]] || { echo "$output"; return 1; }
	config '.annotations={"org.tare.proc":"fresh"}'
	run -1 masked_tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0: cannot mount 'proc' on '/proc': operation not permitted"* ]]
	config '.process.args=["true"]'
	run -0 masked_tare --debug --log "$WORK/log" run --proc auto -b "$BUNDLE" "$ID"
	grep -q '/proc: bind' "$WORK/log"
}

# Where the mounts of masked are locked: in a copy of its mount namespace, for a user namespace with one id.
locked_tare() {
	masked unshare -Urm "$TARE" --root "$ROOT" --cgroup-manager disabled "$@"
}

# What a procfs of the container's own shows: its processes, and what the configuration masks.
shows_own_proc() { # command that runs tare, flags of run...
	run -0 "$1" run "${@:2}" -b "$BUNDLE" "$ID"
	[ "${lines[*]}" = "/proc/1 masked ro hidepid=invisible" ] || { echo "$*: $output"; return 1; }
}

@test "a procfs that is refused, in a new pid namespace: tare makes it in its own mount namespace" {
	user_ns
	script 'ls -d /proc/[0-9]*; [ -n "$(cat /proc/loadavg)" ] || echo masked
		[ -n "$(cat /proc/version)" ] || echo hidden; grep " /proc/bus " /proc/self/mountinfo | cut -d" " -f6 | cut -c1-2
		grep -o "hidepid=[a-z]*" /proc/self/mountinfo | sort -u'
	config '.linux.maskedPaths=["/proc/loadavg"] | .linux.readonlyPaths=["/proc/bus"] | .mounts[0].options+=["hidepid=invisible"]'
	shows_own_proc masked_tare
	shows_own_proc masked_tare --proc=fresh
	run -0 masked_tare check -b "$BUNDLE"
	# With messages before and after, and in a user namespace that has masked its own /proc.
	config '.hooks={createRuntime:[{path:"/bin/true"}]}'
	shows_own_proc masked_tare
	config 'del(.hooks) | .linux.uidMappings[0].size=1 | .linux.gidMappings[0].size=1'
	as_root_of_masked() {
		unshare -Urmpf --mount-proc --propagation private sh -c 'mount -t tmpfs -o ro none /proc/fs && exec "$@"' . \
			"$TARE" --root "$ROOT" --cgroup-manager disabled "$@" 3>&-
	}
	shows_own_proc as_root_of_masked
	config '.process.args=["sleep","1000"]'
	masked_state
	jq -e '(.annotations // {} | has("org.tare.proc") | not) and (.notes // [] | any(test("proc")) | not)' <<<"$output"
	run -0 masked sh -c 'tare="$0 --root $1 --cgroup-manager disabled"
		$tare create -b "$2" x </dev/null >"$2/out" 2>&1; $tare exec x ls /proc; $tare delete --force x' "$TARE" "$ROOT" "$BUNDLE"
	[[ $'\n'"$output" == *$'\n1\n'* && "$output" == *loadavg* ]] || { echo "$output"; return 1; }
}

@test "a procfs that tare makes for init, where a seccomp filter sends its listener to an agent" {
	user_ns
	script 'ls -d /proc/[0-9]*'
	mkdir "$WORK/agent"
	"$TOOLS/seccompagent" "$WORK/agent/socket" "$WORK/agent" 83 </dev/null >/dev/null 2>&1 3>&- &
	wait_for "[ -S $WORK/agent/socket ]"
	config --arg s "$WORK/agent/socket" '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:$s,
		syscalls:[{names:["mkdirat"],action:"SCMP_ACT_NOTIFY"}]}'
	run -0 masked_tare run -b "$BUNDLE" "$ID"
	[ "$output" = /proc/1 ] || { echo "$output"; return 1; }
	kill $!
}

@test "a procfs that is refused to tare, too: the mount that forbids it is named, and a bind needs a request" {
	user_ns
	config '.linux.uidMappings[0].size=1 | .linux.gidMappings[0].size=1'
	has_relaxed_subset && host_lacks "subset=pid is allowed here"
	script 'ls -d /proc/[0-9]* | grep -c .; readlink /proc/self'
	for option in '' --proc=fresh; do
		run -1 locked_tare run $option -b "$BUNDLE" "$ID"
		[[ "$output" == *"/mounts/0: cannot mount 'proc' on '/proc': operation not permitted (the mount on /proc/fs forbids a fresh one in a user namespace: --proc bind shows the caller's)" ]] || { echo "$output"; return 1; }
	done
	run -1 locked_tare check -b "$BUNDLE"
	[[ "$output" == *"/mounts/0: "*"the mount on /proc/fs forbids"* ]] || { echo "$output"; return 1; }
	for way in --proc=bind annotation; do
		config '.annotations={"org.tare.proc":"bind"}'
		[ $way = annotation ] || config 'del(.annotations)'
		run -0 locked_tare run ${way/annotation/} -b "$BUNDLE" "$ID"
		[ "${lines[0]}" -gt 1 ]
		[ "${lines[1]}" -gt 1 ]
	done
	masked_state
	jq -e '.annotations["org.tare.proc"] == "bind"' <<<"$output"
}

@test "a bind of the host's /proc is refused to a container in a new pid namespace without a user namespace" {
	script 'echo /proc/[0-9]*'
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	for way in --proc=bind annotation; do
		cp "$WORK/plain.json" "$BUNDLE/config.json"
		[ $way != annotation ] || config '.annotations={"org.tare.proc":"bind"}'
		run -1 tare run ${way/annotation/} -b "$BUNDLE" "$ID"
		[ "$output" = "tare: run $ID: /mounts/0: a bind of the caller's /proc would open the processes of other containers to this one, which has no user namespace" ] || { echo "$output"; return 1; }
	done
	# With the caller's pid namespace it shows no more than was asked for, and with a user namespace the ids differ.
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	config '.linux.namespaces-=[{"type":"pid"}]'
	run -0 tare run --proc bind -b "$BUNDLE" "$ID"
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	user_ns
	run -0 tare --cgroup-manager disabled run --proc bind -b "$BUNDLE" "$ID"
}

@test "subset=pid: on request, and where the kernel permits only that" {
	script 'ls /proc | grep -v "^[0-9]*$"; readlink /proc/self'
	run -0 tare run --proc subset -b "$BUNDLE" "$ID"
	[ "$output" = $'self\nthread-self\n1' ]
	config '.mounts[0].options=["nosuid","hidepid=2","subset=pid"]'
	run -0 tare run --proc subset -b "$BUNDLE" "$ID"
	config 'del(.mounts[0].options) | .annotations={"org.tare.proc":"subset"}'
	create "$ID"
	tare state "$ID" | jq -e '.annotations["org.tare.proc"] == "subset" and (.notes | index(["/mounts/0: /proc has only the files of processes (subset=pid)"]))'
	tare delete --force "$ID"
	# The command line comes first.
	create --proc auto "$ID"
	tare state "$ID" | jq -e '.annotations["org.tare.proc"] == "fresh" and has("notes") == false'
	tare delete --force "$ID"
	config 'del(.annotations)'
	create --proc auto "$ID"
	tare state "$ID" | jq -e 'has("annotations") == false or (.annotations | has("org.tare.proc") == false)'
	tare delete --force "$ID"
	user_ns
	if has_relaxed_subset; then
		masked_state
		jq -e '.annotations["org.tare.proc"] == "subset"' <<<"$output"
	fi
}

@test "ways to mount /proc that do not exist, or contradict the options" {
	run -1 tare run --proc fast -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: 'fast' is no way to mount /proc: auto, fresh, subset or bind" ] || { echo "$output"; return 1; }
	config '.annotations={"org.tare.proc":"fast"}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /annotations/org.tare.proc: 'fast' is no way to mount /proc: auto, fresh, subset or bind" ] || { echo "$output"; return 1; }
	# Without the option the container would see processes that hidepid hides.
	config 'del(.annotations) | .mounts[0].options=["hidepid=2"]'
	run -1 tare run --proc bind -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /mounts/0: option 'hidepid=2' needs a procfs of the container's own: a bind cannot have it" ] || { echo "$output"; return 1; }
	user_ns pid
	has_relaxed_subset && host_lacks "subset=pid is allowed here"
	run -1 masked_tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts/0: cannot mount 'proc' on '/proc': operation not permitted"* ]] || { echo "$output"; return 1; }
}

@test "a sysfs that is refused: a read-only bind of the caller's, and state notes it" {
	user_ns pid
	config '(.mounts[] | select(.type=="sysfs")).options-=["ro"]'
	masked_state
	jq -e '.notes | index(["/mounts/5: /sys is a bind of the caller'"'"'s"])' <<<"$output"
	script 'ls /sys/kernel; awk "\$5 ~ \"^/sys\" { print \$6, \$7 }" /proc/self/mountinfo | sort -u'
	run -0 masked_tare run -b "$BUNDLE" "$ID"
	[ -z "$(grep -v '^ro,.* -' <<<"$output")" ] || { echo "$output"; return 1; }
	[ -n "$output" ]
}

@test "mqueue and proc of the caller's namespaces, in a user namespace: binds, with the caller's content" {
	user_ns "ipc pid"
	script 'ls /dev/mqueue; cat /proc/1/comm; touch /dev/mqueue/made'
	run -0 unshare -imu --propagation private sh -c 'mkdir -p /dev/mqueue; mount -t mqueue none /dev/mqueue && touch /dev/mqueue/callers && "$@" && ls /dev/mqueue/made' . \
		"$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[[ "$output" == *callers* && "$output" == *"/dev/mqueue/made" ]] || { echo "$output"; return 1; }
}

@test "clone3 refused with ENOSYS: every process is in the container's cgroup before it runs anything" {
	refusing() { "$TOOLS/refuse" clone3=38 -- "$@"; }
	script 'cat /proc/self/cgroup'
	config '.linux.namespaces-=[{"type":"cgroup"}] | .linux.cgroupsPath="/'"$ID"'.named"'
	for spaces in '' user time; do
		config --arg t "$spaces" 'if $t == "" then . else .linux.namespaces+=[{"type":$t}] end
			| if $t == "user" then .linux.uidMappings=[{"containerID":0,"hostID":0,"size":65536}] | .linux.gidMappings=.linux.uidMappings else . end'
		run -0 refusing "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
		grep -q "^0::/$ID.named$" <<<"$output" || { echo "$spaces: $output"; return 1; }
	done
	config '.process.args=["sleep","1000"]'
	refusing "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	run -0 refusing "$TARE" --root "$ROOT" exec "$ID" cat /proc/self/cgroup
	grep -q "^0::/$ID.named$" <<<"$output" || { echo "$output"; return 1; }
	run -0 refusing "$TARE" --root "$ROOT" exec --ignore-paused "$ID" cat /proc/self/cgroup
	grep -q "^0::/$ID.named$" <<<"$output" || { echo "$output"; return 1; }
	run -0 refusing "$TARE" --root "$ROOT" delete --force "$ID"
}

@test "clone3 refused with ENOSYS: a joined cgroup and pid namespace, hooks, and idmapped mounts" {
	refusing() { "$TOOLS/refuse" clone3=38 -- "$@"; }
	unshare -pCf sleep 1000 3>&- 9>&- &
	holder=$!
	wait_for '[ -n "$(cat /proc/$holder/task/$holder/children)" ]'
	pid=$(tr -d ' ' </proc/$holder/task/$holder/children)
	mkdir "$WORK/data"
	chown 1000:1000 "$WORK/data"
	script 'cat /proc/self/cgroup; stat -c %u /data'
	config --arg p "/proc/$pid/ns" --arg s "$WORK/data" --arg id "$ID" '.linux.namespaces|=map(if .type=="pid" or .type=="cgroup" then .path="\($p)/\(.type)" else . end)
		| .linux.cgroupsPath="/\($id).joined" | .hooks={"createRuntime":[{"path":"/bin/true"}],"createContainer":[{"path":"/bin/true"}]}
		| .mounts+=[{"destination":"/data","source":$s,"options":["bind"],"uidMappings":[{"containerID":1000,"hostID":7000,"size":1}],"gidMappings":[{"containerID":1000,"hostID":7000,"size":1}]}]'
	run refusing "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	kill -9 "$pid"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[[ "$output" == *"$ID.joined"*$'\n7000' ]] || { echo "$output"; return 1; }
}

@test "a filter like Docker's: one line that names the filter" {
	# clone's flags for namespaces, and the calls that need CAP_SYS_ADMIN there.
	docker=(clone3=38 'clone&0x7e020000=1')
	for call in unshare setns mount umount2 open_tree move_mount fsopen fsconfig fsmount mount_setattr pivot_root; do docker+=("$call=1"); done
	run -1 "$TOOLS/refuse" "${docker[@]}" -- "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *": operation not permitted (a seccomp filter around tare refuses clone3(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	for_user
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":65534,"size":1}] | .linux.gidMappings=.linux.uidMappings'
	run -1 "$TOOLS/refuse" "${docker[@]}" -- setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == *"cannot start init in its namespaces: operation not permitted (a seccomp filter around tare refuses clone3(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	# Refused with EACCES, which would otherwise be the errno of a security module.
	run -1 "$TOOLS/refuse" clone3=13 -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
	[[ "$output" == *": permission denied (a seccomp filter around tare refuses clone3(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	# Without the limits of clone the first call that fails is named; and calls that init makes, after the parent's.
	run -1 "$TOOLS/refuse" "${docker[@]:2}" -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
	[[ "$output" == *": operation not permitted (a seccomp filter around tare refuses setns(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	run -1 "$TOOLS/refuse" unshare=1 -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
	[[ "$output" == *": operation not permitted (a seccomp filter around tare refuses unshare(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	run -1 "$TOOLS/refuse" mount_setattr=38 -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
	[[ "$output" == *": function not implemented (a seccomp filter around tare refuses mount_setattr(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
	# A call that this start does not need is not named.
	run -1 "$TOOLS/refuse" setns=1 pivot_root=1 -- setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot pivot to the root file system: operation not permitted (a seccomp filter around tare refuses pivot_root(2): its profile has to allow it)" ] || { echo "$output"; return 1; }
	# A privileged caller needs it, with a user namespace and without.
	for place in "the mount namespace for mount sources" "the root of the mount namespace"; do
		for error in 1 38; do
			run -1 "$TOOLS/refuse" setns=$error -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"
			[[ "$output" == *": cannot enter $place: "*" (a seccomp filter around tare refuses setns(2): its profile has to allow it)" ]] || { echo "$output"; return 1; }
		done
		config '.linux.namespaces-=[{"type":"user"}] | del(.linux.uidMappings,.linux.gidMappings)'
	done
}

@test "a filter around tare that refuses one call of init: the error names the call, for root and for a user" {
	for_user
	local calls="sethostname setdomainname pivot_root fsopen fsmount move_mount"
	user_ns
	config '.hostname="h" | .domainname="d" | .linux.uidMappings[0]={containerID:0,hostID:65534,size:1} | .linux.gidMappings=.linux.uidMappings'
	as_user() { "$TOOLS/refuse" "$1" -- setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"; }
	as_root() { "$TOOLS/refuse" "$1" -- "$TARE" --root "$WORK/root" run -b "$BUNDLE" "$ID"; }
	refused() { # who, call, errno, another remedy
		run -1 "$1" "$2=$3"
		[ "${#lines[@]}" = 1 ] && [[ "$output" == *" (a seccomp filter around tare refuses ${2%&*}(2): its profile has to allow it${4:-})" ]] || { echo "$*: $output"; return 1; }
	}
	for call in $calls; do refused as_user $call 1; done
	config '.linux.namespaces-=[{"type":"user"}] | del(.linux.uidMappings,.linux.gidMappings)'
	for call in $calls setresuid setresgid capset; do refused as_root $call 1; done
	refused as_root keyctl 1 "; --no-new-keyring keeps the caller's"
	# With any errno, if the error is about a step that makes this call.
	refused as_root sethostname 13
	refused as_root pivot_root 95
	for errno in 1 13 38; do refused as_root setgroups $errno; done
	config '.process.ioPriority={class:"IOPRIO_CLASS_BE",priority:4}'
	refused as_root ioprio_set 1
	config 'del(.process.ioPriority) | .process.scheduler={policy:"SCHED_BATCH"}'
	for errno in 1 38; do refused as_root sched_setattr $errno; done
	config 'del(.process.scheduler) | .linux.personality={domain:"LINUX32"}'
	refused as_root personality 1
	# A filter may look at the value, as Docker's does.
	refused as_root 'personality&8' 1
	if [ -e /proc/self/numa_maps ]; then
		config 'del(.linux.personality) | .linux.memoryPolicy={mode:"MPOL_LOCAL"}'
		for errno in 1 38; do refused as_root set_mempolicy $errno; done
	fi
	config 'del(.linux.personality,.linux.memoryPolicy) | .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["acct"],action:"SCMP_ACT_ERRNO"}]}'
	refused as_root seccomp 1
	# A failure that the filter does not cause is not blamed on it.
	config 'del(.linux.seccomp) | .process.args=["/none"]'
	run -1 as_root sethostname=1
	[[ "$output" == *sethostname* ]]
	config 'del(.hostname,.domainname)'
	run as_root sethostname=1
	[[ "$output" != *seccomp* ]] || { echo "$output"; return 1; }
}

@test "checkpoint and restore by a user are refused with what is missing, and the container continues" {
	for_user
	mkdir "$WORK/bin" "$WORK/images"
	printf '#!/bin/sh\n[ "$1" != --version ] || { echo "Version: 4.1"; exit; }\ntouch "%s/called"\n' "$WORK" >"$WORK/bin/criu"
	chmod 755 "$WORK/bin" "$WORK/bin/criu"
	chown 65534:65534 "$WORK/images"
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{containerID:0,hostID:65534,size:1}] | .linux.gidMappings=.linux.uidMappings
		| .linux.resources={} | del(.process.rlimits) | .process.args=["sleep","1000"]'
	as_user() { PATH=$WORK/bin:$PATH setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" --root "$ROOT" "$@" </dev/null 3>&-; }
	as_user run -d -b "$BUNDLE" "$ID"
	missing="cannot use criu: it enters and makes the namespaces of a container, which needs CAP_SYS_ADMIN (checkpoint and restore as root)"
	run -1 as_user checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: $missing" ] || { echo "$output"; return 1; }
	[ "$(as_user state "$ID" | jq -r .status)" = running ]
	as_user delete --force "$ID"
	run -1 as_user restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: restore $ID: $missing" ] || { echo "$output"; return 1; }
	[ "$(as_user list -q)" = "" ]
	[ ! -e "$WORK/called" ]
}

# One bundle in the other: level N + 1 is /b in the root file system of level N, with tare beside it, which each level
# but the last starts. uid 0 of a level is another user on the host, if the level has a user namespace.
levels() { # filter for all levels, filter for those after the first
	local level dir=$BUNDLE tare='["/tare","--root","/tmp/state","run","-b","/b","inner"]' owner=0
	local caps='(["SYS_ADMIN","SETUID","SETGID","SETPCAP","SYS_CHROOT","CHOWN","DAC_OVERRIDE","FOWNER","KILL","AUDIT_WRITE","NET_BIND_SERVICE","SETFCAP","NET_ADMIN"]|map("CAP_"+.)) as $c
		| .process.capabilities=(["bounding","effective","permitted"]|map({key:.,value:$c})|from_entries) | .linux.resources={}'
	script 'id -u; cat /proc/self/uid_map; ls -d /proc/[0-9]*'
	cp -a "$BUNDLE" "$WORK/plain"
	for level in 1 2 3; do
		[ $level = 1 ] || cp -a "$WORK/plain" "$dir"
		owner=$((owner + 100000 / 100 ** (level - 1)))
		jq "$caps | $1 | if $level == 1 then . else $2 end | if $level == 3 then . else .process.args=$tare end
			| if any(.linux.namespaces[]; .type==\"user\") then
				.linux.uidMappings=[{containerID:0,hostID:(100000/pow(100;$level-1)|floor),size:(60000/pow(10;$level-1)|floor)}] | .linux.gidMappings=.linux.uidMappings
			else . end" <"$WORK/plain/config.json" >"$dir/config.json"
		cp "$TARE" "$dir/rootfs/tare"
		chmod 755 "$dir" "$dir/rootfs"
		[[ "$1" != *user* ]] || chown -R $owner:$owner "$dir/rootfs"
		dir=$dir/rootfs/b
	done
	chmod 755 "$WORK"
}

static_program() {
	! grep -q __asan_init "$TARE" || host_lacks "a sanitized program needs libraries, and the containers have none"
}

@test "tare in tare in tare: each with its own user namespace and its own procfs" {
	static_program
	levels '.linux.namespaces+=[{type:"user"}] | .linux.maskedPaths=[] | .linux.readonlyPaths=[]' .
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(tr -s ' \n' ' ' <<<"$output")" = "0 0 10 600 /proc/1 " ] || { echo "$output"; return 1; }
}

@test "tare in tare in tare: masked, in user namespaces of their own and one pid namespace" {
	static_program
	levels '.linux.namespaces+=[{type:"user"}]' '.linux.namespaces-=[{type:"pid"}]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$(tr -s ' \n' ' ' <<<"$output")" == "0 0 10 600 /proc/1 /proc/"* ]] || { echo "$output"; return 1; }
}

@test "tare in tare in tare: masked, as root without user namespaces" {
	static_program
	levels '.linux.namespaces|=map(select(.type!="cgroup"))' .
	run -0 tare --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[ "$(tr -s ' \n' ' ' <<<"$output")" = "0 0 0 4294967295 /proc/1 " ] || { echo "$output"; return 1; }
}

@test "in a container with --proc bind and a pid namespace of its own: the error names what is missing" {
	static_program
	levels '.linux.namespaces+=[{type:"user"}]' .
	run -1 masked_tare run --proc bind -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run inner: cannot read the start time of this process: /proc is that of another pid namespace (it needs the procfs of this pid namespace, which the caller may not mount: a container made with --proc bind has none)" ] || { echo "$output"; return 1; }
	# With a procfs of its own, which tare makes if the kernel refuses it to the container, each level works.
	run -0 masked_tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/proc/1" ]] || { echo "$output"; return 1; }
}

# As in a pod of Kubernetes: root without CAP_SYS_ADMIN, where /proc and /sys are masked. Such a root is an ordinary user
# for tare, and makes user namespaces.
@test "root without CAP_SYS_ADMIN where /proc is masked: a container with a user namespace" {
	pod() { masked setpriv --bounding-set -sys_admin --inh-caps -sys_admin "$TARE" --root "$ROOT" "$@"; }
	script 'id -u; cat /proc/version'
	run -1 pod run -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /linux/namespaces: an unprivileged caller needs a user namespace (tare spec --rootless writes one)" ] || { echo "$output"; return 1; }
	user_ns pid
	config '.linux.uidMappings[0].size=1 | .linux.gidMappings[0].size=1'
	run -0 pod run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
	# What spec --rootless writes, with its pid namespace: the message names what to do.
	rm "$BUNDLE/config.json"
	"$TARE" spec --rootless=single -b "$BUNDLE" 2>/dev/null || "$TARE" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["id","-u"]'
	has_relaxed_subset || {
		run -1 pod run -b "$BUNDLE" "$ID"
		[[ "$output" == *"the mount on /proc/fs forbids a fresh one in a user namespace: --proc bind shows the caller's)" ]] || { echo "$output"; return 1; }
	}
	run -0 pod run --proc bind -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
}

@test "features is the same with and without root, and in a user namespace" {
	chmod 755 "$WORK"
	cp "$TARE" "$WORK/tare"
	"$WORK/tare" features >"$WORK/root.json"
	as_nobody "$WORK/tare" features >"$WORK/user.json"
	as_nobody unshare -Ur "$WORK/tare" features >"$WORK/user-ns.json"
	setpriv --bounding-set -all --inh-caps -all "$WORK/tare" features >"$WORK/no-caps.json"
	for other in user user-ns no-caps; do cmp "$WORK/root.json" "$WORK/$other.json"; done
}

@test "in a container with a read-only cgroup2 mount: a cgroup is made only where the configuration needs one" {
	static_program
	levels . .
	# The second level has the default rules for devices, which root needs a cgroup for.
	jq '.linux.resources={"devices":[{"allow":false,"access":"rwm"}]}' "$BUNDLE/rootfs/b/config.json" >"$WORK/devices.json"
	cp "$BUNDLE/rootfs/b/config.json" "$WORK/none.json"
	cp "$WORK/devices.json" "$BUNDLE/rootfs/b/config.json"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"tare: run inner: cannot create cgroup '/inner': read-only file system (the cgroup2 mount has to be writable for the caller"* ]] || { echo "$output"; return 1; }
	# Rules that deny nothing need none, but one device that is denied after them does, also without CAP_MKNOD.
	allow='{"allow":true,"access":"rwm"}'
	jq '.linux.resources={"devices":[{"allow":false,"access":"rwm"},'"$allow"']} | .process.args=["id","-u"]' "$WORK/none.json" >"$BUNDLE/rootfs/b/config.json"
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
	for rules in "$allow,"'{"allow":false,"type":"b","major":7,"minor":0,"access":"w"}' '{"allow":true,"type":"a","access":"rw"}'; do
		jq '.linux.resources={"devices":['"$rules"']} | del(.process.capabilities)' "$WORK/none.json" >"$BUNDLE/rootfs/b/config.json"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"cannot create cgroup '/inner': read-only file system"* ]] || { echo "$output"; return 1; }
	done
	# In a user namespace of its own the container can make no devices.
	jq '.linux.namespaces+=[{"type":"user"}] | .linux.namespaces-=[{"type":"pid"}] | .linux.uidMappings=[{"containerID":0,"hostID":0,"size":1}]
		| .linux.gidMappings=.linux.uidMappings | .process.args=["id","-u"] | .linux.resources.devices=[{"allow":false,"access":"rwm"}]' "$WORK/none.json" >"$BUNDLE/rootfs/b/config.json"
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
	# A limit needs one.
	jq '.process.args=["id","-u"] | .linux.resources.pids.limit=5' "$WORK/none.json" >"$BUNDLE/rootfs/b/config.json"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot create cgroup '/inner'"* || "$output" == *"controller"* ]] || { echo "$output"; return 1; }
	jq '.process.args=["id","-u"]' "$WORK/none.json" >"$BUNDLE/rootfs/b/config.json"
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ] || { echo "$output"; return 1; }
}
