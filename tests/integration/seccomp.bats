# SPDX-License-Identifier: Apache-2.0
load helpers

# Numbers of x86-64: 39 getpid, 83 mkdir, 165 mount, 205 set_thread_area, 439 faccessat2, 448 process_mrelease.
PROFILE=$BATS_TEST_DIRNAME/../seccomp/profile.json

# Sets linux.seccomp to $1 (JSON), and noNewPrivileges to $2.
seccomp() {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin/probe"
	config --argjson s "$1" --argjson n "${2:-false}" '.linux.seccomp=$s | .process.noNewPrivileges=$n'
}

profile() {
	seccomp "$(cat "$PROFILE")" "$@"
}

# The program makes these calls, and prints "NUMBER RESULT ERRNO" for each.
probe() {
	config '.process.args=["probe"]+$ARGS.positional' --args "$@"
	run_container
}

@test "a profile like those of engines allows, denies, and returns ENOSYS for newer calls" {
	for nnp in true false; do
		profile $nnp
		probe 39 83 165 448 9999
		[ "${lines[0]}" = "39 1 0" ]
		[ "${lines[1]}" = "83 -1 14" ]
		[ "${lines[2]}" = "165 -1 1" ]
		[ "${lines[3]}" = "448 -1 38" ]
		[ "${lines[4]}" = "9999 -1 38" ]
	done
}

@test "the process has exactly one filter, and no_new_privs is as configured" {
	for nnp in true false; do
		profile $nnp
		inside 'grep -E "^(NoNewPrivs|Seccomp)" /proc/self/status'
		[ "${lines[0]}" = "NoNewPrivs:	$([ $nnp = true ] && echo 1 || echo 0)" ]
		[ "${lines[1]}" = "Seccomp:	2" ]
		[ "${lines[2]}" = "Seccomp_filters:	1" ]
	done
}

@test "conditions on arguments: every operator" {
	# fcntl's second argument is compared: it is $4.
	try() { # op value valueTwo argument -> denied?
		seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"fcntl\"],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":99,
			\"args\":[{\"index\":1,\"op\":\"SCMP_CMP_$1\",\"value\":$2,\"valueTwo\":$3}]}]}"
		probe "72:99:$4"
		# Without the filter a descriptor that is not open gives EBADF (9), whatever the command is.
		[ "${lines[0]}" = "72 -1 $5" ] || { echo "$* gave ${lines[0]}"; return 1; }
	}
	try NE 5 0 5 9
	try NE 5 0 6 99
	try LT 5 0 5 9
	try LT 5 0 4 99
	try LE 5 0 6 9
	try LE 5 0 5 99
	try EQ 5 0 4 9
	try EQ 5 0 5 99
	try GE 5 0 4 9
	try GE 5 0 5 99
	try GT 5 0 5 9
	try GT 5 0 6 99
	try MASKED_EQ 12 4 8 9
	try MASKED_EQ 12 4 7 99
	# Values above 32 bits.
	try EQ 4294967301 0 5 9
	try EQ 4294967301 0 4294967301 99
}

@test "actions: errno, kill, trap, log, trace without a tracer" {
	act() {
		seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_$1\"}]}"
	}
	act ERRNO
	probe 83
	[ "${lines[0]}" = "83 -1 1" ]
	act LOG
	probe 83
	[ "${lines[0]}" = "83 -1 14" ]
	act TRACE
	probe 83
	[ "${lines[0]}" = "83 -1 38" ]
	# 128 + SIGSYS, which is 31.
	for action in KILL KILL_THREAD KILL_PROCESS TRAP; do
		act $action
		config '.process.args=["probe","83"]'
		run_container "" 159
	done
}

@test "errors: EPERM is the default of defaultErrnoRet and errnoRet" {
	# Numbers below the highest one that the filter names: for those above it the filter returns ENOSYS.
	for nnp in true false; do
		seccomp "$(jq 'del(.defaultErrnoRet) | .defaultAction="SCMP_ACT_ERRNO"' "$PROFILE")" $nnp
		probe 165
		[ "$output" = "165 -1 1" ]
		seccomp "$(jq '.defaultAction="SCMP_ACT_ERRNO" | .defaultErrnoRet=99' "$PROFILE")" $nnp
		probe 165
		[ "$output" = "165 -1 99" ]
	done
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"},{"names":["mount"],"action":"SCMP_ACT_ERRNO","errnoRet":4094},
		{"names":["rmdir"],"action":"SCMP_ACT_ERRNO","errnoRet":0}]}'
	probe 83 165 84
	[ "$output" = $'83 -1 1\n165 -1 4094\n84 0 0' ]
}

