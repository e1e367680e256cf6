# SPDX-License-Identifier: Apache-2.0
load helpers

@test "create, state, start, kill, delete" {
	config '.process.args=["sleep","1000"]'
	create --pid-file "$WORK/pid" "$ID"
	[ ! -s "$WORK/out" ] && [ ! -s "$WORK/err" ]
	[ "$(status_of "$ID")" = created ]
	[ "$(cat "$WORK/pid")" = "$(pid_of "$ID")" ]
	run -0 tare start "$ID"
	[ -z "$output" ]
	[ "$(status_of "$ID")" = running ]
	[ "$(tr '\0' ' ' <"/proc/$(pid_of "$ID")/cmdline")" = "sleep 1000 " ]
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	[ "$(pid_of "$ID")" = 0 ]
	run -0 tare delete "$ID"
	[ -z "$output" ]
	run -1 tare state "$ID"
	[[ "$output" == *"does not exist"* ]]
}

@test "the state document has what the specification requires" {
	config '.annotations={"a b":"1 %\n2"}'
	create "$ID"
	run -0 tare state "$ID"
	jq -e --arg id "$ID" --arg b "$BUNDLE" '.ociVersion=="1.3.0" and .id==$id and .bundle==$b and
		.annotations["a b"]=="1 %\n2" and (.created|test("^2[0-9-]+T[0-9:.]+Z$")) and .rootfs==$b+"/rootfs"' <<<"$output"
}

@test "create applies everything but the program" {
	config '.hostname="made" | .process.args=["sh","-c","echo ran >/tmp/ran; sleep 1000"] | .process.rlimits=[{type:"RLIMIT_CORE",soft:5,hard:6}]
		| .process.oomScoreAdj=500 | .linux.sysctl={"kernel.msgmax":"9000"} | .mounts+=[{destination:"/there",type:"tmpfs",source:"t",options:["size=1m"]}]'
	create "$ID"
	pid=$(pid_of "$ID")
	[ "$(nsenter -u -t "$pid" hostname)" = made ]
	[ "$(nsenter -i -t "$pid" cat /proc/sys/kernel/msgmax)" = 9000 ]
	grep -q " /there .*size=1024k" "/proc/$pid/mountinfo"
	grep -qE "Max core file size +5 +6" "/proc/$pid/limits"
	[ "$(cat "/proc/$pid/oom_score_adj")" = 500 ]
	grep -qx "$pid" "$(cgroup_of "$ID")/cgroup.procs"
	sleep 0.3
	[ ! -e "$BUNDLE/rootfs/tmp/ran" ]
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
	wait_for '[ "$(cat "$BUNDLE/rootfs/tmp/ran")" = ran ]'
}

# An engine starts to watch a container once start has returned. Once the end of file reports the execution of the
# program, start only checks that it was executed, removes the gate and exits.
@test "start does little after the program was executed" {
	command -v strace >/dev/null || not_here "needs strace"
	! grep -q __asan_init "$TARE" || skip "sanitizers make calls of their own"
	config '.process.args=["sleep","1000"] | .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW"}'
	create "$ID"
	run -0 strace -o "$WORK/trace" "$TARE" --root "$ROOT" start "$ID" 3>&-
	calls=$(sed -n '/^recvmsg(.* = 0$/,$p' "$WORK/trace" | grep -c '^[a-z]')
	[ "$calls" -gt 1 ] && [ "$calls" -le 20 ] || { cat "$WORK/trace"; return 1; }
	[ "$(sed -n '/^recvmsg(.* = 0$/,$p' "$WORK/trace" | grep -cE '^(ppoll|wait|futex|nanosleep|clock_nanosleep)\(')" -le 1 ]
}

@test "every command refuses a container that does not exist" {
	for c in state start kill delete; do
		run -1 tare $c nothing
		[[ "$output" == *"does not exist"* ]]
	done
	run -0 tare delete --force nothing
	[ -z "$output" ]
}

@test "an id is used once, and again after delete" {
	create "$ID"
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"container with given ID already exists: '$ID'"*"(delete it first, or use another ID)" ]]
	[ "$(status_of "$ID")" = created ]
	tare delete --force "$ID"
	create "$ID"
}

