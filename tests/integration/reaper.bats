# SPDX-License-Identifier: Apache-2.0
# --init and org.tare.init: a first process forwards signals, waits for orphans, and exits with the program's status.
load helpers

run_init() { # STATUS [FLAG...]
	run tare run --init "${@:2}" -b "$BUNDLE" "$ID"
	[ "$status" = "$1" ] || { echo "status $status: $output"; return 1; }
}

# Allows everything but these calls. With true as $1 the filter is the program's alone (noNewPrivileges).
filter() { # NNP ACTION NAME...
	config --argjson n "$1" --arg a "SCMP_ACT_$2" '.process.noNewPrivileges=$n
		| .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:$ARGS.positional,action:$a}]}' --args "${@:3}"
}

# How a container of run --keep ended.
end_of() {
	tare state "$ID" | jq -c '[.exitStatus,.exitSignal]'
	tare delete "$ID"
}

create_init() {
	create --init "$ID"
	PID=$(pid_of "$ID")
}

@test "the program is a child of the first process, in a session of its own" {
	script 'echo $$ $PPID; cut -d" " -f5,6 /proc/$$/stat; cat /proc/1/comm; exit 7'
	run_init 7
	[ "$output" = "2 1
2 2
tare:reaper" ] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
}

@test "a signal ends the program as it does outside of a container, and is recorded" {
	for signal in TERM:15 ABRT:6 SEGV:11 USR1:10 PIPE:13 HUP:1 KILL:9; do
		script "kill -${signal%:*} \$\$"
		run_init $((128 + ${signal#*:})) --keep
		end=$(end_of)
		[ "$end" = "[$((128 + ${signal#*:})),${signal#*:}]" ] || { echo "$signal: $end"; return 1; }
	done
	script 'exit 134'
	run_init 134 --keep
	[ "$(end_of)" = "[134,null]" ]
	config '.process.rlimits=[{type:"RLIMIT_CPU",soft:1,hard:60}]'
	script 'while :; do :; done'
	run_init 152 --keep
	[ "$(end_of)" = "[152,24]" ]
}

@test "the limit of CPU time without a cgroup ends the program at once, and is the cause" {
	config '.process.rlimits=[]'
	script 'while :; do :; done'
	TARE_MANAGER=disabled run_init 124 --cpu-time-limit 1s --report "$WORK/report"
	jq -e '.cause=="cpu-time" and .signal.name=="XCPU" and .limitSignal.sender=="kernel"' "$WORK/report"
	script 'kill -XCPU $$'
	TARE_MANAGER=disabled run_init 152 --cpu-time-limit 1s --report "$WORK/report"
	jq -e '.cause=="signal" and .signal.name=="XCPU"' "$WORK/report"
}

@test "without it the first process ignores signals of the container, as the kernel provides" {
	script 'kill -TERM $$; exit 3'
	run_container "$ID" 3
}

@test "signals are forwarded: of the command's caller, and of kill" {
	script 'for s in HUP INT QUIT USR1 USR2 ALRM WINCH URG; do trap "echo $s" $s; done; trap "echo TERM; exit 5" TERM
		echo ready; while :; do sleep 0.05; done'
	"$TARE" --root "$ROOT" run --init -b "$BUNDLE" "$ID" >"$WORK/text" 3>&- &
	run=$!
	wait_for 'grep -q ready "$WORK/text"'
	for signal in HUP INT QUIT USR1 USR2 ALRM; do
		kill -$signal $run
		wait_for "grep -qx $signal '$WORK/text'"
	done
	for signal in WINCH URG; do
		tare kill "$ID" $signal
		wait_for "grep -qx $signal '$WORK/text'"
	done
	tare kill "$ID" TERM
	status=0
	wait $run || status=$?
	[ $status = 5 ]
	[ "$(sort "$WORK/text" | uniq -d)" = "" ]
}

@test "a signal that arrives before the program is not lost" {
	script 'sleep 1000'
	create_init
	tare kill "$ID" TERM
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
}

@test "orphans are waited for" {
	script '(sleep 0.2 & echo $! >/tmp/orphan); cut -d" " -f4 "/proc/$(cat /tmp/orphan)/stat"
		while [ -e "/proc/$(cat /tmp/orphan)" ]; do sleep 0.05; done; exit 4'
	run_init 4
	[ "$output" = 1 ]
}

@test "errors of the program's start are those of a start without it" {
	printf '#!/nosuch\n' >"$BUNDLE/rootfs/script"
	chmod 755 "$BUNDLE/rootfs/script"
	printf 'text' >"$BUNDLE/rootfs/text"
	for program in /nosuch nosuch /etc /script /text; do
		config --arg p $program '.process.args=[$p]'
		run -1 tare run -b "$BUNDLE" "$ID"
		expected=$output
		run_init 1
		[ "$output" = "$expected" ] || { echo "$output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	done
	config '.process.args=["/script"]'
	create_init
	run -1 tare start "$ID"
	[ "$output" = "tare: start $ID: /process/args: exec: \"/script\": no such file or directory (its interpreter '/nosuch' does not exist in the container)" ] || { echo "$output"; return 1; }
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
}

@test "a limit of one process is too low" {
	config '.process.user={uid:1234,gid:1234} | .process.rlimits=[{type:"RLIMIT_NPROC",soft:1,hard:1}]'
	script 'exit 0'
	run_init 1
	[[ "$output" == *"cannot start the program's process: resource temporarily unavailable (RLIMIT_NPROC is 1, and the first process of --init counts, too)" ]] || { echo "$output"; return 1; }
}

@test "create, start, exec, ps, pause, kill --all and delete" {
	script 'trap "exit 9" TERM; while :; do sleep 0.05; done'
	create_init
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
	[ "$(status_of "$ID")" = running ]
	[ "$(pid_of "$ID")" = "$PID" ]
	[ "$(tr '\0' ' ' <"/proc/$PID/comm")" = tare:reaper ]
	run -0 tare exec "$ID" sh -c 'echo $PPID; cat /proc/2/comm'
	[ "$output" = "0
sh" ] || { echo "$output"; return 1; }
	[ "$(tare ps --format json "$ID" | jq length)" -ge 2 ]
	tare pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	tare kill "$ID" TERM
	[ "$(status_of "$ID")" = paused ]
	tare resume "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
	create_init
	tare start "$ID"
	tare kill --all "$ID" TERM
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
	create_init
	tare start "$ID"
	tare delete --force "$ID"
	has_died "$PID"
}

@test "the first process holds no descriptor, no rights and no memory of the plan" {
	config '.process.capabilities={bounding:["CAP_KILL","CAP_CHOWN"],permitted:["CAP_KILL","CAP_CHOWN"],effective:["CAP_KILL"],inheritable:["CAP_KILL"],ambient:["CAP_KILL"]} | .process.user={uid:1000,gid:1000} | .process.env+=["SECRET=plan"]'
	script 'while :; do sleep 1; done'
	create_init
	tare start "$ID"
	wait_for '[ -z "$(ls "/proc/$PID/fd")" ]'
	program=$(pgrep -P "$PID")
	diff <(grep -E '^(Uid|Gid|Groups|CapBnd|NoNewPrivs)' "/proc/$PID/status") <(grep -E '^(Uid|Gid|Groups|CapBnd|NoNewPrivs)' "/proc/$program/status")
	[ "$(grep -E '^Cap(Inh|Prm|Eff|Amb)' "/proc/$PID/status" | tr -s '\n\t:' ' ')" = "CapInh 0000000000000000 CapPrm 0000000000000020 CapEff 0000000000000020 CapAmb 0000000000000000 " ]
	[ "$(stat -c %u "/proc/$PID/mem")" = "$(on_host 0)" ]
	[ "$(stat -c %u "/proc/$program/mem")" = "$(on_host 1000)" ]
	# The last thing that it does before it waits.
	wait_for '! grep -q memfd:plan "/proc/$PID/maps"'
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	has_died "$program"
}

@test "a filter that is installed last is the program's, and the first process has one of its own" {
	filter true ERRNO kill waitid wait4 rt_sigtimedwait write munmap prctl
	script 'trap "exit 6" TERM; while :; do :; done'
	create_init
	tare start "$ID"
	[ "$(grep -E '^Seccomp(_filters)?:' "/proc/$PID/status" | tr -dc '0-9\n')" = "2
1" ]
	tare kill "$ID" TERM
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
	script 'exit 6'
	run_init 6
}

@test "a filter that kills the program's process at its start" {
	filter true KILL_PROCESS execve sendmsg write exit_group exit
	script 'exit 0'
	run_init 1
	[[ "$output" == *"/linux/seccomp: the process ended before its program began (the filter has to allow execve"* ]] || { echo "$output"; return 1; }
	filter true KILL_PROCESS mkdir
	script 'mkdir /tmp/x'
	run_init 159 --keep
	[ "$(end_of)" = "[159,31]" ]
}

@test "a filter that is installed before the first process has to allow its calls" {
	for call in futex waitid rt_sigtimedwait kill write; do
		filter false ERRNO $call
		script 'exit 0'
		run_init 1
		[[ "$output" == *"cannot wait for the program by $call(2): operation not permitted (the seccomp filter is in force and must allow"* ]] || { echo "$call: $output"; return 1; }
		config '.linux.seccomp.syscalls[0].errnoRet=0'
		run_init 1
		[[ "$output" == *"$call(2) succeeded without an effect"* ]] || { echo "$call: $output"; return 1; }
	done
	filter false ERRNO clone
	run_init 1
	[[ "$output" == *"cannot start the program's process: operation not permitted (the seccomp filter is in force"* ]] || { echo "$output"; return 1; }
	config '.linux.seccomp.syscalls[0].errnoRet=0'
	run_init 1
	[[ "$output" == *"clone(2) succeeded without an effect"* ]] || { echo "$output"; return 1; }
	filter false ERRNO prctl_is_no_call munmap close_range
	script 'kill -TERM $$'
	run_init 143
}

@test "the program has the terminal, with job control" {
	config '.process.terminal=true'
	script 'cut -d" " -f1,5,6,8 /proc/$$/stat; set -m; sleep 5 & jobs; kill %1; test -t 0 && echo tty'
	run -0 command script -qec "'$TARE' --root '$ROOT' run --init -b '$BUNDLE' '$ID'" /dev/null </dev/null
	output=$(tr -d '\r' <<<"$output")
	[[ "$output" == *"2 2 2 2"*Running*sleep*tty* && "$output" != *"job control turned off"* ]] || { echo "$output"; return 1; }
	printf '\003' >"$WORK/keys"
	script 'trap "echo interrupted; exit 8" INT; echo ready; while :; do sleep 0.05; done'
	mkfifo "$WORK/in"
	command script -qec "'$TARE' --root '$ROOT' run --init -b '$BUNDLE' '$ID'" /dev/null <"$WORK/in" >"$WORK/text" 3>&- &
	exec 7>"$WORK/in"
	wait_for 'grep -q ready "$WORK/text"'
	# Ctrl-Z stops no program that has no shell above it.
	printf '\032\003' >&7
	status=0
	wait $! || status=$?
	exec 7>&-
	[ $status = 8 ]
	grep -q interrupted "$WORK/text"
}

@test "without a pid namespace it reaps the container's orphans, and the program dies with it" {
	config 'del(.linux.namespaces[]|select(.type=="pid"))'
	script 'echo $PPID >/tmp/first; (sleep 0.2 & echo $! >/tmp/orphan); cut -d" " -f4 "/proc/$(cat /tmp/orphan)/stat" >/tmp/parent
		cmp /tmp/first /tmp/parent || exit 1; while [ -e "/proc/$(cat /tmp/orphan)" ]; do sleep 0.05; done; exit 4'
	run_init 4
	script 'kill -ABRT $$'
	run_init 134
	script 'while :; do sleep 1; done'
	create_init
	tare start "$ID"
	program=$(pgrep -P "$PID")
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	wait_for 'has_died "$program"'
}

@test "the annotation asks for it, and has two values" {
	script 'echo $$'
	for value in true:2 false:1; do
		config --arg v ${value%:*} '.annotations={"org.tare.init":$v}'
		run_container "$ID" 0
		[ "$output" = "${value#*:}" ]
	done
	run_init 0
	[ "$output" = 2 ]
	config '.annotations={"org.tare.init":"yes"}'
	run_container "$ID" 1
	[ "$output" = "tare: run $ID: /annotations/org.tare.init: 'yes' is neither true nor false" ]
	tare features | jq -e '.potentiallyUnsafeConfigAnnotations|index(["org.tare.init"])'
}

@test "a policy that a child does not inherit is refused" {
	config '.process.scheduler={policy:"SCHED_BATCH",flags:["SCHED_FLAG_RESET_ON_FORK"]}'
	run_init 1
	[[ "$output" == *"/process/scheduler/flags: with SCHED_FLAG_RESET_ON_FORK the program"* ]] || { echo "$output"; return 1; }
	config '.process.scheduler={policy:"SCHED_DEADLINE",runtime:10000000,deadline:20000000,period:20000000}'
	run_init 1
	[[ "$output" == *"/process/scheduler/policy: a process with SCHED_DEADLINE"* ]] || { echo "$output"; return 1; }
	# Any caller may lower the priority.
	config '.process.scheduler={policy:"SCHED_BATCH",nice:19}'
	script 'exit 0'
	run_init 0
}

@test "LISTEN_PID is the program's" {
	script 'cat <&3; echo $LISTEN_FDS $LISTEN_PID $$'
	run -0 bash -c 'exec 3<<<socket; LISTEN_PID=$$ LISTEN_FDS=1 exec "$1" --root "$2" run --init -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$output" = "socket
1 2 2" ] || { echo "$output"; return 1; }
}

@test "a user namespace, and a user without rights" {
	add_user_namespace
	script 'kill -ABRT $$'
	run_init 134
}

@test "a program that may trace the first process cannot use it to escape its filter" {
	[ "$(uname -m)" = x86_64 ] || not_here "registers of x86-64"
	cp "$TOOLS/hijack" "$BUNDLE/rootfs/bin"
	config '.process.capabilities|=map_values(["CAP_SYS_PTRACE"]) | .process.args=["hijack","/tmp/made"]'
	filter true ERRNO mkdir
	# The program may end before the first process continues with its system call.
	for _ in {1..5}; do
		run tare run --init --keep -b "$BUNDLE" "$ID"
		[ ! -e "$BUNDLE/rootfs/tmp/made" ]
		[ "$status" = 0 ] || break
		[ "$output" = refused ]
		tare delete "$ID"
	done
	[ "$status" = 159 ] || { echo "$status: $output"; return 1; }
	[ "$(end_of)" = "[159,31]" ]
	[ -z "$output" ]
	[ ! -e "$BUNDLE/rootfs/tmp/made" ]
	# Without a filter there is nothing to escape: this shows that the attack works.
	config 'del(.linux.seccomp)'
	run_init 0
	[ "$output" = made ]
	[ -e "$BUNDLE/rootfs/tmp/made" ]
}

@test "a container with 256 KiB of memory starts" {
	controllers memory
	config '.process.args=["/bin/true"] | .linux.resources.memory={limit:262144}'
	for nnp in true false; do
		config --argjson n $nnp '.process.noNewPrivileges=$n'
		for _ in 1 2 3 4; do run_init 0; done
	done
	config --slurpfile filter "$BATS_TEST_DIRNAME/../seccomp/profile.json" '.linux.seccomp=$filter[0]'
	run_init 0
}

@test "a limit of one process is named" {
	controllers pids
	config '.process.args=["/bin/true"] | .linux.resources.pids={limit:1}'
	run_init 1
	[[ "$output" == *"cannot start the program's process: resource temporarily unavailable (pids.max of cgroup "*" is 1: "* ]] || { echo "$output"; return 1; }
	config '.linux.resources.pids={limit:2}'
	run_init 0
}

# Kills the foreground command by SIGKILL, with which it cannot do anything any more.
kill_foreground() { # [FLAG...]
	: >"$WORK/text"
	"$TARE" --root "$ROOT" run --die-with-parent "$@" -b "$BUNDLE" "$ID" >"$WORK/text" 3>&- &
	run=$!
	wait_for 'grep -q ready "$WORK/text"'
	PID=$(pid_of "$ID")
	program=$(pgrep -P "$PID" || echo "$PID")
	kill -KILL $run
	wait_for 'has_died "$program" && has_died "$PID"'
	tare delete "$ID"
}

@test "--die-with-parent: the container dies with the command, whatever kills that" {
	script 'echo ready; while :; do sleep 0.1; done'
	kill_foreground
	kill_foreground --init
	config '.process.user={uid:1000,gid:1000} | .process.noNewPrivileges=true'
	kill_foreground
	kill_foreground --init
	config 'del(.linux.namespaces[]|select(.type=="pid"))'
	kill_foreground
}

@test "--die-with-parent: also a program that gains rights at its start" {
	cp "$BUNDLE/rootfs/bin/busybox" "$BUNDLE/rootfs/bin/privileged"
	ln -sf privileged "$BUNDLE/rootfs/bin/ash"
	chmod u+s "$BUNDLE/rootfs/bin/privileged"
	config '.process.user={uid:1000,gid:1000} | .process.args=["ash","-c","echo ready; while :; do sleep 0.1; done"]'
	kill_foreground
	config '.process.user={uid:0,gid:0} | .process.capabilities={bounding:["CAP_CHOWN"]}'
	kill_foreground
}

@test "with a label the first process has a filter of its own" {
	[ -e /sys/module/apparmor/parameters/enabled ] && [ "$(</sys/module/apparmor/parameters/enabled)" = Y ] || host_lacks "no AppArmor"
	config '.process.apparmorProfile="unconfined"'
	script 'while :; do sleep 1; done'
	for nnp in true false; do
		config --argjson n $nnp '.process.noNewPrivileges=$n'
		create_init
		tare start "$ID"
		program=$(pgrep -P "$PID")
		[ "$(grep -hE '^Seccomp:' "/proc/$PID/status" "/proc/$program/status" | tr -dc '02')" = 20 ]
		tare delete --force "$ID"
	done
}
