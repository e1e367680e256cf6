# SPDX-License-Identifier: Apache-2.0
# Flags that do not concern a container itself, and help at the command line.
load helpers

# Runs a command below a subreaper that writes its own pid, and adopts and waits for all orphans.
below_subreaper() { # command...
	python3 - "$WORK/reaper" "$@" 3>&- <<-'EOF'
		import ctypes, os, subprocess, sys
		assert ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0  # PR_SET_CHILD_SUBREAPER
		with open(sys.argv[1] + ".new", "w") as file: file.write(str(os.getpid()))
		os.rename(sys.argv[1] + ".new", sys.argv[1])
		child = subprocess.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)
		while True:
		    try:
		        pid, status = os.wait()
		    except ChildProcessError:
		        break
		    if pid == child.pid:
		        result = os.waitstatus_to_exitcode(status)
		sys.exit(result)
	EOF
}

parent_of() { # pid
	sed -n 's/^PPid:\t//p' "/proc/$1/status"
}

@test "run adopts the orphans of a container, but not with --no-subreaper" {
	command -v python3 >/dev/null || not_here "needs python3"
	config '.linux.namespaces|=map(select(.type!="pid"))'
	mkfifo "$BUNDLE/rootfs/stop"
	script '(sleep 1001 & sleep 0.1 & echo >/there); read line </stop; exit 7'
	for flag in "" --no-subreaper; do
		rm -f "$BUNDLE/rootfs/there" "$WORK/reaper"
		# shellcheck disable=SC2086
		below_subreaper "$TARE" --root "$ROOT" run $flag --pid-file "$WORK/pid" -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 &
		reaper=$!
		wait_for '[ -e "$BUNDLE/rootfs/there" ]'
		wait_for '[ "$(tare ps -f json "$ID" | jq length)" = 2 ]'
		runtime=$(pgrep -P "$(cat "$WORK/reaper")" -f " run ")
		orphan=$(tare ps -f json "$ID" | jq --argjson init "$(cat "$WORK/pid")" '.[]|select(.!=$init)')
		[ "$(tr '\0' ' ' <"/proc/$orphan/cmdline")" = "sleep 1001 " ]
		if [ -z "$flag" ]; then
			[ "$(parent_of "$orphan")" = "$runtime" ]
		else
			wait_for '[ "$(parent_of "$orphan")" = "$(cat "$WORK/reaper")" ]'
		fi
		# The other orphan has exited, and the process that adopted it has waited for it.
		wait_for '[ "$(pgrep -P "$runtime,$(cat "$WORK/reaper")" | wc -l)" = 3 ]'
		[ "$(parent_of "$(cat "$WORK/pid")")" = "$runtime" ]
		echo >"$BUNDLE/rootfs/stop"
		status=0
		wait "$reaper" || status=$?
		[ "$status" = 7 ] || { cat "$WORK/out"; return 1; }
		[ ! -e "/proc/$orphan" ]
	done
}

@test "a container that tare does not wait for becomes its caller's child, with and without --no-subreaper" {
	command -v python3 >/dev/null || not_here "needs python3"
	config '.process.args=["sleep","1000"]'
	for command in create "create --no-subreaper" "run -d" "run -d -no-subreaper"; do
		rm -f "$WORK/reaper"
		# shellcheck disable=SC2086
		below_subreaper "$TARE" --root "$ROOT" $command --pid-file "$WORK/pid" -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 &
		reaper=$!
		wait_for '[ -s "$WORK/pid" ]'
		wait_for '[ "$(parent_of "$(cat "$WORK/pid")")" = "$(cat "$WORK/reaper")" ]'
		wait_for '[ "$(pgrep -P "$(cat "$WORK/reaper")")" = "$(cat "$WORK/pid")" ]'
		rm "$WORK/pid"
		tare delete --force "$ID"
		wait "$reaper" || { cat "$WORK/out"; return 1; }
	done
}

@test "--log-level debug logs the steps, the other levels do not, and further levels are refused" {
	config '.process.args=["true"] | .process.capabilities.bounding+=["CAP_NOT_KNOWN"]'
	for level in error warning; do
		run -0 tare --log "$WORK/$level" --log-format json --log-level $level run -b "$BUNDLE" "$ID"
		[ -z "$output" ]
		jq -es 'length==1 and .[0].level=="warning" and (.[0].msg|test("CAP_NOT_KNOWN"))' "$WORK/$level"
		run -1 tare --log "$WORK/$level" --log-format json --log-level=$level state "$ID"
		jq -es 'length==2 and .[1].level=="error"' "$WORK/$level"
	done
	for flags in "--log-level debug" "--debug" "--debug --log-level error"; do
		# shellcheck disable=SC2086
		run -0 tare --log "$WORK/log" --log-format json $flags run -b "$BUNDLE" "$ID"
		[ -z "$output" ]
		jq -es 'any(.level=="debug" and (.msg|test("spawn"))) and any(.level=="warning")' "$WORK/log"
		rm "$WORK/log"
	done
	run -0 tare run --log "$WORK/log" --log-level debug -b "$BUNDLE" "$ID"
	grep -q ' level=debug msg="' "$WORK/log"
	for level in info Debug "" 7; do
		run -1 tare --log "$WORK/none" --log-level "$level" run -b "$BUNDLE" "$ID"
		[ "$output" = "tare: run $ID: invalid log-level: $level" ]
		grep -q "level=error msg=\"run $ID: invalid log-level: $level\"" "$WORK/none"
	done
}

