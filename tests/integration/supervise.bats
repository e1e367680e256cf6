# SPDX-License-Identifier: Apache-2.0
# Limits of a run in the foreground. A limit that must not be reached is at least 20 times what the program needs.
load helpers

@test "--time-limit stops the program, and kills it after the grace" {
	config '.process.args=["sleep","1000"]'
	reported 124 '.cause=="time" and .signal.name=="KILL" and .limitSignal.sender=="tare" and .time.wall>=300000
		and .limits[0]=={"name":"time-limit","value":200000,"enforcedBy":"tare"}' --time-limit 200ms --grace 100ms
	[[ "$output" == "tare: run $ID: the container was stopped: its time limit was reached" ]]
	[ ! -e "$ROOT/$ID" ]
	# A program that handles the signal ends by itself.
	script 'trap "echo stopped; exit 7" TERM; while :; do sleep 0.01; done'
	reported 124 '.cause=="time" and .exitCode==7 and .limitSignal.name=="TERM"' --time-limit 200ms --grace 1000
	[ "${lines[0]}" = stopped ]
	script 'trap "exit 8" INT; while :; do sleep 0.01; done'
	reported 124 '.exitCode==8 and .limitSignal.name=="INT"' --time-limit 0.2 --stop-signal int --grace 1000
	reported 124 '.signal.number==9 and .limitSignal.name=="KILL"' --time-limit 0.2 --grace 0
}

@test "a program within its limits is left alone" {
	script 'echo out; exit 3'
	reported 3 '.cause=="exit" and .exitCode==3 and (has("limitSignal")|not)' \
		--time-limit 2m --cpu-time-limit 2m --output-limit 100 --die-with-parent
	[ "$output" = out ]
	# Without a limit of time.
	reported 3 '.cause=="exit" and (.limits|length)==0' --time-limit 0
}

@test "all processes of the container are killed, also of a paused one" {
	script 'sleep 1000 & sleep 1000 & trap "" TERM; while :; do sleep 1000; done'
	config '.linux.namespaces|=map(select(.type!="pid"))'
	"$TARE" --root "$ROOT" run --time-limit 3 --grace 100ms -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	# The limit may come first on a busy machine.
	wait_for '[ "$(tare ps --format json "$ID" 2>/dev/null | jq length)" -ge 4 ] || [ ! -e "/proc/$!" ]'
	tare pause "$ID" || [ ! -e "/proc/$!" ]
	status=0
	wait $! || status=$?
	[ "$status" -eq 124 ]
	[ ! -e "$ROOT/$ID" ]
	[ ! -e "$(cgroup_of "$ID")" ]
}

@test "--cpu-time-limit counts all processes, and no waiting" {
	script 'while :; do :; done & while :; do :; done'
	reported 124 '.cause=="cpu-time" and .time.cpu>=300000 and .limits[0].enforcedBy=="cgroup"' \
		--cpu-time-limit 300ms --grace 0
	[[ "$output" == *"its CPU time limit was reached" ]]
	script 'sleep 1; exit 5'
	reported 5 '.cause=="exit" and .time.wall>=900000' --cpu-time-limit 900ms
}

