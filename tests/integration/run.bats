# SPDX-License-Identifier: Apache-2.0
load helpers

@test "the program's status and output" {
	inside 'echo out; echo err >&2'
	[ "$output" = $'out\nerr' ]
	script 'exit 7'
	run -7 tare run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	[ ! -e "$ROOT/$ID" ]
	script 'kill -9 $$; sleep 5'
	config '.linux.namespaces|=map(select(.type!="pid"))'
	run -137 tare run -b "$BUNDLE" "$ID"
}

@test "standard input reaches the program" {
	script 'cat; echo end'
	run -0 bash -c 'echo hello | "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$output" = $'hello\nend' ]
}

@test "signals are forwarded" {
	script 'trap "exit 33" TERM; echo ready; while :; do sleep 0.1; done'
	"$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" >"$WORK/out" 3>&- &
	wait_for '[ "$(cat "$WORK/out")" = ready ]'
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 33 ]
}

@test "--keep leaves a stopped container, --detach a running one" {
	script 'exit 3'
	run -3 tare run --keep -b "$BUNDLE" "$ID"
	[ "$(status_of "$ID")" = stopped ]
	tare delete "$ID"
	config '.process.args=["sleep","1000"]'
	tare run -d --pid-file "$WORK/pid" -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&-
	[ "$(status_of "$ID")" = running ]
	[ "$(cat "$WORK/pid")" = "$(pid_of "$ID")" ]
}

@test "a failure is one line on stderr and one JSON object in the log, success is silent" {
	config '.process.args=["/no/such/file"]'
	run -1 --separate-stderr tare --log "$WORK/log" --log-format json run -b "$BUNDLE" "$ID"
	[ "${#stderr_lines[@]}" -eq 1 ]
	[[ "$stderr" == "tare: run $ID: /process/args: exec: \"/no/such/file\": no such file or directory" ]]
	[ "$(wc -l <"$WORK/log")" -eq 1 ]
	jq -e '.level=="error" and (.msg|test("no/such/file")) and (.time|test("Z$"))' "$WORK/log"
	[ ! -e "$ROOT/$ID" ]
	config '.process.args=["true"]'
	rm "$WORK/log"
	run -0 tare --log "$WORK/log" --log-format json --debug run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	jq -es 'length > 3 and all(.level=="debug") and any(.msg|test("spawn"))' "$WORK/log"
}

@test "the bundle is the working directory by default; --bundle=, single dashes and --config" {
	inside 'echo one'
	(cd "$BUNDLE" && [ "$(tare run "$ID")" = one ])
	run -0 tare run --bundle="$BUNDLE" -no-subreaper "$ID"
	mv "$BUNDLE/config.json" "$WORK/other.json"
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"JSON specification file"*"not found (tare spec writes one"* ]]
	run -0 tare run "$ID" --config "$WORK/other.json" -b "$BUNDLE"
	[ "$output" = one ]
}

@test "usage errors" {
	run -1 tare run
	[[ "$output" == *"container id is missing"* ]]
	run -1 tare run --bundle
	[[ "$output" == *"flag needs an argument: --bundle"* ]]
	run -1 tare run --wrong x
	[[ "$output" == *"unknown flag"* ]]
	for value in 65537 1000000 -1 x; do
		run -1 tare run --preserve-fds "$value" x
		[[ "$output" == *"invalid value '$value' for flag --preserve-fds: must be a number from 0 to 65536" ]]
	done
	run -1 tare run -b "$BUNDLE/config.json" x
	[[ "$output" == *"/config.json': not a directory (a bundle is the directory that contains config.json)" ]]
	: >"$WORK/empty"
	run -1 tare run -b "$BUNDLE" --config "$WORK/empty" x
	[[ "$output" == *"$WORK/empty: line 1, column 1: the text has no JSON value" ]]
	for command in state start kill delete pause resume ps events; do
		run -1 tare "$command" missing
		[ "${lines[0]}" = "tare: $command missing: container does not exist" ]
	done
	run -1 tare wrong
	[[ "$output" == *"unknown command"* ]]
	run -1 tare --log-format xml list
	[[ "$output" == *"invalid log-format: xml"* ]]
	run -1 "$TARE" --root / list
	[[ "$output" == *"should not be set to /"* ]]
	run -0 tare run --help
	run -0 tare help
	all=$output
	[[ "$all" == *"Commands:"*" create "* ]]
	for words in "help help" "help --help" "--help"; do
		run -0 "$TARE" $words
		[ "$output" = "$all" ]
	done
	run -1 tare help wrong
	[[ "$output" == "tare: unknown command 'wrong' (see tare help)" ]]
	run -0 tare help kill
	[[ "$output" == *"-s, --signal SIGNAL"*"  -SIGNAL "* ]]
	run -0 tare --version
	[[ "${lines[0]}" == "tare version "* ]]
}

@test "output that cannot be written is an error" {
	run -1 bash -c '"$1" features >/dev/full' _ "$TARE"
	[[ "$output" == *"cannot write to standard output"* ]]
}

@test "state of a kept container shows how its program ended" {
	script 'exit 7'
	run -7 tare run --keep -b "$BUNDLE" "$ID"
	run -0 tare state "$ID"
	jq -e '.status=="stopped" and .pid==0 and .exitStatus==7 and (has("exitSignal")|not)' <<<"$output"
	run -0 tare list -f json
	jq -e '.[0].exitStatus==7' <<<"$output"
	tare delete "$ID"
	script 'kill -9 $$'
	config '.linux.namespaces|=map(select(.type!="pid"))'
	run -137 tare run --keep -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	run -0 tare state "$ID"
	jq -e '.exitStatus==137 and .exitSignal==9' <<<"$output"
}

@test "state has no exit status before the program exits, and then the right one or none" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	tare state "$ID" | jq -e '(has("exitStatus") or has("exitSignal"))|not'
	tare start "$ID"
	tare state "$ID" | jq -e '(has("exitStatus") or has("exitSignal"))|not'
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare state "$ID" | jq -e '.exitStatus==137 or (has("exitStatus")|not)'
}

@test "other commands can be used on a container in the foreground" {
	script 'echo >/ready; exec sleep 1000'
	tare run -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	foreground=$!
	wait_for '[ -e "$BUNDLE/rootfs/ready" ]'
	# run does not hold the lock that other commands wait for.
	wait_for 'flock -n "$ROOT/$ID" true'
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" exec "$ID" true
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID"
	status=0
	wait "$foreground" || status=$?
	[ "$status" = 137 ]
	[ ! -s "$WORK/out" ]
}
