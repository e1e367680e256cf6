# SPDX-License-Identifier: Apache-2.0
# The report of a run in the foreground: its form, its places, and what it contains.
load helpers

@test "a report of success and of failure" {
	local is_user=false
	[ "${TARE_AS:-}" != user ] || is_user=true
	script 'exit 0'
	reported 0 '.version==1 and .cause=="exit" and .exitCode==0 and (has("signal")|not) and (has("setup")|not)'
	[ -z "$output" ]
	jq -e --arg id "$ID" --argjson user $is_user '.id==$id and (.time.cpu>0) and .program.maxRss>0 and .isolation.proc=="fresh"
		and (.isolation.namespaces|index("pid")!=null) and .isolation.userNamespace==$user
		and .isolation.seccompFilter==false and (.setupTime|length)==3' "$WORK/report"
	script 'exit 9'
	reported 9 '.cause=="exit" and .exitCode==9'
	config '.process.noNewPrivileges=true | .linux.namespaces|=map(select(.type!="pid"))'
	script 'kill -SEGV $$'
	reported 139 '.cause=="signal" and .signal=={"number":11,"name":"SEGV"} and .isolation.noNewPrivileges
		and (.isolation.namespaces|index("pid")==null)'
}

@test "what this kernel does not have is absent" {
	config '.linux.resources={}'
	script 'exit 0'
	reported 0 '(.memory|has("limit")|not) and (has("output")|not) and (.limits|length)==0'
	grep -q memory "$(cgroup_mount)/cgroup.controllers" ||
		reported 0 '.memory=={} and .pids=={} and .io=={} and (.time|has("throttled")|not)'
}

@test "a failed start is reported with its place and errno" {
	config '.process.args=["/no/such"]'
	reported 1 '.cause=="setup" and .setup=={"kind":"system","pointer":"/process/args",
		"message":"exec: \"/no/such\"","errno":2,"errnoName":"ENOENT"} and (has("exitCode")|not)'
	[ "$output" = "tare: run $ID: /process/args: exec: \"/no/such\": no such file or directory" ]
	config '.process.args=[7]'
	reported 1 '.cause=="setup" and .setup.kind=="config" and .setup.pointer=="/process/args/0"'
	rm "$BUNDLE/config.json"
	reported 1 '.cause=="setup" and .setup.kind=="usage"'
}

@test "a wrong command line is reported to what its right flags name" {
	mistaken() { # EXPRESSION FLAG...
		run -1 "$TARE" --root "$ROOT" "${@:2}"
		valid_report "$WORK/report"
		jq -e ".cause==\"setup\" and .setup.kind==\"usage\" and ($1)" "$WORK/report" >/dev/null || { cat "$WORK/report"; return 1; }
		rm "$WORK/report"
	}
	mistaken '(.setup.message|contains("--grace")) and .id=="x"' run --report "$WORK/report" --grace never -b "$BUNDLE" x
	mistaken '(.setup.message|contains("--wrong")) and (has("id")|not)' run --wrong value --report "$WORK/report" -b "$BUNDLE" x
	mistaken '.setup.message|contains("missing")' run --report "$WORK/report" -b "$BUNDLE"
	mistaken '(.setup.message|contains("too many")) and .id=="x"' run x y --report "$WORK/report" -b "$BUNDLE"
	mistaken '.id=="x/y"' run --report "$WORK/report" -b "$BUNDLE" x/y
	mistaken '.setup.message|contains("--cgroup-manager")' --systemd-cgroup --cgroup-manager cgroupfs run --report "$WORK/report" -b "$BUNDLE" x
	mistaken '.setup.message|contains("log-level")' --log-level loud run --report "$WORK/report" -b "$BUNDLE" x
	mistaken '.setup.message|contains("detached")' run -d --output-limit 1k --report "$WORK/report" -b "$BUNDLE" x
	mistaken '.setup.message|contains("--pid-file")' run --report-fd 8 --pid-file 8>"$WORK/report"
	run -1 tare run --report "$WORK/report" -b "$WORK/none" x
	valid_report "$WORK/report"
	jq -e '.cause=="setup" and .setup.kind=="system" and .setup.errnoName=="ENOENT"' "$WORK/report"
	run -0 tare run --report "$WORK/other" --help
	[ ! -e "$WORK/other" ]
}