@test "--cpu-time-limit is an error before the program starts if the CPU time cannot be read" {
	command -v strace >/dev/null || not_here "needs strace"
	script 'touch /tmp/started'
	config '.annotations={"org.tare.cpu-time-limit":"1s"}'
	for command in run create; do
		run -1 env ASAN_OPTIONS=detect_leaks=0 strace -qqq -o /dev/null -P cpu.stat -e trace=openat \
			-e inject=openat:error=EMFILE "$TARE" --root "$ROOT" $command -b "$BUNDLE" "$ID" </dev/null 3>&-
		[ "$output" = "tare: $command $ID: cannot limit the CPU time: cannot read cpu.stat of the container's cgroup: too many open files" ]
		[ ! -e "$BUNDLE/rootfs/tmp/started" ]
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "--cpu-time-limit ends a program at most 20 ms of CPU time late" {
	late() {
		script 'while :; do :; done'
		reported 124 '.cause=="cpu-time"' --cpu-time-limit 500ms --grace 0 || return 1
		[ "$(jq .time.cpu "$WORK/report")" -le 520000 ]
	}
	# A busy machine delays some attempts.
	late || late || late || late || late
}

@test "without a cgroup --cpu-time-limit is RLIMIT_CPU" {
	not_systemd "the manager is a flag here"
	script 'ulimit -t >&2; while :; do :; done'
	run -124 "$TARE" --root "$ROOT" --cgroup-manager disabled run --cpu-time-limit 500ms --report "$WORK/report" \
		-b "$BUNDLE" "$ID"
	[ "${lines[0]}" = 1 ]
	valid_report "$WORK/report"
	jq -e '.cause=="cpu-time" and .limitSignal.sender=="kernel" and (.time|has("cpu")|not)
		and .limits[0].enforcedBy=="rlimit"' "$WORK/report"
}

@test "--output-limit passes on exactly the limit, of both streams together" {
	script 'yes'
	run -0 bash -c '"$1" --root "$2" run --output-limit 100k --report "$3" -b "$4" "$5" 2>/dev/null | wc -c' _ \
		"$TARE" "$ROOT" "$WORK/report" "$BUNDLE" "$ID"
	[ "$output" = 102400 ]
	valid_report "$WORK/report"
	jq -e '.cause=="output" and .output=={"bytes":102400,"truncated":true} and .limits[0].enforcedBy=="pipe"' "$WORK/report"
	script 'printf 12345; printf 67890 >&2'
	reported 0 '.cause=="exit" and .output=={"bytes":10,"truncated":false}' --output-limit 10
	reported 124 '.cause=="output" and .output=={"bytes":9,"truncated":true}' --output-limit 9
	[[ "$output" == *"its output limit was reached" ]]
}

@test "output arrives completely and in order, also of a program that has ended" {
	script 'i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done'
	for i in {0..2999}; do echo "line $i"; done >"$WORK/expected"
	"$TARE" --root "$ROOT" run --output-limit 1m -b "$BUNDLE" "$ID" 2>/dev/null | { sleep 1; cat; } >"$WORK/out"
	cmp "$WORK/out" "$WORK/expected"
}

@test "a reader that is slow or has gone does not delay a limit" {
	script 'yes'
	mkfifo "$WORK/pipe"
	exec 7<>"$WORK/pipe"
	"$TARE" --root "$ROOT" run --output-limit 10m --time-limit 500ms --grace 0 --pid-file "$WORK/pid" \
		-b "$BUNDLE" "$ID" >"$WORK/pipe" 2>/dev/null 3>&- 7>&- &
	wait_for '[ -s "$WORK/pid" ]'
	pid=$(<"$WORK/pid")
	wait_for 'has_died "$pid"'
	# No process reads. A signal ends the wait for one.
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 124 ]
	exec 7>&-
	run -0 bash -c '"$1" --root "$2" run --output-limit 10m -b "$3" "$4" | head -n 1' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "${lines[0]}" = y ]
}

@test "--die-with-parent kills the container when its caller dies" {
	config '.process.args=["sleep","1000"]'
	bash -c '"$0" --root "$1" run --die-with-parent --pid-file "$4" --report "$5" -b "$2" "$3" & wait' \
		"$TARE" "$ROOT" "$BUNDLE" "$ID" "$WORK/pid" "$WORK/report" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ -s "$WORK/pid" ]'
	pid=$(<"$WORK/pid")
	# The program may not have been executed yet.
	wait_for 'pgrep -x -P "$pid" sleep'
	kill -KILL $!
	wait_for 'has_died "$pid"'
	wait_for '[ ! -e "$ROOT/$ID" ]'
	wait_for '[ -e "$WORK/report" ]'
	valid_report "$WORK/report"
	jq -e '.cause=="killed" and .limitSignal.sender=="tare"' "$WORK/report"
}

