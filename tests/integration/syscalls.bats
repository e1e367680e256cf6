# SPDX-License-Identifier: Apache-2.0
# --denied and --learn, and the number of a call that kills in the report.
load helpers

# mkdir fails with EACCES, rmdir kills the process, unlink the thread. $1: noNewPrivileges; then the program.
denied() {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	local nnp=$1
	shift
	cp "$TOOLS/denied" "$TOOLS/probe" "$BUNDLE/rootfs/bin"
	config --argjson n "$nnp" '.process.noNewPrivileges=$n | .process.args=$ARGS.positional | .linux.seccomp={
		defaultAction:"SCMP_ACT_ALLOW", syscalls:[
		{names:["mkdir"],action:"SCMP_ACT_ERRNO",errnoRet:13},
		{names:["rmdir"],action:"SCMP_ACT_KILL_PROCESS"},
		{names:["unlink"],action:"SCMP_ACT_KILL_THREAD"}]}' --args "$@"
}

# Whether this kernel and this processor have calls of i386: "denied" makes one at its end.
has_i386() {
	local status=0
	"$TOOLS/probe" i20 >/dev/null 2>&1 || status=$?
	[ "$status" -ne 139 ]
}

# How often each kind of call of "denied" is denied.
denied_counts() {
	if has_i386; then echo '[30000,5,2,1]'; else echo '[30000,5,2]'; fi
}

# The pids of the recorders that the case has started: they have the case's environment.
recorders() {
	local pid
	for pid in $(pgrep -x tare:recorder); do
		! grep -qz "^BATS_TEST_TMPDIR=$BATS_TEST_TMPDIR$" "/proc/$pid/environ" 2>/dev/null || echo "$pid"
	done
}

# The recorder of a container that runs already; it may still have tare's name.
recorder() {
	wait_for '[ -n "$(recorders)" ]' && recorders
}

# No process of tare is left once its container is gone.
no_recorder() {
	wait_for '[ -z "$(recorders)" ]' || { echo "left: $(recorders)"; return 1; }
}

calls() { # file: "NAME NUMBER ARCHITECTURE ANSWER PROGRAM COUNT"
	jq -r '.calls[] | "\(.name) \(.number) \(.architecture) \(.answer) \(.program) \(.count)"' "$1"
}

@test "denied: the program sees the same, whatever it does about signals and threads" {
	for nnp in true false; do
		denied $nnp denied
		run -0 tare run -b "$BUNDLE" "$ID"
		expected=$output
		[ "${lines[0]}" = "0 of 3000 wrong" ]
		[[ "$expected" == *"default: signal 31"*"one thread of two: status 7"*"i386: signal "* ]]
		! has_i386 || [[ "$expected" == *"i386: signal 31"* ]]
		run -0 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
		[ "$output" = "$expected" ] || { diff <(echo "$expected") <(echo "$output"); return 1; }
		run calls "$WORK/denied.json"
		[ "${lines[0]}" = "mkdir 83 SCMP_ARCH_X86_64 EACCES denied 30000" ]
		[ "${lines[1]}" = "rmdir 84 SCMP_ARCH_X86_64 kill-process denied 5" ]
		[ "${lines[2]}" = "unlink 87 SCMP_ARCH_X86_64 kill-thread denied 2" ]
		if has_i386; then
			[ "${lines[3]}" = "mkdir 39 SCMP_ARCH_X86 kill-process denied 1" ]
			[ "${#lines[@]}" = 4 ]
		else
			[ "${#lines[@]}" = 3 ]
		fi
		[ "$(jq -c '[.id, .omitted, .calls[0].errno]' "$WORK/denied.json")" = "[\"$ID\",0,13]" ]
		[ "$(stat -c %a "$WORK/denied.json")" = 600 ]
	done
	no_recorder
}

@test "denied: a call that kills the first process gives the status that it gives without" {
	for call in rmdir unlink; do
		denied true denied $call
		run -159 tare run -b "$BUNDLE" "$ID"
		run -159 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
		[ "$(jq -r '.calls[].name' "$WORK/denied.json")" = $call ]
	done
}

