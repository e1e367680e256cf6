# SPDX-License-Identifier: Apache-2.0
load helpers

# Creates the container with the cgroup that named_dir returns.
create_here() {
	config --arg p "$(named_path "$ID")" '.linux.cgroupsPath=$p'
	create "$ID"
}

# A container that writes a growing number every 20 ms.
start_counter() {
	script 'i=0; while :; do i=$((i+1)); echo $i >/count; usleep 20000; done'
	create_here
	tare start "$ID"
	wait_for '[ -s "$BUNDLE/rootfs/count" ]'
}

is_counting() {
	before=$(cat "$BUNDLE/rootfs/count")
	wait_for '[ "$(cat "$BUNDLE/rootfs/count")" != "$before" ]'
}

is_not_counting() {
	before=$(cat "$BUNDLE/rootfs/count")
	sleep 0.3
	[ "$(cat "$BUNDLE/rootfs/count")" = "$before" ]
}

freezer() {
	cat "$(named_dir "$ID")/cgroup.freeze"
}

@test "pause stops all processes, resume lets them continue" {
	start_counter
	is_counting
	run -0 tare pause "$ID"
	[ -z "$output" ]
	[ "$(status_of "$ID")" = paused ]
	[ "$(freezer)" = 1 ]
	is_not_counting
	run -0 tare list
	[[ "$output" == *"$ID"*paused* ]]
	run -0 tare resume "$ID"
	[ -z "$output" ]
	[ "$(status_of "$ID")" = running ]
	[ "$(freezer)" = 0 ]
	is_counting
}

