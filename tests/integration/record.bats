# SPDX-License-Identifier: Apache-2.0
# The record and the configuration of a container: two files in the state directory, or one that an earlier version wrote.
load helpers

# Replaces the two files by the one that version 4 wrote.
as_version_4() { # ID
	local dir=$ROOT/$1
	sed -i -e '1s/.*/tare 4/' -e '/^notes /d; /^is-pid-namespace-own /d; /^has-filter /d; /^has-program /d' \
		-e "s/^config 0$/config $(stat -c %s "$dir/config")/" "$dir/record"
	cat "$dir/config" >>"$dir/record"
	rm "$dir/config"
	own "$dir"
}

# The record of version 4 that the unit tests have, for a container of this case that has stopped.
copy_version_4() {
	mkdir -p -m 700 "$ROOT/$ID"
	sed -e "s|^id .*|id $ID|; s|/srv/web1|$BUNDLE|; s|^cgroup-mount .*|cgroup-mount $(cgroup_mount)|; s|/web1\$|/$ID|" \
		-e "s|^pid-namespace .*|pid-namespace $(stat -Lc %i /proc/self/ns/pid)|" \
		-e "s|^time-namespace .*|time-namespace $(stat -Lc %i /proc/self/ns/time 2>/dev/null || echo 0)|" \
		"$BATS_TEST_DIRNAME/../unit/records/4" >"$ROOT/$ID/record"
	chmod 600 "$ROOT/$ID/record"
	own "$ROOT"
}

# Commands with an existing container; "@" is its id. update reads a document that needs no controller.
READERS=("state @" "list" "list -f json" "ps -f json @" "kill @ 0" "kill @" "kill --all @ CONT" "pause @" "resume @"
	"update -r - @" "events --stats @")
LIMITS='{"unified":{"cgroup.max.depth":"5"}}'

@test "commands that need no configuration neither open nor read it" {
	command -v strace >/dev/null || not_here "needs strace"
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .process.env+=["MARKER=only-in-config"] | .linux.cgroupsPath=$c
		| .annotations={"org.example/marker":"in-record"} | .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW"}'
	create "$ID"
	grep -q only-in-config "$ROOT/$ID/config"
	for command in "${READERS[@]}" "start @" "kill @ KILL"; do
		ASAN_OPTIONS=detect_leaks=0 run -0 strace -f -s 1000000 -o "$WORK/trace" "$TARE" --root "$ROOT" ${command/@/$ID} <<<"$LIMITS"
		grep -q 'in-record' "$WORK/trace" || { echo "$command: nothing was read"; return 1; }
		run ! grep -E 'open(at2?)?\(.*config|only-in-config' "$WORK/trace"
		# What is not of the container is not read either, and the record only once.
		run ! grep -E 'open(at2?)?\(.*(localtime|zoneinfo)' "$WORK/trace"
		[ "$(grep -cE 'open(at2?)?\(.*"record"' "$WORK/trace")" = 1 ] || { echo "$command"; cat "$WORK/trace"; return 1; }
	done
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	ASAN_OPTIONS=detect_leaks=0 run -0 strace -f -s 1000000 -o "$WORK/trace" "$TARE" --root "$ROOT" delete "$ID"
	run ! grep -E 'open(at2?)?\(.*config|only-in-config' "$WORK/trace"
}

@test "a container without its stored configuration is used and deleted, and what needs it reports that" {
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .linux.cgroupsPath=$c | .hooks={poststop:[{path:"/bin/touch",args:["touch","ran"]}]}'
	create "$ID"
	rm "$ROOT/$ID/config"
	run -0 tare start "$ID"
	for command in "${READERS[@]}"; do
		run -0 tare ${command/@/$ID} <<<"$LIMITS"
	done
	run -0 tare exec "$ID" true
	rm "$ROOT/$ID/plan"
	run -255 tare exec "$ID" true
	[ "$output" = "tare: exec $ID: the configuration of the container does not exist" ]
	# The hooks are unknown; the container is still removed.
	run -0 tare delete --force "$ID"
	[ "$output" = "tare: warning: /hooks/poststop: cannot be run: the configuration of the container does not exist" ] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
	config '.hooks={poststart:[{path:"/bin/touch",args:["touch","ran"]}]}'
	create "$ID"
	rm "$ROOT/$ID/config"
	run -1 tare start "$ID"
	[ "$output" = "tare: start $ID: the configuration of the container does not exist" ]
	[ "$(status_of "$ID")" = created ]
	[ ! -e "$BUNDLE/ran" ]
}

@test "later edits of the bundle do not change a container's hooks" {
	config '.process.args=["true"] | .hooks={poststart:[{path:"/bin/touch",args:["touch","started"]}],poststop:[{path:"/bin/touch",args:["touch","stopped"]}]}'
	create "$ID"
	config '.hooks={poststart:[{path:"/bin/false"}],poststop:[{path:"/bin/touch",args:["touch","wrong"]}]}'
	run -0 tare start "$ID"
	[ -e "$BUNDLE/started" ]
	run -0 tare delete --force "$ID"
	[ -e "$BUNDLE/stopped" ] && [ ! -e "$BUNDLE/wrong" ]
}