@test "an errno for an action that has none, metadata without a listener, and other contradictions are refused" {
	refused() { # JSON, where: why
		seccomp "$1"
		run_container "" 1
		[[ "$output" == *"/linux/seccomp/$2"* ]] || { echo "$1: $output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	}
	for action in ALLOW KILL KILL_PROCESS KILL_THREAD TRAP LOG NOTIFY; do
		refused "{\"defaultAction\":\"SCMP_ACT_$action\",\"defaultErrnoRet\":1,\"listenerPath\":\"/s\"}" "defaultErrnoRet: SCMP_ACT_$action cannot carry an errno"
		refused "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"listenerPath\":\"/s\",\"syscalls\":[{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_$action\",\"errnoRet\":5}]}" \
			"syscalls/0/errnoRet: SCMP_ACT_$action cannot carry an errno"
	done
	refused '{"defaultAction":"SCMP_ACT_ALLOW","listenerMetadata":"words"}' "listenerMetadata: needs a listenerPath"
	refused '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":[],"action":"SCMP_ACT_LOG"}]}' "syscalls/0/names: must name at least one system call"
	refused '{"defaultAction":"SCMP_ACT_ALLOW","flags":["SECCOMP_FILTER_FLAG_NEW_LISTENER"]}' "flags/0: unknown seccomp flag"
	refused '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_LOG","args":[{"index":6,"value":0,"op":"SCMP_CMP_EQ"}]}]}' "syscalls/0/args/0/index: must be from 0 to 5, not 6"
}

@test "each architecture is part of the filter, or is refused by name" {
	known=0
	for arch in X86 X86_64 X32 ARM AARCH64 LOONGARCH64 M68K MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32 PPC PPC64 PPC64LE S390 S390X SH SHEB PARISC PARISC64 RISCV64; do
		seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_$arch\"],\"syscalls\":[{\"names\":[\"mkdirat\"],\"action\":\"SCMP_ACT_ERRNO\"}]}"
		config '.process.args=["probe","258:-1"]'
		run tare run -b "$BUNDLE" "$ID"
		if [ "$status" = 0 ]; then
			[ "$output" = "258 -1 1" ] || { echo "$arch: $output"; return 1; }
			known=$((known + 1))
		else
			[[ "$output" == *"/linux/seccomp/architectures/0: "*"SCMP_ARCH_$arch"* ]] || { echo "$arch: $output"; return 1; }
		fi
	done
	[ "$known" -ge 5 ]
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_VAX"]}'
	run_container "" 1
	[[ "$output" == *"/linux/seccomp/architectures/0: unknown seccomp architecture 'SCMP_ARCH_VAX'"* ]]
}

@test "calls of i386: the filter applies if it names that architecture, else the process is killed" {
	# mkdir is 39 on i386. On x86-64 39 is getpid.
	rule='"syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":99}]'
	seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\",\"SCMP_ARCH_X86\"],$rule}"
	config '.process.args=["probe","i20","i39","83","39"]'
	run tare run -b "$BUNDLE" "$ID"
	[ "$status" != 139 ] || host_lacks "no calls of i386 in this kernel"
	[ "$output" = $'20 1 0\n39 -1 99\n83 -1 99\n39 1 0' ]
	seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"architectures\":[\"SCMP_ARCH_X86_64\"],$rule}"
	config '.process.args=["probe","83","i39"]'
	run_container "" 159
	[ "$output" = "83 -1 99" ]
}

@test "exec exits even if the filter denies the exit of a process" {
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin/"
	for call in exit_group exit; do
		config --arg call $call '.process.args=["sleep","1000"] | .process.noNewPrivileges=false |
			.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:[$call],action:"SCMP_ACT_ERRNO",errnoRet:1}]}'
		create "$ID"
		tare start "$ID"
		for _ in 1 2 3 4 5; do
			timeout "$HANGS" "$TARE" --root "$ROOT" exec -d --pid-file "$WORK/pid" "$ID" sleep 1000 </dev/null >"$WORK/out" 2>&1 3>&-
			timeout "$HANGS" "$TARE" --root "$ROOT" exec -d "$ID" sleep 1000 </dev/null >"$WORK/out" 2>&1 3>&-
		done
		# None of the processes is one of the runtime.
		[ "$(tare ps --format json "$ID" | jq length)" = 11 ]
		tare delete --force "$ID"
	done
}

@test "exec runs under the container's filter" {
	for nnp in true false; do
		profile $nnp
		config '.process.args=["sleep","1000"]'
		create "$ID"
		run -0 tare exec "$ID" probe 165 448
		[ "${lines[0]}" = "165 -1 1" ]
		tare start "$ID"
		run -0 tare exec "$ID" probe 165 448
		[ "${lines[0]}" = "165 -1 1" ]
		[ "${lines[1]}" = "448 -1 38" ]
		run -0 tare exec "$ID" grep Seccomp /proc/self/status
		[ "${lines[1]}" = "Seccomp_filters:	1" ]
		# If the stored plan cannot be used, it is built again, including the filter.
		: >"$ROOT/$ID/plan"
		run -0 tare exec "$ID" probe 165 448
		[ "${lines[0]}" = "165 -1 1" ]
		[ "${lines[1]}" = "448 -1 38" ]
		# A process document has no filter, so the container's applies.
		echo '{"cwd":"/","args":["probe","165"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0}}' >"$WORK/process"
		run -0 tare exec --process "$WORK/process" "$ID"
		[ "${lines[0]}" = "165 -1 1" ]
		tare delete --force "$ID"
	done
}

@test "a call of tare that a filter kills for is named, if no other call can be the cause" {
	config '.process.args=["true"]'
	for call in close_range prctl chdir getcwd setgroups setresgid setresuid capget newfstatat faccessat2; do
		seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["'$call'"],"action":"SCMP_ACT_KILL_PROCESS"}]}'
		run_container "" 1
		[[ "$output" == *"init was killed by signal 31 before the container was ready (the seccomp filter kills for $call(2), which tare calls after loading it: see tare(8), SECCOMP)" ]] || { echo "$call: $output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	done
	# Whether it kills depends on the arguments: no call is named.
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["setresuid"],"action":"SCMP_ACT_KILL_PROCESS","args":[{"index":0,"value":0,"op":"SCMP_CMP_EQ"}]}]}'
	run_container "" 1
	[[ "$output" == *"the seccomp filter kills for a system call that tare makes after loading it: "* ]]
	# A list of what is allowed: the first call that is missing.
	seccomp '{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[{"names":["close_range","prctl","chdir","getcwd"],"action":"SCMP_ACT_ALLOW"}]}'
	run_container "" 1
	[[ "$output" == *"kills for setgroups(2), which tare calls"* ]]
}

