#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The hints of error messages are true: if an error has several possible causes, tare finds out which one it is.
load helpers

fails() { # words of the error
	run -1 tare run -b "$BUNDLE" "$ID"
	[ "${#lines[@]}" = 1 ] && [[ "$output" == *"$1" ]] || { echo "not '$1': $output"; return 1; }
}

@test "an id map that cannot be written: CAP_SETFCAP, no newuidmap, or one that refuses" {
	config '.linux.namespaces+=[{type:"user"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:10}]|.linux.gidMappings=[{containerID:0,hostID:0,size:10}]'
	without() { setpriv --bounding-set "$1" --inh-caps "$1" "${@:2}"; }
	denied="cannot write the uid map of the user namespace: operation not permitted"
	run -1 without -setfcap env PATH=/none "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"$denied (mapping id 0 of the caller's user namespace needs CAP_SETFCAP)" ]] || { echo "$output"; return 1; }
	run -1 without -setuid,-sys_admin,-setfcap env PATH=/none "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"$denied (newuidmap is not installed: install the package uidmap or shadow-utils)" ]] || { echo "$output"; return 1; }
	mkdir "$WORK/bin"
	printf '#!/bin/sh\necho "newuidmap: range not allowed" >&2\necho second >&2\nexit 1\n' >"$WORK/bin/newuidmap"
	chmod +x "$WORK/bin/newuidmap"
	run -1 without -setuid,-sys_admin,-setfcap env PATH="$WORK/bin:/bin:/usr/bin" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"$denied ('$WORK/bin/newuidmap' is neither set-user-ID root nor has a file capability: as root: chmod u+s on it, or install its package again)" ]] || { echo "$output"; return 1; }
	chmod u+s "$WORK/bin/newuidmap"
	run -1 without -setuid,-sys_admin,-setfcap env PATH="$WORK/bin:/bin:/usr/bin" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"$denied (/etc/subuid does not permit uid 0 to the caller: use ids of its lines)" ]] || { echo "$output"; return 1; }
}

@test "user namespaces refused with EACCES, as by a security module: run, check and doctor name the cause" {
	[[ "$(cat /proc/self/attr/apparmor/current 2>/dev/null || echo unconfined)" == unconfined* ]] || not_here "a profile confines this case"
	config '.linux.namespaces+=[{type:"user"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:1}]|.linux.gidMappings=[{containerID:0,hostID:0,size:1}]'
	# CLONE_NEWUSER without CLONE_FS: the trial that looks for a filter has both, and the kernel refuses it itself.
	refusing() { "$TOOLS/refuse" clone3=38 "clone&0x10000200:0x10000000=13" -- "$TARE" --root "$ROOT" "$@"; }
	cause="permission denied (a security module permits no user namespaces to tare)"
	run -1 refusing run -b "$BUNDLE" "$ID"
	[[ "$output" == *": $cause" ]] || { echo "$output"; return 1; }
	run -1 refusing check -b "$BUNDLE"
	[[ "$output" == *": $cause"$'\n'* ]] || { echo "$output"; return 1; }
	report=$(refusing doctor --format json) || [ $? = 1 ]
	jq -e 'any(.results[]; .item=="user namespace" and .verdict=="limited" and .change=="a security module permits no user namespaces to tare")' <<<"$report"
}

@test "a user namespace that is refused: in a chroot, and for a caller without a mapping" {
	config '.linux.namespaces=[{type:"user"},{type:"mount"},{type:"pid"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:1}]|.linux.gidMappings=[{containerID:0,hostID:0,size:1}]
		|del(.hostname)|.mounts=[]|del(.linux.resources,.linux.maskedPaths,.linux.readonlyPaths)'
	mkdir -p "$WORK/jail/proc" "$WORK/jail/dev" "$WORK/jail/b"
	cp "$TARE" "$WORK/jail/tare"
	cp -a "$BUNDLE/." "$WORK/jail/b"
	# A sanitized program is not linked statically, and the jail has no libraries.
	if ! grep -q __asan_init "$TARE"; then
		run -1 unshare -m --propagation private sh -c 'mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" /tare --root /s --cgroup-manager disabled run -b /b x' "$WORK/jail"
		[[ "$output" == *": operation not permitted (a process in a chroot cannot make user namespaces"* ]] || { echo "$output"; return 1; }
	fi
	# A user namespace without maps, in which the caller's id is the overflow id.
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	run -1 unshare -U "$WORK/tare" --root "$WORK/none" check -b "$BUNDLE"
	[[ "$output" == *"the caller's user or group id has no mapping in its own user namespace"* ]] || { echo "$output"; return 1; }
}