# Runs a command as root or as user 65534, in a mount namespace with an empty /run except for a directory of that user.
with_own_run() { # USER command...
	unshare -m --propagation private sh -c 'mount -t tmpfs -o mode=755 none /run && mkdir /run/user && mkdir -m 700 /run/user/65534 &&
		chown 65534:65534 /run/user/65534 && user=$0 && exec setpriv --reuid $user --regid $user --clear-groups "$@"' "$@" </dev/null 3>&-
}

@test "without --root, root's state is in /run/tare, whatever XDG_RUNTIME_DIR is" {
	unset XDG_RUNTIME_DIR
	before=$(stat -c %i /run/tare 2>/dev/null || true)
	cat >"$WORK/try" <<-'EOF'
		set -e
		"$1" create -b "$2" "$3" >"$4" 2>&1
		stat -c '%n %a %u' /run/tare "/run/tare/$3"
		ls "/run/tare/$3"
		XDG_RUNTIME_DIR=/elsewhere "$1" list -q
		"$1" --root /run/tare state "$3" | jq -r .status
		"$1" delete --force "$3"
		ls -A /run/tare
	EOF
	config '.process.args=["sleep","1000"]'
	XDG_RUNTIME_DIR=$WORK/xdg run -0 with_own_run 0 sh "$WORK/try" "$TARE" "$BUNDLE" "$ID" "$WORK/out"
	[[ "${lines[0]}" == "/run/tare "*" 0" ]]
	[[ "${lines[1]}" == "/run/tare/$ID "*" 0" ]]
	[[ "$output" == *$'\nrecord\n'* ]]
	[[ "$output" == *$'\n'"$ID"$'\ncreated' ]]
	[ ! -e "$WORK/xdg" ]
	[ "$(stat -c %i /run/tare 2>/dev/null || true)" = "$before" ]
}

@test "without --root a user's state is in XDG_RUNTIME_DIR, or in /run/user" {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir -m 700 "$WORK/xdg"
	chown -R 65534:65534 "$WORK/xdg" "$BUNDLE"
	rm "$BUNDLE/config.json"
	as_nobody "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["sleep","1000"] | .root.readonly=false'
	chmod 644 "$BUNDLE/config.json"
	cat >"$WORK/try" <<-'EOF'
		set -e
		"$1" create -b "$2" "$3" >/dev/null 2>&1
		stat -c '%n %u' "$4/tare/$3/record"
		"$1" list -q
		unshare -Ur "$1" list -q
		"$1" --root "$4/tare" state "$3" | jq -r .status
		"$1" delete --force "$3"
		ls -A "$4/tare" /run
	EOF
	# The directory below /run is used if the variable is not set.
	XDG_RUNTIME_DIR=$WORK/xdg run -0 with_own_run 65534 sh "$WORK/try" "$WORK/tare" "$BUNDLE" "$ID" "$WORK/xdg"
	[ "${lines[0]}" = "$WORK/xdg/tare/$ID/record 65534" ]
	[ "${lines[*]:1}" = "$ID $ID created /run: user $WORK/xdg/tare:" ]
	unset XDG_RUNTIME_DIR
	run -0 with_own_run 65534 sh "$WORK/try" "$WORK/tare" "$BUNDLE" "$ID" /run/user/65534
	[ "${lines[0]}" = "/run/user/65534/tare/$ID/record 65534" ]
	[ "${lines[1]}" = "$ID" ]
	XDG_RUNTIME_DIR=xdg run -1 as_nobody "$WORK/tare" list
	[[ "$output" == *"cannot use XDG_RUNTIME_DIR 'xdg': it is not an absolute path (set it to an absolute path, or give --root)" ]]
}