@test "with no_new_privs a filter must allow only execve" {
	seccomp '{"defaultAction":"SCMP_ACT_KILL_PROCESS","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ALLOW"}]}' true
	config '.process.args=["probe","39"]'
	# The program itself is killed at its first call.
	run_container "" 159
	[ -z "$output" ]
	# Without no_new_privs init makes more calls and is killed, which is reported.
	config '.process.noNewPrivileges=false'
	run_container "" 1
	[[ "$output" == *"signal 31"*"seccomp"* ]]
}

@test "a filter that denies calls which tare still needs is named" {
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["setgroups"],"action":"SCMP_ACT_ERRNO"}]}'
	run_container "" 1
	[[ "$output" == *"additional groups"*"seccomp filter is in force"* ]]
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve"],"action":"SCMP_ACT_ERRNO"}]}' true
	config '.process.args=["true"]'
	run_container "" 1
	[[ "$output" == *exec*"seccomp filter is in force"* ]]
	# An error that no filter returns is not blamed on the filter.
	seccomp '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["read"],"action":"SCMP_ACT_LOG"}]}' true
	config '.process.args=["/no/such/program"]'
	run_container "" 1
	[[ "$output" == *"o such file"* && "$output" != *"seccomp"* ]]
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW"}' false
	run_container "" 1
	[[ "$output" == *"no such file"* && "$output" != *"seccomp"* ]]
	# Calls with an older alternative are not needed.
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["sendmsg","recvmsg","close_range","faccessat2","clone3"],"action":"SCMP_ACT_ERRNO"}]}'
	probe 39
	[ "${lines[0]}" = "39 1 0" ]
}

# A filter that returns errno $2 for the calls $1 without executing them. $3 are further fields of the rule. Errno 0
# fakes success.
faked() {
	seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"syscalls\":[{\"names\":[$1],\"action\":\"SCMP_ACT_ERRNO\",\"errnoRet\":$2${3:+,$3}}]}" "${4:-false}"
}

@test "a filter that prevents the program's execution is an error of run, create and start" {
	# The filter denies execve, or kills for it, and so for every call that could report it. A sanitizer's runtime
	# needs some other calls.
	for default in SCMP_ACT_ERRNO SCMP_ACT_KILL_PROCESS SCMP_ACT_TRAP; do
		seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["execve","sendmsg","write","exit_group","exit"],"action":"'$default'"}]}' true
		config '.process.args=["true"]'
		for detach in "" -d; do
			# shellcheck disable=SC2086
			run -1 timeout "$HANGS" "$TARE" --root "$ROOT" run $detach -b "$BUNDLE" "$ID" </dev/null
			[[ "$output" == *"/linux/seccomp: the process ended before its program began (the filter has to allow execve"* ]] || { echo "$default $detach: $output"; return 1; }
			[ ! -e "$ROOT/$ID" ]
		done
		create "$ID"
		pid=$(pid_of "$ID")
		run timeout "$HANGS" "$TARE" --root "$ROOT" start "$ID"
		# If init's new parent has waited for it already, start cannot find out how it ended.
		[[ "$status $output" == "1 "*"ended before its program began"* ]] || [[ "$status$output" = 0 && ! -e /proc/$pid ]] || { echo "$default: $status $output"; return 1; }
		[ "$(status_of "$ID")" = stopped ]
		tare delete "$ID"
	done
	# If the filter kills the program for a call of its own, the program has been executed.
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_KILL_PROCESS"}]}' true
	config '.process.args=["mkdir","/tmp/new"]'
	for _ in $(seq "$(rounds 20)"); do
		run -159 tare run -b "$BUNDLE" "$ID"
		[ -z "$output" ]
		run -0 timeout "$HANGS" "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null
		tare delete --force "$ID"
	done
}

@test "a filter that fakes a change of ids, groups or directory gives no process more rights than requested" {
	config '.process.user={"uid":1000,"gid":1000,"additionalGids":[5,7]} | .process.cwd="/tmp"
		| .process.args=["sh","-c","echo $(id -u):$(id -g):$(id -G) $(pwd)"]'
	cp "$BUNDLE/config.json" "$WORK/base.json"
	# For a container, and for an exec with its own filter in a container that has not reached its filter.
	is_reported() { # pattern
		for how in run exec; do
			if [ $how = run ]; then
				run tare run -b "$BUNDLE" "$ID"
				[ ! -e "$ROOT/$ID" ]
			else
				config '.process.noNewPrivileges=true'
				create "$ID"
				jq '.process | .noNewPrivileges=false' "$BUNDLE/config.json" >"$WORK/process"
				run tare exec --process "$WORK/process" "$ID"
				tare delete --force "$ID"
			fi
			[ "$status" -ne 0 ] && [[ "$output" == *$1*"seccomp filter"* ]] || { echo "$how, $1: $status, $output"; return 1; }
		done
		cp "$WORK/base.json" "$BUNDLE/config.json"
	}
	for calls in '"setresuid"' '"setresuid","getresuid"'; do
		faked "$calls" 0
		is_reported "/process/user/uid: setresuid(2) succeeded"
	done
	for calls in '"setresgid"' '"setresgid","getresgid"'; do
		faked "$calls" 0
		is_reported "/process/user/gid: setresgid(2) succeeded"
	done
	faked '"setgroups"' 0
	is_reported "/process/user/additionalGids: setgroups(2) succeeded"
	faked '"setgroups","getgroups"' 0
	is_reported "/process/user/additionalGids: getgroups(2) succeeded"
	for calls in '"chdir"' '"chdir","newfstatat"'; do
		faked "$calls" 0
		is_reported "/process/cwd: chdir(2) succeeded"
	done
	faked '"capset"' 0
	is_reported "capabilities"
	faked '"capset","capget"' 0
	is_reported "capabilities"
	faked '"setresuid","setresgid","setgroups","setuid","setgid"' 0
	is_reported "succeeded without an effect"
	# Here the call that reads the ids back is denied.
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO","errnoRet":0},
		{"names":["getresuid"],"action":"SCMP_ACT_ERRNO","errnoRet":1}]}'
	is_reported "cannot read the user ids back"
	# tare does not check other calls that a filter fakes.
	faked '"chown","fchown","mknod","setuid","mkdir"' 0
	run_container
	[ "$output" = "1000:1000:1000 5 7 /tmp" ]
	# With no_new_privs the filter is installed after all of these calls.
	faked '"setresuid","setresgid","setgroups","chdir"' 0 "" true
	run_container
	[ "$output" = "1000:1000:1000 5 7 /tmp" ]
}