@test "invalid ids" {
	for id in "a/b" ".." "." "a b" "../x" "ü"; do
		run -1 tare create -b "$BUNDLE" "$id"
		[[ "$output" == *"invalid container ID format"* ]]
	done
	run -1 tare create -b "$BUNDLE" ""
	[[ "$output" == *"container id cannot be empty"* ]]
}

@test "operations in the wrong state change nothing" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	run -1 tare delete "$ID"
	[[ "$output" == *"that is not stopped: created (kill it first, or use --force"* ]]
	tare start "$ID"
	run -1 tare start "$ID"
	[[ "$output" == *"cannot start an already running container"* ]]
	run -1 tare delete "$ID"
	[[ "$output" == *"that is not stopped: running"* ]]
	tare kill "$ID" 9
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare start "$ID"
	[[ "$output" == *"cannot start a container that has stopped"* ]]
	run -1 tare kill "$ID" TERM
	[[ "$output" == *"container not running"* ]]
	run -0 tare kill --all "$ID" 9
}

@test "kill works before start, and accepts signals by name and number" {
	for signal in KILL SIGKILL 9; do
		create "$ID"
		run -0 tare kill "$ID" $signal
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		tare delete "$ID"
	done
	create "$ID"
	for signal in FOO 65 -1 RTMAX+1; do
		run -1 tare kill "$ID" -- $signal
		[[ "$output" == *"unknown signal"*"a number from 0 to 64, or a name"* ]]
	done
	[ "$(status_of "$ID")" = created ]
}

@test "kill accepts the signal like kill(1), before and after the id" {
	script 'for s in HUP USR1 USR2 WINCH 40; do trap "echo $s >>/got" $s; done; : >/got; while :; do sleep 0.05; done'
	create "$ID"
	tare start "$ID"
	wait_for '[ -e "$BUNDLE/rootfs/got" ]'
	expected=
	while read -r name words; do
		run -0 tare kill $words
		[ -z "$output" ]
		expected=$expected$name$'\n'
		wait_for '[ "$(cat "$BUNDLE/rootfs/got")"$'"'\\n'"' = "$expected" ]'
	done <<-EOF
		HUP -1 $ID
		USR1 $ID -10
		USR2 -s USR2 $ID
		WINCH $ID -s SIGWINCH
		HUP --signal=1 $ID
		USR1 -USR1 $ID
		USR2 $ID -SIGUSR2
		40 -40 --all $ID
		WINCH -a -28 -- $ID
		USR1 $ID --signal usr1 -a
		HUP $ID HUP -a
		USR2 -all $ID 12
	EOF
	for words in "-9 $ID TERM" "-s KILL -9 $ID" "$ID KILL --signal KILL"; do
		run -1 tare kill $words
		[[ "$output" == *"too many signals: '"* ]]
	done
	run -1 tare kill -x "$ID"
	[[ "$output" == *'unknown signal "x"'* ]]
	run -1 tare kill --x "$ID"
	[[ "$output" == *"unknown flag '--x'"* ]]
	run -1 tare kill "$ID" -s
	[[ "$output" == *"flag needs an argument: --signal"* ]]
	run -1 tare delete -9 "$ID"
	[[ "$output" == *"unknown flag '-9'"* ]]
	[ "$(status_of "$ID")" = running ]
	run -0 tare kill -9 "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "the image's stop signal is the default" {
	config '.annotations={"org.opencontainers.image.stopSignal":"SIGUSR1"} |
		.process.args=["sh","-c","trap \"exit 42\" USR1; touch /tmp/here; while :; do sleep 0.1; done"]'
	tare run --keep -b "$BUNDLE" "$ID" >"$WORK/out" 3>&- &
	wait_for '[ -e "$BUNDLE/rootfs/tmp/here" ]'
	tare kill "$ID"
	status=0
	wait $! || status=$?
	[ "$status" -eq 42 ]
}

@test "later edits of the bundle do not matter" {
	config '.process.args=["sh","-c","echo before"]'
	create "$ID"
	echo broken >"$BUNDLE/config.json"
	run -0 tare start "$ID"
	wait_for '[ "$(cat "$WORK/out")" = before ]'
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare delete "$ID"
}

