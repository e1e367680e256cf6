# SPDX-License-Identifier: Apache-2.0
# Podman, called by root.
load common

engine() {
	timeout 300 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$RUNTIME" "$@" 3>&-
}

begin_engine() {
	export -f engine
	export RUNTIME IMAGE=localhost/busybox
	engine import -q --change CMD=sh --change ENV=PATH=/bin "$WORK/image.tar" "$IMAGE" >/dev/null
	# The ids for --userns=auto, and a directory of device files, for this mount namespace.
	echo containers:200000:131072 >"$WORK/ids"
	for file in /etc/subuid /etc/subgid; do mount --bind "$WORK/ids" "$file"; done
	mkdir -p /etc/cdi
	mount -t tmpfs tmpfs /etc/cdi
	cdi_device /etc/cdi
}

end_engine() {
	[ ! -d "$WORK/storage" ] || remove_all
	umount /etc/cdi /etc/subuid /etc/subgid || true
}

missing() {
	command -v podman >/dev/null || echo "no podman"
}

remove_all() {
	engine rm -f -t 0 --all >/dev/null
}

# --- a container

# bats test_tags=core
@test "run: output and exit status" {
	gives hello -- echo hello
	run -7 created "$IMAGE" sh -c 'exit 7'
}

# bats test_tags=core
@test "run: a missing program is status 127, a directory 126" {
	run -127 created "$IMAGE" /no/such/program
	[[ "$output" == *"/no/such/program"* ]]
	run -126 created "$IMAGE" /etc
}

@test "inspect names the runtime" {
	begin_idle
	prints "$RUNTIME" engine inspect -f '{{.OCIRuntime}}' "$C"
}

@test "run -i: standard input" {
	run -0 created -i "$IMAGE" cat <<<'some text'
	[ "$output" = 'some text' ]
}

@test "run -t: a terminal" {
	gives terminal -t -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo terminal'
}

@test "run: --user, --group-add, --workdir, --env, --umask" {
	gives $'33\n34\n34 55\n/tmp\nb\n0077' --user 33:34 --group-add 55 -w /tmp -e A=b --umask 077 -- \
		sh -c 'id -u; id -g; id -G; pwd; echo $A; umask'
}

@test "run: --hostname, --sysctl, --ulimit, --oom-score-adj" {
	gives $'box\n4096\n99\n100\n500' --hostname box --sysctl kernel.msgmax=4096 --ulimit nofile=99:100 --oom-score-adj 500 -- \
		sh -c 'hostname; cat /proc/sys/kernel/msgmax; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj'
}

@test "run: --init" {
	gives $'podman-init\n7' --init -- sh -c 'cat /proc/1/comm; sh -c "exit 7"; echo $?'
	run -7 created --init "$IMAGE" sh -c 'exit 7'
}

@test "run: --rootfs, and with :O" {
	cp -a "$WORK/rootfs" "$CASE/root"
	root_directory_works "$CASE/root"
}

