# SPDX-License-Identifier: Apache-2.0
load helpers

# Runs a command, and fails if a process of it is left: orphans become children of this subreaper.
leaving_no_process() {
	python3 -c '
import ctypes, os, subprocess, sys, time
ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
status = subprocess.call(sys.argv[1:])
end = time.monotonic() + 10
while True:
    try:
        pid, _ = os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        sys.exit(status)
    if pid == 0 and time.monotonic() > end:
        break
    if pid == 0:
        time.sleep(0.001)
for pid in open("/proc/self/task/%d/children" % os.getpid()).read().split():
    print("left:", pid, open("/proc/%s/cmdline" % pid).read().split(chr(0)))
sys.exit(1)
' "$@"
}

@test "kill -9 of tare at random moments: delete --force leaves nothing" {
	config '.process.args=["sleep","1000"]'
	for i in $(seq "$(rounds 50)"); do
		for command in create run "run -d"; do
			# shellcheck disable=SC2016
			run -0 leaving_no_process bash -c '
				"$0" --root "$1" '"$command"' -b "$2" "$3" </dev/null >"$4" 2>&1 3>&- &
				sleep "0.00$((RANDOM % 10))$((RANDOM % 10))"
				kill -9 $! 2>/dev/null
				wait $! 2>/dev/null
				"$0" --root "$1" delete --force "$3"' "$TARE" "$ROOT" "$BUNDLE" "$ID" "$WORK/out"
			[ ! -e "$ROOT/$ID" ]
			[ ! -e "$(cgroup_of "$ID")" ]
		done
	done
	[ -z "$(ls -A "$ROOT")" ]
}

@test "1,000 containers one after another" {
	config '.process.args=["true"]'
	# shellcheck disable=SC2016
	run -0 leaving_no_process bash -c 'set -e; for i in $(seq "$4"); do "$0" --root "$1" run -b "$2" "$3" </dev/null; done' \
		"$TARE" "$ROOT" "$BUNDLE" "$ID" "$(rounds 1000)"
	[ -z "$output" ]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "200 containers created at once" {
	config '.process.args=["sleep","1000"]'
	# shellcheck disable=SC2016
	run -0 leaving_no_process bash -ec '
		for i in $(seq 200); do
			"$0" --root "$1" create -b "$2" "$3.$i" </dev/null >>"$4" 2>&1 3>&- &
			pids="$pids $!"
		done
		for pid in $pids; do wait "$pid"; done
		"$0" --root "$1" list -q | wc -l
		for i in $(seq 200); do "$0" --root "$1" delete --force "$3.$i"; done' "$TARE" "$ROOT" "$BUNDLE" "$ID" "$WORK/out"
	[ "$output" = 200 ]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "init outlives the process that created it, however soon that exits" {
	config '.process.args=["sleep","1000"]'
	for i in $(seq "$(rounds 100)"); do
		create "$ID"
		[ "$(status_of "$ID")" = created ]
		tare delete --force "$ID"
	done
}

@test "10,000 execs in a row, each with its own status" {
	config '.process.args=["sleep","100000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	pid=$(pid_of "$ID")
	before=$(ls /proc/"$pid"/fd | wc -l)
	printf '#!/bin/sh\nexit $1\n' >"$BUNDLE/rootfs/bin/end"
	chmod 755 "$BUNDLE/rootfs/bin/end"
	n=$(rounds 10000)
	for i in $(seq "$n"); do
		status=0
		"$TARE" --root "$ROOT" exec "$ID" end $((i % 250)) </dev/null >"$WORK/out" 2>&1 || status=$?
		[ "$status" -eq $((i % 250)) ] || { echo "round $i gave $status"; cat "$WORK/out"; return 1; }
	done
	[ "$(ls /proc/"$pid"/fd | wc -l)" -eq "$before" ]
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$pid"/cgroup | cut -d: -f3)
	[ "$(cat "$cgroup/cgroup.procs")" = "$pid" ]
}

@test "100 execs at once" {
	config '.process.args=["sleep","100000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	pid=$(pid_of "$ID")
	for round in 1 2 3; do
		pids=
		for i in $(seq 100); do
			"$TARE" --root "$ROOT" exec "$ID" sh -c "sleep 0.2; exit $i" </dev/null >>"$WORK/out" 2>&1 3>&- &
			pids="$pids $!"
		done
		i=0
		for p in $pids; do
			i=$((i + 1))
			status=0
			wait "$p" || status=$?
			[ "$status" -eq "$i" ] || { echo "number $i gave $status"; cat "$WORK/out"; return 1; }
		done
	done
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$pid"/cgroup | cut -d: -f3)
	[ "$(cat "$cgroup/cgroup.procs")" = "$pid" ]
}

@test "kill -9 of exec at random moments leaves the container as it was" {
	config '.process.args=["sleep","100000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	init=$(pid_of "$ID")
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$init"/cgroup | cut -d: -f3)
	for i in $(seq 100); do
		"$TARE" --root "$ROOT" exec "$ID" true </dev/null >"$WORK/out" 2>&1 3>&- &
		pid=$!
		sleep "0.000$((RANDOM % 10))$((RANDOM % 10))"
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
	done
	wait_for '[ "$(cat "$cgroup/cgroup.procs")" = "$init" ]'
	run -0 tare exec "$ID" echo fine
	[ "$output" = fine ]
}
