# SPDX-License-Identifier: Apache-2.0
# With --debug the steps of all processes are printed with their durations, and where each process was if one of them
# fails, is killed or hangs.
load helpers

# Runs tare --debug in the background, as in interrupt.bats. Its pid is in $job.
background() { # ARGS
	env --default-signal=INT,TERM,HUP,QUIT "$TARE" --root "$ROOT" --debug "$@" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
}

ended() { # STATUS
	status=0
	wait_for '! kill -0 "$job" 2>/dev/null' || { kill -KILL "$job"; return 1; }
	wait "$job" || status=$?
	[ "$status" -eq "$1" ] || { echo "status $status: $(cat "$WORK/err")"; return 1; }
}

printed() { # PATTERN
	grep -qxE "tare: debug: $1" "$WORK/err" || { echo "no line '$1' in:"; cat "$WORK/err"; return 1; }
}

not_printed() { # PATTERN
	! grep -E "$1" "$WORK/err" || return 1
}

# The pid of the child of a process that is still init or the bridge.
init_of() { # PID
	local pid
	for pid in $(pgrep -P "$1"); do
		# A bridge that the parent has killed is a zombie.
		[ "$(cat "/proc/$pid/comm")" != tare:init ] || grep -q '^State:.Z' "/proc/$pid/status" || echo "$pid"
	done
}

# createContainer hooks run in init's namespaces. This one shows that init has reached it, and waits.
hanging_hook() {
	config --arg s "echo \$\$ >$WORK/here; exec sleep 1000" '.hooks.createContainer=[{path:"/bin/sh",args:["sh","-c",$s]}]'
}

# Removes the durations from the lines of steps.
steps_of() { # FILE
	sed -nE 's/^tare: debug: ((parent|bridge|init) .*) \([0-9]+ us\)$/\1/p' "$1"
}

@test "each step of all processes is printed with its duration" {
	config '.process.args=["true"] | .linux.namespaces+=[{type:"time"}] | .linux.timeOffsets={monotonic:{secs:1000000}}'
	tare plan -b "$BUNDLE" >"$WORK/plan"
	grep -q '^bridge  spawn' "$WORK/plan"
	run -0 --separate-stderr tare --debug run -b "$BUNDLE" "$ID"
	printf '%s\n' "$stderr" >"$WORK/err"
	steps_of "$WORK/err" | sort >"$WORK/steps"
	# The plan names the bundle's id "plan", and the container here has another one.
	diff <(sed 's/ _ses\.[^ ]*//; /  cgroup  /d' "$WORK/plan" | sort) <(sed 's/ _ses\.[^ ]*//; /  cgroup  /d' "$WORK/steps")
	not_printed 'stopped'
	# Clocks of time namespaces differ by eleven days, durations do not.
	not_printed '\([0-9]{10,} us\)'
}

@test "each step of an exec is printed with its duration" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -0 --separate-stderr tare --debug exec "$ID" true
	printf '%s\n' "$stderr" >"$WORK/err"
	for step in 'parent  spawn +bridge' 'bridge  enter .*' 'bridge  spawn +init' 'init    hand-over' 'init    exec +true'; do
		printed "$step \([0-9]+ us\)"
	done
	not_printed 'stopped'
}

@test "init is stopped in the middle and create interrupted: the step of each process is printed" {
	hanging_hook
	background create -b "$BUNDLE" "$ID"
	wait_for '[ -s "$WORK/here" ]'
	init=$(init_of "$job")
	kill -STOP "$init"
	wait_for 'grep -q "^State:.T" /proc/$init/status'
	kill -KILL "$(cat "$WORK/here")"
	kill -INT "$job"
	ended 1
	printed 'stopped in: parent  expect +ready \([0-9]+ us\)'
	printed 'stopped in: init    hooks +createContainer /bin/sh \([0-9]+ us\)'
	printed 'init    mount +proc on /proc.* \([0-9]+ us\)'
	[ ! -e "$ROOT/$ID" ]
}

@test "init and the bridge are named where they stopped" {
	hanging_hook
	config '.linux.namespaces+=[{type:"time"}]'
	background run -b "$BUNDLE" "$ID"
	wait_for '[ -s "$WORK/here" ]'
	kill -TERM "$job"
	ended 1
	printed 'stopped after: bridge  spawn .*'
	printed 'stopped in: init    hooks +createContainer /bin/sh \([0-9]+ us\)'
}

@test "init is killed in the middle: its last step is printed" {
	hanging_hook
	background create -b "$BUNDLE" "$ID"
	wait_for '[ -s "$WORK/here" ]'
	kill -KILL "$(init_of "$job")"
	ended 1
	printed 'stopped in: parent  expect +ready \([0-9]+ us\)'
	printed 'stopped in: init    hooks +createContainer /bin/sh \([0-9]+ us\)'
	kill -KILL "$(cat "$WORK/here")" || true
}

