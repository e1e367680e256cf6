# SPDX-License-Identifier: Apache-2.0
# Docker, with the runtime as the daemon's default.
load common

engine() {
	timeout 300 docker -H "unix://$WORK/docker.sock" "$@" 3>&-
}

begin_engine() {
	export -f engine
	export RUNTIME IMAGE=busybox
	begin_containerd
	cdi_device "$WORK/cdi"
	echo '{"experimental": true, "features": {"cdi": true}, "cdi-spec-dirs": ["'"$WORK/cdi"'"]}' >"$WORK/daemon.json"
	begin_dockerd docker cgroupfs
	engine import -c 'CMD ["sh"]' -c 'ENV PATH=/bin' "$WORK/image.tar" busybox >/dev/null
}

# The runtime makes the cgroups: systemd would remove a scope's cgroup, and its count of OOM kills, with the last process.
begin_dockerd() { # NAME DRIVER
	begin_daemon "$1" "docker -H 'unix://$WORK/$1.sock' version" dockerd --config-file "$WORK/daemon.json" \
		--containerd "$WORK/containerd.sock" --data-root "$WORK/$1" --exec-root "$WORK/$1.run" -p "$WORK/$1.dockerd" \
		-H "unix://$WORK/$1.sock" --add-runtime checked="$RUNTIME" --default-runtime checked --bridge none \
		--iptables=false --ip6tables=false --exec-opt "native.cgroupdriver=$2"
}

missing() {
	command -v dockerd >/dev/null || echo "no dockerd"
}

end_engine() {
	[ ! -S "$WORK/docker.sock" ] || remove_all
	end_daemon docker
	end_daemon containerd
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
	run -126 created "$IMAGE" /etc
}

@test "info and inspect name the runtime" {
	prints checked engine info -f '{{.DefaultRuntime}}'
	begin_idle
	prints checked engine inspect -f '{{.HostConfig.Runtime}}' "$C"
}

@test "run -i: standard input" {
	run -0 created -i "$IMAGE" cat <<<'some text'
	[ "$output" = 'some text' ]
}

@test "run -t: a terminal" {
	gives terminal -t -- sh -c 'test -t 0 && test -t 1 && test -t 2 && echo terminal'
}

@test "run: --user, --group-add, --workdir, --env" {
	gives $'33\n34\n34 55\n/tmp\nb' --user 33:34 --group-add 55 -w /tmp -e A=b -- \
		sh -c 'id -u; id -g; id -G; pwd; echo $A'
}

@test "run: --hostname, --domainname, --sysctl, --ulimit, --oom-score-adj" {
	gives $'box\nexample\n4096\n99\n100\n500' --hostname box --domainname example --sysctl kernel.msgmax=4096 --ulimit nofile=99:100 --oom-score-adj 500 -- \
		sh -c 'hostname; cat /proc/sys/kernel/domainname /proc/sys/kernel/msgmax; ulimit -Sn; ulimit -Hn; cat /proc/self/oom_score_adj'
}

# bats test_tags=core
@test "a container's life: run -d, exec, pause, stop, logs" {
	begin_reporting
	answers sh -- cat /proc/1/comm
	run -5 engine exec "$C" sh -c 'exit 5'
	pauses
	run -0 engine top "$C"
	[[ "$output" == *sh* ]]
	stops
}

@test "exec: user, environment, directory, terminal, input, rights" {
	begin_idle
	exec_works
	run ! engine exec "$C" /no/such/program
	[[ "$status" =~ ^12[67]$ ]]
	answers "$(all_capabilities)" --privileged -- grep CapEff /proc/self/status
	exec_detaches
}

@test "create, start, restart, kill, wait, rm" {
	: >"$CASE/begun"
	engine create --name "$C" --network none "$IMAGE" sh -c 'trap "exit 9" USR1; echo ready; sleep 1000 & wait' >/dev/null
	engine start "$C" >/dev/null
	first=$(engine inspect -f '{{.State.Pid}}' "$C")
	engine restart -t 0 "$C" >/dev/null
	[ "$(engine inspect -f '{{.State.Pid}}' "$C")" != "$first" ]
	wait_for '[ "$(engine logs "$C" | grep -c ready)" = 2 ]'
	engine kill -s USR1 "$C" >/dev/null
	prints 9 engine wait "$C"
	engine rm "$C" >/dev/null
	run ! engine inspect "$C"
}

@test "a restart policy" {
	begin --restart on-failure:2 "$IMAGE" sh -c 'exit 5'
	wait_for '[ "$(engine inspect -f "{{.RestartCount}} {{.State.Status}}" "$C")" = "2 exited" ]'
}

@test "attach: output and exit status" {
	attach_works
}

