# SPDX-License-Identifier: Apache-2.0
# wait: blocks until the container has ended, and exits with the status of its program.
load helpers

# Runs a function as the child of a process that becomes the parent of orphans and does not wait for them.
with_zombies() { # FUNCTION
	export -f "$@" tare own_bundle create config script wait_for status_of
	export TARE ROOT BUNDLE ID WORK HANGS TARE_MANAGER OTHER
	python3 - "$1" <<-'END'
		import ctypes, subprocess, sys
		assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
		child = subprocess.Popen(["bash", "-euc", sys.argv[1]])
		sys.exit(child.wait())
	END
}

# Starts wait in the background.
begin_wait() { # [OUTPUT]
	"$TARE" --root "$ROOT" wait "$ID" </dev/null >"${1:-$WORK/wait.out}" 2>&1 3>&- &
	waiter=$!
}

# Fails unless the background process exits with the status. A subshell, as that of run, cannot wait for it.
ends_with() { # STATUS [PID]
	local status=0
	wait "${2:-$waiter}" || status=$?
	[ "$status" = "$1" ] || { echo "$status instead of $1"; cat "$WORK/wait.out"; return 1; }
}

# The same for wait, which may also report that this kernel has not kept the status.
waited_with() { # STATUS [PID [OUTPUT]]
	local status=0 output=${3:-$WORK/wait.out}
	wait "${2:-$waiter}" || status=$?
	if [ "$status" = 125 ] && ! keeps_status; then
		[[ "$(<"$output")" == *"but this kernel does not keep the exit status of a process for which its parent waited (Linux 6.15 or newer keeps it)" ]]
		return
	fi
	# Nor the status of a zombie that root of the host alone may inspect, because it was not dumpable.
	if [ "$status" = 125 ] && [ -n "${TARE_AS:-}" ]; then
		[[ "$(<"$output")" == *"its exit status cannot be read (this user must not inspect process "[0-9]*", for which its parent has not waited)" ]]
		return
	fi
	[ "$status" = "$1" ] && [ ! -s "$output" ] || { echo "$status instead of $1"; cat "$output"; return 1; }
}

# Whether the process has found init.
is_waiting() { # PID
	find "/proc/$1/fd" -lname '*pidfd*' 2>"$WORK/err" | grep -q .
}

@test "wait exits with the status of the program" {
	for status in 0 7 255; do
		script "exit $status"
		create "$ID"
		begin_wait
		wait_for 'is_waiting $waiter'
		tare start "$ID"
		waited_with "$status"
		tare delete "$ID"
	done
}

@test "wait exits with 128 and the number of the signal that killed the program" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	begin_wait
	tare start "$ID"
	wait_for 'is_waiting $waiter'
	tare kill "$ID" KILL
	waited_with 137
	tare delete "$ID"
	# Also if the container is deleted meanwhile.
	create "$ID"
	begin_wait
	wait_for 'is_waiting $waiter'
	tare delete --force "$ID"
	waited_with 137
}

@test "several commands can wait for one container, at once and in the foreground" {
	mkfifo "$BUNDLE/rootfs/go"
	script 'read x </go; exit 3'
	tare run -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	runner=$!
	wait_for '[ "$(status_of "$ID" 2>"$WORK/err")" = running ]'
	begin_wait "$WORK/first.out"
	first=$waiter
	begin_wait
	wait_for 'is_waiting $first && is_waiting $waiter'
	echo >"$BUNDLE/rootfs/go"
	waited_with 3
	waited_with 3 "$first" "$WORK/first.out"
	ends_with 3 "$runner"
}