@test "a container of an earlier version, with the configuration in its record, is used by every command" {
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .process.env+=["MARKER=x"] | .linux.cgroupsPath=$c
		| .annotations={"org.example/a":"b"} | .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW"}
		| .hooks={poststart:[{path:"/bin/touch",args:["touch","started"]}],poststop:[{path:"/bin/touch",args:["touch","stopped"]}]}'
	create "$ID"
	as_version_4 "$ID"
	[ "$(status_of "$ID")" = created ]
	run -0 tare state "$ID"
	jq -e '.annotations=={"org.example/a":"b"}' <<<"$output"
	run -0 tare start "$ID"
	[ -e "$BUNDLE/started" ]
	for command in "${READERS[@]}"; do
		run -0 tare ${command/@/$ID} <<<"$LIMITS"
	done
	[ "$(cat "$(named_dir "$ID")/cgroup.max.depth")" = 5 ]
	run -0 tare exec "$ID" sh -c 'echo $MARKER'
	[ "$output" = x ]
	# Another version cannot use the stored plan.
	rm "$ROOT/$ID/plan"
	run -0 tare exec "$ID" sh -c 'echo $MARKER; grep Seccomp: /proc/self/status'
	[ "${lines[0]}" = x ]
	[[ "${lines[1]}" == Seccomp:*2 ]]
	run -0 tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare delete "$ID"
	[ -z "$output" ]
	[ -e "$BUNDLE/stopped" ] && [ ! -e "$ROOT/$ID" ]
}

@test "KILL of a container of an earlier version: its processes die, and others in its cgroup only if it shares the pid namespace" {
	not_systemd
	dir=$(named_dir "$ID")
	for pids in own host; do
		config --arg c "$(named_path "$ID")" '.linux.cgroupsPath=$c'
		[ $pids = own ] || config '.linux.namespaces|=map(select(.type!="pid"))'
		script 'sleep 1000 & exec sleep 1000'
		create "$ID"
		as_version_4 "$ID"
		tare start "$ID"
		wait_for '[ "$(wc -l <"$dir/cgroup.procs")" = 2 ]'
		sleep 1000 3>&- &
		other=$!
		echo $other >"$dir/cgroup.procs"
		run -0 tare kill "$ID" KILL
		if [ $pids = own ]; then
			wait_for '[ "$(cat "$dir/cgroup.procs")" = $other ]'
			kill $other
		fi
		wait_for '[ -z "$(cat "$dir/cgroup.procs")" ]'
		tare delete "$ID"
	done
}

@test "the record of a stopped container as an earlier version wrote it" {
	copy_version_4
	run -0 tare state "$ID"
	jq -e --arg id "$ID" --arg b "$BUNDLE" '.id==$id and .status=="stopped" and .pid==0 and .bundle==$b and .rootfs==$b+"/rootfs"
		and .annotations=={"org.example/a key":"100 % of it","empty":""} and .created=="2026-11-30T18:58:48.267123797Z"' <<<"$output"
	run -0 tare list -f json
	jq -e --arg id "$ID" 'length==1 and .[0].id==$id and .[0].status=="stopped"' <<<"$output"
	for command in "kill @ TERM" "pause @" "start @" "update -r - @"; do
		run -1 tare ${command/@/$ID} <<<"$LIMITS"
		[[ "$output" == *"container not running" || "$output" == *"cannot start a container that has stopped" ]] || { echo "$output"; return 1; }
	done
	run -255 tare exec "$ID" true
	[[ "$output" == *"cannot exec in a stopped container" ]]
	run -0 tare delete "$ID"
	[ -z "$output" ]
	jq -e --arg id "$ID" '.id==$id and .status=="stopped"' "$BUNDLE/poststop"
	[ ! -e "$ROOT/$ID" ]
}

# create is killed at each of its calls on the state directory and the files in it. list reports the container with a true
# status or not at all, and the id is free after delete --force.
@test "create killed at any call on its state directory leaves what delete --force removes" {
	command -v strace >/dev/null || not_here "needs strace"
	! grep -q __asan_init "$TARE" || skip "sanitizers make calls of their own"
	# The warning that hooks cannot be run would show a record without its configuration.
	config '.process.args=["sleep","1000"] | .hooks={poststop:[{path:"/bin/true"}]}'
	local calls=(-P "$ROOT" -P "$ROOT/$ID" -P "$ROOT/$ID/config" -P "$ROOT/$ID/record" -P "$ROOT/$ID/plan")
	mkdir -m 700 "$ROOT"
	own "$ROOT"
	strace -qq -o "$WORK/trace" "${calls[@]}" "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	tare delete --force "$ID"
	local names
	names=$(sed -n 's/^\([a-z0-9_]*\)(.*/\1/p' "$WORK/trace" | sort | uniq -c)
	[ "$(awk '{ n += $1 } END { print n }' <<<"$names")" -gt 15 ]
	while read -r count name; do
		for ((when = 1; when <= count; when++)); do
			# An init that is complete keeps the output open.
			status=0
			strace -qq -o "$WORK/trace" "${calls[@]}" -e trace="$name" -e inject="$name:signal=KILL:when=$when" "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || status=$?
			[ "$status" = 137 ] || { echo "$name $when: status $status: $(cat "$WORK/out")"; return 1; }
			run -0 tare list -f json
			jq -e 'if . == null then true else .[].status == "creating" or .[].status == "stopped" or .[].status == "created" end' <<<"$output" || { echo "$name $when: $output"; return 1; }
			run -0 tare delete --force "$ID"
			[ -z "$output" ]
			[ -z "$(ls -A "$ROOT")" ] || { echo "$name $when: $(ls -AR "$ROOT")"; return 1; }
			[ ! -e "$(cgroup_of "$ID")" ] || { echo "$name $when: the cgroup is left"; return 1; }
		done
	done <<<"$names"
}