@test "run: --preserve-fds, --preserve-fd" {
	# engine closes descriptor 3, which is one of bats.
	all_open() { timeout 300 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$RUNTIME" "$@"; }
	export -f all_open
	run -0 bash -c 'all_open run --rm --network none --preserve-fds 2 "$IMAGE" sh -c "cat <&3; cat <&4" 3<<<three 4<<<four'
	[ "$output" = $'three\nfour' ]
	run -0 bash -c 'all_open run --rm --network none --preserve-fd 5 "$IMAGE" sh -c "cat <&5; ls /proc/self/fd/3 2>&1 | grep -c such" 3<<<three 5<<<five'
	[ "$output" = $'five\n1' ]
}

# bats test_tags=core
@test "a container's life: run -d, exec, pause, stop, logs" {
	begin_reporting
	answers sh -- cat /proc/1/comm
	run -5 engine exec "$C" sh -c 'exit 5'
	pauses
	stops
}

@test "exec: user, groups, environment, directory, terminal, input" {
	begin_idle
	exec_works
	run -127 engine exec "$C" /no/such/program
}

@test "exec: --privileged, --detach" {
	begin_idle
	answers "$(all_capabilities)" --privileged -- grep CapEff /proc/self/status
	exec_detaches
}

@test "create, init, start, restart, kill, wait, rm" {
	: >"$CASE/begun"
	engine create --name "$C" --network none "$IMAGE" sh -c 'trap "exit 9" USR1; sleep 1000 & wait' >/dev/null
	engine init "$C" >/dev/null
	prints initialized engine inspect -f '{{.State.Status}}' "$C"
	engine start "$C" >/dev/null
	first=$(engine inspect -f '{{.State.Pid}}' "$C")
	engine restart -t 0 "$C" >/dev/null
	[ "$(engine inspect -f '{{.State.Pid}}' "$C")" != "$first" ]
	# The program sets its handler after start has returned.
	wait_for 'engine kill -s USR1 "$C" >/dev/null 2>&1; [ "$(engine inspect -f "{{.State.Status}}" "$C")" = exited ]'
	prints 9 engine wait "$C"
	engine rm "$C" >/dev/null
	run ! engine inspect "$C"
}

@test "attach: output and exit status" {
	attach_works
}

@test "top, stats" {
	begin_idle --memory 64m
	run -0 engine top "$C" pid comm
	[[ "${lines[1]}" =~ ^1\ +sh$ ]]
	stats_work '[kM]B / 67.11MB'
}

@test "cp, diff, commit" {
	cp_diff_and_commit_work localhost/committed
}

@test "healthcheck" {
	begin_idle --health-cmd 'test -e /tmp/healthy' --health-interval disable --health-retries 1
	run -1 engine healthcheck run "$C"
	engine exec "$C" touch /tmp/healthy
	run -0 engine healthcheck run "$C"
	prints healthy engine inspect -f '{{.State.Health.Status}}' "$C"
}

# --- limits

# bats test_tags=core
@test "limits: --memory, --pids-limit, --cpus, by systemd and by cgroupfs" {
	for manager in systemd cgroupfs; do
		run -0 engine --cgroup-manager "$manager" run --rm --network none --memory 64m --pids-limit 20 --cpus 0.5 "$IMAGE" \
			cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max
		[ "$output" = $'67108864\n20\n50000 100000' ]
	done
}

@test "limits: --memory-swap, --memory-reservation, --cpu-shares, --cpuset-cpus, --cgroup-conf" {
	gives $'67108864\n33554432\n0\n500' --memory 64m --memory-swap 128m --memory-reservation 32m --cpuset-cpus 0 --cgroup-conf pids.max=500 -- \
		sh -c 'cd /sys/fs/cgroup; cat memory.swap.max memory.low cpuset.cpus pids.max'
	cpu_shares_work
}

# bats test_tags=core
@test "update: memory, cpus, pids, shares" {
	begin_idle --memory 64m
	engine update --memory 100m --cpus 0.5 --pids-limit 30 "$C" >/dev/null
	answers $'104857600\n50000 100000\n30' -- sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max'
	engine update --cpuset-cpus 1 "$C" >/dev/null
	answers $'1\n104857600' -- sh -c 'cd /sys/fs/cgroup; cat cpuset.cpus memory.max'
}

# conmon reads the count of OOM kills from the scope's cgroup, which systemd may have removed before: one of several
# containers suffices.
@test "a container that runs out of memory" {
	: >"$CASE/begun"
	for _ in 1 2 3 4 5; do
		run -137 engine run --name "$C" --network none --memory 16m --memory-swap 16m "$IMAGE" tail /dev/zero
		run -0 engine inspect -f '{{.State.OOMKilled}}' "$C"
		[ "$output" != true ] || return 0
		engine rm "$C" >/dev/null
	done
	echo "never: OOMKilled"
	return 1
}

@test "--cgroup-parent, by systemd and by cgroupfs" {
	run -0 engine --cgroup-manager systemd run --rm --network none --cgroupns host --cgroup-parent checked.slice "$IMAGE" cat /proc/self/cgroup
	[[ "$output" == 0::/checked.slice/libpod-*.scope* ]]
	run -0 engine --cgroup-manager cgroupfs run --rm --network none --cgroupns host --cgroup-parent /checked "$IMAGE" cat /proc/self/cgroup
	[[ "$output" == 0::/checked/libpod-* ]]
}

# Podman permits this to runtimes by their names.
@test "--cgroups=disabled, under the name crun" {
	mkdir "$CASE/named"
	ln -s "$RUNTIME" "$CASE/named/crun"
	run -0 timeout 300 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$CASE/named/crun" run --rm --network none \
		--cgroups=disabled --cgroupns host "$IMAGE" cat /proc/self/cgroup 3>&-
	[ "$output" = "$(cat /proc/self/cgroup)" ]
}

# --- namespaces

@test "--uidmap, --gidmap" {
	gives $'0 100000 1000\n0 200000 1000' --uidmap 0:100000:1000 --gidmap 0:200000:1000 -- \
		sh -c 'for f in uid gid; do set -- $(cat /proc/self/${f}_map); echo $*; done'
}

@test "--userns=auto" {
	gives '0 5000' --userns=auto:size=5000 -- awk '$2 >= 200000 { print $1, $3 }' /proc/self/uid_map
	gives '0 1024' --userns=auto -- awk '$2 >= 200000 { print $1, $3 }' /proc/self/uid_map
}

@test "namespaces of the host" {
	joins_the_host
}

@test "namespaces of another container" {
	begin_idle --ipc shareable
	joins_another pid ipc uts
}

@test "a pod" {
	: >"$CASE/begun"
	engine pod create --name pod --network none --hostname podded >/dev/null
	engine run -d --pod pod --name one "$IMAGE" sleep 1000 >/dev/null
	joined=$(engine exec one sh -c 'hostname; readlink /proc/self/ns/net')
	run -0 engine run --rm --pod pod "$IMAGE" sh -c 'hostname; readlink /proc/self/ns/net'
	[ "$output" = "$joined" ] && [ "${lines[0]}" = podded ]
	engine pod pause pod >/dev/null
	prints paused engine inspect -f '{{.State.Status}}' one
	engine pod unpause pod >/dev/null
	engine pod rm -f -t 0 pod >/dev/null
}

# --- rights

@test "--cap-drop, --cap-add" {
	gives $'CapEff:\t0000000000002000' --cap-drop all --cap-add net_raw -- grep CapEff /proc/self/status
}

@test "--privileged" {
	gives "$(all_capabilities)"$'\nSeccomp:\t0' --privileged -- sh -c 'grep CapEff /proc/self/status; test -c /dev/kmsg && grep Seccomp: /proc/self/status'
}

@test "--security-opt no-new-privileges, mask, unmask" {
	gives $'NoNewPrivs:\t1' --security-opt no-new-privileges -- grep NoNewPrivs /proc/self/status
	gives 0 --security-opt mask=/proc/version -- sh -c 'wc -c </proc/version'
	gives 0 -- sh -c 'cat /proc/timer_list | wc -c'
	run -0 created --security-opt unmask=ALL "$IMAGE" sh -c 'cat /proc/timer_list | wc -c'
	[ "$output" -gt 0 ]
}

# bats test_tags=core
@test "the engine's seccomp profile" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	# getpid is allowed; perf_event_open and vmsplice are denied; 600 is newer than all profiles. Without the filter
	# they fail with EFAULT and EBADF.
	for options in '' '--security-opt no-new-privileges'; do
		# shellcheck disable=SC2086
		gives $'39 1 0\n298 -1 1\n278 -1 1\n600 -1 38' $options -- probe 39 298:0:0:0:0:0 278:99 600
	done
	gives $'298 -1 14\n278 -1 9' --security-opt seccomp=unconfined -- probe 298:0:0:0:0:0 278:99
	begin_idle
	answers '278 -1 1' -- probe 278:99
}

