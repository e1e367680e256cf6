# SPDX-License-Identifier: Apache-2.0
# Real engines that call tare.
load helpers
load engines

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

@test "podman: idmapped volumes, with the container's mapping and with mappings of their own" {
	with_podman
	mkdir "$WORK/data"
	touch "$WORK/data/f"
	chown 7:8 "$WORK/data/f"
	chmod 755 "$WORK" "$WORK/data"
	run -0 engine run --rm --network none --uidmap 0:100000:1000 --gidmap 0:200000:1000 -v "$WORK/data:/plain" -v "$WORK/data:/all:idmap" \
		-v "$WORK/data:/host:idmap=uids=7-100005-1;gids=8-200006-1" -v "$WORK/data:/own:idmap=uids=@7-33-1#0-0-1;gids=@8-34-1" \
		localhost/busybox stat -c %u:%g /plain/f /all/f /host/f /own/f
	[ "$output" = $'65534:65534\n7:8\n5:6\n33:34' ] || { echo "$output"; return 1; }
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

# The annotations of tare, which an engine passes on: limits of time, a report, a first process, and denied calls.
# perf_event_open(2) is denied by the engine's own filter.
check_annotations() { # program that runs a container of the engine, with flags before "--"
	run -137 "$1" --annotation org.tare.time-limit=1s --annotation org.tare.grace=0 --annotation "org.tare.report=$WORK/report" -- sleep 1000
	wait_for '[ -s "$WORK/report" ]'
	valid_report "$WORK/report"
	jq -e '.cause=="time" and .limitSignal.name=="KILL"' "$WORK/report" || { cat "$WORK/report"; return 1; }
	run -137 "$1" --annotation org.tare.cpu-time-limit=1s --annotation org.tare.grace=0 --annotation "org.tare.report=$WORK/second" \
		--annotation org.tare.init=true --annotation "org.tare.denied=$WORK/denied" -- sh -c 'probe 298:0:0:0:0:0; echo $$; while :; do :; done'
	[ "${lines[0]}" = "298 -1 1" ]
	[ "${lines[1]}" -gt 1 ]
	wait_for '[ -s "$WORK/second" ] && [ -s "$WORK/denied" ]'
	valid_report "$WORK/second"
	jq -e '.cause=="cpu-time"' "$WORK/second" || { cat "$WORK/second"; return 1; }
	jq -e '.calls|map(select(.name=="perf_event_open" and .answer=="EPERM" and .count==1))|length==1' "$WORK/denied" ||
		{ cat "$WORK/denied"; return 1; }
}

annotated-by-podman() {
	local flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	engine run --rm --network none "${flags[@]}" localhost/busybox "${@:2}"
}

@test "podman: the annotations of tare" {
	with_podman
	check_annotations annotated-by-podman
}

@test "podman's own filter" {
	with_podman
	check_filter podmans-filter
	run -0 podmans-filter-unconfined probe 298:0:0:0:0:0
	[ "$output" = "298 -1 14" ]
}

annotated-by-docker() {
	local flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	dockers run --rm --runtime tare --network none "${flags[@]}" busybox "${@:2}"
}

@test "docker run, with limits, the annotations of tare, and a container's life" {
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
	check_annotations annotated-by-docker
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

# A program that counts in a file of its root file system.
COUNTER='i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.1; done'

@test "podman: checkpoint and restore, also from an archive" {
	command -v criu >/dev/null || not_here "no criu"
	with_podman
	engine run -d --name counter --network none --memory 64m localhost/busybox sh -c "$COUNTER" >/dev/null 3>&-
	wait_for '[ "$(engine exec counter cat /count)" -gt 3 ]'
	engine container checkpoint counter >/dev/null
	[ "$(engine inspect -f '{{.State.Checkpointed}}' counter)" = true ]
	engine container restore counter >/dev/null 3>&-
	run -0 engine exec counter cat /count
	[ "$output" -gt 3 ]
	seen=$output
	wait_for '[ "$(engine exec counter cat /count)" -gt "$seen" ]'
	run -0 engine exec counter cat /sys/fs/cgroup/memory.max
	[ "$output" = 67108864 ]
	engine container checkpoint --leave-running counter >/dev/null
	[ "$(engine inspect -f '{{.State.Status}}' counter)" = running ]
	engine container checkpoint -e "$WORK/archive.tar" counter >/dev/null
	engine rm counter >/dev/null
	engine container restore -i "$WORK/archive.tar" --name again >/dev/null 3>&-
	run -0 engine exec again cat /count
	[ "$output" -gt "$seen" ]
	engine rm -f -t 0 again >/dev/null
}

@test "docker: checkpoint and restore" {
	command -v criu >/dev/null || not_here "no criu"
	with_docker --experimental
	dockers run -d --name counter --runtime tare --network none busybox sh -c "$COUNTER" >/dev/null
	wait_for '[ "$(dockers exec counter cat /count)" -gt 3 ]'
	dockers checkpoint create counter first >/dev/null
	wait_for '[ "$(dockers inspect -f "{{.State.Status}}" counter)" = exited ]'
	dockers start --checkpoint first counter
	run -0 dockers exec counter cat /count
	[ "$output" -gt 3 ]
	seen=$output
	wait_for '[ "$(dockers exec counter cat /count)" -gt "$seen" ]'
	dockers rm -f counter >/dev/null
}

@test "containerd: checkpoint and restore" {
	command -v criu >/dev/null || not_here "no criu"
	with_docker
	ctrs() { timeout 120 ctr -a "$WORK/containerd.sock" "$@"; }
	ctrs run -d --runc-binary "$TARE" --env PATH=/bin --rootfs "$BUNDLE/rootfs" counter sh -c "$COUNTER"
	wait_for '[ -s "$BUNDLE/rootfs/count" ]'
	run -0 ctrs task checkpoint --image-path "$WORK/images" counter
	[ -s "$WORK/images/inventory.img" ]
	ctrs task kill -s KILL counter
	wait_for '! ctrs task ls | grep -q RUNNING'
	ctrs task rm counter >/dev/null 2>&1 || true
	ctrs container rm counter
}
