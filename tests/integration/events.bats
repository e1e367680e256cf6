# SPDX-License-Identifier: Apache-2.0
load helpers

start_sleep() {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
}

has_controller() {
	grep -qw "$1" "$(cgroup_mount)/$ID/cgroup.controllers"
}

@test "events --stats prints one line of what the container uses" {
	start_sleep
	run -0 tare events --stats "$ID"
	[ "${#lines[@]}" = 1 ]
	jq -e --arg id "$ID" '.type=="stats" and .id==$id and (.data|type=="object") and
		(.data|has("cpu") and has("memory") and has("pids") and has("blkio") and has("hugetlb"))' <<<"$output"
	# The core of cgroup2 counts CPU time without a controller.
	jq -e '.data.cpu.usage|.total>0 and .total>=.kernel and .total>=.user' <<<"$output"
}

@test "events prints statistics at each interval, and ends with the container" {
	start_sleep
	timeout 20 "$TARE" --root "$ROOT" events --interval 200ms "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	wait_for '[ "$(wc -l <"$WORK/events")" -ge 3 ]'
	kill -0 "$watcher"
	tare kill "$ID" KILL
	wait "$watcher"
	jq -se --arg id "$ID" 'length>=3 and all(.[]; .type=="stats" and .id==$id)' "$WORK/events"
}

@test "events ends when the container is deleted while it is watched" {
	start_sleep
	timeout 20 "$TARE" --root "$ROOT" events --interval=1h "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	sleep 0.2
	tare delete --force "$ID"
	wait "$watcher"
	[ ! -s "$WORK/events" ]
}

@test "events goes on while the container is paused" {
	start_sleep
	timeout 20 "$TARE" --root "$ROOT" events --interval 100ms "$ID" >"$WORK/events" 3>&- &
	watcher=$!
	tare pause "$ID"
	wait_for '[ "$(wc -l <"$WORK/events")" -ge 2 ]'
	tare kill "$ID" KILL
	wait "$watcher"
}

@test "events of a container that is not running, and of none" {
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

@test "intervals that are none" {
	start_sleep
	for interval in 5 0 0s -1s 1d "" "5 s"; do
		run -1 tare events --interval "$interval" "$ID"
		[[ "$output" == *interval* ]]
	done
}
