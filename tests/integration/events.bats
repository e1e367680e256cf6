# SPDX-License-Identifier: Apache-2.0
load helpers

start_sleep() {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
}

# 16 MiB of memory, no swap.
limit_memory() {
	config '.linux.resources+={memory:{limit:16777216,swap:16777216},pids:{limit:50}}'
}

@test "events --stats prints one line with what the container uses" {
	start_sleep
	run -0 tare events --stats "$ID"
	[ "${#lines[@]}" = 1 ]
	jq -e --arg id "$ID" '.type=="stats" and .id==$id and (.data|type=="object") and
		(.data|has("cpu") and has("memory") and has("pids") and has("blkio") and has("hugetlb"))' <<<"$output"
	# The core of cgroup2 counts CPU time without any controller.
	jq -e '.data.cpu.usage|.total>0 and .total>=.kernel and .total>=.user' <<<"$output"
}

# Starts events in the background. It watches once it has opened the cgroup's files.
watch_events() {
	timeout --foreground "$HANGS" "$TARE" --root "$ROOT" events --interval=1h "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	wait_for 'readlink /proc/$(pgrep -P $watcher -x tare)/fd/* 2>/dev/null | grep -q /cgroup.events'
}

@test "events prints statistics at each interval, and exits with the container" {
	start_sleep
	timeout "$HANGS" "$TARE" --root "$ROOT" events --interval 200ms "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	wait_for '[ "$(wc -l <"$WORK/events")" -ge 3 ]'
	kill -0 "$watcher"
	tare kill "$ID" KILL
	wait "$watcher"
	jq -se --arg id "$ID" 'length>=3 and all(.[]; .type=="stats" and .id==$id)' "$WORK/events"
}

@test "events exits when the container is deleted" {
	start_sleep
	watch_events
	tare delete --force "$ID"
	wait "$watcher"
	[ ! -s "$WORK/events" ]
}

@test "events continues while the container is paused" {
	start_sleep
	timeout "$HANGS" "$TARE" --root "$ROOT" events --interval 100ms "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	tare pause "$ID"
	wait_for '[ "$(wc -l <"$WORK/events")" -ge 2 ]'
	tare kill "$ID" KILL
	wait "$watcher"
}

@test "events of a container that is not running, and of one that does not exist" {
	run -1 tare events nothing
	[[ "$output" == *"does not exist"* ]]
	start_sleep
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare events "$ID"
	[[ "$output" == *"container with id $ID is not running"* ]]
	run -1 tare events --stats "$ID"
	[[ "$output" == *"container with id $ID is not running"* ]]
}

@test "invalid intervals" {
	start_sleep
	for interval in 5 0 0s -1s 1d "" "5 s"; do
		run -1 tare events --interval "$interval" "$ID"
		[[ "$output" == *interval* ]]
	done
}

@test "events reports each time that memory ran out, and statistics report the limits" {
	controllers memory pids
	script 'for n in 1 2; do while [ ! -e /go$n ]; do usleep 50000; done; dd if=/dev/zero of=/dev/null bs=64M count=1; done; sleep 1000'
	limit_memory
	create "$ID"
	tare start "$ID"
	watch_events
	[ ! -s "$WORK/events" ]
	for n in 1 2; do
		touch "$BUNDLE/rootfs/go$n"
		wait_for '[ "$(grep -c oom "$WORK/events")" = '$n' ]'
	done
	jq -se --arg id "$ID" '. == [{type:"oom",id:$id},{type:"oom",id:$id}]' "$WORK/events"
	run -0 tare events --stats "$ID"
	jq -e '.data|.memory.usage.limit==16777216 and .memory.usage.usage>0 and .memory.usage.failcnt>0
		and .memory.swap.limit==16777216 and .memory.raw.anon>=0 and .memory.kernel.usage>0
		and (.pids=={current:2,limit:50} or .pids=={current:1,limit:50})' <<<"$output"
	tare kill --all "$ID" KILL
	wait "$watcher"
	run -0 tare state "$ID"
	jq -e '.status=="stopped"' <<<"$output"
}