@test "a filter that fakes a smaller bounding set gives no process more rights than requested" {
	config '.process.user={"uid":1000,"gid":1000} | .process.capabilities={"bounding":["CAP_KILL"],"effective":[],"permitted":[]}
		| .process.args=["grep","CapBnd","/proc/self/status"]'
	# PR_CAPBSET_DROP is 24, PR_CAPBSET_READ 23.
	drop='"args":[{"index":0,"value":24,"op":"SCMP_CMP_EQ"}]'
	both='"args":[{"index":0,"value":23,"op":"SCMP_CMP_GE"},{"index":1,"value":0,"op":"SCMP_CMP_GE"}]'
	for errno in 0 1 22; do
		for args in "$drop" "$both" ""; do
			faked '"prctl"' $errno "$args"
			run_container "" 1
			[[ "$output" == *"seccomp filter"* ]] || { echo "$errno, $args: $output"; return 1; }
		done
	done
	faked '"mkdir"' 0
	run_container
	[ "$output" = "CapBnd:	0000000000000020" ]
}

@test "a filter that denies or fakes setsid leaves no exec in the caller's session" {
	config '.process.args=["sleep","1000"]'
	for errno in 0 1; do
		faked '"setsid"' $errno
		create "$ID"
		for detach in "" -d; do
			run tare exec $detach "$ID" true </dev/null
			[ "$status" -ne 0 ]
			[[ "$output" == *"cannot create a session"*"seccomp filter"* || "$output" == *"setsid(2) succeeded"* ]] || { echo "$output"; return 1; }
		done
		tare delete --force "$ID"
	done
}

@test "messages and children that a filter fakes are detected" {
	config '.process.args=["sh","-c","echo runs"]'
	for calls in '"sendmsg"' '"recvmsg"' '"sendmsg","recvmsg"' '"clone3"' '"close_range"'; do
		faked "$calls" 0
		run_container
		[ "$output" = runs ]
		create "$ID"
		run -0 timeout "$HANGS" "$TARE" --root "$ROOT" exec "$ID" echo other
		[ "$output" = other ]
		tare start "$ID"
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		grep -qx runs "$WORK/out"
		tare delete "$ID"
	done
	faked '"clone","clone3"' 0
	create "$ID"
	run timeout "$HANGS" "$TARE" --root "$ROOT" exec "$ID" echo other
	[ "$status" = 255 ] && [[ "$output" == *"clone(2) succeeded"*"seccomp filter"* ]]
	tare delete --force "$ID"
	# An errno that usually has another cause.
	faked '"setgroups"' 22
	run_container "" 1
	[[ "$output" == *"additional groups"*"mapped"*"seccomp filter"* ]]
}

@test "notify: a limit of descriptors leaves room for the listener" {
	for nnp in true false; do
		agent 83
		watched '["mkdir"]' $nnp
		config '.process.rlimits=[{"type":"RLIMIT_NOFILE","soft":4,"hard":4}] | .process.user={"uid":1000,"gid":1000}'
		probe 83
		[ "$output" = "83 -1 42" ]
		config '.process.args=["sh","-c","ulimit -n"]'
		run_container
		[ "$output" = 4 ]
		config '.process.args=["sleep","1000"]'
		create "$ID"
		run -0 tare exec "$ID" probe 83
		[ "$output" = "83 -1 42" ]
		run -0 tare exec "$ID" sh -c "ulimit -n"
		[ "$output" = 4 ]
		tare delete --force "$ID"
		agent_end
	done
}

@test "a filter's effect on the gate is reported by create, and an init that is denied its exit exits nevertheless" {
	config '.process.args=["true"]'
	for errno in 0 1; do
		faked '"accept4"' $errno
		status=0
		create "$ID" || status=$?
		[ "$status" = 1 ]
		[[ "$(cat "$WORK/err")" == *"accept4(2) succeeded"* || "$(cat "$WORK/err")" == *"start gate"*"seccomp filter"* ]]
		[ ! -e "$ROOT/$ID" ]
		# run has no gate.
		run_container
	done
	for calls in '"exit_group"' '"exit_group","exit"'; do
		for errno in 0 1; do
			faked "$calls" $errno
			config '.process.args=["/bin/here"]'
			ln -sf busybox "$BUNDLE/rootfs/bin/here"
			create "$ID"
			rm "$BUNDLE/rootfs/bin/here"
			run -1 timeout "$HANGS" "$TARE" --root "$ROOT" start "$ID"
			wait_for '[ "$(status_of "$ID")" = stopped ]'
			tare delete "$ID"
		done
	done
}