@test "denied: errno 0, the default action, ENOSYS for newer calls, and a call that does not exist" {
	denied true probe 39 83 448 9999
	config '.linux.seccomp={defaultAction:"SCMP_ACT_ERRNO", syscalls:[
		{names:["mkdir"],action:"SCMP_ACT_ERRNO",errnoRet:0},
		{names:["execve","write","exit_group","brk","arch_prctl","mmap","munmap","mprotect","newfstatat","fstat","readlink","readlinkat",
			"rseq","set_robust_list","set_tid_address","prlimit64","getrandom","clone3","ioctl","uname"],action:"SCMP_ACT_ALLOW"}]}'
	run -0 tare run -b "$BUNDLE" "$ID"
	expected=$output
	[ "${lines[0]}" = "39 -1 1" ]
	[ "${lines[1]}" = "83 0 0" ]
	run -0 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$output" = "$expected" ]
	run jq -r '.calls[] | "\(.name) \(.number) \(.answer)"' "$WORK/denied.json"
	[[ "$output" == *"getpid 39 EPERM"*"mkdir 83 success"*"process_mrelease 448 ENOSYS"*"null 9999 ENOSYS"* ]]
}

@test "denied: to standard error, and into an existing file with its mode" {
	denied true probe 83
	run -0 --separate-stderr tare run --denied - -b "$BUNDLE" "$ID"
	[ "$output" = "83 -1 13" ]
	[ "$(jq -r '.calls[0].name' <<<"$stderr")" = mkdir ]
	echo old >"$WORK/denied.json"
	chmod 640 "$WORK/denied.json"
	run -0 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$(jq -r '.calls[0].name' "$WORK/denied.json")" = mkdir ]
	[ "$(stat -c %a "$WORK/denied.json")" = 640 ]
}

@test "denied: a file that cannot be written is an error before anything is created" {
	denied true probe 83
	run -1 tare run --denied "$WORK/none/denied.json" -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot write '$WORK/none/denied.json': no such file or directory" ]
	run -1 tare run --denied "$WORK" -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot write '$WORK': is a directory" ]
	run tare state "$ID"
	[ "$status" = 1 ]
	no_recorder
}