@test "a root directory that others may write to: if it is shared, the hint does not change it" {
	mkdir -m 1777 "$WORK/shared"
	mkdir -m 775 "$WORK/own"
	run -1 "$TARE" --root "$WORK/shared" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"everybody may write to it (name a directory below it that does not exist yet: --root $WORK/shared/tare)" ]]
	config '.process.args=["true"]'
	run -0 "$TARE" --root "$WORK/shared/tare" run -b "$BUNDLE" "$ID"
	run -1 "$TARE" --root "$WORK/own" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"its group may write to it (chmod go-w $WORK/own)" ]]
	chmod go-w "$WORK/own"
	run -0 "$TARE" --root "$WORK/own" run -b "$BUNDLE" "$ID"
}

@test "the limit of processes is named if it prevents the program's execution" {
	config '.process.args=["true"]|.process.user={uid:64999,gid:64999}|.process.rlimits=[{type:"RLIMIT_NPROC",soft:1,hard:1}]|.process.capabilities={}'
	setpriv --reuid 64999 --regid 64999 --clear-groups sleep 1000 3>&- 9>&- &
	sleeper=$!
	setpriv --reuid 64999 --regid 64999 --clear-groups sleep 1000 3>&- 9>&- &
	wait_for '[ "$(pgrep -c -u 64999 sleep)" = 2 ]'
	# Without CAP_SYS_RESOURCE the limit is set before the change of user, which is when the kernel compares.
	run -1 setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	kill -9 $! $sleeper
	[[ "$output" == *"/process/args: exec: \"true\": resource temporarily unavailable (the program's user has more processes than RLIMIT_NPROC allows)" ]] || { echo "$output"; return 1; }
}

@test "too large arguments or environment: the error names which, and does not blame memory" {
	python3 -c 'import json, sys
c = json.load(open(sys.argv[1])); c["process"]["args"] = ["true"]
c["process"]["env"] = ["PATH=/bin"] + ["V%d=%s" % (i, "x" * 99000) for i in range(75)]
json.dump(c, open(sys.argv[1], "w"))' "$BUNDLE/config.json"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": /process/env: exec: \"true\": argument list too long (args have "*" bytes and env 742"*"a quarter of RLIMIT_STACK"* ]] || { echo "$output"; return 1; }
	config '.process.env=["PATH=/bin"]|.process.args=["true",("x"*140000)]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": /process/args: exec: \"true\": argument list too long (one of the strings has more than 131071 bytes)" ]] || { echo "$output"; return 1; }
}

@test "a mount point that cannot be made: the read-only volume, or the file in the way" {
	mkdir "$WORK/vol"
	: >"$WORK/vol/file"
	config --arg v "$WORK/vol" '.mounts+=[{destination:"/vol",type:"bind",source:$v,options:["bind","ro"]},{destination:"/vol/sub",type:"tmpfs",source:"tmpfs"}]'
	fails "cannot make mount target '/vol/sub' in the root file system: read-only file system (the mount on '/vol' is read-only: create it beforehand)"
	config '.mounts[-1].destination="/vol/file/a/b"'
	fails "'/vol/file/a/b' in the root file system: not a directory ('/vol/file' is not a directory)"
	config '.mounts[-1].destination="/bin/busybox/x"'
	fails "'/bin/busybox/x' in the root file system: not a directory ('/bin/busybox' is not a directory)"
}

@test "a resource limit that cannot be set is named" {
	config '.process.rlimits=[{type:"RLIMIT_NOFILE",soft:1,hard:4294967295}]'
	fails "/process/rlimits/0: cannot set RLIMIT_NOFILE to 1 (soft), 4294967295 (hard): operation not permitted (sysctl fs.nr_open allows $(</proc/sys/fs/nr_open) at most)"
	config '.process.rlimits=[{type:"RLIMIT_NPROC",soft:1,hard:99999999}]'
	run -1 setpriv --bounding-set -sys_resource --inh-caps -sys_resource sh -c 'ulimit -u 5000; exec "$@"' . "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot set RLIMIT_NPROC to 1 (soft), 99999999 (hard): operation not permitted (raising a hard limit needs CAP_SYS_RESOURCE)" ]]
}