@test "the compiled filter is cached, and a damaged or foreign entry is not used" {
	profile true
	probe 165
	entry=$(ls "$ROOT/@seccomp/"*)
	[ "$(stat -c %a "$entry")" = 600 ]
	cp "$entry" "$WORK/good"
	probe 165
	cmp "$entry" "$WORK/good"
	# Whatever the entry is: the right filter is used, and the right entry is written again.
	again() {
		probe 165
		[ "${lines[0]}" = "165 -1 1" ]
		cmp "$entry" "$WORK/good"
		[ ! -L "$entry" ]
	}
	printf 'x' | dd of="$entry" bs=1 seek=2000 conv=notrunc status=none
	again
	truncate -s 100 "$entry"
	again
	: >"$entry"
	again
	cp "$WORK/good" "$WORK/linked"
	ln -sf "$WORK/linked" "$entry"
	again
	rm "$entry"
	mkfifo "$entry"
	again
	chmod 666 "$entry"
	again
	[ "$(stat -c %a "$entry")" = 600 ]
	chown 12345 "$entry"
	again
	[ "$(stat -c %u "$entry")" = "${OTHER:-0}" ]
	# The entry of another filter, under this filter's name.
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW"}' true
	probe 165
	other=$(ls "$ROOT/@seccomp/"* | grep -v "$entry")
	cp "$other" "$entry"
	profile true
	again
}

@test "a cache that cannot be written or trusted is no error, and is not a container" {
	profile true
	mkdir -p "$ROOT"
	chmod 700 "$ROOT"
	: >"$ROOT/@seccomp"
	own "$ROOT"
	probe 165
	[ "${lines[0]}" = "165 -1 1" ]
	rm "$ROOT/@seccomp"
	mkdir -m 777 "$ROOT/@seccomp"
	chmod 777 "$ROOT/@seccomp"
	own "$ROOT/@seccomp"
	probe 165
	[ "${lines[0]}" = "165 -1 1" ]
	[ -z "$(ls "$ROOT/@seccomp")" ]
	[ -z "$(tare list -q)" ]
	run -1 tare state @seccomp
}

@test "the cache is bounded, and serves many containers at once" {
	profile true
	config '.process.args=["probe","165"]'
	pids=
	for i in 1 2 3 4 5 6; do
		tare run -b "$BUNDLE" "$ID.$i" >"$WORK/out.$i" 2>&1 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do
		wait "$pid"
	done
	[ "$(cat "$WORK"/out.* | sort -u)" = "165 -1 1" ]
	[ "$(ls -A "$ROOT/@seccomp" | wc -l)" = 1 ]
	for i in $(seq 80); do
		: >"$ROOT/@seccomp/$i"
	done
	seccomp '{"defaultAction":"SCMP_ACT_LOG"}' true
	run_container
	[ "$(ls -A "$ROOT/@seccomp" | wc -l)" = 1 ]
}

@test "features reports what filters support" {
	run -0 tare features
	jq -e '.linux.seccomp|.enabled and (.archs|index("SCMP_ARCH_X86_64")) and (.archs|index("SCMP_ARCH_S390X")|not)
		and (.actions|length==9) and (.operators|length==7) and (.knownFlags|length==4)
		and (.supportedFlags-.knownFlags==[]) and (.supportedFlags|index("SECCOMP_FILTER_FLAG_SPEC_ALLOW"))' <<<"$output"
}

@test "what is not supported is refused by name, and plan and check leave no trace" {
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_X86","SCMP_ARCH_S390X"]}'
	run_container "" 1
	[[ "$output" == *"/linux/seccomp/architectures/1"*"SCMP_ARCH_S390X"*"byte order"* ]]
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/linux/seccomp/architectures/1"* ]]
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","architectures":["SCMP_ARCH_M68K"]}'
	run_container "" 1
	[[ "$output" == *"does not know SCMP_ARCH_M68K"* ]]
	profile
	run -0 tare check -b "$BUNDLE"
	run -0 tare plan -b "$BUNDLE"
	[[ "$output" == *"init    seccomp          spec-allow"* ]]
	[ ! -e "$ROOT/@seccomp" ]
}