@test "kill and delete --regex act on the containers with a matching id, and continue after a failure" {
	local id
	config '.process.args=["sleep","1000"]'
	for id in a-1 a-2 b-1 b-22; do create "$ID.$id"; done
	for id in a-1 a-2 b-1; do tare start "$ID.$id"; done
	statuses() { tare list -f json | jq -r 'map(.status)|join(" ")'; }
	run -0 tare kill --regex "b-1\$" KILL
	wait_for '[ "$(statuses)" = "running running stopped created" ]'
	run -0 tare kill -r '\.a-[0-9]$' -s KILL
	wait_for '[ "$(statuses)" = "stopped stopped stopped created" ]'
	# The stopped ones fail, and the other one gets the signal.
	run -1 tare kill --regex "$ID" 9
	[ "$output" = "tare: kill $ID.a-1: container not running (2 more containers failed: call the command for each to see why)" ]
	wait_for '[ "$(statuses)" = "stopped stopped stopped stopped" ]'
	run -0 tare delete --regex "-[12]\$"
	[ "$(tare list -q)" = "$ID.b-22" ]
	create "$ID.b-3"
	tare start "$ID.b-3"
	run -1 tare delete --regex "b-[0-9]+"
	[[ "$output" == "tare: delete $ID.b-3: cannot delete container $ID.b-3 that is not stopped: running "* ]] || { echo "$output"; return 1; }
	[ "$(tare list -q)" = "$ID.b-3" ]
	run -0 tare delete --force --regex b
	[ -z "$(tare list -q)" ]
	# None matches, also without a state root.
	run -0 tare kill --regex x
	run -0 "$TARE" --root "$WORK/none" delete -r .
	[ ! -e "$WORK/none" ]
	# What is wrong on the command line is an error in any case.
	run -1 tare kill --regex x NOSUCH
	[[ "$output" == *'unknown signal "NOSUCH"'* ]]
	run -1 tare kill --regex '[' KILL
	[[ "$output" == "tare: kill: invalid value '[' for flag --regex: "* ]]
	run -1 tare delete --regex x "$ID"
	[ "$output" = "tare: delete: --regex replaces the container id: '$ID'" ]
	run -1 tare kill --regex x KILL "$ID"
}

@test "without a log, required warnings and --debug go to standard error" {
	config '.process.args=["sh","-c","echo out; echo err >&2"] | .process.capabilities.bounding+=["CAP_NOT\u0007KNOWN"] | .hooks.poststop=[{path:"/bin/false"},{path:"/no/hook"}]'
	run -0 --separate-stderr tare run -b "$BUNDLE" "$ID"
	[ "$output" = out ]
	[ "${#stderr_lines[@]}" = 4 ]
	# Warnings about the start are printed before the program exits, because it may run for long.
	[[ "$stderr" == *"tare: warning: /process/capabilities/bounding/3: unknown capability 'CAP_NOT?KNOWN' is ignored"* ]]
	[ "${stderr_lines[2]}" = "tare: warning: /hooks/poststop/0: hook '/bin/false' exited with status 1" ]
	[ "${stderr_lines[3]}" = "tare: warning: /hooks/poststop/1: cannot execute hook '/no/hook': no such file or directory" ]
	run -0 --separate-stderr tare --log-format json run -b "$BUNDLE" "$ID"
	[ "$(grep '^{' <<<"$stderr" | jq -rs 'map(.level)|join(" ")')" = "warning warning warning" ]
	# With a log they go only there.
	run -0 --separate-stderr tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ "$stderr" = err ]
	[ "$(grep -c level=warning "$WORK/log")" = 3 ]
	# A failure is still one line.
	config '.process.args=["/none"]'
	run -1 --separate-stderr tare run -b "$BUNDLE" "$ID"
	[ "${#stderr_lines[@]}" = 1 ]
	config '.process.args=["true"]|del(.hooks)|.process.capabilities={}'
	run -0 --separate-stderr tare run -b "$BUNDLE" "$ID"
	[ -z "$stderr" ]
	run -0 --separate-stderr tare --debug run -b "$BUNDLE" "$ID"
	[[ "$stderr" == *$'\n'"tare: debug: parent  spawn"* ]]
	run -0 --separate-stderr tare --log-level debug --log-format=json state "$(create "$ID"; echo "$ID")"
	[ -z "$stderr" ]
	tare delete --force "$ID"
}