# systemd may remove a scope's cgroup before its counters can be read. There, one success of several attempts suffices.
in_time() { # command...
	for _ in 1 2 3 4 5; do
		if "$@"; then return 0; fi
		[ "${TARE_MANAGER:-}" = systemd ] || return 1
	done
	return 1
}

# The container's oomKills, as state reports it once it has stopped. The count may arrive a moment later.
ended_with() { # kills
	create "$ID" && tare start "$ID" && wait_for '[ "$(status_of "$ID")" = stopped ]' || return 1
	for _ in 1 2 3 4 5; do
		kills=$(tare state "$ID" | jq .oomKills)
		[ "$kills" != "$1" ] || break
		sleep 0.2
	done
	tare delete "$ID" && [ "$kills" = "$1" ]
}

@test "state reports how often a stopped container ran out of memory" {
	controllers memory pids
	limit_memory
	script 'for n in 1 2; do dd if=/dev/zero of=/dev/null bs=64M count=1; done; exit 3'
	in_time ended_with 2
	script 'exec dd if=/dev/zero of=/dev/null bs=64M count=1'
	in_time ended_with 1
	script 'exit 137'
	in_time ended_with 0
}

# Runs a container that exits with that status. Checks what run prints, and what state reports afterwards.
ends() { # status text kills
	run tare run --keep -b "$BUNDLE" "$ID"
	[ "$status" = "$1" ] && end=$(tare state "$ID" | jq -c '[.exitStatus,.oomKills]') && tare delete "$ID" &&
		echo "$output $end" && [ "$output" = "${2:+tare: run $ID: $2}" ] && [ "$end" = "[$1,$3]" ]
}

@test "run reports that memory was the reason" {
	controllers memory pids
	limit_memory
	script 'exec dd if=/dev/zero of=/dev/null bs=64M count=1'
	in_time ends 137 "container init was OOM-killed (memory limit too low?)" 1
	script 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; exit 137'
	in_time ends 137 "a process of the container was OOM-killed (memory limit too low?)" 1
	# A program that handles the death of its child exits with its own status.
	script 'dd if=/dev/zero of=/dev/null bs=64M count=1 2>/dev/null; exit 3'
	in_time ends 3 "" 1
	script 'exit 137'
	in_time ends 137 "" 0
}

oom_is_reported() {
	rm -f "$BUNDLE/rootfs/go"
	create "$ID" && tare start "$ID" || return 1
	watch_events
	touch "$BUNDLE/rootfs/go"
	wait "$watcher" && tare delete "$ID" &&
		jq -se --arg id "$ID" '. == [{type:"oom",id:$id}]' "$WORK/events"
}

@test "events reports that a container's last process ran out of memory" {
	controllers memory pids
	script 'while [ ! -e /go ]; do usleep 50000; done; exec dd if=/dev/zero of=/dev/null bs=64M count=1'
	limit_memory
	in_time oom_is_reported
}

@test "statistics have pressure and block I/O if the kernel counts them" {
	controllers memory io
	script 'dd if=/dev/zero of=/file bs=1M count=4 conv=fsync 2>/dev/null; sleep 1000'
	limit_memory
	config '.linux.resources.blockIO={weight:100}'
	create "$ID"
	tare start "$ID"
	wait_for '[ -s "$BUNDLE/rootfs/file" ]'
	run -0 tare events --stats "$ID"
	jq -e '(.data.blkio.ioServiceBytesRecursive|type=="array") and (.data.cpu.throttling|type=="object")' <<<"$output"
	[ ! -e /proc/pressure/cpu ] || jq -e '[.data|.cpu,.memory,.blkio|.psi.some|.avg10,.avg60,.avg300,.total]|all(type=="number")' <<<"$output"
}

# By SIGPIPE, or by the write error if SIGPIPE is ignored.
@test "events exits when its output has no reader" {
	start_sleep
	run -0 timeout "$HANGS" sh -c '"$1" --root "$2" events --interval 50ms "$3" 2>/dev/null | head -n 2' sh "$TARE" "$ROOT" "$ID"
	[ "${#lines[@]}" = 2 ]
	[ "$(status_of "$ID")" = running ]
}