@test "what is not a directory is named for a device, a link and the working directory, too" {
	config '.linux.devices=[{path:"/bin/busybox/d/null",type:"c",major:1,minor:3}]'
	fails "/linux/devices/0: cannot open the directory of '/bin/busybox/d/null': not a directory ('/bin/busybox' is not a directory)"
	config 'del(.linux.devices)|.process.cwd="/bin/busybox"'
	fails "/process/cwd: cannot use '/bin/busybox' as the working directory: not a directory ('/bin/busybox' is not a directory)"
	config '.process.cwd="/bin/busybox/x"'
	fails "'/bin/busybox/x' as the working directory: not a directory ('/bin/busybox' is not a directory)"
	rm -rf "$BUNDLE/rootfs/dev"
	: >"$BUNDLE/rootfs/dev"
	config '.process.cwd="/"|.mounts=[{destination:"/proc",type:"proc",source:"proc"}]|del(.linux.maskedPaths,.linux.readonlyPaths)'
	fails "not a directory ('/dev' is not a directory)"
	rm "$BUNDLE/rootfs/dev"
	config '.process.args=["sleep","100"]'
	create "$ID"
	run -255 tare exec --cwd /bin/busybox/x "$ID" true
	[[ "$output" == *"cannot change to directory '/bin/busybox/x': not a directory ('/bin/busybox' is not a directory)" ]] || { echo "$output"; return 1; }
	tare delete --force "$ID"
}

@test "a remount of a directory on which nothing is mounted" {
	config '.mounts+=[{destination:"/tmp",type:"none",source:"none",options:["remount","bind","ro"]}]'
	fails "cannot set the attributes of the mount on '/tmp': invalid argument (nothing is mounted there)"
}

@test "a source that cannot be bound: it is unbindable, or has locked mounts inside" {
	own() { # shell commands
		run -1 unshare -m --propagation private sh -c "$1"' && exec "$0" "$@"' "${@:2}"
	}
	mkdir "$WORK/src"
	config --arg s "$WORK/src" '.mounts+=[{destination:"/tmp",type:"bind",source:$s,options:["bind"]}]'
	own "mount -t tmpfs t $WORK/src && mount --make-unbindable $WORK/src" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot open mount source '$WORK/src': invalid argument (its mount is unbindable: mount --make-private changes that)" ]] || { echo "$output"; return 1; }
	config '.mounts[-1].options=["rbind"]'
	own "mount -t tmpfs t $WORK/src && mount --make-unbindable $WORK/src" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"invalid argument (its mount is unbindable: "* ]] || { echo "$output"; return 1; }
	# In a mount namespace of another user namespace, all mounts that it inherited are locked.
	config '.mounts[-1].options=["bind"]|.linux.namespaces-=[{type:"network"}]|del(.linux.resources)|.mounts|=map(select(.type!="sysfs" and .type!="cgroup"))'
	own "mount -t tmpfs t $WORK/src && mkdir $WORK/src/in && mount -t tmpfs t $WORK/src/in" \
		unshare -Urm "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot open mount source '$WORK/src': invalid argument (mounts inside it are locked to it, and cannot be omitted: use rbind)" ]] || { echo "$output"; return 1; }
}

@test "ids that cannot be mapped: the file system, or that of a mount inside it" {
	mkdir -p "$WORK/src/in"
	config --arg s "$WORK/src/in" '.mounts+=[{destination:"/tmp",type:"bind",source:$s,options:["bind"],
		uidMappings:[{containerID:0,hostID:1000,size:10}],gidMappings:[{containerID:0,hostID:1000,size:10}]}]'
	idmapped() {
		run -1 unshare -m --propagation private sh -c 'mount -t proc p "$0" && exec "$@"' "$WORK/src/in" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	}
	idmapped
	[[ "$output" == *"cannot map the ids of mount source '$WORK/src/in': invalid argument (its file system does not support idmapped mounts)" ]] || { echo "$output"; return 1; }
	config --arg s "$WORK/src" '.mounts[-1].source=$s|.mounts[-1].options=["rbind","ridmap"]'
	idmapped
	[[ "$output" == *"cannot map the ids of mount source '$WORK/src': invalid argument (the file system of a mount inside it does not support idmapped mounts)" ]] || { echo "$output"; return 1; }
}

@test "ids that cannot be mapped: the file system is of another user namespace, or the mount is idmapped already" {
	mkdir "$WORK/src"
	config --arg s "$WORK/src" '.linux.namespaces-=[{type:"network"}]|del(.linux.resources)|.mounts|=map(select(.type!="sysfs" and .type!="cgroup"))
		|.mounts+=[{destination:"/src",type:"bind",source:$s,options:["bind"],
		uidMappings:[{containerID:5,hostID:0,size:1}],gidMappings:[{containerID:5,hostID:0,size:1}]}]'
	script 'stat -c %u:%g /src'
	run -1 unshare -Urm "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot map the ids of mount source '$WORK/src': operation not permitted (its file system was mounted in another user namespace, where the caller has no rights)" ]] || { echo "$output"; return 1; }
	# As the hint says.
	run -0 unshare -Urm sh -c 'mount -t tmpfs t "$0" && exec "$@"' "$WORK/src" "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	# The directory belongs to 0, which is not mapped.
	[ "$output" = 65534:65534 ]
	# A sanitized program needs libraries, and the container has none.
	! grep -q __asan_init "$TARE" || return 0
	cp -a "$BUNDLE" "$WORK/inner"
	cp "$TARE" "$WORK/tare"
	config --arg w "$WORK" '.linux.namespaces|=map(select(.type!="pid"))|.process.args=["sleep","1000"]
		|.mounts=[{destination:$w,type:"bind",source:$w,options:["bind"]}]+.mounts'
	create "$ID"
	jq '.mounts[-1].source="/src"' "$WORK/inner/config.json" >"$WORK/changed"
	mv "$WORK/changed" "$WORK/inner/config.json"
	run -1 nsenter -t "$(pid_of "$ID")" -m "$WORK/tare" --root "$WORK/state" --cgroup-manager disabled run -b "$WORK/inner" "$ID.in"
	[[ "$output" == *"cannot map the ids of mount source '/src': operation not permitted (its mount is idmapped already)" ]] || { echo "$output"; return 1; }
}