@test "a seccomp profile of the user" {
	seccomp_profile_works
}

@test "the engine's AppArmor profile" {
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || not_here "no AppArmor"
	run -0 created "$IMAGE" cat /proc/self/attr/current
	[[ "$output" == containers-default-*' (enforce)' ]]
	gives unconfined --security-opt apparmor=unconfined -- cat /proc/self/attr/current
}

# --- devices and hooks

@test "--device, --device-cgroup-rule" {
	gives $'opened\nnot permitted' --device /dev/loop-control:/dev/other:r -- sh -c "$(opens /dev/other)"
	script='mknod /tmp/k c 10 237 && : </tmp/k && echo opened'
	gives opened --cap-add mknod --device-cgroup-rule 'c 10:237 r' -- sh -c "$script"
	run ! created --cap-add mknod "$IMAGE" sh -c "$script"
}

@test "a device of the Container Device Interface: node, mount, variable, hooks" {
	cdi_works
}

@test "--hooks-dir" {
	mkdir "$CASE/hooks"
	for stage in prestart poststop; do
		jq -n --arg to "$CASE/$stage" --arg stage $stage '{version: "1.0.0", when: {always: true}, stages: [$stage],
			hook: {path: "/bin/sh", args: ["sh", "-c", "cat >\($to)"]}}' >"$CASE/hooks/$stage.json"
	done
	run -0 engine --hooks-dir "$CASE/hooks" run --rm --network none "$IMAGE" echo hooked
	[ "$output" = hooked ]
	for stage in prestart poststop; do jq -e .id "$CASE/$stage" >/dev/null; done
}