@test "list: table, JSON, ids, and an empty list" {
	mkdir "$ROOT"
	own "$ROOT"
	run -0 tare list -f json
	[ "$output" = null ]
	create b.$ID
	create a.$ID
	run -0 tare list -q
	[ "$output" = "a.$ID"$'\n'"b.$ID" ]
	run -0 tare list --format=json
	owner=root
	[ "${TARE_AS:-}" != user ] || owner=$(id -un "$AS_USER")
	jq -e --arg id "$ID" --arg owner $owner '.[0].id=="a."+$id and .[1].status=="created" and .[0].owner==$owner' <<<"$output"
	run -0 tare list
	[[ "${lines[0]}" =~ ^ID\ +PID\ +STATUS\ +BUNDLE\ +CREATED\ +OWNER$ ]]
	[ "${#lines[@]}" -eq 3 ]
}

@test "delete --force of a running container kills all its processes" {
	script 'sleep 1000 & sleep 1000 & sleep 1000'
	create "$ID"
	tare start "$ID"
	cgroup=$(cgroup_of "$ID")
	wait_for '[ "$(wc -l <"$cgroup/cgroup.procs")" -ge 3 ]'
	pids=$(cat "$cgroup/cgroup.procs")
	run -0 tare delete --force "$ID"
	[ ! -e "$cgroup" ]
	for pid in $pids; do wait_for "[ ! -e /proc/$pid ]"; done
}

@test "delete --force works without bundle, without cgroup, with a damaged record" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	mv "$BUNDLE" "$BUNDLE.away"
	run -0 tare delete --force "$ID"
	mv "$BUNDLE.away" "$BUNDLE"
	create "$ID"
	pid=$(pid_of "$ID")
	kill -9 "$pid"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	# systemd removes a scope itself.
	wait_for '[ ! -e "$(cgroup_of "$ID")" ] || rmdir "$(cgroup_of "$ID")"'
	run -0 tare delete --force "$ID"
	mkdir -p "$ROOT/$ID"
	echo nonsense >"$ROOT/$ID/record"
	own "$ROOT"
	run -1 tare state "$ID"
	[[ "$output" == *damaged* ]]
	# Nothing states where the container is, so this is not a success.
	run -1 tare delete --force "$ID"
	[[ "$output" == *"cannot find the processes and the cgroup of the container: its record and its plan were damaged"* ]]
	[ ! -e "$ROOT/$ID" ]
	# The creator was killed before it wrote the record.
	mkdir -p "$ROOT/$ID"
	own "$ROOT"
	run -0 tare delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "delete --force does not wait for a start that waits for a stopped init" {
	config '.process.args=["sleep","1000"]'
	deletes() {
		create "$ID"
		tare kill "$ID" STOP
		"$TARE" --root "$ROOT" start "$ID" >"$WORK/start" 2>&1 3>&- &
		start=$!
		wait_for '! flock -n "$ROOT/$ID" true'
		run -0 timeout "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID"
		status=0
		wait "$start" || status=$?
		[ "$status" -eq 1 ]
		run -1 tare state "$ID"
	}
	# Less than the time that a command waits for a lock.
	sooner_than 8000 deletes
}

@test "delete --force does not wait for a hook that hangs, in start and in create" {
	config '.process.args=["sleep","1000"] | .hooks={poststart:[{path:"/bin/sleep",args:["sleep","300"]}]}'
	create "$ID"
	"$TARE" --root "$ROOT" start "$ID" >"$WORK/start" 2>&1 3>&- &
	start=$!
	wait_for 'pgrep -P "$start" sleep >"$WORK/hook"'
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID"
	run -1 tare state "$ID"
	pkill -P "$start" sleep
	status=0
	wait "$start" || status=$?
	[ "$status" -eq 1 ]
	config '.hooks={createRuntime:[{path:"/bin/sleep",args:["sleep","301"]}]}'
	"$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/create" 2>&1 3>&- &
	creator=$!
	wait_for 'pgrep -P "$creator" sleep >"$WORK/hook"'
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID"
	run -1 tare state "$ID"
	status=0
	wait "$creator" || status=$?
	[ "$status" -eq 137 ]
	# It was killed with the tare that ran it.
	wait_for 'has_died "$(cat "$WORK/hook")"'
}