@test "a created container is paused and resumed" {
	config '.process.args=["true"]'
	create_here
	tare pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	tare resume "$ID"
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "pause and resume in the wrong state report it and change nothing" {
	start_counter
	run -1 tare resume "$ID"
	[[ "$output" == *"container not paused"* ]]
	tare pause "$ID"
	run -1 tare pause "$ID"
	[[ "$output" == *"container paused"* ]]
	[ "$(status_of "$ID")" = paused ]
	run -1 tare start "$ID"
	[[ "$output" == *"cannot start a container in the paused state (resume it first)"* ]]
	run -1 tare delete "$ID"
	[[ "$output" == *"that is not stopped: paused"* ]]
	run -255 tare exec "$ID" true
	[[ "$output" == *"cannot exec in a paused container"* ]]
	tare resume "$ID"
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare pause "$ID"
	[[ "$output" == *"container not running"* ]]
	# systemd removed the scope with its last process.
	[ "${TARE_MANAGER:-}" = systemd ] || [ "$(freezer)" = 0 ]
	run -1 tare resume "$ID"
	[[ "$output" == *"container not paused"* ]]
}

@test "pause and resume of a container that does not exist" {
	for c in pause resume; do
		run -1 tare $c nothing
		[[ "$output" == *"does not exist"* ]]
	done
}

@test "SIGKILL kills a paused container" {
	start_counter
	tare pause "$ID"
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare delete "$ID"
}

@test "kill --all KILL kills a paused container" {
	script 'sleep 1000 & sleep 1000 & wait'
	create_here
	tare start "$ID"
	wait_for '[ "$(tare ps -f json "$ID" | jq length)" = 3 ]'
	tare pause "$ID"
	run -0 tare kill --all "$ID" KILL
	wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
	[ "$(status_of "$ID")" = stopped ]
}

@test "delete --force of a paused container leaves nothing" {
	start_counter
	tare pause "$ID"
	run -0 tare delete --force "$ID"
	[ -z "$output" ]
	[ ! -e "$(named_dir "$ID")" ]
	[ "$(tare list -q)" = "" ]
}

@test "a signal to a paused container is delivered when it is resumed" {
	script 'trap "echo got >/got; exit" TERM; echo >/ready; while :; do usleep 20000; done'
	create_here
	tare start "$ID"
	wait_for '[ -e "$BUNDLE/rootfs/ready" ]'
	tare pause "$ID"
	run -0 tare kill "$ID" TERM
	run -0 tare kill --all "$ID" TERM
	[ "$(status_of "$ID")" = paused ]
	[ ! -e "$BUNDLE/rootfs/got" ]
	tare resume "$ID"
	wait_for '[ -e "$BUNDLE/rootfs/got" ]'
}

@test "kill --all reaches every process, and leaves the container thawed" {
	script 'for n in 1 2 3; do sh -c "trap \"echo >/got$n\" USR1; echo >/ready$n; while :; do usleep 20000; done" & done
		trap "" USR1; wait; wait; wait'
	create_here
	tare start "$ID"
	wait_for '[ -e "$BUNDLE/rootfs/ready1" ] && [ -e "$BUNDLE/rootfs/ready2" ] && [ -e "$BUNDLE/rootfs/ready3" ]'
	run -0 tare kill --all "$ID" USR1
	[ -z "$output" ]
	wait_for '[ -e "$BUNDLE/rootfs/got1" ] && [ -e "$BUNDLE/rootfs/got2" ] && [ -e "$BUNDLE/rootfs/got3" ]'
	[ "$(freezer)" = 0 ]
	[ "$(status_of "$ID")" = running ]
}

@test "SIGKILL of a container without a pid namespace of its own kills all of its processes" {
	config '.linux.namespaces|=map(select(.type!="pid"))'
	script 'sleep 1000 & sleep 1000 & wait'
	create_here
	tare start "$ID"
	wait_for '[ "$(tare ps -f json "$ID" | jq length)" = 3 ]'
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "a paused container without a pid namespace of its own is also killed" {
	config '.linux.namespaces|=map(select(.type!="pid"))'
	script 'sleep 1000 & sleep 1000 & wait'
	create_here
	tare start "$ID"
	wait_for '[ "$(tare ps -f json "$ID" | jq length)" = 3 ]'
	tare pause "$ID"
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
}

@test "processes that the program left are killed after it exits" {
	config '.linux.namespaces|=map(select(.type!="pid"))'
	script 'sleep 1000 &'
	create_here
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	[ "$(tare ps -f json "$ID" | jq length)" = 1 ]
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
	run -1 tare kill "$ID" KILL
	[[ "$output" == *"container not running"* ]]
}

@test "kill --all does not miss processes while new ones start all the time" {
	config '.linux.namespaces|=map(select(.type!="pid"))'
	# Each of the three is replaced by a new process every few milliseconds. More would be too many orphans for the
	# host's first process to wait for.
	echo 'usleep 10000; sh /hop & exit' >"$BUNDLE/rootfs/hop"
	script 'for n in 1 2 3; do sh /hop & done; sleep 1000'
	for _ in 1 2 3 4 5; do
		create_here
		tare start "$ID"
		wait_for '[ "$(tare ps -f json "$ID" | jq length)" -ge 4 ]'
		run -0 tare kill --all "$ID" TERM
		wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
		tare delete "$ID"
	done
}

@test "pause, resume, kill --all and ps at once leave a container that can be used" {
	start_counter
	pids=
	for n in $(seq "$(rounds 30)"); do
		tare pause "$ID" >>"$WORK/log" 2>&1 3>&- &
		pids="$pids $!"
		tare kill --all "$ID" CONT >>"$WORK/log" 2>&1 3>&- &
		pids="$pids $!"
		tare resume "$ID" >>"$WORK/log" 2>&1 3>&- &
		pids="$pids $!"
		tare ps -f json "$ID" >>"$WORK/log" 2>&1 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || true; done
	if [ "$(status_of "$ID")" = paused ]; then tare resume "$ID"; fi
	[ "$(status_of "$ID")" = running ]
	[ "$(freezer)" = 0 ]
	is_counting
	# Only commands in the wrong state failed.
	run grep -vE 'container (paused already|not paused)|^\[[0-9,]+\]$' "$WORK/log"
	[ -z "$output" ]
}

# Kills the command of tare with SIGKILL while it has the container frozen. Whether that moment is met is a matter of
# chance.
killed_while_frozen() { # command...
	for _ in $(seq 200); do
		"$TARE" --root "$ROOT" "$@" </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		while read -r frozen <"$(named_dir "$ID")/cgroup.freeze" && [ "$frozen" = 0 ] && kill -0 $pid 2>/dev/null; do :; done
		kill -KILL $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		[ "$(freezer)" = 0 ] || return 0
	done
	return 1
}

@test "a command that is killed while the container is frozen leaves a container that can be resumed, killed and deleted" {
	not_systemd "a matter of chance, with any cgroup manager"
	script 'for n in $(seq 100); do sleep 1000 & done; i=0; while :; do i=$((i+1)); echo $i >/count; usleep 20000; done'
	create_here
	tare start "$ID"
	wait_for '[ -s "$BUNDLE/rootfs/count" ]'
	for command in "kill --all $ID CONT" "pause $ID"; do
		# shellcheck disable=SC2086
		killed_while_frozen $command || skip "the moment was not met"
		run -0 tare resume "$ID"
		is_counting
		# In an emulated machine that takes long, so one command suffices.
		! is_emulated || return 0
	done
	# An update does not freeze the container.
	for _ in 1 2 3 4 5; do
		"$TARE" --root "$ROOT" update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"5"}}' >/dev/null 2>&1 3>&- &
		pid=$!
		sleep "0.00$((RANDOM % 10))"
		kill -KILL $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		[ "$(freezer)" = 0 ]
	done
	killed_while_frozen kill --all "$ID" CONT || skip "the moment was not met"
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare delete "$ID"
	create_here
	tare start "$ID"
	killed_while_frozen kill --all "$ID" CONT || skip "the moment was not met"
	run -0 tare delete --force "$ID"
	[ ! -e "$(named_dir "$ID")" ]
}