@test "the calls that tare needs without no_new_privs are those that its manual names" {
	# The calls that the manual page names, and those of the probe itself.
	names=$(sed -n '/^# SECCOMP/,/If the filter denies/p' "$BATS_TEST_DIRNAME/../../man/tare.8.scd")
	names=$(grep -oE '\*[a-z0-9_]+\*' <<<"$names" | tr -d '*' | jq -R . | jq -sc 'unique-["tare"]')
	seccomp "{\"defaultAction\":\"SCMP_ACT_ERRNO\",\"defaultErrnoRet\":99,\"syscalls\":[{\"action\":\"SCMP_ACT_ALLOW\",\"names\":$names},
		{\"action\":\"SCMP_ACT_ALLOW\",\"names\":[\"exit_group\",\"brk\",\"arch_prctl\",\"getpid\",\"mprotect\",\"uname\"]}]}" false
	config '.process.env=["PATH=/sbin:/bin"] | .process.user={"uid":1000,"gid":1000,"additionalGids":[5]}'
	probe 39 83
	[ "${lines[0]}" = "39 1 0" ]
	[ "${lines[1]}" = "83 -1 99" ]
	create "$ID"
	run -0 tare exec "$ID" probe 83
	[ "${lines[0]}" = "83 -1 99" ]
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	grep -q "39 1 0" "$WORK/out"
}

@test "startContainer hooks run under the filter, hooks of the runtime do not" {
	for nnp in true false; do
		profile $nnp
		hook='{"path":"/bin/busybox","args":["sh","-c","busybox grep Seccomp: /proc/self/status >>FILE"]}'
		config --argjson h "$hook" --arg w "$WORK" '.hooks={
			"startContainer":[$h|.args[2]|=sub("FILE";"/tmp/start")],
			"createContainer":[$h|.args[2]|=sub("FILE";"\($w)/container")],
			"createRuntime":[$h|.args[2]|=sub("FILE";"\($w)/runtime")]}
			| .process.args=["grep","Seccomp_filters","/proc/self/status"]'
		run_container
		[ "${lines[0]}" = "Seccomp_filters:	1" ]
		[ "$(cat "$BUNDLE/rootfs/tmp/start")" = "Seccomp:	2" ]
		[ "$(cat "$WORK/container" "$WORK/runtime")" = "Seccomp:	0
Seccomp:	0" ]
		rm "$BUNDLE/rootfs/tmp/start" "$WORK/container" "$WORK/runtime"
	done
}

@test "system calls that libseccomp does not know are skipped, and check reports them" {
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","make_coffee"],"action":"SCMP_ACT_ERRNO"}]}'
	probe 83
	[ "${lines[0]}" = "83 -1 1" ]
	run -0 tare check -b "$BUNDLE"
	[[ "$output" == *"note: /linux/seccomp/syscalls/0/names/1:"*make_coffee*valid* ]]
	run -0 tare check -b "$BUNDLE" --format json
	jq -e '.valid and (.findings|length==1) and .findings[0].kind=="note"' <<<"$output"
}

# Starts an agent that denies call $1 with errno 42 and lets all other calls continue.
agent() {
	mkdir -p "$WORK/agent"
	"$TOOLS/seccompagent" "$WORK/agent/socket" "$WORK/agent" "$@" </dev/null >/dev/null 2>&1 3>&- &
	AGENT=$!
	wait_for "[ -S $WORK/agent/socket ]"
	own "$WORK/agent"
}

agent_end() {
	kill "$AGENT"
	wait "$AGENT" || true
	rm -r "$WORK/agent"
}

# A filter that notifies a listener of the calls $1 (JSON array). noNewPrivileges is $2.
watched() {
	seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"$WORK/agent/socket\",\"listenerMetadata\":\"some words\",
		\"syscalls\":[{\"names\":$1,\"action\":\"SCMP_ACT_NOTIFY\"}]}" "$2"
}

@test "notify: an agent gets the listener and the state, and answers" {
	for nnp in true false; do
		agent 83
		watched '["mkdir"]' $nnp
		config '.annotations={"org.test.a":"b"}'
		probe 83 39
		[ "${lines[0]}" = "83 -1 42" ]
		[ "${lines[1]}" = "39 1 0" ]
		[ "$(cat "$WORK/agent/fds.0")" = 1 ]
		jq -e --arg id "$ID" --arg b "$BUNDLE" '.fds==["seccompFd"] and .metadata=="some words" and .pid>1
			and .ociVersion==.state.ociVersion and .state.id==$id and .state.status=="creating" and .state.pid==.pid
			and .state.bundle==$b and .state.annotations=={"org.test.a":"b"}' "$WORK/agent/state.0"
		[ "$(cat "$WORK/agent/calls" | cut -d' ' -f2)" = 83 ]
		[ "$(cat "$WORK/agent/calls" | cut -d' ' -f1)" = "$(jq .pid "$WORK/agent/state.0")" ]
		agent_end
	done
}

@test "notify: an agent's socket has a path of any length" {
	agent 83
	for bytes in 107 108 109 1500; do
		long_path "$WORK/agent/socket" $bytes
		watched '["mkdir"]' true
		config --arg path "$LONG" '.linux.seccomp.listenerPath=$path'
		run -0 tare check -b "$BUNDLE"
		probe 83 39
		[ "${lines[0]}" = "83 -1 42" ] || { echo "$bytes: $output"; return 1; }
	done
	[ -e "$WORK/agent/state.3" ]
	agent_end
}

@test "notify: any call, including those that tare itself makes" {
	for nnp in true false; do
		agent 83
		watched '["write","sendmsg","recvmsg","read","close","close_range","execve","accept4","fcntl","mkdir"]' $nnp
		probe 83 39
		[ "${lines[0]}" = "83 -1 42" ]
		config '.process.args=["probe","83"]'
		create "$ID"
		tare start "$ID"
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		grep -q "83 -1 42" "$WORK/out"
		tare delete "$ID"
		agent_end
	done
	# As the default action.
	agent 83
	flags=$("$TARE" features | jq -c .linux.seccomp.supportedFlags)
	seccomp "{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"$WORK/agent/socket\",\"flags\":$flags}" true
	probe 83 39
	[ "${lines[0]}" = "83 -1 42" ]
	[ "${lines[1]}" = "39 1 0" ]
	jq -e 'has("metadata")|not' "$WORK/agent/state.0"
	agent_end
}

@test "notify: the agent gets a listener for every exec" {
	for nnp in true false; do
		agent 83
		watched '["mkdir","clone","setresuid"]' $nnp
		config '.process.args=["sleep","1000"]'
		create "$ID"
		tare start "$ID"
		: >"$WORK/agent/calls"
		run -0 tare exec --pid-file "$WORK/pid" "$ID" probe 83 39
		[ "${lines[0]}" = "83 -1 42" ]
		jq -e --argjson pid "$(pid_of "$ID")" --argjson own "$(cat "$WORK/pid")" '.state.status=="running" and .state.pid==$pid
			and .pid==$own' "$WORK/agent/state.1"
		# The agent is asked about the exec's program only.
		[ "$(cat "$WORK/agent/calls")" = "$(cat "$WORK/pid") 83" ]
		tare delete --force "$ID"
		agent_end
	done
	# Also with every call of the runtime's own, when the agent has no listener for this exec yet.
	agent 83
	seccomp "{\"defaultAction\":\"SCMP_ACT_NOTIFY\",\"listenerPath\":\"$WORK/agent/socket\"}" false
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	: >"$WORK/agent/calls"
	run -0 tare exec --pid-file "$WORK/pid" "$ID" probe 83 39
	[ "${lines[0]}" = "83 -1 42" ] && [ "${lines[1]%% *}" = 39 ]
	jq -e --argjson own "$(cat "$WORK/pid")" '.pid==$own' "$WORK/agent/state.1"
	run ! grep -v -e "^$(cat "$WORK/pid") " -e "^$(pid_of "$ID") " "$WORK/agent/calls"
	[ -z "$output" ]
	tare delete --force "$ID"
	agent_end
}

@test "notify: the calls that tare needs with no_new_privs are those that its manual names, and a missing one is reported" {
	agent 83
	rule() { # default, default errno, names, action
		seccomp "{\"defaultAction\":\"SCMP_ACT_$1\",$2\"listenerPath\":\"$WORK/agent/socket\",\"syscalls\":[
			{\"names\":[\"mkdir\"],\"action\":\"SCMP_ACT_NOTIFY\"},{\"names\":[$3],\"action\":\"SCMP_ACT_$4\"}]}" true
		config '.process.args=["probe","83"]'
	}
	for wait in '"read","write"' '"recvmsg","sendmsg"'; do
		rule ERRNO '"defaultErrnoRet":99,' '"prctl","close","rt_sigprocmask","fcntl","execve","accept4",'"$wait"',
			"write","exit_group","brk","arch_prctl","getpid","mprotect","uname"' ALLOW
		run_container
		[ "$output" = "83 -1 42" ]
		create "$ID"
		tare exec "$ID" probe 83 </dev/null >"$WORK/exec"
		[ "$(cat "$WORK/exec")" = "83 -1 42" ]
		tare start "$ID"
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		tare delete "$ID"
	done
	for calls in '"recvmsg","read"' '"prctl"' '"close","close_range"' '"sendmsg","write"' '"rt_sigprocmask"' '"execve"'; do
		rule ALLOW "" "$calls" ERRNO
		run_container "" 1
		[[ "$output" != *yama* && "$output" == *"/linux/seccomp"* || "$output" == *"seccomp filter"* ]] || { echo "$calls: $output"; return 1; }
		[[ "$output" == *"SECCOMP"* || "$output" == *"close(2)"* ]] || { echo "$calls: $output"; return 1; }
	done
	agent_end
}

@test "notify: a missing agent is an error that leaves nothing" {
	watched '["mkdir"]' false
	run_container "" 1
	[[ "$output" == *"/linux/seccomp/listenerPath"*"$WORK/agent/socket"* ]]
	[ ! -e "$ROOT/$ID" ]
	config 'del(.linux.seccomp.listenerPath,.linux.seccomp.listenerMetadata)'
	run_container "" 1
	[[ "$output" == *"/linux/seccomp/listenerPath"*"is required by SCMP_ACT_NOTIFY"* ]]
	# Without a notify rule the agent is not contacted.
	seccomp "{\"defaultAction\":\"SCMP_ACT_ALLOW\",\"listenerPath\":\"/nowhere\",\"flags\":[\"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV\"]}"
	run_container
}

@test "notify: run.oci.seccomp.receiver names the agent of a filter that names none" {
	agent 83
	watched '["mkdir"]' true
	config --arg path "$WORK/agent/socket" 'del(.linux.seccomp.listenerPath) | .annotations={"run.oci.seccomp.receiver":$path}'
	probe 83 39
	[ "${lines[0]}" = "83 -1 42" ]
	[ "$(jq -r .metadata "$WORK/agent/state.0")" = "some words" ]
	# Also of an exec.
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -0 tare exec "$ID" probe 83 39
	[ "${lines[0]}" = "83 -1 42" ]
	tare delete --force "$ID"
	# The filter's own path counts.
	config --arg path "$WORK/agent/socket" '.linux.seccomp.listenerPath=$path | .annotations={"run.oci.seccomp.receiver":"/none"} | .process.args=["probe","83","39"]'
	run_container
	[ "${lines[0]}" = "83 -1 42" ]
	agent_end
	config 'del(.linux.seccomp.listenerPath) | .annotations={"run.oci.seccomp.receiver":"/no/agent"}'
	run_container "" 1
	[[ "$output" == *"/annotations/run.oci.seccomp.receiver"*"'/no/agent'"* ]]
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/annotations/run.oci.seccomp.receiver"*"'/no/agent'"* ]]
	config '.annotations={"run.oci.seccomp.receiver":"agent"}'
	run_container "" 1
	[[ "$output" == *"/annotations/run.oci.seccomp.receiver: must be an absolute path"* ]]
	[ ! -e "$ROOT/$ID" ]
}

@test "run.oci.seccomp_fail_unknown_syscall refuses a filter with a name that libseccomp does not know" {
	seccomp '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"},
		{"names":["getpid","no_such_call","nor_this"],"action":"SCMP_ACT_ERRNO","errnoRet":5}]}' true
	for value in 0 1; do
		config --arg v $value '.annotations={"run.oci.seccomp_fail_unknown_syscall":$v}'
		run_container "" $value
		run -$value tare check -b "$BUNDLE"
	done
	[[ "$output" == *"/linux/seccomp/syscalls/1/names/1: libseccomp does not know 'no_such_call'"*"/names/2: libseccomp does not know 'nor_this'"* ]]
	run_container "" 1
	[[ "$output" == *": /linux/seccomp/syscalls/1/names/1: libseccomp does not know 'no_such_call' (remove it, or the annotation run.oci.seccomp_fail_unknown_syscall)" ]]
	[ ! -e "$ROOT/$ID" ]
	config '.linux.seccomp.syscalls[1].names=["getpid"]'
	run_container
	config '.annotations={"run.oci.seccomp_fail_unknown_syscall":"yes"}'
	run_container "" 1
	[[ "$output" == *'/annotations/run.oci.seccomp_fail_unknown_syscall: must be "0" or "1"'* ]]
}