@test "wait finds the status that run --keep has stored" {
	script 'exit 9'
	run -9 tare run --keep -b "$BUNDLE" "$ID"
	run -9 tare wait "$ID"
	[ -z "$output" ]
	tare delete "$ID"
	mkfifo "$BUNDLE/rootfs/go"
	script 'read x </go; kill -9 $$'
	config '.linux.namespaces|=map(select(.type!="pid"))'
	tare run --keep -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	runner=$!
	wait_for '[ "$(status_of "$ID" 2>"$WORK/err")" = running ]'
	begin_wait
	wait_for 'is_waiting $waiter'
	echo >"$BUNDLE/rootfs/go"
	ends_with 137
	ends_with 137 "$runner"
	[ ! -s "$WORK/wait.out" ] || { cat "$WORK/wait.out"; return 1; }
}

zombie_statuses() {
	for status in 0 5; do
		script "exit $status"
		create "$ID"
		tare start "$ID"
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		found=0
		tare wait "$ID" || found=$?
		[ "$found" = "$status" ] || { echo "$found instead of $status"; return 1; }
		[ "$(tare state "$ID" | jq .exitStatus)" = "$status" ]
		tare delete "$ID"
	done
}

@test "wait finds the status while init is a zombie" {
	with_zombies zombie_statuses
}

@test "a status that is not known is an error that says so" {
	script 'exit 0'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	pid=$(jq -r '.pid' <<<"$(tare state "$ID")")
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	# Once its parent has waited for it.
	wait_for '! tare wait "$ID" >"$WORK/out" 2>&1'
	run -125 tare wait "$ID"
	[ "$output" = "tare: wait $ID: the container has ended, but its exit status was not stored (wait before it ends, use run --keep, or request --init and a report: tare(8), REPORTS)" ] || { echo "$output"; return 1; }
	tare delete "$ID"
}

@test "a kernel that does not keep the status is named" {
	command -v strace >/dev/null || not_here "needs strace"
	mkfifo "$BUNDLE/rootfs/go"
	script 'read x </go; exit 3'
	tare run -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	runner=$!
	wait_for '[ "$(status_of "$ID" 2>"$WORK/err")" = running ]'
	ASAN_OPTIONS=detect_leaks=0 strace -qqq -o /dev/null -e trace=ioctl -e inject=ioctl:error=ENOTTY \
		"$TARE" --root "$ROOT" wait "$ID" </dev/null >"$WORK/wait.out" 2>&1 3>&- &
	waiter=$!
	wait_for 'is_waiting "$(pgrep -P $waiter)"'
	# Until run has waited for init, its status can be read from the zombie.
	kill -STOP "$waiter"
	echo >"$BUNDLE/rootfs/go"
	ends_with 3 "$runner"
	kill -CONT "$waiter"
	ends_with 125
	[ "$(<"$WORK/wait.out")" = "tare: wait $ID: the container has ended, but this kernel does not keep the exit status of a process for which its parent waited (Linux 6.15 or newer keeps it)" ] || { cat "$WORK/wait.out"; return 1; }
}

@test "wait for a container that does not exist fails with 125" {
	run -125 tare wait "$ID"
	[ "$output" = "tare: wait $ID: container does not exist" ]
	run -125 tare wait
	[ "$output" = "tare: wait: container id is missing: usage: tare wait [FLAGS] ID" ]
	# The creation was killed.
	config '.hooks.createRuntime=[{"path":"/bin/sh","args":["sh","-c","kill -KILL $PPID"]}]'
	run ! create "$ID"
	run -125 tare wait "$ID"
	[ "$output" = "tare: wait $ID: the container has no process: its creation was not completed (delete --force removes what is left of it)" ] || { echo "$output"; return 1; }
	tare delete --force "$ID"
}

@test "wait for a container of another pid namespace fails, and a signal ends it" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	run -125 unshare -mpf --mount-proc --propagation private "$TARE" --root "$ROOT" wait "$ID"
	[[ "$output" == *"it was created in another pid namespace (run this command in that namespace)" ]] || { echo "$output"; return 1; }
	begin_wait
	wait_for 'is_waiting $waiter'
	kill -TERM "$waiter"
	ends_with 143
	[ "$(status_of "$ID")" = created ]
}