@test "a signal of an operator is the cause, one of the program's own is not" {
	config '.process.args=["sleep","1000"] | .linux.namespaces|=map(select(.type!="pid"))'
	"$TARE" --root "$ROOT" run --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 143 ]
	jq -e '.cause=="killed" and .signal.name=="TERM"' "$WORK/report"
	script 'kill -USR1 $$; sleep 1000'
	reported 138 '.cause=="signal" and .signal.name=="USR1" and .coreDumped==false'
}

@test "kill by another command is the cause killed" {
	config '.process.args=["sleep","1000"]'
	"$TARE" --root "$ROOT" run --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	tare kill "$ID" KILL
	status=0
	wait $! || status=$?
	[ "$status" -eq 137 ]
	jq -e '.cause=="killed" and .signal.name=="KILL"' "$WORK/report"
	# A program that is not the first process of its pid namespace could have sent that signal to itself.
	config '.linux.namespaces|=map(select(.type!="pid"))'
	"$TARE" --root "$ROOT" run --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	tare kill "$ID" USR2
	wait $! || true
	jq -e '.cause=="killed" and .signal.name=="USR2"' "$WORK/report"
	script 'kill -KILL $$'
	reported 137 '.cause=="signal" and .signal.name=="KILL"'
}

@test "with a first process the report is about the program" {
	script 'kill -ABRT $$; sleep 1000'
	reported 134 '.cause=="signal" and .signal.name=="ABRT"' --init
	script 'kill -KILL $$; sleep 1000'
	reported 137 '.cause=="signal" and .signal.name=="KILL"' --init
	config '.process.args=["sleep","1000"]'
	reported 124 '.cause=="time" and .signal.name=="TERM" and .limitSignal.name=="TERM"' --init --time-limit 200ms --grace 1000
	"$TARE" --root "$ROOT" run --init --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	tare kill "$ID" KILL
	wait $! || true
	jq -e '.cause=="killed" and .signal.name=="KILL"' "$WORK/report"
}

@test "annotations request the same, and flags take precedence" {
	config '.process.args=["sleep","1000"]
		| .annotations={"org.tare.time-limit":"200ms","org.tare.grace":"0","org.tare.report":$report}' \
		--arg report "$WORK/report"
	run -124 tare run -b "$BUNDLE" "$ID"
	valid_report "$WORK/report"
	jq -e '.cause=="time" and .limitSignal.name=="KILL"' "$WORK/report"
	script 'sleep 0.5; exit 4'
	config '.annotations={"org.tare.time-limit":"10ms","org.tare.unknown":"x"}'
	run -4 tare run --time-limit 1000 -b "$BUNDLE" "$ID"
	config '.annotations={"org.tare.time-limit":"soon"}'
	for command in run create; do
		run -1 tare "$command" -b "$BUNDLE" "$ID"
		[ "$output" = "tare: $command $ID: /annotations/org.tare.time-limit: invalid value 'soon': must be a duration such as 500ms, 1.5s or 2m" ]
	done
}

@test "wrong values of the flags" {
	for flag in --time-limit=-1 --cpu-time-limit=x --grace=1y --output-limit=0 --stop-signal=NO --report-fd=0 \
		--report-format=xml --report=; do
		run -1 tare run "$flag" -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: run $ID: invalid value '${flag#*=}' for flag ${flag%=*}: must be "* ]]
	done
}

@test "on a busy machine no program is stopped that is within its limits" {
	script 'i=0; while [ $i -lt 2000 ]; do i=$((i+1)); done'
	reported 0 '.cause=="exit"'
	limit=$(jq '([.time.wall, .time.cpu, 50000] | max) * 20' "$WORK/report")
	started=()
	for i in 1 2 3 4 5 6 7 8; do
		"$TARE" --root "$ROOT" run --time-limit "${limit}us" --cpu-time-limit "${limit}us" --output-limit 1k \
			--report "$WORK/report.$i" -b "$BUNDLE" "$ID-$i" 3>&- >"$WORK/out.$i" 2>&1 &
		started+=($!)
	done
	for pid in "${started[@]}"; do wait "$pid"; done
	for i in 1 2 3 4 5 6 7 8; do
		valid_report "$WORK/report.$i"
		jq -e '.cause=="exit"' "$WORK/report.$i"
	done
}