@test "notify: an agent that exits at once keeps no command waiting" {
	agent none
	for nnp in true false; do
		for call in recvmsg close prctl sendmsg execve; do
			watched "[\"$call\",\"mkdir\"]" $nnp
			config '.process.args=["true"] | .process.user={"uid":1000,"gid":1000}'
			status=0
			timeout "$HANGS" "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- || status=$?
			[ "$status" -le 1 ] || { echo "create, $call, $nnp: $status"; return 1; }
			[ "$status" = 1 ] || tare delete --force "$ID"
			[ ! -e "$ROOT/$ID" ]
		done
	done
	# A filter of the exec alone: the container's own process has not reached its filter.
	watched '["recvmsg","close","mkdir"]' true
	config '.process.args=["sleep","1000"] | .process.noNewPrivileges=true'
	agent_end
	agent 83
	create "$ID"
	agent_end
	agent none
	for nnp in true false; do
		echo "{\"cwd\":\"/\",\"args\":[\"true\"],\"env\":[\"PATH=/bin\"],\"user\":{\"uid\":1000,\"gid\":0},\"noNewPrivileges\":$nnp}" >"$WORK/process"
		for _ in 1 2 3; do
			status=0
			timeout "$HANGS" "$TARE" --root "$ROOT" exec -d --process "$WORK/process" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- || status=$?
			[ "$status" != 124 ] || { echo "exec, $nnp"; return 1; }
		done
	done
	wait_for '[ "$(tare ps --format json "$ID" | jq length)" = 1 ]'
	tare delete --force "$ID"
	agent_end
}