# --- volumes

@test "volumes: read-write, read-only, with mount options, with a new owner" {
	volumes_work
	run -0 created -v "$CASE/data:/data:noexec,nosuid,nodev" "$IMAGE" awk '$2 == "/data" { print $4 }' /proc/mounts
	[[ ",$output," == *,nosuid,* && ",$output," == *,nodev,* && ",$output," == *,noexec,* ]]
	gives 33:34 --user 33:34 -v "$CASE/data:/data:U" -- stat -c %u:%g /data/f
}

# bats test_tags=core
@test "idmapped volumes, with the container's mapping and with mappings of their own" {
	mkdir -m 755 "$CASE/data"
	touch "$CASE/data/f"
	chown 7:8 "$CASE/data/f"
	gives $'65534:65534\n7:8\n5:6\n33:34' --uidmap 0:100000:1000 --gidmap 0:200000:1000 -v "$CASE/data:/plain" -v "$CASE/data:/all:idmap" \
		-v "$CASE/data:/host:idmap=uids=7-100005-1;gids=8-200006-1" -v "$CASE/data:/own:idmap=uids=@7-33-1#0-0-1;gids=@8-34-1" -- \
		stat -c %u:%g /plain/f /all/f /host/f /own/f
}

@test "overlay volumes (:O), also of a long path" {
	deep=$CASE/$(printf '%0120d' 0)/$(printf '%0120d' 0)
	for data in "$CASE/data" "$deep"; do
		mkdir -p "$data"
		echo old >"$data/f"
		chmod -R a+rX "$CASE"
		gives $'old\nnew' -v "$data:/data:O" -- sh -c 'cat /data/f; echo new >/data/f; cat /data/f'
		[ "$(cat "$data/f")" = old ]
	done
}

@test "named volumes, and those of another container" {
	named_volumes_work
}

@test "--tmpfs, --shm-size, --mount type=tmpfs" {
	temporary_file_systems_work
}

@test "--read-only, with and without temporary file systems" {
	gives $'refused\nwrote' --read-only -- sh -c 'touch /x 2>/dev/null || echo refused; touch /tmp/x && echo wrote'
	gives $'refused\nrefused' --read-only --read-only-tmpfs=false -- sh -c 'for f in /x /tmp/x; do touch $f 2>/dev/null || echo refused; done'
}

@test "mounts that are made later reach a volume with rslave, and only that" {
	later_mounts_follow
}

@test "--mount type=image" {
	gives busybox --mount "type=image,source=$IMAGE,destination=/image" -- sh -c 'ls /image/bin/busybox | xargs basename'
}

@test "an image of 101 layers" {
	many_layers "$CASE/many.tar" localhost/many:latest
	engine load -q -i "$CASE/many.tar" >/dev/null
	run -0 created localhost/many sh -c 'ls -d /layer* | wc -l'
	[ "$output" = 100 ]
}

# --- more than containers