@test "a signal ends tare while it waits for a configuration" {
	mkfifo "$WORK/fifo"
	for command in create run plan; do
		run -124 timeout 1 "$TARE" --root "$ROOT" "$command" -f "$WORK/fifo" -b "$BUNDLE" $([ $command = plan ] || echo "$ID")
	done
}

@test "delete --force kills the processes of a container with a damaged record" {
	config '.process.args=["sleep","1000"]'
	for command in create "run -d"; do
		tare $command -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
		pid=$(pid_of "$ID")
		echo garbage >"$ROOT/$ID/record"
		run -0 tare list
		[[ "$output" == *"warning: container $ID: the record of the container is damaged"* ]]
		run -0 tare delete --force "$ID"
		[ ! -e "$ROOT/$ID" ] && [ ! -e "$(cgroup_of "$ID")" ]
		wait_for '! kill -0 "$pid" 2>/dev/null'
	done
}

# A record of a container with a poststop hook. root would run the hooks, kill the pid and remove the cgroup that a
# record names. What another user owns, only root can open at all.
OTHERS=("chmod g+w" "chmod o+w")
[ -n "${TARE_AS:-}" ] || OTHERS+=("chown 12345")
foreign_record() {
	printf '#!/bin/sh\ntouch %s/pwned\n' "$WORK" >"$WORK/hook"
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" '.process.args=["true"] | .hooks.poststop=[{path:$h}]'
	create "$ID"
	kill -KILL "$(pid_of "$ID")"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "a root directory that others may write to is refused" {
	foreign_record
	for what in "${OTHERS[@]}"; do
		$what "$ROOT"
		run tare delete --force "$ID"
		[ "$status" -ne 0 ] && [[ "$output" == *"cannot use the root directory"* ]]
		run tare run -b "$BUNDLE" "$ID.2"
		[ "$status" -ne 0 ] && [[ "$output" == *"cannot use the root directory"* ]]
		[ ! -e "$WORK/pwned" ] && [ -e "$ROOT/$ID/record" ]
		chown "${OTHER:-0}" "$ROOT"
		chmod 700 "$ROOT"
	done
	tare delete "$ID"
	[ -e "$WORK/pwned" ]
}

@test "a container's directory or record that another user owns or may write to is not acted upon" {
	foreign_record
	for name in . record; do
		for what in "${OTHERS[@]}"; do
			$what "$ROOT/$ID/$name"
			run tare state "$ID"
			[ "$status" -eq 1 ] && [[ "$output" == *"another user owns or can write to the "* ]]
			run tare delete "$ID"
			[ "$status" -eq 1 ] && [ ! -e "$WORK/pwned" ]
			chown "${OTHER:-0}" "$ROOT/$ID/$name"
			chmod go-w "$ROOT/$ID/$name"
		done
	done
	tare delete "$ID"
	[ -e "$WORK/pwned" ]
}

@test "start and exec of a container that is killed meanwhile report that it is not running" {
	config '.process.args=["sleep","1000"] | .hooks.startContainer=[{path:"/bin/sh",args:["sh","-c","touch /tmp/here; exec sleep 1000"]}]'
	create "$ID"
	"$TARE" --root "$ROOT" start "$ID" </dev/null >"$WORK/start" 2>&1 3>&- &
	start=$!
	wait_for '[ -e "$BUNDLE/rootfs/tmp/here" ]'
	kill -KILL "$(pid_of "$ID")"
	status=0; wait "$start" || status=$?
	[ "$status" -eq 1 ] && [[ "$(cat "$WORK/start")" == *"container not running"* ]]
	tare delete "$ID"
	config 'del(.hooks)'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	tare pause "$ID"
	"$TARE" --root "$ROOT" exec --ignore-paused "$ID" true </dev/null >"$WORK/exec" 2>&1 3>&- &
	exec=$!
	wait_for '[ "$(wc -l <"$(cgroup_of "$ID")/cgroup.procs")" = 2 ]'
	tare delete --force "$ID"
	status=0; wait "$exec" || status=$?
	[ "$status" -eq 255 ] && [[ "$(cat "$WORK/exec")" == *"container not running"* ]]
}

@test "start, exec and delete at once: no error blames a pipe or a file" {
	config '.process.args=["sleep","1000"]'
	for n in $(seq $((5 + $(rounds 20)))); do
		create "$ID"
		"$TARE" --root "$ROOT" start "$ID" </dev/null >"$WORK/start" 2>&1 3>&- &
		start=$!
		"$TARE" --root "$ROOT" exec "$ID" true </dev/null >"$WORK/exec" 2>&1 3>&- &
		exec=$!
		tare delete --force "$ID" || tare delete --force "$ID"
		wait "$start" "$exec" || true
		run cat "$WORK/start" "$WORK/exec"
		[[ "${output,,}" != *"broken pipe"* && "${output,,}" != *"no such file"* ]] || { echo "$output"; return 1; }
	done
}

# systemd removes a scope itself, and its name is free only then.
scope_is_gone() { # ID
	[ "${TARE_MANAGER:-}" != systemd ] || wait_for '[ ! -e "$(named_dir "'"$1"'")" ]'
}

@test "commands on a stopped container do not touch the next container in its cgroup" {
	config --arg c "$(named_path "$ID.shared")" '.process.args=["sleep","1000"] | .linux.cgroupsPath=$c'
	create "$ID"
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	scope_is_gone "$ID.shared"
	create "$ID.next"
	tare start "$ID.next"
	tare kill --all "$ID" KILL || true
	[ "$(status_of "$ID.next")" = running ]
	tare delete "$ID"
	[ "$(status_of "$ID.next")" = running ]
	[ -n "$(cat "$(named_dir "$ID.shared")/cgroup.procs")" ]
	tare delete --force "$ID.next"
	[ ! -e "$(named_dir "$ID.shared")" ]
}

@test "a container inherits nothing from an earlier one in the same cgroup" {
	config --arg c "$(named_path "$ID.shared")" '.linux.cgroupsPath=$c'
	create "$ID"
	before=$(stat -c %i "$(named_dir "$ID.shared")")
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	scope_is_gone "$ID.shared"
	create "$ID.next"
	# It is a new cgroup, which has none of the old one's settings.
	[ "$(stat -c %i "$(named_dir "$ID.shared")")" != "$before" ]
	tare delete "$ID"
	tare delete --force "$ID.next"
	[ ! -e "$(named_dir "$ID.shared")" ]
}

# A process of no container, in the cgroup at the path of a container that has stopped or was never finished.
foreign_process() {
	sh -c "echo \$\$ >'$1/cgroup.procs'; exec sleep 1000" 3>&- &
	sleeper=$!
	wait_for 'grep -qx "$sleeper" "'"$1"'/cgroup.procs"'
}

check_left_alone() {
	[ -d "$1" ]
	kill -0 "$sleeper"
	kill "$sleeper"
	wait "$sleeper" || true
	wait_for 'rmdir "'"$1"'"'
}

@test "processes of no container in the cgroup of a stopped one are left alone" {
	not_systemd
	dir=$(named_dir "$ID.shared")
	config --arg c "$(named_path "$ID.shared")" '.linux.cgroupsPath=$c'
	create "$ID"
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	wait_for 'rmdir "$dir"'
	mkdir "$dir"
	foreign_process "$dir"
	tare kill --all "$ID" KILL || true
	run tare ps --format json "$ID"
	[[ "$output" != *$sleeper* ]]
	tare delete "$ID"
	check_left_alone "$dir"
}

# The creator is killed in a hook of the runtime, so it cannot clean up.
killed_creation() {
	config --arg c "$(named_path "$ID.shared")" --arg w "$WORK" '.linux.cgroupsPath=$c | .hooks.createRuntime=[{path:"/bin/sh",args:["sh","-c","echo >\($w)/here; exec sleep 1000"]}]'
	rm -f "$WORK/here"
	"$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	creator=$!
	wait_for '[ -e "$WORK/here" ]'
	hook=$(pgrep -P "$creator" -x sleep)
	kill -KILL "$creator"
	wait "$creator" || true
	kill -KILL "$hook" || true
	wait_for '[ -z "$(cat "$dir/cgroup.procs")" ]'
}

@test "a creation that was killed: delete leaves a cgroup that existed before, and one that was made at its path since" {
	not_systemd
	dir=$(named_dir "$ID.shared")
	mkdir "$dir"
	own "$dir"
	killed_creation
	tare delete --force "$ID"
	rmdir "$dir"
	killed_creation
	wait_for 'rmdir "$dir"'
	mkdir "$dir"
	foreign_process "$dir"
	tare delete --force "$ID"
	check_left_alone "$dir"
	killed_creation
	tare delete --force "$ID"
	[ ! -e "$dir" ]
}

# A different state root, which does not know the containers of this one.
elsewhere() {
	"$TARE" --root "$WORK/elsewhere" ${TARE_MANAGER:+--cgroup-manager "$TARE_MANAGER"} "$@"
}

create_elsewhere() {
	elsewhere create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
}

@test "two state roots with the same id: a cgroup belongs to one container, and the other leaves it alone" {
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .linux.cgroupsPath=$c'
	create "$ID"
	run -1 elsewhere create -b "$BUNDLE" "$ID"
	[[ "$output" == *"container's cgroup is not empty: 1 process(es) found"*"(set another cgroupsPath, or end the processes in '"*"')"* || "$output" == *"already loaded"* ]]
	run -0 elsewhere list -q
	[ -z "$output" ]
	[ "$(status_of "$ID")" = created ]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	scope_is_gone "$ID"
	create_elsewhere
	pid=$(elsewhere state "$ID" | jq .pid)
	dir=$(named_dir "$ID")
	cp "$ROOT/$ID/record" "$WORK/record"
	# The record of a stopped container, and those of creators that were killed before they recorded more than the
	# id.
	for change in '' 's/^pid .*/pid 0/' 's/^pid .*/pid 0/; s/^cgroup-path .*/cgroup-path /'; do
		mkdir -p "$ROOT/$ID"
		sed "$change" "$WORK/record" >"$ROOT/$ID/record"
		own "$ROOT"
		tare kill --all "$ID" KILL || true
		tare pause "$ID" || true
		run -0 tare delete --force "$ID"
		[ ! -e "$ROOT/$ID" ]
		[ "$(cat "$dir/cgroup.procs")" = "$pid" ]
		[ "$(cat "$dir/cgroup.freeze")" = 0 ]
		[ "$(elsewhere state "$ID" | jq -r .status)" = created ]
	done
	elsewhere delete --force "$ID"
	[ ! -e "$dir" ] || rmdir "$dir"
}

@test "two commands that delete one container leave the next one with its id alone" {
	config '.process.args=["sleep","1000"] | .hooks={poststop:[{path:"/bin/sleep",args:["sleep","1"]}]}'
	create "$ID"
	# Both wait for the same lock. The one that gets it frees the id, and holds the lock while its hook runs.
	mkfifo "$WORK/go"
	flock "$ROOT/$ID" cat "$WORK/go" 3>&- &
	holder=$!
	exec 7>"$WORK/go"
	wait_for '! flock -n "$ROOT/$ID" true'
	"$TARE" --root "$ROOT" delete --force "$ID" >"$WORK/first" 2>&1 3>&- 7>&- &
	first=$!
	"$TARE" --root "$ROOT" delete --force "$ID" >"$WORK/second" 2>&1 3>&- 7>&- &
	second=$!
	for deletion in $first $second; do wait_for 'readlink /proc/$deletion/fd/* | grep -qxF "$ROOT/$ID"'; done
	exec 7>&-
	wait $holder
	wait_for '[ ! -e "$ROOT/$ID" ]'
	config 'del(.hooks)'
	create "$ID"
	for deletion in $first $second; do wait "$deletion"; done
	[ ! -s "$WORK/first" ] && [ ! -s "$WORK/second" ] || { cat "$WORK/first" "$WORK/second"; return 1; }
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
}

# While another process holds the lock, both go on without it after their time limit.
@test "two forced deletions without the lock run the poststop hooks once" {
	command -v strace >/dev/null || not_here "needs strace"
	config --arg s "echo ran >>$WORK/hooks" '.process.args=["sleep","1000"] | .hooks={poststop:[{path:"/bin/sh",args:["sh","-c",$s]}]}'
	create "$ID"
	exec 7<"$ROOT/$ID"
	flock 7
	# Both have loaded the configuration before the first of them removes it.
	deletions=()
	for name in first second; do
		ASAN_OPTIONS=detect_leaks=0 strace -o "$WORK/trace.$name" -e inject=renameat2:delay_enter=3000000 "$TARE" --root "$ROOT" delete --force "$ID" &>"$WORK/$name" 3>&- 7>&- &
		deletions+=($!)
	done
	for deletion in "${deletions[@]}"; do wait "$deletion"; done
	grep -q 'renameat2.*INJECTED\|renameat2.*DELAYED' "$WORK/trace.first" || not_here "needs strace that can delay calls"
	[ ! -s "$WORK/first" ] && [ ! -s "$WORK/second" ] || { cat "$WORK/first" "$WORK/second"; return 1; }
	[ "$(<"$WORK/hooks")" = ran ]
	exec 7<&-
}

@test "an init that was moved out of its cgroup is killed, and a new cgroup at its path is left alone" {
	not_systemd
	config '.process.args=["sleep","1000"]'
	other=$(cgroup_mount)/$ID.other
	mkdir "$other"
	for command in "kill --all $ID KILL" "delete --force $ID"; do
		create "$ID"
		tare start "$ID"
		pid=$(pid_of "$ID")
		echo "$pid" >"$other/cgroup.procs"
		tare $command
		wait_for '! kill -0 "$pid" 2>/dev/null || grep -q "State:.Z" /proc/$pid/status'
		tare delete --force "$ID"
	done
	create "$ID"
	tare start "$ID"
	dir=$(cgroup_of "$ID")
	pid_of "$ID" >"$other/cgroup.procs"
	rmdir "$dir"
	mkdir "$dir"
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"5"}}'
	[[ "$output" == *"cgroup not exist: what is in its place is not the container's"* ]]
	[ "$(cat "$dir/cgroup.max.depth")" = max ]
	run -255 tare exec "$ID" true
	[[ "$output" == *"the container's init is in cgroup '/$ID.other', which is outside of"* ]]
	echo 1 >"$dir/cgroup.freeze"
	[ "$(status_of "$ID")" = running ]
	tare delete --force "$ID"
	rmdir "$dir" "$other"
}

