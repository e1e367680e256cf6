# SPDX-License-Identifier: Apache-2.0
# Podman, called by an ordinary user with subordinate ids, below that user's own systemd manager. The storage is that of
# the user, so the image has a name of its own.
load common

engine() {
	as-tester timeout 300 podman --runtime "$RUNTIME" "$@" 3>&-
}

begin_engine() {
	export RUNTIME IMAGE=localhost/checked
	as-tester podman import -q --change CMD=sh --change ENV=PATH=/bin "$WORK/image.tar" "$IMAGE" >/dev/null 3>&-
}

end_engine() {
	as-tester podman rm -f -t 0 --all >/dev/null 3>&- || true
	as-tester podman rmi -f "$IMAGE" >/dev/null 3>&- || true
}

missing() {
	command -v as-tester >/dev/null || echo "no user with a service manager"
	command -v podman >/dev/null || echo "no podman"
}

remove_all() {
	engine rm -f -t 0 --all >/dev/null
}

# bats test_tags=core
@test "run: output and exit status" {
	gives hello -- echo hello
	run -7 created "$IMAGE" sh -c 'exit 7'
	run -127 created "$IMAGE" /no/such/program
}

# bats test_tags=core
@test "a container's life: run -d, exec, pause, update, stop, logs" {
	begin_reporting --memory 64m
	answers $'7\n67108864' -u 7 -- sh -c 'id -u; cat /sys/fs/cgroup/memory.max'
	engine update --memory 100m "$C" >/dev/null
	pauses
	answers 104857600 -- cat /sys/fs/cgroup/memory.max
	stops
}

@test "inspect names the runtime" {
	begin_idle
	prints "$RUNTIME" engine inspect -f '{{.OCIRuntime}}' "$C"
}

@test "run -t: a terminal; exec -t" {
	gives terminal -t -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo terminal'
	begin_idle
	answers terminal -t -- sh -c 'test -t 0 && test -t 1 && echo terminal'
}

@test "run: --user, --group-add, --workdir, --env, --umask, --hostname, --ulimit, --init" {
	gives $'33\n34\n34 55\n/tmp\nb\n0077\nbox\n99\npodman-init' --user 33:34 --group-add 55 -w /tmp -e A=b --umask 077 --hostname box --ulimit nofile=99:100 --init -- \
		sh -c 'id -u; id -g; id -G; pwd; echo $A; umask; hostname; ulimit -Sn; cat /proc/1/comm'
}

@test "limits: --memory, --pids-limit, --cpus" {
	gives $'67108864\n20\n50000 100000' --memory 64m --pids-limit 20 --cpus 0.5 -- \
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max
}

@test "stats, top, healthcheck" {
	begin_idle --memory 64m --health-cmd 'test -e /tmp/healthy' --health-interval disable --health-retries 1
	stats_work '[kM]B / 67.11MB'
	run -0 engine top "$C" pid comm
	[[ "${lines[1]}" =~ ^1\ +sh$ ]]
	run -1 engine healthcheck run "$C"
	engine exec "$C" touch /tmp/healthy
	run -0 engine healthcheck run "$C"
}

# bats test_tags=core
@test "--userns=keep-id, also with other ids" {
	gives 'uid=1000(tester) gid=1000(tester) groups=1000(tester)' --userns=keep-id -- id
	gives $'33\n34' --userns=keep-id:uid=33,gid=34 -- sh -c 'id -u; id -g'
}

@test "--userns=nomap" {
	# The user's own id is not among those of the container.
	gives '0 1 65536' --userns=nomap -- sh -c 'set -- $(cat /proc/self/uid_map); echo $*'
}

@test "--userns=auto" {
	gives '0 1024' --userns=auto -- sh -c 'set -- $(cat /proc/self/uid_map); echo $1 $3'
}

@test "--uidmap, --gidmap" {
	gives $'0 1 1000\n0 2 1000' --uidmap 0:1:1000 --gidmap 0:2:1000 -- \
		sh -c 'for f in uid gid; do set -- $(cat "/proc/self/$f"_map); echo $*; done'
}

# bats test_tags=core
@test "--group-add keep-groups" {
	gives 0 --group-add keep-groups -- id -G
	# Two groups more, which are not mapped: they give access to files.
	mkdir -m 770 "$CASE/data"
	chgrp 24 "$CASE/data"
	: >"$CASE/data/file"
	of_groups() { # flags of podman run
		run setpriv --reuid 1000 --regid 1000 --groups 1000,4,24 env HOME=/home/tester XDG_RUNTIME_DIR=/run/user/1000 sh -c 'cd / && exec "$@"' - \
			timeout 300 podman --cgroup-manager cgroupfs --runtime "$RUNTIME" run --rm --network none "$@" -v "$CASE/data:/data" "$IMAGE" sh -c 'id -G; ls /data' 3>&-
	}
	of_groups --group-add keep-groups
	[ "$status $output" = $'0 0 65534 65534\nfile' ] || [ "$status $output" = $'0 65534 65534 0\nfile' ] || { echo "$status $output"; return 1; }
	of_groups
	[[ "$status" = 1 && "$output" == *"can't open '/data': Permission denied"* ]]
}