@test "notify: a creation or an exec that is killed leaves nothing" {
	# Killed while it waits for an agent that accepts no connection.
	for user in 0 1000; do
		mkdir -p "$WORK/agent"
		"$TOOLS/fullsocket" "$WORK/agent/socket" </dev/null >/dev/null 2>&1 3>&- &
		listener=$!
		wait_for '[ -S "$WORK/agent/socket" ]'
		own "$WORK/agent"
		watched '["recvmsg","read","close","prctl"]' true
		config --argjson u $user '.process.args=["true"] | .process.user={"uid":$u,"gid":$u}'
		"$TARE" --root "$ROOT" --cgroup-manager disabled create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&- &
		parent=$!
		wait_for '[ -n "$(cat /proc/$parent/task/*/children)" ] && ls -l /proc/$parent/fd | grep -q "seccomp notify"'
		init=$(cat /proc/$parent/task/*/children | tr -d ' ')
		kill -9 "$parent"
		wait "$parent" || true
		wait_for "! grep -q '^State:.[SRD]' /proc/$init/status"
		tare delete --force "$ID"
		kill "$listener"
		wait "$listener" || true
		rm -r "$WORK/agent"
	done
	# Killed at any moment, with an agent that answers.
	agent 83
	watched '["recvmsg","close","execve","prctl","setresuid","sendmsg"]' true
	config '.process.args=["sleep","1000"]'
	create "$ID"
	for i in $(seq "$(rounds 40)"); do
		"$TARE" --root "$ROOT" exec -d "$ID" true </dev/null >/dev/null 2>&1 3>&- &
		parent=$!
		sleep "0.0$((i % 4))$((RANDOM % 10))"
		kill -9 "$parent" 2>/dev/null || true
		wait "$parent" || true
	done
	wait_for '[ "$(tare ps --format json "$ID" | jq length)" = 1 ]'
	tare delete --force "$ID"
	agent_end
}

@test "an unprivileged caller's filters, cache and listeners" {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	chmod 755 "$WORK" "$BUNDLE"
	rm "$BUNDLE/config.json"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" "$WORK/agent"
	chown -R 65534:65534 "$ROOT" "$BUNDLE" "$WORK/agent"
	as() { as_nobody "$@"; }
	as_tare() { as "$WORK/tare" --root "$ROOT" "$@"; }
	as "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"]'
	cp "$BUNDLE/config.json" "$WORK/base.json"
	for nnp in true false; do
		cp "$WORK/base.json" "$BUNDLE/config.json"
		profile $nnp
		config '.process.args=["probe","39","165"]'
		for _ in 1 2; do
			run -0 as_tare run -b "$BUNDLE" "$ID"
			[ "$output" = $'39 1 0\n165 -1 1' ]
		done
		[ "$(stat -c "%a %u" "$ROOT"/@seccomp/* | sort -u)" = "600 65534" ]
		cp "$TOOLS/seccompagent" "$WORK/agent/agent"
		setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/agent/agent" "$WORK/agent/socket" "$WORK/agent" 83 </dev/null >/dev/null 2>&1 3>&- &
		wait_for "[ -S $WORK/agent/socket ]"
		watched '["mkdir","sendmsg","clone"]' $nnp
		config '.process.args=["sleep","1000"]'
		as_tare run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
		run -0 as_tare exec "$ID" probe 83
		[ "$output" = "83 -1 42" ]
		as_tare delete --force "$ID"
		kill $!
		rm -r "$WORK/agent/"*
	done
}
