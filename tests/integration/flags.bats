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
		[ "$output" = "tare: run: invalid log-level: $level" ]
		grep -q "level=error msg=\"run: invalid log-level: $level\"" "$WORK/none"
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
	setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" spec --rootless -b "$BUNDLE"
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
	# Other users have no such directory.
	run -1 setpriv --reuid 65533 --regid 65533 --clear-groups "$WORK/tare" list
	[[ "$output" == *"cannot choose a directory for containers: XDG_RUNTIME_DIR is not set and there is no --root" ]]
	XDG_RUNTIME_DIR=xdg run -1 setpriv --reuid 65534 --regid 65534 --clear-groups "$WORK/tare" list
	[[ "$output" == *"cannot use XDG_RUNTIME_DIR 'xdg': not absolute, and there is no --root" ]]
}

# Prints the completions of a command line that has an unfinished last word, sorted.
completed() { # words...
	(
		unset -f tare
		set +e
		source "$BATS_TEST_DIRNAME/../../man/tare.bash"
		PATH=$WORK/path:$PATH
		COMP_WORDS=(tare "$@") COMP_CWORD=$# COMPREPLY=()
		read -r _ _ handler _ < <(complete -p tare)
		"$handler" tare "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}" 2>/dev/null
		printf "%s\n" "${COMPREPLY[@]}" | sort -u
	)
}

@test "bash completes commands, flags and the ids of a state root" {
	mkdir "$WORK/path"
	ln -s "$(realpath "$TARE")" "$WORK/path/tare"
	commands=$("$TARE" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/\1/p')
	[ "$(wc -l <<<"$commands")" -gt 10 ]
	[ "$(completed "" | grep -vx help)" = "$(sort <<<"$commands")" ]
	[ "$(completed "" | grep -x help)" = help ]
	[ "$(completed p)" = $'pause\nplan\nps' ]
	[ "$(completed help sta)" = $'start\nstate' ]
	# Global flags before a command, and the command's own flags together with the global ones after it.
	long() { grep -oE -- ' --[a-z-]+' | tr -d ' ' | sort -u; }
	globals=$("$TARE" --help | long)
	[[ "$globals" == *--systemd-cgroup* ]]
	[ "$(completed --)" = "$globals" ]
	# Each command needs ten programs. On a slow machine some of the commands suffice.
	! is_emulated || commands="create exec list"
	for command in $commands; do
		diff <({ "$TARE" help "$command" | long; printf '%s\n' --root --log; } | sort -u) <(completed "$command" --)
	done
	[ "$(completed create --no-)" = "$("$TARE" help create | long | grep -- --no-)" ]
	[ "$(completed --root "$ROOT" run --det)" = --detach ]
	# The ids of the state root that the command line names, in every form that it can be named.
	for id in one two; do create "$ID.$id"; done
	both=$ID.one$'\n'$ID.two
	for command in start state exec $(is_emulated || echo kill delete ps pause resume update events); do
		[ "$(completed --root "$ROOT" "$command" "")" = "$both" ] || { echo "$command"; return 1; }
	done
	[ "$(completed --root "$ROOT" state "$ID.t")" = "$ID.two" ]
	[ "$(completed state --root "$ROOT" "$ID.o")" = "$ID.one" ]
	[ "$(completed --root = "$ROOT" state "")" = "$both" ]
	[ "$(completed -root "$ROOT" --debug state "")" = "$both" ]
	[ "$(completed --root "$WORK/none" state "$ID")" = "" ]
	# A value of --root that is a command's name is not mistaken for a command.
	[ "$(completed --root run "")" = "$(completed "")" ]
}

@test "without a log, required warnings and --debug go to standard error" {
	config '.process.args=["sh","-c","echo out; echo err >&2"] | .process.capabilities.bounding+=["CAP_NOT\u0007KNOWN"] | .hooks.poststop=[{path:"/bin/false"},{path:"/no/hook"}]'
	run -0 --separate-stderr tare run -b "$BUNDLE" "$ID"
	[ "$output" = out ]
	[ "${#stderr_lines[@]}" = 4 ]
	# Warnings about the start are printed before the program exits, because it may run for long.
	[[ "$stderr" == *"tare: warning: /process/capabilities/bounding/3: unknown capability 'CAP_NOT?KNOWN' is ignored"* ]]
	[ "${stderr_lines[2]}" = "tare: warning: /hooks/poststop/0: hook '/bin/false' exited with status 1" ]
	[ "${stderr_lines[3]}" = "tare: warning: /hooks/poststop/1: cannot execute hook '/no/hook': No such file or directory" ]
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
	for command in create run start state kill delete pause resume update ps events; do
		run -1 tare "$command"
		run -1 tare "$command" --wrong x
	done
	run -1 tare --wrong exec x true
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
