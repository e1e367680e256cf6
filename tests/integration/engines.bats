# SPDX-License-Identifier: Apache-2.0
# Real engines that call tare. Each has its storage and sockets in the case's directory. They mount file systems in the
# case's mount namespace, so mounts are compared only at the end.
load helpers

# Checks an engine's own filter by calls that would return something else without it: one allowed call, one that is
# denied (perf_event_open(2) with a null address fails with EFAULT without a filter), and one that is newer than all
# profiles. Also prints what an allowed call costs.
check_filter() { # program that runs its arguments in a container of the engine, with its filter
	run -0 "$1" probe 39 298:0:0:0:0:0 600
	[[ "${lines[0]}" =~ ^39\ [1-9][0-9]*\ 0$ ]]
	[ "${lines[1]}" = "298 -1 1" ]
	[ "${lines[2]}" = "600 -1 38" ]
	run -0 "$1" grep Seccomp: /proc/self/status
	[ "$output" = "Seccomp:	2" ]
	with=$("$1" calls) without=$("$1-unconfined" calls)
	echo "# getpid under the filter of $1: $with ns, without $without ns" >&3
}

# Makes an image of busybox and the tools for check_filter, as a tar archive.
image() {
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	watch_mounts ends
	cp "$TOOLS/probe" "$TOOLS/calls" "$BUNDLE/rootfs/bin/"
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
}

engine() {
	timeout 120 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$TARE" --network-cmd-path /bin/false "$@"
}

with_podman() { # flags of podman
	command -v podman >/dev/null || host_lacks "no podman"
	image
	engine import -q "$WORK/image.tar" localhost/busybox >/dev/null
}

end_engines() {
	[ ! -d "$WORK/storage" ] || engine rm -f -t 0 --all >/dev/null
	if [ -e "$WORK/docker.pid" ]; then
		docker -H "unix://$WORK/docker.sock" ps -aq | xargs -r docker -H "unix://$WORK/docker.sock" rm -f >/dev/null
	fi
	end_daemon dockerd
	end_daemon containerd
	unmount_work
}

teardown() {
	end_engines
	end_case
}

@test "podman run" {
	with_podman
	run -0 engine run --rm --network none localhost/busybox echo hello
	[ "$output" = hello ]
	run -7 engine run --rm --network none localhost/busybox sh -c 'exit 7'
	run -127 engine run --rm --network none localhost/busybox /no/such/program
	[[ "$output" == *"no/such/program"* ]]
}

@test "podman's own seccomp profile" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin/probe"
	with_podman
	# 278 is vmsplice: podman's profile denies it. Without the filter it fails with EBADF, because the descriptor is
	# not open.
	for options in '' '--security-opt no-new-privileges'; do
		# shellcheck disable=SC2086
		run -0 engine run --rm --network none $options localhost/busybox probe 39 278:99 9999
		[ "$output" = $'39 1 0\n278 -1 1\n9999 -1 38' ]
	done
	run -0 engine run --rm --network none --security-opt seccomp=unconfined localhost/busybox probe 278:99
	[ "$output" = '278 -1 9' ]
	engine run -d --name filtered --network none localhost/busybox sleep 1000 >/dev/null 3>&-
	run -0 engine exec filtered probe 278:99
	[ "$output" = '278 -1 1' ]
}

@test "podman run with either cgroup manager and limits" {
	with_podman
	for manager in systemd cgroupfs; do
		run -0 engine --cgroup-manager "$manager" run --rm --network none --memory 64m --pids-limit 20 --cpus 0.5 localhost/busybox \
			cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max
		[ "$output" = $'67108864\n20\n50000 100000' ]
	done
}

@test "podman: a container's life: detached, exec, pause, update, stop, logs" {
	with_podman
	engine run -d --name life --network none localhost/busybox sh -c 'trap "echo stopped; exit 3" TERM; echo begun; while :; do sleep 0.1; done' >/dev/null 3>&-
	run -0 engine exec life cat /proc/1/comm
	[ "$output" = sh ]
	run -5 engine exec life sh -c 'exit 5'
	run -0 engine exec -u 1000 -e A=b -w /tmp life sh -c 'id -u; echo $A; pwd'
	[ "$output" = $'1000\nb\n/tmp' ]
	engine pause life
	[ "$(engine inspect -f '{{.State.Status}}' life)" = paused ]
	engine unpause life
	engine update --memory 100m life >/dev/null
	run -0 engine exec life cat /sys/fs/cgroup/memory.max
	[ "$output" = 104857600 ]
	engine stop -t 10 life >/dev/null
	[ "$(engine inspect -f '{{.State.ExitCode}}' life)" = 3 ]
	[ "$(engine logs life)" = $'begun\nstopped' ]
	engine rm life >/dev/null
}

podmans-filter() {
	engine run --rm --network none localhost/busybox "$@"
}

podmans-filter-unconfined() {
	engine run --rm --network none --security-opt seccomp=unconfined localhost/busybox "$@"
}

@test "podman's own filter" {
	with_podman
	check_filter podmans-filter
	run -0 podmans-filter-unconfined probe 298:0:0:0:0:0
	[ "$output" = "298 -1 14" ]
}