@test "usage errors reach the log, at any place of the flag" {
	fails() { # status, words of the error, arguments
		local status_=$1 words=$2
		shift 2
		rm -f "$WORK/log"
		run "-$status_" "$TARE" "$@"
		[ "${#lines[@]}" = 1 ] && [[ "$output" == "tare: "*"$words"* ]] || { echo "$*: $output"; return 1; }
		[ "$(wc -l <"$WORK/log")" = 1 ]
		jq -e --arg w "$words" '.level=="error" and (.msg|contains($w))' "$WORK/log"
	}
	for log in "--log $WORK/log --log-format json" "--log=file:$WORK/log -log-format=json"; do
		# shellcheck disable=SC2086
		fails 1 "unknown flag '--wrong'" $log run --wrong x
		# shellcheck disable=SC2086
		fails 1 "container id is missing" $log state
		# shellcheck disable=SC2086
		fails 1 "unknown command 'wrong'" $log wrong
		# shellcheck disable=SC2086
		fails 1 "unknown flag '--wrong'" --wrong $log run x
		# shellcheck disable=SC2086
		fails 1 "invalid log-level: x" $log --log-level x state y
		# shellcheck disable=SC2086
		fails 255 "unknown flag '--wrong'" exec $log --wrong x true
	done
}

@test "exit status: 255 for every failure of exec itself, 1 for those of other commands" {
	for arguments in "exec" "exec --wrong x true" "exec x" "exec none true" "exec --cap x none true" "exec --preserve-fds x none true"; do
		# shellcheck disable=SC2086
		run -255 tare $arguments
	done
	run -0 tare exec --help
	for command in create run start state kill delete pause resume update ps events mounts; do
		run -1 tare "$command"
		run -1 tare "$command" --wrong x
	done
	run -1 tare --wrong exec x true
}

@test "output that cannot be written is an error: standard output is full, or closed" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	while read -r name arguments; do
		# shellcheck disable=SC2086
		run -0 "$TARE" --root "$ROOT" $name $arguments
		[ -n "$output" ]
		# shellcheck disable=SC2016
		for place in '>/dev/full: no space left on device' '>&-: bad file descriptor'; do
			run -1 sh -c "exec \"\$@\" ${place%%:*}" _ "$TARE" --root "$ROOT" $name $arguments
			[[ "$output" == "tare: "*"cannot write to standard output: ${place#*: }" ]] || { echo "$name: $output"; return 1; }
			[ "${#lines[@]}" = 1 ]
		done
	done <<-END
		list
		list -q
		list -f json
		features
		spec -f -
		spec -f /dev/stdout
		state $ID
		plan -b $BUNDLE
		check -b $BUNDLE
		ps $ID
		ps -f json $ID
		events --stats $ID
		help
		help run
		--version
	END
	# Commands without output do not need it, and the program of a container has a standard output in any case.
	script 'echo >&1 && touch /done'
	run -0 sh -c 'exec "$@" >&-' _ "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID.2"
	[ -e "$BUNDLE/rootfs/done" ]
	run -0 sh -c 'exec "$@" >&-' _ "$TARE" --root "$ROOT" delete --force "$ID"
	run -0 sh -c 'exec "$@" >&-' _ "$TARE" --root "$ROOT" list -q
}

@test "a file named - is standard input or output, and spec writes to files that are not regular" {
	cd "$WORK"
	run -0 tare spec -f -
	[ "$(jq -r .root.path <<<"$output")" = rootfs ]
	[ ! -e - ]
	written=$output
	run -0 tare spec -f /dev/stdout
	[ "$output" = "$written" ]
	"$TARE" spec -f /dev/stdout >"$WORK/file"
	[ "$(cat "$WORK/file")" = "$written" ]
	mkfifo "$WORK/fifo"
	own "$WORK/fifo"
	timeout 20 cat "$WORK/fifo" >"$WORK/read" 3>&- &
	run -0 timeout 20 "$TARE" spec -f "$WORK/fifo"
	wait $!
	[ "$(cat "$WORK/read")" = "$written" ]
	run -1 tare spec -f "$WORK/file"
	[[ "$output" == *"File $WORK/file exists. Remove it first" ]]
	[ "$(cat "$WORK/file")" = "$written" ]
	run -1 tare spec -f /dev/full
	[[ "$output" == *"cannot write '/dev/full': no space left on device" ]]
	[ -c /dev/full ]
	config '.process.args=["sh","-c","echo $0-$1","a","b"]'
	mv "$BUNDLE/config.json" "$WORK/config.json"
	for command in "run $ID" "check" "plan"; do
		# shellcheck disable=SC2086
		run -0 tare $command -b "$BUNDLE" -f - <"$WORK/config.json"
	done
	run -0 tare run -f - -b "$BUNDLE" "$ID" <"$WORK/config.json"
	[ "$output" = a-b ]
	run -1 tare run -f - -b "$BUNDLE" "$ID" <<<"{"
	[[ "$output" == *"standard input: line 2, column 1: "* ]] || { echo "$output"; return 1; }
	tare create -f - -b "$BUNDLE" "$ID" <"$WORK/config.json" >"$WORK/out" 2>&1 3>&-
	run -0 tare exec --process - "$ID" <<<'{"cwd":"/","args":["/bin/echo","x"]}'
	[ "$output" = x ]
	tare delete --force "$ID"
}