@test "a filter that kills is the cause seccomp" {
	config '.process.noNewPrivileges=true | .linux.seccomp={"defaultAction":"SCMP_ACT_ALLOW",
		"syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_KILL_PROCESS"}]}
		| .process.args=["mkdir","/tmp/x"]'
	reported 159 '.cause=="seccomp" and .signal.name=="SYS" and .isolation.seccompFilter
		and (.systemCall==null or .systemCall.name=="mkdir" or .systemCall.name=="mkdirat")'
}

@test "--report-format isolate" {
	script 'exit 4'
	run -4 tare run --report "$WORK/meta" --report-format isolate -b "$BUNDLE" "$ID"
	grep -qxE 'time:[0-9]+\.[0-9]{3}' "$WORK/meta"
	grep -qxE 'time-wall:[0-9]+\.[0-9]{3}' "$WORK/meta"
	grep -qxE 'max-rss:[1-9][0-9]*' "$WORK/meta"
	grep -qxE 'csw-voluntary:[0-9]+' "$WORK/meta"
	grep -qxE 'csw-forced:[0-9]+' "$WORK/meta"
	grep -qx 'exitcode:4' "$WORK/meta"
	grep -qx 'status:RE' "$WORK/meta"
	config '.process.args=["sleep","1000"]'
	run -124 tare run --time-limit 0.1 --grace 0 --report "$WORK/meta" --report-format=isolate -b "$BUNDLE" "$ID"
	grep -qx 'status:TO' "$WORK/meta"
	grep -qx 'killed:1' "$WORK/meta"
	grep -qx 'exitsig:9' "$WORK/meta"
	config '.process.args=["/no/such"]'
	run -1 tare run --report "$WORK/meta" --report-format=isolate -b "$BUNDLE" "$ID"
	[ "$(cat "$WORK/meta")" = $'message:exec: "/no/such"\nstatus:XX' ]
}

@test "--report-fd writes to a descriptor that the program does not get" {
	script 'ls /proc/self/fd | tr "\n" " "'
	"$TARE" --root "$ROOT" run --report-fd 8 -b "$BUNDLE" "$ID" 8>"$WORK/report" >"$WORK/out"
	valid_report "$WORK/report"
	[ "$(cat "$WORK/out")" = "0 1 2 3 " ]
	script 'exit 0'
	run -1 tare run --report-fd 9 -b "$BUNDLE" "$ID" 9>&-
	[ "$output" = "tare: run $ID: cannot write the report to descriptor 9: bad file descriptor" ]
	run -1 tare run --report-fd 9 -b "$BUNDLE" "$ID" 9</dev/null
	[ "$output" = "tare: run $ID: cannot write the report to descriptor 9: it is open for reading only" ]
	run -1 tare run --report-fd 4 --preserve-fds 2 -b "$BUNDLE" "$ID" 4>"$WORK/report"
	[[ "$output" == *"descriptor 4: --preserve-fds passes it to the program" ]]
	# A pipe that no process reads.
	run -1 bash -c '"$@" 8> >(exec true)' _ bash -c 'sleep 0.2; exec "$@"' _ "$TARE" --root "$ROOT" run --report-fd 8 -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot write the report to descriptor 8: broken pipe" ]
}

@test "the file is new, private, and replaces a regular file only" {
	script 'exit 0'
	reported 0 .version
	[ "$(stat -c %a "$WORK/report")" = 600 ]
	chmod 640 "$WORK/report"
	echo stale >"$WORK/report"
	reported 0 .version
	[ "$(stat -c %a "$WORK/report")" = 640 ]
	cd "$WORK"
	rm report
	run -0 tare run --report report -b "$BUNDLE" "$ID"
	valid_report report
	echo victim >"$WORK/victim"
	ln -sf victim "$WORK/report"
	mkdir "$WORK/dir"
	mkfifo "$WORK/fifo"
	for path in report dir fifo; do
		run -1 tare run --report "$WORK/$path" -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: run $ID: cannot write report '$WORK/$path': it exists and is not a regular file (give the path of a new file or of a regular file, or use --report-fd)" ]]
	done
	[ "$(cat "$WORK/victim")" = victim ]
	# What is refused stays.
	[ -L "$WORK/report" ] && [ -d "$WORK/dir" ] && [ -p "$WORK/fifo" ]
	config --arg f "$WORK/fifo" '.annotations={"org.tare.report":$f}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[ -p "$WORK/fifo" ]
	config 'del(.annotations)'
	run -1 tare run --report "$WORK/no/report" -b "$BUNDLE" "$ID"
	[ "$output" = "tare: run $ID: cannot write report '$WORK/no/report': no such file or directory" ]
	run -1 tare run --report "$WORK/" -b "$BUNDLE" "$ID"
	[[ "$output" == *"is a directory" ]]
}

