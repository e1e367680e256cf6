# SPDX-License-Identifier: Apache-2.0
# create, run and exec wait for other processes. A signal ends the wait, and nothing is left.
load helpers

# Runs tare in the background, with the signal dispositions of a terminal's job. Its pid is in $job.
background() { # ARGS
	env --default-signal=INT,TERM,HUP,QUIT "$TARE" --root "$ROOT" "$@" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
}

ended() { # STATUS SIGNAL
	status=0
	wait_for '! kill -0 "$job" 2>/dev/null' || { kill -KILL "$job"; return 1; }
	wait "$job" || status=$?
	[ "$status" -eq "$1" ] || { echo "status $status: $(cat "$WORK/err")"; return 1; }
	[[ "$(cat "$WORK/err")" == *"interrupted by SIG$2"* ]] || { cat "$WORK/err"; return 1; }
}

nothing_left() {
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$(cgroup_of "$ID")" ]
	[ ! -e "$WORK/pid" ]
}

hook() { # KIND SCRIPT
	config --arg k "$1" --arg s "$2" '.hooks[$k]=[{path:"/bin/sh",args:["sh","-c",$s]}]'
}

full_socket() {
	"$TOOLS/fullsocket" "$WORK/full" </dev/null >/dev/null 2>&1 3>&- &
	listener=$!
	wait_for '[ -S "$WORK/full" ]'
}

@test "a signal ends create and run while a hook of the runtime hangs" {
	hook prestart "echo \$\$ >$WORK/here; exec sleep 1000"
	for signal in TERM HUP INT QUIT; do
		for command in create run; do
			background $command --pid-file "$WORK/pid" -b "$BUNDLE" "$ID"
			wait_for '[ -s "$WORK/here" ]'
			kill -$signal "$job"
			ended 1 $signal
			nothing_left
			wait_for '! kill -0 $(cat "$WORK/here") 2>/dev/null'
			rm "$WORK/here"
		done
	done
}

@test "a signal ends create and run while a hook in the container hangs" {
	mkdir "$WORK/d"
	hook createContainer "touch $WORK/d/here; exec sleep 1000"
	for command in create run; do
		background $command --pid-file "$WORK/pid" -b "$BUNDLE" "$ID"
		wait_for '[ -e "$WORK/d/here" ]'
		kill -TERM "$job"
		ended 1 TERM
		nothing_left
		rm "$WORK/d/here"
	done
	config 'del(.hooks)'
	hook startContainer "touch /tmp/here; exec sleep 1000"
	background run -b "$BUNDLE" "$ID"
	wait_for '[ -e "$BUNDLE/rootfs/tmp/here" ]'
	kill -TERM "$job"
	ended 1 TERM
	nothing_left
}

@test "a signal ends run while a poststart hook hangs" {
	config '.process.args=["sleep","1000"]'
	hook poststart "touch $WORK/here; exec sleep 1000"
	background run -b "$BUNDLE" "$ID"
	wait_for '[ -e "$WORK/here" ]'
	kill -TERM "$job"
	ended 1 TERM
	nothing_left
}

@test "a signal that the caller ignores has no effect" {
	config '.process.args=["true"]'
	hook prestart "touch $WORK/here; while [ ! -e $WORK/go ]; do sleep 0.05; done"
	(trap "" HUP TERM; exec "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID") </dev/null >"$WORK/out" 2>&1 3>&- &
	job=$!
	wait_for '[ -e "$WORK/here" ]'
	kill -HUP "$job"
	kill -TERM "$job"
	sleep 0.3
	kill -0 "$job" || { cat "$WORK/err"; return 1; }
	touch "$WORK/go"
	wait "$job" || { cat "$WORK/out"; return 1; }
}

@test "a signal, or a timeout, ends create while no process accepts the console" {
	full_socket
	config '.process.terminal=true'
	background create --pid-file "$WORK/pid" --console-socket "$WORK/full" -b "$BUNDLE" "$ID"
	# By now create usually waits for the console. A signal that arrives earlier has the same effect.
	wait_for '[ -e "$ROOT/$ID" ]'
	sleep 0.5
	kill -TERM "$job"
	ended 1 TERM
	nothing_left
	status=0
	timeout -k 1 "$HANGS" "$TARE" --root "$ROOT" create --console-socket "$WORK/full" -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || status=$?
	kill "$listener"
	[ "$status" -eq 1 ]
	[[ "$(cat "$WORK/out")" == *"cannot connect to socket '$WORK/full'"* ]]
	nothing_left
}

@test "a signal ends an exec into a paused container" {
	config '.process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	tare pause "$ID"
	for n in 1 2 3; do
		background exec --ignore-paused --pid-file "$WORK/pid" "$ID" true
		wait_for '[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" = 2 ]'
		kill -0 "$job" || { cat "$WORK/err"; return 1; }
		kill -TERM "$job"
		ended 255 TERM
		[ ! -e "$WORK/pid" ]
		[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" -eq 1 ]
	done
	# Without a signal the exec continues when the container is resumed.
	background exec --ignore-paused "$ID" echo there
	wait_for '[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" = 2 ]'
	tare resume "$ID"
	wait "$job"
	[ "$(cat "$WORK/out")" = there ]
}

@test "a signal right after the start of exec's process in a paused container leaves no process" {
	command -v strace >/dev/null || not_here "needs strace"
	config '.process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	tare pause "$ID"
	# -D: the pid is tare's. clone3 returns long after it has made the process.
	env --default-signal=TERM ASAN_OPTIONS=detect_leaks=0 strace -D -qqq -o /dev/null -e trace=clone3 \
		-e inject=clone3:delay_exit=2000000 "$TARE" --root "$ROOT" exec --ignore-paused "$ID" true \
		</dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
	wait_for '[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" = 2 ]'
	kill -TERM "$job"
	ended 255 TERM
	[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" -eq 1 ]
}
