# SPDX-License-Identifier: Apache-2.0
# The supervisor: limits and report of a container that no command waits for.
load helpers

# Requests a report in $WORK/report, and limits. A limit that must not be reached is at least 20 times what is needed.
# Where the kernel does not keep the exit status of init, a first process of tare's reports it.
annotate() { # [NAME=VALUE...]
	local pair
	keeps_status || set -- init=true "$@"
	config --arg file "$WORK/report" '.annotations={"org.tare.report":$file}'
	for pair; do
		config --arg key "org.tare.${pair%%=*}" --arg value "${pair#*=}" '.annotations[$key]=$value'
	done
}

supervisor_of() { # ID
	pgrep -fx "tare supervise $1"
}

# Waits until the container has ended, and checks the form of both reports. The expression of jq must be true of them.
ended_with() { # EXPRESSION
	tare wait --report "$ID" >"$WORK/waited" 2>"$WORK/err" || [ ! -s "$WORK/err" ] || { cat "$WORK/err"; return 1; }
	cmp "$WORK/waited" "$WORK/report"
	valid_report "$WORK/report"
	jq -e "$1" "$WORK/report" >/dev/null || { cat "$WORK/report"; return 1; }
}

@test "a limit of time ends a container that no command waits for" {
	config '.process.args=["sleep","1000"]'
	annotate time-limit=300ms grace=0
	create "$ID"
	supervisor=$(supervisor_of "$ID")
	tare start "$ID"
	ended_with '.cause=="time" and .limitSignal.name=="KILL" and .time.wall>=300000
		and .limits[0]=={"name":"time-limit","value":300000,"enforcedBy":"tare"} and .isolation.proc=="fresh"'
	jq -e --arg id "$ID" '.id==$id' "$WORK/report"
	[ "$(stat -c %a "$WORK/report")" = 600 ]
	wait_for 'has_died "$supervisor"'
	[ "$(status_of "$ID")" = stopped ]
	if keeps_status; then
		run -137 tare wait "$ID"
		tare state "$ID" | jq -e '.exitStatus==137 and .exitSignal==9'
	fi
	tare delete "$ID"
	[ -s "$WORK/report" ]
}

@test "the time begins with the program, and not with the creation" {
	script 'exit 3'
	annotate time-limit=2s
	create "$ID"
	sleep 2.5
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
	ended_with '.cause=="exit" and .exitCode==3 and (has("limitSignal")|not)'
}

@test "run --detach takes the same limits and the report from flags" {
	config '.process.args=["sleep","1000"]'
	tare run -d --time-limit 0.2 --grace 0 --report "$WORK/report" -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	[ ! -s "$WORK/out" ]
	ended_with '.cause=="time" and .setupTime.start>0'
	tare delete "$ID"
	run -1 tare run -d --output-limit 1k -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot limit the output of a detached container (no process of tare passes it on; omit --detach or --output-limit)" ]
	[ ! -e "$ROOT/$ID" ]
}

@test "a limit of CPU time ends a container that no command waits for" {
	script 'while :; do :; done'
	annotate cpu-time-limit=200ms grace=0
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="cpu-time" and .time.cpu>=200000'
}

@test "a program that cannot be executed is the cause setup" {
	printf '#!/no/such/interpreter\n' >"$BUNDLE/rootfs/bin/script"
	chmod 755 "$BUNDLE/rootfs/bin/script"
	config '.process.args=["/bin/script"]'
	annotate
	create "$ID"
	run -1 tare start "$ID"
	ended_with '.cause=="setup" and .setup.pointer=="/process/args" and .setup.errnoName=="ENOENT" and (.time|has("wall")|not)'
	[[ "$output" == *"$(jq -r .setup.message "$WORK/report"): no such file or directory"* ]]
	tare delete "$ID"
	# And what create itself finds.
	config '.process.args=["/no/such"]'
	run ! create "$ID"
	valid_report "$WORK/report"
	jq -e '.cause=="setup" and .setup.pointer=="/process/args"' "$WORK/report"
}

@test "a signal of an operator is told from one of the container" {
	config '.linux.namespaces|=map(select(.type!="pid"))'
	annotate
	script 'exec sleep 1000'
	create "$ID"
	tare start "$ID"
	tare kill "$ID" TERM
	ended_with '.cause=="killed" and .signal.name=="TERM"'
	tare delete "$ID"
	script 'kill -TERM $$'
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="signal" and .signal.name=="TERM"'
}