@test "stats" {
	begin_idle --memory 64m
	stats_work '[kKM]iB / 64MiB'
}

@test "cp, diff, commit" {
	cp_diff_and_commit_work committed
}

@test "healthcheck" {
	begin_idle --health-cmd 'test -e /tmp/healthy' --health-interval 1s --health-retries 1 --health-timeout 60s
	wait_for '[ "$(engine inspect -f "{{.State.Health.Status}}" "$C")" = unhealthy ]'
	engine exec "$C" touch /tmp/healthy
	wait_for '[ "$(engine inspect -f "{{.State.Health.Status}}" "$C")" = healthy ]'
}

# --- limits

# bats test_tags=core
@test "limits: --memory, --pids-limit, --cpus" {
	gives $'67108864\n20\n50000 100000' --memory 64m --pids-limit 20 --cpus 0.5 -- \
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max
}

@test "limits: --memory-swap, --memory-reservation, --cpu-shares, --cpuset-cpus" {
	gives $'67108864\n33554432\n0' --memory 64m --memory-swap 128m --memory-reservation 32m --cpuset-cpus 0 -- \
		sh -c 'cd /sys/fs/cgroup; cat memory.swap.max memory.low cpuset.cpus'
	cpu_shares_work
}

# bats test_tags=core
@test "limits, by systemd" {
	[ -d /run/systemd/system ] || not_here "no systemd"
	begin_dockerd other systemd
	others() { timeout 300 docker -H "unix://$WORK/other.sock" "$@" 3>&-; }
	others import -c 'ENV PATH=/bin' "$WORK/image.tar" busybox >/dev/null
	run others run --rm --network none --cgroupns host --memory 64m --pids-limit 20 --cpus 0.5 busybox sh -c 'path=$(cat /proc/self/cgroup)
		echo $path; cd "/sys/fs/cgroup${path#0::}" && cat memory.max pids.max cpu.max'
	end_daemon other
	[ "$status" = 0 ] && [[ "$output" == 0::/system.slice/docker-*.scope*$'\n67108864\n20\n50000 100000' ]] || { echo "$output"; return 1; }
}

# bats test_tags=core
@test "update: memory, cpus, pids" {
	begin_idle --memory 64m
	engine update --memory 100m --memory-swap 200m "$C" >/dev/null
	answers 104857600 -- cat /sys/fs/cgroup/memory.max
	engine update --cpus 0.5 --pids-limit 30 --cpuset-cpus 1 "$C" >/dev/null
	answers $'104857600\n50000 100000\n30\n1' -- sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max pids.max cpuset.cpus'
}