@test "an earlier report is not there while the program runs" {
	echo stale >"$WORK/report"
	config '.process.args=["sleep","1000"]'
	"$TARE" --root "$ROOT" run --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	[ ! -e "$WORK/report" ]
	tare kill "$ID" KILL
	wait $! || true
	valid_report "$WORK/report"
}

@test "a program that can write to the directory of its report cannot redirect it" {
	mkdir "$WORK/shared"
	echo victim >"$WORK/victim"
	own "$WORK/shared" "$WORK/victim"
	config '.mounts+=[{"destination":"/shared","type":"bind","source":$dir,"options":["bind","rw"]}]' --arg dir "$WORK/shared"
	script "ln -s ../victim /shared/report; ln -s ../victim /shared/.report.1; for i in 1 2 3; do echo x >/shared/\$i; done"
	run -0 tare run --report "$WORK/shared/report" -b "$BUNDLE" "$ID"
	[ "$(cat "$WORK/victim")" = victim ]
	[ ! -L "$WORK/shared/report" ]
	valid_report "$WORK/shared/report"
}

@test "--keep, and a container that another command removes" {
	script 'exit 2'
	reported 2 .exitCode==2 --keep
	tare delete "$ID"
	config '.process.args=["sleep","1000"]'
	"$TARE" --root "$ROOT" run --report "$WORK/report" -b "$BUNDLE" "$ID" 3>&- >"$WORK/out" 2>&1 &
	wait_for '[ "$(status_of "$ID")" = running ]'
	tare delete --force "$ID"
	wait $! || true
	valid_report "$WORK/report"
	jq -e '.cause=="killed"' "$WORK/report"
}

@test "the OOM killer is the cause, and the level of its limit" {
	controllers memory
	config '.linux.resources.memory={"limit":33554432,"swap":33554432} | .process.args=["tail","/dev/zero"]'
	reported 137 '.cause=="oom" and .signal.name=="KILL" and .memory.oomKills>=1 and .memory.oomLevel=="own"
		and .memory.limit==33554432 and (.memory.peak==null or .memory.peak>16777216)
		and any(.limits[]; .name=="memory" and .enforcedBy=="cgroup")'
	[[ "$output" == *"OOM-killed"* ]]
	run -137 tare run --report "$WORK/meta" --report-format isolate -b "$BUNDLE" "$ID"
	grep -qx 'cg-oom-killed:1' "$WORK/meta"
	# The program passes on the status of its child.
	script 'tail /dev/zero; exit $?'
	reported 137 '.cause=="oom" and .exitCode==137'
	# A child that was killed without an effect on the program.
	script 'tail /dev/zero || exit 0'
	reported 0 '.cause=="exit" and .memory.oomKills>=1'
	not_systemd
	parent=$(named_dir "$ID.parent")
	mkdir "$parent"
	own "$parent"
	echo +memory >"$(cgroup_mount)${DELEGATED:-}/cgroup.subtree_control"
	echo 33554432 >"$parent/memory.max"
	[ ! -e "$parent/memory.swap.max" ] || echo 0 >"$parent/memory.swap.max"
	config '.linux.cgroupsPath=$path | .linux.resources.memory={"limit":1073741824} | .process.args=["tail","/dev/zero"]' \
		--arg path "$(named_path "$ID.parent")/$ID"
	reported 137 '.cause=="oom" and .memory.oomLevel=="ancestor"' || { rmdir "$parent"; return 1; }
	rmdir "$parent"
}

@test "the limit of processes is the cause if the program then fails" {
	controllers pids
	config '.linux.resources.pids={"limit":8}'
	script 'i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done'
	reported 2 '.cause=="pids" and .pids.limit==8 and .pids.limitHits>=1 and (.pids.peak==null or .pids.peak==8)'
	script '(i=0; while [ $i -lt 20 ]; do sleep 1000 & i=$((i+1)); done); exit 0'
	reported 0 '.cause=="exit" and .pids.limitHits>=1'
}

@test "a cgroup that existed before: only what this container has used" {
	not_systemd
	old=$(named_dir "$ID.old")
	mkdir "$old"
	own "$old"
	config '.linux.cgroupsPath=$path' --arg path "$(named_path "$ID.old")"
	script 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'
	reported 0 '.time.cpu>0'
	first=$(jq .time.cpu "$WORK/report")
	script true
	reported 0 '(.memory|has("peak")|not)'
	rmdir "$old"
	[ "$(jq .time.cpu "$WORK/report")" -lt "$first" ]
}