@test "delete --force works if the host's cgroups are mounted elsewhere by now" {
	not_systemd
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	dir=$(cgroup_of "$ID")
	grep -q "^cgroup-mount $(cgroup_mount)\$" "$ROOT/$ID/record"
	sed -i 's|^cgroup-mount .*|cgroup-mount /sys/fs/cgroup/not-there|' "$ROOT/$ID/record"
	tare delete --force "$ID"
	[ ! -e "$dir" ]
	run -1 tare state "$ID"
}

@test "what a creator that was killed at once has left is removed" {
	mkdir -p "$ROOT/$ID"
	own "$ROOT"
	run -0 tare list
	[ "${#lines[@]}" -eq 1 ]
	[ ! -e "$ROOT/$ID" ]
	for command in state delete "delete --force"; do
		mkdir "$ROOT/$ID"
		: >"$ROOT/$ID/.record.99"
		own "$ROOT"
		# shellcheck disable=SC2086
		run tare $command "$ID"
		[[ "$output" == *"container does not exist"* || "$command" = *force ]] || { echo "$output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	done
	mkdir "$ROOT/$ID"
	own "$ROOT"
	create "$ID"
	tare delete --force "$ID"
}

# Processes of the host with the container's user id, which owns the cgroup. They make child cgroups as fast as they
# can.
dividers() { # directory
	for _ in 1 2 3; do
		python3 -c 'import os, signal, sys, time
signal.alarm(600)
os.setgroups([]), os.setgid(1000), os.setuid(1000)
for n in range(1000000):
    try: os.mkdir(f"{sys.argv[1]}/{os.getpid()}.{n}")
    except FileNotFoundError: break
    except OSError: time.sleep(0.01)' "$1" 3>&- &
		dividers+=($!)
	done
	wait_for '[ "$(find "$dir" -mindepth 1 -maxdepth 1 -type d | wc -l)" -gt 300 ]'
}

@test "processes that make child cgroups from outside delay neither kill --all nor delete" {
	not_systemd
	local most=1000000
	# In an emulated machine that many are not listed fast enough.
	if is_emulated; then most=2000; fi
	dir=$(cgroup_mount)/$ID.divided
	config --arg c "/$ID.divided" --arg most "$most" '.process.args=["sh","-c","trap \"echo >/tmp/usr1\" USR1; while :; do sleep 0.1; done"] | .process.user={uid:1000,gid:1000} | .linux.cgroupsPath=$c
		| .linux.namespaces+=[{type:"cgroup"}] | .linux.namespaces|=unique | .mounts|=map(select(.destination!="/sys/fs/cgroup"))+[{destination:"/sys/fs/cgroup",type:"cgroup",source:"cgroup",options:["nosuid","noexec","nodev"]}]
		| .linux.resources={unified:{"cgroup.max.descendants":$most}}'
	chmod 1777 "$BUNDLE/rootfs/tmp"
	create "$ID"
	tare start "$ID"
	[ "$(stat -c %u "$dir")" = 1000 ]
	dividers=()
	dividers "$dir"
	status=0
	timeout -k 5 "$HANGS" "$TARE" --root "$ROOT" kill --all "$ID" USR1 || status=$?
	[ "$status" = 0 ]
	wait_for '[ -e "$BUNDLE/rootfs/tmp/usr1" ]'
	[ "$(cat "$dir/cgroup.max.descendants")" = "$most" ]
	status=0
	timeout -k 5 "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID" || status=$?
	kill "${dividers[@]}" 2>/dev/null || true
	[ "$status" = 0 ]
	[ ! -e "$dir" ]
}

@test "run.oci.delegate-cgroup: the program is in a cgroup below the one with the limits, and may make others there" {
	dir=$(cgroup_of "$ID")
	config '.annotations={"run.oci.delegate-cgroup":"inner"} | .process.args=["sh","-c","cat /proc/self/cgroup; sleep 1000"]'
	create "$ID"
	pid=$(pid_of "$ID")
	[ "$(cat "$dir/inner/cgroup.procs")" = "$pid" ]
	[ -z "$(cat "$dir/cgroup.procs")" ]
	tare start "$ID"
	# The root of its cgroup namespace is the container's cgroup.
	wait_for '[ "$(grep 0:: "$WORK/out")" = 0::/inner ]'
	run -0 tare exec "$ID" true
	# With a controller enabled in the container's cgroup, the kernel refuses processes there.
	if grep -qw hugetlb "$dir/cgroup.controllers"; then
		echo +hugetlb >"$dir/cgroup.subtree_control"
		run -0 tare exec "$ID" cat /proc/self/cgroup
		[[ "$output" == *0::/inner* ]] || { echo "$output"; return 1; }
	fi
	[ "$(tare ps -f json "$ID" | jq -c 'contains(['"$pid"'])')" = true ]
	tare pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	tare resume "$ID"
	mkdir "$dir/inner/more"
	tare delete --force "$ID"
	[ ! -e "$dir" ]
	# A user of the container's user namespace is its owner, and not that of the cgroup with the limits.
	config '.linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:300000,size:10}] | .linux.gidMappings=.linux.uidMappings'
	chown -R 300000:300000 "$BUNDLE/rootfs"
	chmod 755 "$WORK"
	create "$ID"
	[ "$(stat -c %u "$dir/inner" "$dir/inner/cgroup.procs" "$dir" | xargs)" = "300000 300000 0" ]
	tare delete --force "$ID"
	[ ! -e "$dir" ]
	# A start that fails leaves nothing.
	config '.process.args=["/none"]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[ ! -e "$dir" ]
}

@test "run.oci.delegate-cgroup: only a name, and only with a cgroup" {
	for name in "" . .. ../x a/b cgroup.procs; do
		config --arg n "$name" '.annotations={"run.oci.delegate-cgroup":$n}'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/annotations/run.oci.delegate-cgroup: "* ]] || { echo "$name: $output"; return 1; }
		[ ! -e "$(cgroup_of "$ID")" ]
	done
	config '.annotations={"run.oci.delegate-cgroup":"inner"}'
	run -1 "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.delegate-cgroup: the container has no cgroup"* ]]
}