@test "--cgroup-parent" {
	run -0 created --cgroupns host --cgroup-parent /checked "$IMAGE" cat /proc/self/cgroup
	[[ "$output" == 0::/checked/* ]]
}

# Docker's shim reads the kernel's count of OOM kills once start has returned. If start waited for more than the
# execution of the program, the shim would always be too late. On a busy machine it is sometimes too late with every
# runtime, so one success of several attempts suffices.
# bats test_tags=core
@test "a container that runs out of memory right after its start" {
	: >"$CASE/begun"
	for n in 1 2 3 4 5; do
		run -137 engine run --name "oom$n" --network none --memory 16m "$IMAGE" tail /dev/zero
		[ "$(engine inspect -f '{{.State.OOMKilled}}' "oom$n")" != true ] || return 0
	done
	return 1
}

# --- namespaces

@test "namespaces of the host" {
	joins_the_host
}

@test "namespaces of another container" {
	begin_idle --ipc shareable
	joins_another pid ipc
}

# --- rights

@test "--cap-drop, --cap-add" {
	gives $'CapEff:\t0000000000002000' --cap-drop all --cap-add net_raw -- grep CapEff /proc/self/status
}

@test "--privileged" {
	gives "$(all_capabilities)"$'\nSeccomp:\t0' --privileged -- sh -c 'grep CapEff /proc/self/status; test -c /dev/kmsg && grep Seccomp: /proc/self/status'
}

@test "--security-opt no-new-privileges, systempaths=unconfined" {
	gives $'NoNewPrivs:\t1' --security-opt no-new-privileges -- grep NoNewPrivs /proc/self/status
	gives 0 -- sh -c 'cat /proc/timer_list | wc -c'
	run -0 created --security-opt systempaths=unconfined "$IMAGE" sh -c 'cat /proc/timer_list | wc -c'
	[ "$output" -gt 0 ]
}

# bats test_tags=core
@test "the engine's seccomp profile" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	# getpid is allowed; perf_event_open is denied; 600 is newer than all profiles. Without the filter it is EFAULT.
	gives $'39 1 0\n298 -1 1\n600 -1 38' -- probe 39 298:0:0:0:0:0 600
	gives '298 -1 14' --security-opt seccomp=unconfined -- probe 298:0:0:0:0:0
	gives $'Seccomp:\t2' -- grep Seccomp: /proc/self/status
	begin_idle
	answers '298 -1 1' -- probe 298:0:0:0:0:0
}

@test "a seccomp profile of the user" {
	seccomp_profile_works
}

@test "the engine's AppArmor profile" {
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || not_here "no AppArmor"
	gives 'docker-default (enforce)' -- cat /proc/self/attr/current
	gives unconfined --security-opt apparmor=unconfined -- cat /proc/self/attr/current
}

# --- devices

@test "--device, --device-cgroup-rule" {
	gives $'opened\nnot permitted' --device /dev/loop-control:/dev/other:r -- sh -c "$(opens /dev/other)"
	script='mknod /tmp/k c 10 237 && : </tmp/k && echo opened'
	gives opened --device-cgroup-rule 'c 10:237 r' -- sh -c "$script"
	run ! created "$IMAGE" sh -c "$script"
}

@test "a device of the Container Device Interface: node, mount, variable, hooks" {
	cdi_works
}

# --- volumes

@test "volumes: read-write, read-only" {
	volumes_work
}

@test "a read-only volume with a mount in it: read-only there, or not" {
	mkdir "$CASE/data" "$CASE/data/sub"
	mount -t tmpfs tmpfs "$CASE/data/sub"
	for kind in readonly writable; do
		run -0 created --mount "type=bind,source=$CASE/data,target=/data,readonly,bind-propagation=rprivate,bind-recursive=$kind" "$IMAGE" \
			sh -c 'touch /data/sub/f 2>/dev/null && echo writable || echo readonly'
		[ "$output" = $kind ]
	done
}

@test "named volumes, and those of another container" {
	named_volumes_work
}

@test "--tmpfs, --shm-size, --mount type=tmpfs" {
	temporary_file_systems_work
}

@test "--read-only" {
	gives $'refused\nwrote' --read-only --tmpfs /tmp -- sh -c 'touch /x 2>/dev/null || echo refused; touch /tmp/x && echo wrote'
}

@test "mounts that are made later reach a volume with rslave, and only that" {
	later_mounts_follow
}

@test "an image of 101 layers" {
	many_layers "$CASE/many.tar" many:latest
	engine load -q -i "$CASE/many.tar" >/dev/null
	run -0 created many sh -c 'ls -d /layer* | wc -l'
	[ "$output" = 100 ]
}

# --- more than containers

@test "build, without BuildKit" {
	two_users "$CASE/Dockerfile"
	run -0 env DOCKER_BUILDKIT=0 timeout 300 docker -H "unix://$WORK/docker.sock" build -q --network none -t built "$CASE" 3>&-
	built_by_two_users built
}

# BuildKit uses the daemon's default runtime.
@test "build, with BuildKit" {
	docker buildx version >/dev/null 2>&1 || not_here "no buildx"
	two_users "$CASE/Dockerfile"
	run -0 env DOCKER_BUILDKIT=1 timeout 300 docker -H "unix://$WORK/docker.sock" build -q --network none -t built2 "$CASE" 3>&-
	built_by_two_users built2
}

@test "compose" {
	command -v docker-compose >/dev/null || not_here "no docker-compose"
	: >"$CASE/begun"
	cat >"$CASE/compose.yaml" <<-END
		name: composed
		services:
		  one:
		    image: $IMAGE
		    pull_policy: never
		    network_mode: none
		    user: "33"
		    mem_limit: 64m
		    volumes: ["$CASE:/data:ro"]
		    command: [sh, -c, 'trap "exit 0" TERM; sleep 1000 & wait']
	END
	compose() { DOCKER_HOST=unix://$WORK/docker.sock timeout 300 docker-compose -f "$CASE/compose.yaml" "$@" 3>&-; }
	compose up -d >/dev/null 2>&1
	run -0 compose exec -T one sh -c 'id -u; cat /sys/fs/cgroup/memory.max; ls /data/compose.yaml'
	[ "$output" = $'33\n67108864\n/data/compose.yaml' ]
	compose down >/dev/null 2>&1
	prints '' engine ps -aq
}

# bats test_tags=core
@test "checkpoint and restore" {
	command -v criu >/dev/null || not_here "no criu"
	begin_counting
	engine checkpoint create "$C" first >/dev/null
	wait_for '[ "$(engine inspect -f "{{.State.Status}}" "$C")" = exited ]'
	engine start --checkpoint first "$C"
	restored
}