# Starts an engine's daemon in the background and waits until it is ready. On a busy emulated machine this takes
# minutes. It has failed if its process has disappeared.
begin_daemon() { # name, what succeeds when it is up, command and arguments
	local name=$1 up=$2 last=$((SECONDS + 600))
	shift 2
	"$@" >"$WORK/$name.log" 2>&1 3>&- &
	echo $! >"$WORK/$name.pid"
	until eval "$up" >/dev/null 2>&1; do
		if [ $SECONDS -ge $last ] || ! kill -0 $!; then
			tail -n 20 "$WORK/$name.log"
			return 1
		fi
		sleep 0.5
	done
}

end_daemon() { # name
	[ -e "$WORK/$1.pid" ] || return 0
	kill "$(cat "$WORK/$1.pid")" || true
	while [ -e "/proc/$(cat "$WORK/$1.pid")" ]; do sleep 0.2; done
}

# dockerd gives a containerd that it starts itself 15 seconds, and containerd gives a shim two and five seconds. Both
# are too short for a busy emulated machine, so containerd is started here, with longer timeouts.
with_docker() { # flags of dockerd
	command -v dockerd >/dev/null || host_lacks "no docker"
	image
	cat >"$WORK/containerd.toml" <<-END
		version = 2
		root = "$WORK/containerd"
		state = "$WORK/containerd.run"
		disabled_plugins = ["io.containerd.grpc.v1.cri"]
		[grpc]
		  address = "$WORK/containerd.sock"
		[timeouts]
		  "io.containerd.timeout.shim.cleanup" = "60s"
		  "io.containerd.timeout.shim.load" = "60s"
		  "io.containerd.timeout.shim.shutdown" = "60s"
		  "io.containerd.timeout.task.state" = "60s"
	END
	begin_daemon containerd 'timeout 20 ctr -a "$WORK/containerd.sock" version' containerd -c "$WORK/containerd.toml"
	begin_daemon dockerd 'dockers version' dockerd --containerd "$WORK/containerd.sock" --data-root "$WORK/docker" \
		--exec-root "$WORK/docker.run" -p "$WORK/docker.pid" -H "unix://$WORK/docker.sock" \
		--add-runtime tare="$TARE" --bridge none --iptables=false --ip6tables=false "$@"
	dockers import "$WORK/image.tar" busybox >/dev/null
}

dockers() {
	timeout 120 docker -H "unix://$WORK/docker.sock" "$@"
}

@test "docker run, with limits, and a container's life" {
	with_docker
	run -0 dockers run --rm --runtime tare --network none busybox echo hello
	[ "$output" = hello ]
	run -0 dockers run --rm --runtime tare --network none --memory 64m --pids-limit 20 --cpus 0.5 busybox \
		cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max /sys/fs/cgroup/cpu.max
	[ "$output" = $'67108864\n20\n50000 100000' ]
	run -127 dockers run --rm --runtime tare --network none busybox /no/such/program
	dockers run -d --name life --runtime tare --network none busybox sh -c 'trap "exit 3" TERM; while :; do sleep 0.1; done' >/dev/null
	run -0 dockers exec life cat /proc/1/comm
	[ "$output" = sh ]
	dockers pause life
	dockers unpause life
	dockers update --memory 100m --memory-swap 200m life >/dev/null
	run -0 dockers exec life cat /sys/fs/cgroup/memory.max
	[ "$output" = 104857600 ]
	run -0 dockers top life
	[[ "$output" == *sh* ]]
	dockers stop -t 10 life >/dev/null
	[ "$(dockers inspect -f '{{.State.ExitCode}}' life)" = 3 ]
	dockers rm life >/dev/null
}

dockers-filter() {
	dockers run --rm --runtime tare --network none busybox "$@"
}

dockers-filter-unconfined() {
	dockers run --rm --runtime tare --network none --security-opt seccomp=unconfined busybox "$@"
}

containerds() { # flags and arguments
	timeout 120 ctr -a "$WORK/containerd.sock" run --rm --runc-binary "$TARE" --env PATH=/bin "$@"
}

containerds-filter() {
	containerds --seccomp --rootfs "$BUNDLE/rootfs" "c$RANDOM" "$@"
}

containerds-filter-unconfined() {
	containerds --rootfs "$BUNDLE/rootfs" "c$RANDOM" "$@"
}

@test "docker's and containerd's own filters" {
	with_docker
	check_filter dockers-filter
	check_filter containerds-filter
}

# Docker's shim reads the kernel's count of OOM kills once start has returned. If start waited for more than the
# execution of the program, the shim would always be too late. On a busy machine it is sometimes too late with every
# runtime, so one success of several attempts suffices. tare makes the cgroups, because systemd would remove a scope's
# cgroup, and the count, with the last process.
@test "docker reports that a container ran out of memory right after its start" {
	with_docker --exec-opt native.cgroupdriver=cgroupfs
	for n in 1 2 3 4 5; do
		run -137 dockers run --name "oom$n" --runtime tare --network none --memory 16m busybox tail /dev/zero
		[ "$(dockers inspect -f '{{.State.OOMKilled}}' "oom$n")" != true ] || return 0
	done
	return 1
}
