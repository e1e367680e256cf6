# SPDX-License-Identifier: Apache-2.0
load helpers

start_three() {
	script 'sleep 1001 & sleep 1001 & wait'
	config --arg p "$(named_path "$ID")" '.linux.cgroupsPath=$p'
	create "$ID"
	tare start "$ID"
	wait_for '[ "$(tare ps -f json "$ID" | jq length)" = 3 ]'
}

@test "ps --format json prints the pids on the host, ascending, in one line" {
	start_three
	run -0 tare ps --format json "$ID"
	[ "${#lines[@]}" = 1 ]
	[[ "$output" =~ ^\[[0-9]+,[0-9]+,[0-9]+\]$ ]]
	[ "$output" = "$(sort -n "$(named_dir "$ID")/cgroup.procs" | jq -sc .)" ]
	jq -e --argjson init "$(pid_of "$ID")" 'index($init) != null' <<<"$output"
	run -0 tare ps --format=json "$ID" -ef
	[[ "$output" =~ ^\[[0-9,]+\]$ ]]
}

@test "ps of a container in a created, paused and stopped state" {
	config '.process.args=["true"]'
	create "$ID"
	[ "$(tare ps -f json "$ID")" = "[$(pid_of "$ID")]" ]
	tare pause "$ID"
	[ "$(tare ps -f json "$ID")" = "[$(pid_of "$ID")]" ]
	tare resume "$ID"
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	wait_for '[ "$(tare ps -f json "$ID")" = "[]" ]'
}

@test "ps of a container without a cgroup is an error, unless the container has stopped" {
	config '.process.args=["sleep","1000"] | del(.linux.cgroupsPath,.linux.resources)'
	"$TARE" --root "$ROOT" --cgroup-manager disabled create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	run -1 tare ps -f json "$ID"
	[[ "$output" == *"cgroup not exist: the container was made without one"* ]]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	[ "$(tare ps -f json "$ID")" = "[]" ]
}

@test "ps prints those lines of ps(1) that belong to the container" {
	command -v ps >/dev/null || not_here "needs ps(1)"
	start_three
	run -0 tare ps "$ID"
	[ "${#lines[@]}" = 4 ]
	[[ "${lines[0]}" == *UID*PID*PPID*CMD* ]]
	[ "$(printf '%s\n' "${lines[@]:1}" | awk '{print $2}' | sort -n | jq -sc .)" = "$(tare ps -f json "$ID")" ]
	[ "$(grep -c 'sleep 1001$' <<<"$output")" = 2 ]
}

@test "ps accepts options of ps(1) after the id" {
	command -v ps >/dev/null || not_here "needs ps(1)"
	start_three
	run -0 tare ps "$ID" -A -o comm=PROGRAM -o pid
	[[ "${lines[0]}" =~ ^PROGRAM\ +PID$ ]]
	[ "${#lines[@]}" = 4 ]
	run -0 tare ps "$ID" -- -A -o comm=PROGRAM -o pid
	[[ "${lines[0]}" =~ ^PROGRAM\ +PID$ ]]
	[ "${#lines[@]}" = 4 ]
	run -0 tare ps "$ID" --
	[[ "${lines[0]}" == *UID*PID*PPID*CMD* ]]
	run -0 tare ps --format table "$ID" -p 1 -o pid
	[ "${#lines[@]}" = 1 ]
	run -1 tare ps "$ID" -A -o comm
	[[ "$output" == *"no header with PID (use options such as -ef, or -o pid,comm)"* ]]
	run -1 tare ps "$ID" --no-such-option
	[[ "$output" == *"ps failed with status"* ]]
}

@test "ps without ps(1) reports what is missing" {
	start_three
	run -1 env PATH=/nowhere "$TARE" --root "$ROOT" ps "$ID"
	[[ "$output" == *"cannot execute ps"*"--format json"* ]]
}

@test "ps of a container that does not exist, and with an unknown format" {
	run -1 tare ps nothing
	[[ "$output" == *"does not exist"* ]]
	create "$ID"
	run -1 tare ps -f yaml "$ID"
	[[ "$output" == *yaml* ]]
}