# State D: exec waits in clone3 for the new process. In another state it waits for a message, and on a busy machine it is
# in state D for a moment while a page is read.
waits_in_clone() { # PID
	for _ in {1..10}; do
		[ "$(cut -d ' ' -f 3 "/proc/$1/stat" 2>/dev/null)" = D ] || return 1
		sleep 0.02
	done
}

# Starts an exec so that the cgroup is frozen after exec's last check and before its process starts, which then starts
# frozen. $pid is the exec. After a freeze that was too early the next one is later, and after one that was too late it
# is earlier.
frozen_from_start() { # cgroup
	local delay=0 step
	for _ in {1..400}; do
		"$TARE" --root "$ROOT" exec "$ID" sh -c 'echo >/was-here' </dev/null >/dev/null 2>&1 3>&- &
		pid=$!
		for ((i = delay; i > 0; i--)); do :; done
		echo 1 >"$1/cgroup.freeze"
		sleep 0.02
		! waits_in_clone "$pid" || return 0
		step=$((1 + RANDOM % (delay / 4 + 2)))
		if [ -e "$BUNDLE/rootfs/was-here" ] || [ "$(wc -l <"$1/cgroup.procs")" != 1 ]; then
			delay=$((delay > step ? delay - step : 0))
		else
			delay=$((delay + step))
		fi
		echo 0 >"$1/cgroup.freeze"
		wait "$pid" || true
		rm -f "$BUNDLE/rootfs/was-here"
	done
	return 1
}

@test "an exec is killed by a signal while its new process is frozen from the start, and leaves nothing" {
	not_systemd "a matter of chance, with any cgroup manager"
	config '.process.args=["sleep","1000"]'
	create_here
	tare start "$ID"
	dir=$(named_dir "$ID")
	for signal in TERM $(is_emulated || echo HUP); do
		frozen_from_start "$dir" || skip "the moment was not met"
		kill -$signal $pid
		wait_for '! kill -0 $pid 2>/dev/null' || { echo 0 >"$dir/cgroup.freeze"; return 1; }
		status=0
		wait $pid || status=$?
		[ "$status" = $((128 + $(kill -l $signal))) ]
		echo 0 >"$dir/cgroup.freeze"
		wait_for '[ "$(wc -l <"$dir/cgroup.procs")" = 1 ]'
		[ ! -e "$BUNDLE/rootfs/was-here" ]
	done
	run -0 tare exec "$ID" true
}