@test "a step that fails is the one that is printed last, also after the container is created" {
	config '.mounts+=[{destination:"/x",type:"bind",source:"/proc/self/ns/net"}] | .linux.maskedPaths=["/proc/kcore"]'
	mkdir "$BUNDLE/rootfs/x"
	background create -b "$BUNDLE" "$ID"
	ended 1
	printed 'stopped in: init    mount +bind /proc/self/ns/net on /x.* \([0-9]+ us\)'
	config 'del(.mounts[]|select(.destination=="/x")) | .hooks.startContainer=[{path:"/bin/false"}]'
	background run -b "$BUNDLE" "$ID"
	ended 1
	printed 'stopped in: init    hooks +startContainer /bin/false \([0-9]+ us\)'
	printed 'stopped after: parent  send +committed .*'
}

@test "the caller interrupts an exec that no process answers: the step of each process is printed" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	"$TOOLS/fullsocket" "$WORK/full" </dev/null >/dev/null 2>&1 3>&- &
	listener=$!
	wait_for '[ -S "$WORK/full" ]'
	own "$WORK/full"
	background exec -d -t --console-socket "$WORK/full" "$ID" true
	# The parent waits for the socket, and init, which has reported that it has started, for the parent.
	wait_for 'grep -q "begins: parent  send" "$WORK/err" && grep -q "^State:.S" /proc/$(init_of $job)/status'
	kill -TERM "$job"
	ended 255
	kill "$listener"
	printed 'stopped in: parent  send +committed \([0-9]+ us\)'
	printed 'stopped in: init    expect +committed \([0-9]+ us\)'
	printed 'stopped after: bridge  spawn .*'
}

@test "an exec in a paused container: its bridge has begun no step" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	tare pause "$ID"
	background exec --ignore-paused "$ID" true
	wait_for '[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" = 2 ]'
	kill -TERM "$job"
	ended 255
	printed 'stopped in: parent  spawn +bridge \([0-9]+ us\)'
	printed 'stopped before the first step of the bridge'
	tare resume "$ID"
}

@test "under a seccomp filter init reads no clock, because the filter may kill it for that" {
	config '.process.args=["true"] | .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["clock_gettime"],action:"SCMP_ACT_KILL_PROCESS"}]}'
	run -0 --separate-stderr tare --debug run -b "$BUNDLE" "$ID"
	printf '%s\n' "$stderr" >"$WORK/err"
	printed 'init    seccomp +.* \(no clock\)'
	printed 'init    user .* \(no clock\)'
	printed 'init    mount +proc on /proc.* \([0-9]+ us\)'
}

@test "the program has neither the memory nor a descriptor of the trace, nor have hooks" {
	config --arg s "ls -l /proc/self/fd >$WORK/fds; cat /proc/self/maps >$WORK/maps" '.hooks.createContainer=[{path:"/bin/sh",args:["sh","-c",$s]}]'
	script 'ls -l /proc/self/fd; cat /proc/self/maps'
	run -0 --separate-stderr tare --debug run -b "$BUNDLE" "$ID"
	printf '%s\n' "$output" >"$WORK/program"
	for file in program fds maps; do
		[ -s "$WORK/$file" ]
		! grep -E 'memfd|trace' "$WORK/$file" || return 1
	done
	# At its gate init has no descriptor of it either.
	"$TARE" --root "$ROOT" --debug create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&-
	! ls -l "/proc/$(pid_of "$ID")/fd" | grep -E 'memfd|trace' || return 1
}

@test "whatever is written into the trace, only numbers of steps of other processes are printed" {
	hanging_hook
	background create -b "$BUNDLE" "$ID"
	wait_for '[ -s "$WORK/here" ]'
	trace=$(find "/proc/$job/fd" -lname '/memfd:trace*')
	size=$(stat -Lc %s "$trace")
	head -c "$size" /dev/zero | tr '\0' '\377' | dd of="$trace" conv=notrunc 2>/dev/null
	# The size is sealed: a process cannot take the rows away.
	! truncate -s 0 "$trace" || return 1
	kill -INT "$job"
	ended 1
	printed 'stopped in: parent  expect +ready \([0-9]+ us\)'
	printed 'stopped after: init    exec .* \(0 us\)'
	[ "$(grep -c 'debug: parent  cgroup .* us)$' "$WORK/err")" = 1 ]
	[ "$(tail -n 1 "$WORK/err")" = "tare: create $ID: interrupted by SIGINT" ]
	[ ! -e "$ROOT/$ID" ]
	kill -KILL "$(cat "$WORK/here")" || true
}

@test "without --debug nothing is traced" {
	hanging_hook
	env --default-signal=INT "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
	wait_for '[ -s "$WORK/here" ]'
	init=$(init_of "$job")
	! grep -a trace "/proc/$init/cmdline" "/proc/$init/maps" || return 1
	! ls -l "/proc/$job/fd" | grep trace || return 1
	kill -INT "$job"
	ended 1
	[ "$(wc -l <"$WORK/err")" = 1 ]
	kill -KILL "$(cat "$WORK/here")" || true
}