@test "build" {
	printf 'FROM %s\nRUN id -u >/made; readlink /proc/self/ns/pid >>/made\nUSER 33\nRUN id -u >/tmp/made\n' "$IMAGE" >"$CASE/Containerfile"
	engine build -q --network none --isolation oci -t localhost/built "$CASE" >/dev/null
	run -0 created localhost/built sh -c 'head -n 1 /made; cat /tmp/made; tail -n 1 /made'
	[ "${lines[0]} ${lines[1]}" = '0 33' ] && [ "${lines[2]}" != "$(readlink /proc/self/ns/pid)" ]
}

@test "kube play" {
	: >"$CASE/begun"
	cat >"$CASE/pod.yaml" <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: played}
		spec:
		  hostname: played
		  containers:
		  - name: one
		    image: $IMAGE
		    imagePullPolicy: Never
		    command: [sh, -c, 'trap "exit 0" TERM; sleep 1000 & wait']
		    resources: {limits: {memory: 64Mi}}
		    securityContext: {runAsUser: 33, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
		    volumeMounts: [{name: data, mountPath: /data}]
		  volumes:
		  - {name: data, hostPath: {path: $CASE, type: Directory}}
	END
	engine kube play -q --network none "$CASE/pod.yaml" >/dev/null
	run -0 engine exec played-one sh -c 'id -u; hostname; cat /sys/fs/cgroup/memory.max; ls /data/pod.yaml; touch /x 2>&1 | grep -o Read-only'
	[ "$output" = $'33\nplayed\n67108864\n/data/pod.yaml\nRead-only' ]
	engine kube down "$CASE/pod.yaml" >/dev/null
}

@test "a quadlet unit" {
	[ -d /run/systemd/system ] || not_here "no systemd"
	local name=check-$BATS_TEST_NUMBER
	mkdir -p /run/containers/systemd "$CASE/storage"
	quadlet "--root $CASE/storage --runroot $CASE/run --runtime $RUNTIME" >"/run/containers/systemd/$name.container"
	podman --root "$CASE/storage" --runroot "$CASE/run" import -q --change ENV=PATH=/bin "$WORK/image.tar" "$IMAGE" >/dev/null 3>&-
	systemctl daemon-reload
	systemctl start "$name"
	prints active systemctl is-active "$name"
	run podman --root "$CASE/storage" --runroot "$CASE/run" --runtime "$RUNTIME" exec "systemd-$name" cat /proc/1/comm 3>&-
	rm "/run/containers/systemd/$name.container"
	systemctl stop "$name"
	systemctl daemon-reload
	[ "$status $output" = '0 sh' ]
}

@test "--systemd=always: systemd in a container" {
	[ -d /run/systemd/system ] || not_here "no systemd"
	systemd_root "$CASE/root"
	begin_systemd "$CASE/root"
	wait_for 'timeout 60 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$RUNTIME" exec "$C" systemctl is-active basic.target 2>/dev/null 3>&- | grep -qx active'
	systemd_works
}

# bats test_tags=core
@test "checkpoint and restore, also from an archive" {
	command -v criu >/dev/null || not_here "no criu"
	begin_counting --memory 64m
	engine container checkpoint "$C" >/dev/null
	prints true engine inspect -f '{{.State.Checkpointed}}' "$C"
	engine container restore "$C" >/dev/null
	restored
	answers 67108864 -- cat /sys/fs/cgroup/memory.max
	engine container checkpoint --leave-running "$C" >/dev/null
	prints running engine inspect -f '{{.State.Status}}' "$C"
	engine container checkpoint -e "$CASE/archive.tar" "$C" >/dev/null
	engine rm "$C" >/dev/null
	engine container restore -i "$CASE/archive.tar" --name again >/dev/null
	C=again
	restored
}

@test "system reset" {
	own() { timeout 300 podman --root "$CASE/storage" --runroot "$CASE/run" --runtime "$RUNTIME" "$@" 3>&-; }
	own import -q --change ENV=PATH=/bin "$WORK/image.tar" "$IMAGE" >/dev/null
	own run -d --network none "$IMAGE" sh -c 'trap "exit 3" TERM; sleep 1000 & wait' >/dev/null
	own system reset -f >/dev/null 2>&1
	[ ! -d "$CASE/storage" ] || [ -z "$(own ps -aq)$(own images -q)" ]
}