@test "delete --force waits for the report, which names an operator" {
	config '.process.args=["sleep","1000"]'
	annotate
	create "$ID"
	supervisor=$(supervisor_of "$ID")
	tare start "$ID"
	tare delete --force "$ID"
	valid_report "$WORK/report"
	jq -e '.cause=="killed"' "$WORK/report"
	! keeps_status || jq -e '.signal.name=="KILL"' "$WORK/report"
	wait_for 'has_died "$supervisor"'
	[ ! -e "$ROOT/$ID" ]
	# Before its program was started, too.
	create "$ID"
	tare delete --force "$ID"
	valid_report "$WORK/report"
	[ ! -e "$ROOT/$ID" ]
}

@test "the supervisor holds nothing of the caller, and few rights" {
	config '.process.args=["sleep","1000"]'
	annotate time-limit=10m
	exec 7<>"$WORK/passed"
	create --preserve-fds 5 "$ID"
	exec 7>&-
	tare start "$ID"
	supervisor=$(supervisor_of "$ID")
	[ "$(ps -o sid= -p "$supervisor" | tr -d ' ')" = "$supervisor" ]
	[ "$(readlink "/proc/$supervisor/cwd")" = / ]
	[ "$(</proc/$supervisor/cgroup)" = "$(</proc/self/cgroup)" ]
	grep -qE '^NoNewPrivs:.1$' "/proc/$supervisor/status"
	# kill, dac_override, sys_ptrace
	grep -qE '^CapPrm:.*0000080022$' "/proc/$supervisor/status"
	grep -qE '^CapInh:.*0000000000$' "/proc/$supervisor/status"
	# SIGPIPE is ignored.
	grep -qE '^SigBlk:.0+$' "/proc/$supervisor/status"
	grep -qE '^SigIgn:.0+1000$' "/proc/$supervisor/status"
	for fd in 0 1 2; do
		[ "$(readlink "/proc/$supervisor/fd/$fd")" = /dev/null ]
	done
	for fd in /proc/"$supervisor"/fd/*; do
		target=$(readlink "$fd")
		case $target in
		/dev/null | anon_inode:* | pidfd:* | "$ROOT/$ID" | "$ROOT/$ID/report" | "$ROOT/$ID/signals" | "$WORK" | /sys/fs/cgroup/*) ;;
		pipe:*) ! keeps_status ;; # for the program's end, from a first process of tare's
		*) echo "$fd is $target"; return 1 ;;
		esac
	done
}

@test "a container without such an annotation has no supervisor" {
	config '.process.args=["sleep","1000"] | .annotations={"org.tare.proc":"auto","com.example.report":"x"}'
	create "$ID"
	run ! supervisor_of "$ID"
	[ ! -e "$ROOT/$ID/report" ]
	[ ! -e "$ROOT/$ID/signals" ]
	tare start "$ID"
	tare kill "$ID" KILL
	run -125 tare wait --report "$ID"
	[ "$output" = "tare: wait $ID: the container has no report: it has no supervisor (request one by an annotation: tare(8), REPORTS)" ]
}

@test "a program is not started without the supervisor of its limits" {
	config '.process.args=["sleep","1000"]'
	annotate time-limit=10m
	create "$ID"
	kill -KILL "$(supervisor_of "$ID")"
	wait_for '! supervisor_of "$ID"'
	run -1 tare start "$ID"
	[ "$output" = "tare: start $ID: the supervisor of the container was killed (delete the container and create it again)" ]
	[ "$(status_of "$ID")" = created ]
	tare delete --force "$ID"
	# Later its death changes nothing but the report.
	create "$ID"
	tare start "$ID"
	kill -TERM "$(supervisor_of "$ID")"
	wait_for '! supervisor_of "$ID"'
	[ "$(status_of "$ID")" = running ]
	tare kill "$ID" KILL
	run -125 tare wait --report "$ID"
	[ "$output" = "tare: wait $ID: the container has no report: its supervisor was killed before the container ended, or could not write it" ]
	tare delete "$ID"
	[ ! -e "$WORK/report" ]
}

@test "wait --report can begin before the end, and the container be deleted meanwhile" {
	config '.process.args=["sleep","1000"]'
	annotate
	create "$ID"
	"$TARE" --root "$ROOT" wait --report "$ID" </dev/null >"$WORK/waited" 2>&1 3>&- &
	waiter=$!
	wait_for 'find "/proc/$waiter/fd" -lname "*pidfd*" 2>"$WORK/err" | grep -q .'
	tare start "$ID"
	tare delete --force "$ID"
	wait "$waiter" || true
	cmp "$WORK/waited" "$WORK/report"
	valid_report "$WORK/report"
}

@test "a wrong annotation fails the creation at its place" {
	for value in -1 x ''; do
		annotate "time-limit=$value"
		run ! create "$ID"
		grep -qF "tare: create $ID: /annotations/org.tare.time-limit: " "$WORK/err" || { cat "$WORK/err"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	done
}

@test "an ordinary user's container has a supervisor, too" {
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" "$WORK/reports"
	chown -R 65534:65534 "$ROOT" "$BUNDLE" "$WORK/reports"
	as_user() { as_nobody env HOME=/ "$WORK/tare" --root "$ROOT" "$@" </dev/null; }
	rm "$BUNDLE/config.json"
	as_user spec --rootless=single -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["sleep","1000"] | .process.env=["PATH=/bin"]'
	annotate time-limit=300ms grace=0 "report=$WORK/reports/report"
	as_user create -b "$BUNDLE" "$ID" >"$WORK/out" 2>"$WORK/err"
	supervisor=$(supervisor_of "$ID")
	grep -qE '^CapPrm:.0+$' "/proc/$supervisor/status"
	as_user start "$ID"
	as_user wait --report "$ID" >"$WORK/waited" || true
	cmp "$WORK/waited" "$WORK/reports/report"
	valid_report "$WORK/waited"
	jq -e '.cause=="time" and .isolation.userNamespace' "$WORK/waited"
	[ "$(stat -c %u:%a "$WORK/reports/report")" = 65534:600 ]
	as_user delete "$ID"
}

@test "many supervised containers at once keep their own limits" {
	annotate time-limit=60s
	script 'exit 5'
	ids=$(seq "$(rounds 30)")
	for i in $ids; do
		config --arg file "$WORK/report.$i" '.annotations["org.tare.report"]=$file'
		create "$ID.$i"
	done
	for i in $ids; do tare start "$ID.$i"; done
	for i in $ids; do
		tare wait --report "$ID.$i" >"$WORK/waited" 2>"$WORK/err" || true
		cmp "$WORK/waited" "$WORK/report.$i"
		jq -e --arg id "$ID.$i" '.id==$id and .cause=="exit"' "$WORK/waited"
		jq -e '.exitCode==5' "$WORK/waited"
		tare delete "$ID.$i"
	done
	wait_for '! pgrep -f "^tare supervise $ID"'
}

@test "with a first process of tare's the program's signal is known on every kernel" {
	annotate init=true
	script 'kill -ABRT $$'
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="signal" and .signal.name=="ABRT"'
	run -134 tare wait "$ID"
	tare delete "$ID"
	script 'exit 6'
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="exit" and .exitCode==6'
	run -6 tare wait "$ID"
	tare delete "$ID"
	# The program's end is no sign of its start.
	annotate init=true time-limit=300ms grace=0
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="time"'
}

@test "a container that ran out of memory has the cause oom, and state has the number" {
	controllers memory
	annotate init=true
	config '.linux.resources.memory={limit:16777216,swap:16777216}'
	script 'exec dd if=/dev/zero of=/dev/null bs=64M count=1'
	create "$ID"
	run ! pgrep -fx "tare watch $ID"
	tare start "$ID"
	ended_with '.cause=="oom" and .memory.oomKills==1 and .signal.name=="KILL"'
	tare state "$ID" | jq -e '.oomKills==1 and .exitStatus==137'
	tare delete "$ID"
	script 'exit 0'
	create "$ID"
	tare start "$ID"
	ended_with '.cause=="exit" and .exitCode==0'
	# systemd may have removed the cgroup of a scope before its counters were read.
	tare state "$ID" | jq -e '.oomKills//0==0 and .exitStatus==0'
}

@test "run --detach --die-with-parent kills the container when the caller dies" {
	config '.process.args=["sleep","1000"]'
	bash -c '"$@" </dev/null >"$0" 2>&1; [ ! -s "$0" ]' "$WORK/out" "$TARE" --root "$ROOT" run -d --die-with-parent \
		--report "$WORK/report" -b "$BUNDLE" "$ID" 3>&-
	ended_with '.cause=="killed"'
}