@test "denied: what cannot be observed without a difference is refused by name" {
	denied true probe 83
	for action in TRAP TRACE; do
		config --arg a SCMP_ACT_$action '.linux.seccomp.syscalls[0] |= (.action=$a | del(.errnoRet))'
		run -1 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: run $ID: /linux/seccomp/syscalls/0/action: cannot observe a filter with SCMP_ACT_$action for --denied ("* ]]
	done
	config '.linux.seccomp.syscalls[0].action="SCMP_ACT_NOTIFY" | .linux.seccomp.listenerPath="/none"'
	for flag in denied learn; do
		run -1 tare run --$flag "$WORK/out.json" -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: run $ID: /linux/seccomp/syscalls/0/action: cannot observe a filter with SCMP_ACT_NOTIFY for --$flag (its listener is the agent's, and a process can have only one)" ]]
	done
	[ ! -e "$WORK/denied.json" ] && [ ! -e "$WORK/out.json" ]
}

@test "denied: the table is bounded, and what it omits is counted" {
	denied true denied names
	run -0 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$(jq -c '[(.calls | length), .omitted]' "$WORK/denied.json")" = "[1024,1976]" ]
	[ "$(jq -r '.calls[1023].program' "$WORK/denied.json")" = n1023 ]
}

@test "denied: a program that is denied without end still gets signals, and the file is complete" {
	denied true denied flood
	tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID" >"$WORK/out" &
	wait_for '[ "$(cat "$WORK/out")" = flooding ]'
	tare kill "$ID" KILL
	status=0
	wait $! || status=$?
	[ "$status" = 137 ]
	[ "$(jq -r '.calls[0].count > 100' "$WORK/denied.json")" = true ]
	no_recorder
}

@test "denied: without a filter nothing is denied" {
	config 'del(.linux.seccomp)'
	script 'exit 3'
	run -3 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$(jq -c '[.calls, .omitted]' "$WORK/denied.json")" = "[[],0]" ]
}

@test "denied: an exec in the container has the filter, and is not recorded" {
	denied true probe
	script 'sleep 1000'
	tare run --detach --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	run -0 tare exec "$ID" probe 83
	[ "${lines[0]}" = "83 -1 13" ]
	run -159 tare exec "$ID" probe 84
	tare delete --force "$ID"
	no_recorder
	[ "$(jq -c .calls "$WORK/denied.json")" = "[]" ]
}

@test "learn: the profile that it writes lets the same program run, and no other call" {
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin"
	for nnp in true false; do
		rm -f "$WORK/profile.json"
		config --argjson n $nnp '.process.noNewPrivileges=$n | .process.args=["sh","-c","mkdir /tmp/d; echo x >/tmp/d/f; cat /tmp/d/f; rm -r /tmp/d; (exit 3); echo $?"] | del(.linux.seccomp)'
		run -0 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
		[ "${lines[0]}" = x ] && [ "${lines[1]}" = 3 ]
		[ "$(jq -r .defaultAction "$WORK/profile.json")" = SCMP_ACT_ERRNO ]
		config --slurpfile p "$WORK/profile.json" '.linux.seccomp=$p[0]'
		run -0 tare run -b "$BUNDLE" "$ID"
		[ "${lines[0]}" = x ] && [ "${lines[1]}" = 3 ]
		run -0 tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
		[ "$(jq -c .calls "$WORK/denied.json")" = "[]" ]
		# 24 is sched_yield, which needs no right, and which the program has not used.
		config '.process.args=["probe","24"]'
		run tare run -b "$BUNDLE" "$ID"
		[ "${lines[0]}" = "24 -1 1" ]
		config 'del(.linux.seccomp)'
		run tare run -b "$BUNDLE" "$ID"
		[ "${lines[0]}" = "24 0 0" ]
	done
}

@test "learn: families of sockets, personalities, and namespaces of clone are part of the profile" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin"
	# 41 socket: AF_UNIX, SOCK_STREAM; 135 personality: ask.
	config '.process.args=["probe","41:1:1","135:4294967295"] | del(.linux.seccomp)'
	run -0 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
	run jq -c '.syscalls[] | select(.args) | [.names[0], .args]' "$WORK/profile.json"
	[[ "$output" == *'["socket",[{"index":0,"value":1,"op":"SCMP_CMP_EQ"}]]'* ]]
	[[ "$output" == *'["personality",[{"index":0,"value":4294967295,"op":"SCMP_CMP_EQ"}]]'* ]]
	config --slurpfile p "$WORK/profile.json" '.linux.seccomp=$p[0] | .process.args=["probe","41:1:1","41:2:1","135:4294967295","135:8"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "${lines[0]}" == "41 "[0-9]*" 0" ]]
	[ "${lines[1]}" = "41 -1 1" ]
	[ "${lines[2]}" = "135 0 0" ]
	[ "${lines[3]}" = "135 -1 1" ]
	script '(exit 3); echo $?'
	run -0 tare run --learn "$WORK/clone.json" -b "$BUNDLE" "$ID"
	[ "$(jq -c '.syscalls[] | select(.names[0]=="clone" and .args) | .args' "$WORK/clone.json")" = \
		'[{"index":0,"value":2114060288,"valueTwo":0,"op":"SCMP_CMP_MASKED_EQ"}]' ]
}

@test "learn: an existing profile keeps its rules and gets what it lacks; a second time nothing changes" {
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin"
	echo '{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,"architectures":["SCMP_ARCH_X86"],"syscalls":[
		{"names":["read","mkdir"],"action":"SCMP_ACT_ALLOW"},
		{"names":["getpid","reboot"],"action":"SCMP_ACT_ERRNO","errnoRet":1},
		{"names":["socket"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":1,"op":"SCMP_CMP_LE"}]}]}' >"$WORK/profile.json"
	config '.process.args=["probe","39","41:1:1","41:2:1"] | del(.linux.seccomp) | .process.noNewPrivileges=true'
	run -0 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
	run jq -c '[.defaultErrnoRet, .architectures, (.syscalls[] | select(.args or (.action != "SCMP_ACT_ALLOW")) | [.names, .action, .args[0].value])]' "$WORK/profile.json"
	[ "$output" = '[38,["SCMP_ARCH_X86","SCMP_ARCH_X86_64"],[["reboot"],"SCMP_ACT_ERRNO",null],[["socket"],"SCMP_ACT_ALLOW",1],[["socket"],"SCMP_ACT_ALLOW",2]]' ]
	[[ "$(jq -c '.syscalls[0].names' "$WORK/profile.json")" == *'"getpid"'*'"mkdir"'*'"read"'* ]]
	cp "$WORK/profile.json" "$WORK/first.json"
	run -0 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
	cmp "$WORK/profile.json" "$WORK/first.json"
	config --slurpfile p "$WORK/profile.json" '.linux.seccomp=$p[0]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = "39 1 0" ]
}

@test "learn: a call that the existing profile allows or denies for some arguments only is allowed for all" {
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin"
	for rule in '"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]' \
		'"action":"SCMP_ACT_ERRNO","args":[{"index":0,"value":18,"op":"SCMP_CMP_EQ"}]'; do
		echo '{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],"syscalls":[
			{"names":["umask"],'"$rule"'}]}' >"$WORK/profile.json"
		config '.process.args=["probe","95:18"] | del(.linux.seccomp) | .process.noNewPrivileges=true'
		run -0 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
		[[ "${lines[0]}" = "95 "[0-9]*" 0" ]]
		jq -e '.syscalls[0].names | index("umask")' "$WORK/profile.json"
		config --slurpfile p "$WORK/profile.json" '.linux.seccomp=$p[0]'
		run -0 tare run -b "$BUNDLE" "$ID"
		[[ "${lines[0]}" = "95 "[0-9]*" 0" ]] || { cat "$WORK/profile.json"; return 1; }
	done
}

@test "learn: a file that is no profile is refused, and stays" {
	echo '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"ALLOW"}]}' >"$WORK/profile.json"
	cp "$WORK/profile.json" "$WORK/first.json"
	script true
	run -1 tare run --learn "$WORK/profile.json" -b "$BUNDLE" "$ID"
	[[ "$output" == "tare: run $ID: /syscalls/0/action: $WORK/profile.json: "* ]]
	cmp "$WORK/profile.json" "$WORK/first.json"
}

@test "report: the number of the call that killed the program, also without --denied if no program can notice" {
	denied true denied rmdir
	run -159 tare run --report "$WORK/report.json" --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	valid_report "$WORK/report.json"
	[ "$(jq -c '[.cause, .signal.number, .systemCall]' "$WORK/report.json")" = \
		'["seccomp",31,{"number":84,"name":"rmdir","architecture":"SCMP_ARCH_X86_64"}]' ]
	# The filter lets a program install one with a listener, which a recorder would prevent.
	run -159 tare run --report "$WORK/report.json" -b "$BUNDLE" "$ID"
	[ "$(jq -c '[.cause, .systemCall]' "$WORK/report.json")" = '["seccomp",null]' ]
	config '.linux.seccomp.syscalls += [{names:["seccomp"],action:"SCMP_ACT_ERRNO"}]'
	for init in "" --init; do
		# shellcheck disable=SC2086
		run -159 tare run $init --report "$WORK/report.json" -b "$BUNDLE" "$ID"
		valid_report "$WORK/report.json"
		[ "$(jq -c '[.cause, .signal.number, .systemCall.name]' "$WORK/report.json")" = '["seccomp",31,"rmdir"]' ]
	done
	# A thread that is killed is not the end of its process, and a child not that of the program.
	config '.process.args=["denied"]'
	run -0 tare run --report "$WORK/report.json" -b "$BUNDLE" "$ID"
	[ "$(jq -c '[.cause, .systemCall]' "$WORK/report.json")" = '["exit",null]' ]
	no_recorder
}

@test "denied: --init, where the program is not the first process" {
	denied true denied
	run -0 tare run -b "$BUNDLE" "$ID"
	expected=$output
	run -0 tare run --init --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$output" = "$expected" ]
	[ "$(jq -c '[.calls[].count]' "$WORK/denied.json")" = "$(denied_counts)" ]
}

@test "denied: the annotation, for a container that create and start make" {
	for nnp in true false; do
		denied $nnp probe 83
		config --arg f "$WORK/denied.json" '.annotations["org.tare.denied"]=$f'
		rm -f "$WORK/denied.json"
		tare create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1
		recorder
		[ ! -e "$WORK/denied.json" ]
		tare start "$ID"
		no_recorder
		[ "$(cat "$WORK/out")" = "83 -1 13" ]
		[ "$(jq -r '.calls[0].name' "$WORK/denied.json")" = mkdir ]
		tare delete "$ID"
		# A container that is never started has no calls.
		rm "$WORK/denied.json"
		tare create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1
		tare delete --force "$ID"
		no_recorder
	done
	config '.annotations["org.tare.denied"]=""'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/org.tare.denied: "* ]]
}

@test "denied: a recorder holds nothing of the caller's, and blocks signals" {
	denied true sh
	script 'sleep 1000'
	exec 7<"$BUNDLE/config.json"
	tare run --detach --denied "$WORK/denied.json" -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1
	exec 7<&-
	pid=$(recorder)
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	# Standard streams, the directory of the file, and the listener.
	run readlink /proc/"$pid"/fd/*
	[ "$(printf '%s\n' "${lines[@]}" | sort | tr '\n' ' ')" = "$(printf '%s\n' /dev/null /dev/null /dev/null "$WORK" 'anon_inode:seccomp notify' | sort | tr '\n' ' ')" ]
	# Each signal that can be blocked is.
	for signal in HUP INT TERM CHLD PIPE; do kill -$signal "$pid"; done
	[ -e "/proc/$pid" ]
	tare delete --force "$ID"
}

@test "denied: if the recorder is killed denied calls are still not carried out" {
	denied true sh
	script 'while [ ! -e /tmp/go ]; do sleep 0.1; done; probe 83; mkdir /tmp/made; test -d /tmp/made'
	tare run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID" 2>/dev/null)" = running ]'
	kill -KILL "$(recorder)"
	touch "$BUNDLE/rootfs/tmp/go"
	status=0
	wait $! || status=$?
	[ "$status" = 1 ]
	grep -qx "83 -1 38" "$WORK/out"
	grep -qx "tare: run $ID: the recorder of the system calls was killed" "$WORK/out"
	[ ! -e "$BUNDLE/rootfs/tmp/made" ]
}

@test "denied: a recorder that is killed while it takes the listener does not leave init waiting" {
	command -v strace >/dev/null || not_here "no strace"
	local moment init
	# Up to the end of the hand-over: it copies the listener, receives init's call, and answers that.
	for moment in ptrace:when=1 pidfd_getfd:when=1 ioctl:when=2 ioctl:when=3 ioctl:when=4 wait4:when=1; do
		denied true probe 83
		config --arg f "$WORK/denied.json" '.annotations["org.tare.denied"]=$f'
		tare create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
		init=$(pid_of "$ID")
		: >"$WORK/strace"
		strace -o "$WORK/trace" -p "$(recorder)" -e "inject=${moment%%:*}:signal=KILL:${moment#*:}" 2>"$WORK/strace" 3>&- &
		wait_for 'grep -q attached "$WORK/strace"'
		# It may be killed so late that start takes that for the end of a program.
		timeout -s KILL "$HANGS" "$TARE" --root "$ROOT" start "$ID" >"$WORK/start" 2>&1 || [ $? = 1 ] ||
			{ cat "$WORK/start" "$WORK/trace"; return 1; }
		wait_for 'has_died "$init"' || { echo "$moment"; cat "$WORK/trace"; return 1; }
		no_recorder
		grep -q 'killed by SIGKILL' "$WORK/trace"
		tare delete --force "$ID"
	done
}

@test "report: the number of the call, for a container that create and start make" {
	denied true denied rmdir
	config --arg d "$WORK/denied.json" --arg r "$WORK/report.json" '.annotations={"org.tare.denied":$d,"org.tare.report":$r}'
	# Otherwise a first process of tare's reports how the program ended.
	keeps_status || config '.annotations["org.tare.init"]="true"'
	tare create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1
	tare start "$ID"
	run -159 tare wait "$ID"
	wait_for '[ -s "$WORK/report.json" ]'
	valid_report "$WORK/report.json"
	[ "$(jq -c '[.cause, .systemCall.name]' "$WORK/report.json")" = '["seccomp","rmdir"]' ]
	[ "$(jq -c '[.calls[].name]' "$WORK/denied.json")" = '["rmdir"]' ]
	tare delete "$ID"
	no_recorder
}

@test "denied and learn: for a caller without privileges, in a user namespace" {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	denied true denied
	chmod 755 "$WORK" "$BUNDLE"
	mkdir "$ROOT" "$WORK/files"
	cp "$TARE" "$WORK/tare"
	filter=$(jq .linux.seccomp "$BUNDLE/config.json")
	rm "$BUNDLE/config.json"
	chown -R 65534:65534 "$ROOT" "$BUNDLE" "$WORK/files"
	as_user() { as_nobody "$WORK/tare" --root "$ROOT" "$@"; }
	as_user spec --rootless=single -b "$BUNDLE"
	chmod 644 "$BUNDLE/config.json"
	config --argjson f "$filter" '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["denied"] | .linux.seccomp=$f'
	run -0 as_user run -b "$BUNDLE" "$ID"
	expected=$output
	run -0 as_user run --denied "$WORK/files/denied.json" -b "$BUNDLE" "$ID"
	[ "$output" = "$expected" ]
	[ "$(jq -c '[.calls[].count]' "$WORK/files/denied.json")" = "$(denied_counts)" ]
	config '.process.args=["sh","-c","id -u"]'
	run -0 as_user run --learn "$WORK/files/profile.json" -b "$BUNDLE" "$ID"
	config --slurpfile p "$WORK/files/profile.json" '.linux.seccomp=$p[0]'
	run -0 as_user run -b "$BUNDLE" "$ID"
	[ "$output" = 0 ]
}

@test "sandbox: a profile that was learned lets the same command run, and denied calls are listed" {
	program='import subprocess, socket, threading
socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
t = threading.Thread(target=lambda: None); t.start(); t.join()
print(subprocess.run(["sh", "-c", "echo one | cat; exit 3"]).returncode)'
	# A SIGCHLD may interrupt a fork of the shell while it is recorded, see tare(8).
	for _ in {1..10}; do
		run tare sandbox --learn "$WORK/profile.json" -- python3 -c "$program"
		[ "$output" != "one
3" ] || break
	done
	[ "$output" = "one
3" ]
	run -0 tare sandbox --seccomp "$WORK/profile.json" -- python3 -c "$program"
	[ "$output" = "one
3" ]
	run -0 tare sandbox --seccomp "$WORK/profile.json" --denied "$WORK/denied.json" -- python3 -c "$program"
	[ "$(jq '[.calls[] | select(.name != "clone3")] | length' "$WORK/denied.json")" = 0 ]
	run -1 tare sandbox --seccomp "$WORK/profile.json" --denied "$WORK/denied.json" -- \
		python3 -c 'import socket; socket.socket(socket.AF_UNIX)'
	[[ "$output" == *PermissionError* ]]
	jq -e '.calls[] | select(.name == "socket" and .answer == "EPERM")' "$WORK/denied.json"
	run -1 --separate-stderr tare sandbox --denied - -- unshare -U true
	# The program's own message precedes the list.
	[[ "$stderr" == *'"name": "unshare"'* ]]
}

@test "sandbox: the number of a call that killed, in the report" {
	run -0 tare sandbox --learn "$WORK/profile.json" -- true
	jq '.defaultAction="SCMP_ACT_KILL_PROCESS" | del(.defaultErrnoRet)' "$WORK/profile.json" >"$WORK/kill.json"
	run -159 tare sandbox --seccomp "$WORK/kill.json" --report "$WORK/report.json" -- mkdir /tmp/x
	valid_report "$WORK/report.json"
	[ "$(jq -c '[.cause, .signal.number, .systemCall.name != null]' "$WORK/report.json")" = '["seccomp",31,true]' ]
}

@test "denied: a program of another user is refused without CAP_SYS_PTRACE, and a report alone does without" {
	denied true probe 83
	config '.process.user.uid=1000 | .linux.seccomp.syscalls += [{names:["seccomp"],action:"SCMP_ACT_ERRNO"}]'
	limited() {
		setpriv --bounding-set -sys_ptrace --inh-caps -sys_ptrace timeout -s KILL 60 "$TARE" --root "$ROOT" "$@"
	}
	run -1 limited run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: /linux/seccomp: cannot take the listener of the filter: operation not permitted (to record system calls of a program with another user id tare needs CAP_SYS_PTRACE)" ]
	run tare state "$ID"
	[ "$status" = 1 ]
	run -0 limited run --report "$WORK/report.json" -b "$BUNDLE" "$ID"
	[ "$output" = "83 -1 13" ]
	# With the same user id it is possible.
	config '.process.user.uid=0'
	run -0 limited run --denied "$WORK/denied.json" -b "$BUNDLE" "$ID"
	[ "$(jq -r '.calls[0].name' "$WORK/denied.json")" = mkdir ]
}