@test "idmapped volumes" {
	mkdir "$CASE/data"
	: >"$CASE/data/f"
	chown -R tester: "$CASE/data"
	# A container of the user's without a user namespace of its own maps nothing.
	gives 0:0 -v "$CASE/data:/data:idmap" -- stat -c %u:%g /data/f
	# A file system that was mounted in the user namespace of podman can be mapped.
	cat >"$CASE/mapped" <<'SCRIPT'
mount -t tmpfs t "$1" && : >"$1/f" && chown 7:8 "$1/f" || exit
podman --runtime "$2" run --rm --network none --uidmap 0:100:50 --gidmap 0:200:50 -v "$1:/plain" -v "$1:/all:idmap" "$3" stat -c %u:%g /plain/f /all/f
SCRIPT
	prints $'65534:65534\n7:8' as-tester podman unshare sh "$CASE/mapped" "$CASE/data" "$RUNTIME" "$IMAGE" 3>&-
}

@test "volumes: read-only, overlay (:O), a new owner (:U)" {
	mkdir "$CASE/data"
	echo old >"$CASE/data/f"
	chown -R tester: "$CASE/data"
	gives $'refused\nnew' -v "$CASE/data:/ro:ro" -v "$CASE/data:/over:O" -- \
		sh -c 'echo x 2>/dev/null >/ro/f || echo refused; echo new >/over/f; cat /over/f'
	[ "$(cat "$CASE/data/f")" = old ]
	gives 33:34 --user 33:34 -v "$CASE/data:/data:U" -- stat -c %u:%g /data/f
}

@test "--rootfs, and with :O" {
	cp -a "$WORK/rootfs" "$CASE/root"
	chown -hR tester: "$CASE/root"
	root_directory_works "$CASE/root"
}

@test "--tmpfs, --shm-size, --read-only" {
	gives $'1024\n1777\n2048\nrefused' --tmpfs /t:size=1m,mode=1777 --shm-size 2m --read-only -- \
		sh -c 'for d in /t /dev/shm; do set -- $(df -k $d | tail -n 1); echo $2; [ $d != /t ] || stat -c %a /t; done; touch /x 2>/dev/null || echo refused'
}

@test "--cap-drop, --cap-add, --privileged, no-new-privileges" {
	gives $'CapEff:\t0000000000002000\nNoNewPrivs:\t1' --cap-drop all --cap-add net_raw --security-opt no-new-privileges -- \
		grep -E 'CapEff|NoNewPrivs' /proc/self/status
	gives $'Seccomp:\t0' --privileged -- grep Seccomp: /proc/self/status
}

@test "--device" {
	gives 4 --device /dev/zero:/dev/other -- sh -c 'head -c 4 /dev/other | wc -c'
}

@test "--network: pasta" {
	command -v pasta >/dev/null || not_here "no pasta"
	run -0 engine run --rm --network pasta "$IMAGE" sh -c 'test "$(readlink /proc/self/ns/net)" && ip link | grep -c LOOPBACK'
	[ "$output" = 1 ]
}

# bats test_tags=core
@test "a pod with two containers" {
	: >"$CASE/begun"
	engine pod create --name pod --network none >/dev/null
	engine run -d --pod pod --name one "$IMAGE" sleep 1000 >/dev/null
	run -0 engine run --rm --pod pod --ipc container:one "$IMAGE" sh -c 'hostname; id -u'
	[ "$output" = $'pod\n0' ]
	engine pod rm -f -t 0 pod >/dev/null
}

@test "build" {
	two_users "$CASE/Containerfile"
	engine build -q --network none --isolation oci -t localhost/built "$CASE" >/dev/null
	built_by_two_users localhost/built
}

@test "kube play" {
	: >"$CASE/begun"
	cat >"$CASE/pod.yaml" <<-END
		apiVersion: v1
		kind: Pod
		metadata: {name: played}
		spec:
		  containers:
		  - name: one
		    image: $IMAGE
		    imagePullPolicy: Never
		    command: [sh, -c, 'trap "exit 0" TERM; sleep 1000 & wait']
		    resources: {limits: {memory: 64Mi}}
		    securityContext: {runAsUser: 33}
	END
	engine kube play -q --network none "$CASE/pod.yaml" >/dev/null
	run -0 engine exec played-one sh -c 'id -u; cat /sys/fs/cgroup/memory.max'
	[ "$output" = $'33\n67108864' ]
	engine kube down "$CASE/pod.yaml" >/dev/null
}

@test "a quadlet unit" {
	local name=check-$BATS_TEST_NUMBER dir=/home/tester/.config/containers/systemd
	as-tester mkdir -p "$dir" 3>&-
	quadlet "--runtime $RUNTIME" >"$dir/$name.container"
	as-tester systemctl --user daemon-reload 3>&-
	as-tester systemctl --user start "$name" 3>&-
	run as-tester timeout 300 podman --runtime "$RUNTIME" exec "systemd-$name" cat /proc/1/comm 3>&-
	rm "$dir/$name.container"
	as-tester systemctl --user stop "$name" 3>&-
	as-tester systemctl --user daemon-reload 3>&-
	[ "$status $output" = '0 sh' ]
}

@test "--systemd=always: systemd in a container" {
	systemd_root "$CASE/root"
	chown -hR tester: "$CASE/root"
	begin_systemd "$CASE/root"
	wait_for 'engine exec "$C" systemctl is-active basic.target 2>/dev/null | grep -qx active'
	systemd_works
}