@test "a limit of namespaces: the file of the kind that is at its limit is named" {
	config '.linux.namespaces=[{type:"mount"},{type:"ipc"},{type:"uts"}]|.mounts=[]|del(.linux.resources,.linux.maskedPaths,.linux.readonlyPaths)'
	for kind in ipc uts; do
		run -1 unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_'$kind'_namespaces && exec "$@"' . "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
		[[ "$output" == *"no space left on device (the limit in /proc/sys/user/max_${kind}_namespaces is reached: raise it)" ]] || { echo "$output"; return 1; }
	done
}

@test "an init that is killed by SIGKILL: the hint names no cause that is not known" {
	config '.hooks={createRuntime:[{path:"/bin/sh",args:["sh","-c","kill -9 $(sed -n \"s/.*\\\"pid\\\": *\\([0-9]*\\).*/\\1/p\")"]}]}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"init was killed by signal 9 before the container was ready (the kernel's log (dmesg) names the processes that the OOM killer has killed)" ]] || { echo "$output"; return 1; }
}

@test "no more processes can be started: the limit that is reached is named, and no other one" {
	command -v strace >/dev/null || not_here "needs strace"
	config '.process.args=["true"]'
	chmod 755 "$WORK" "$BUNDLE"
	refusing() { # as if a limit was reached
		ASAN_OPTIONS=detect_leaks=0 strace -qqq -o /dev/null -e trace=clone3 -e inject=clone3:error=EAGAIN "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	}
	denied="tare: run $ID: cannot start init in its namespaces: resource temporarily unavailable"
	run -1 refusing
	[ "$output" = "$denied" ] || { echo "$output"; return 1; }
	# The kernel's own limits, which are the machine's, are files of this case here.
	end_watch
	echo 32 >"$WORK/threads-max"
	mount --bind "$WORK/threads-max" /proc/sys/kernel/threads-max
	run -1 refusing
	[[ "$output" == "$denied (sysctl kernel.threads-max is 32; processes and threads of the machine: "*")" ]] || { echo "$output"; return 1; }
	umount /proc/sys/kernel/threads-max
	echo 301 >"$WORK/pid-max"
	mount --bind "$WORK/pid-max" /proc/sys/kernel/pid_max
	run -1 refusing
	[[ "$output" == "$denied (sysctl kernel.pid_max is 301; processes and threads: "*")" ]] || { echo "$output"; return 1; }
}

@test "no more processes can be started: RLIMIT_NPROC of the caller" {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT"
	rm "$BUNDLE/config.json"
	chmod 755 "$WORK" "$BUNDLE"
	chown -R 64998:64998 "$ROOT" "$BUNDLE"
	# A sanitizer starts a process of its own to look for leaks.
	as_user() { ASAN_OPTIONS=detect_leaks=0 setpriv --reuid 64998 --regid 64998 --clear-groups "$@"; }
	as_user "$WORK/tare" spec --rootless -b "$BUNDLE"
	chmod 644 "$BUNDLE/config.json"
	config '.process.terminal=false | .process.args=["true"]'
	run -0 as_user prlimit --nproc=20 "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	run -1 as_user prlimit --nproc=1 "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == "tare: run $ID: cannot start init in its namespaces: resource temporarily unavailable (RLIMIT_NPROC is 1; processes and threads of uid 64998: "[1-9]" (ulimit -u))" ]] || { echo "$output"; return 1; }
	setpriv --reuid 64998 --regid 64998 --clear-groups sleep 1000 3>&- 9>&- &
	sleeper=$!
	wait_for 'pgrep -u 64998 sleep >"$WORK/none"'
	run -1 as_user prlimit --nproc=2 "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	kill -9 $sleeper
	[[ "$output" == *"(RLIMIT_NPROC is 2; processes and threads of uid 64998: "[2-9]" (ulimit -u))" ]] || { echo "$output"; return 1; }
}
