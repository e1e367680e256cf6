# SPDX-License-Identifier: Apache-2.0
# What cannot be told is no answer, what could not be taken back is reported, and what is left over is removed.
load helpers

sleeper() {
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .linux.cgroupsPath=$c'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
	pid=$(pid_of "$ID")
}

is_running() {
	kill -0 "$pid"
	[ "$(status_of "$ID")" = running ]
}

# In a pid namespace of its own, with the procfs of that.
away() { # ARGS
	unshare -mpf --mount-proc --propagation private "$TARE" --root "$ROOT" "$@"
}

# With a failure of one kind of system call, on the path if that is not empty. Leaks cannot be looked for under strace.
failing() { # PATH INJECTION ARGS
	command -v strace >/dev/null || not_here "needs strace"
	local path=$1 injection=$2
	shift 2
	ASAN_OPTIONS=detect_leaks=0 strace -qqq -o /dev/null ${path:+-P "$path"} -e trace="${injection%%:*}" \
		-e inject="$injection" "$TARE" --root "$ROOT" "$@"
}

# tare processes of this state root that outlived the tare that was called.
survivors() {
	pgrep -f -- "--root $ROOT " || true
}

nothing_left() {
	shopt -s dotglob nullglob
	left=("$ROOT"/*)
	shopt -u nullglob
	[ "${#left[@]}" -eq 0 ] || { echo "left: ${left[*]}"; return 1; }
	[ ! -e "$(named_dir "$ID")" ] || { echo "the cgroup is left"; return 1; }
}

@test "in another pid namespace no command takes a running container for a stopped one" {
	sleeper
	for command in delete state start pause resume "kill ${ID}" "exec $ID true" "update --pids-limit 5 $ID" "kill $ID 0" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! away "$@"
		[[ "$output" == *"cannot tell whether the container lives: it was created in another pid namespace (run this command in that one)"* ]] || { echo "$*: $output"; return 1; }
		is_running
	done
	run ! away kill --all "$ID" TERM
	run ! away ps "$ID"
	is_running
	run -0 away list -f json
	jq -e --arg id "$ID" '.[0].id==$id and .[0].status=="unknown" and .[0].pid==0' <<<"$output"
	run -0 away list
	[[ "$output" == *"warning: container $ID: cannot tell whether the container lives"* ]]
	[[ "$output" == *"$ID"*" unknown "* ]]
	# Its pid is that of another process there, if it has one at all; /proc is that of the first.
	for command in delete "exec $ID true" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! unshare -pf "$TARE" --root "$ROOT" "$@"
		is_running
	done
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run ! away delete "$ID"
	tare delete "$ID"
}

@test "in another pid namespace delete --force ends a container by its cgroup" {
	not_systemd
	sleeper
	away delete --force "$ID"
	wait_for '! kill -0 "$pid" 2>/dev/null'
	nothing_left
	# Without a cgroup there is nothing to end it by.
	config 'del(.linux.cgroupsPath)'
	"$TARE" --root "$ROOT" --cgroup-manager disabled run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	pid=$(pid_of "$ID")
	run ! away delete --force "$ID"
	[[ "$output" == *"it was created in another pid namespace"* ]]
	is_running
	tare delete --force "$ID"
	nothing_left
}

@test "in another time namespace a running container is none that has stopped" {
	[ -e /proc/self/ns/time ] || host_lacks "needs time namespaces"
	sleeper
	for command in delete state "exec $ID true" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! unshare -Tf --boottime 100000 "$TARE" --root "$ROOT" "$@"
		[[ "$output" == *"it was created in another time namespace"* ]]
		is_running
	done
}

@test "an error while looking at init is no answer" {
	sleeper
	config 'del(.linux.cgroupsPath)'
	create "other.$ID"
	for errno in ENOMEM EIO EMFILE EACCES; do
		for command in delete state start pause "kill $ID KILL" "exec $ID true" "update --pids-limit 5 $ID"; do
			# shellcheck disable=SC2086
			set -- $command
			[ $# -gt 1 ] || set -- "$@" "$ID"
			run ! failing "/proc/$pid/stat" "openat:error=$errno" "$@"
			[[ "$output" == *"cannot tell whether the container lives: cannot read /proc/$pid/stat: "* ]] || { echo "$*: $output"; return 1; }
			is_running
		done
		run -0 failing "/proc/$pid/stat" "openat:error=$errno" list -f json
		jq -e --arg id "$ID" 'map(select(.id==$id).status)==["unknown"] and map(select(.id!=$id).status)==["created"]' <<<"$output"
	done
	run ! failing "/proc/$pid/stat" "openat:error=EIO" delete --force "$ID"
	is_running
}

@test "an error while looking at the gate or the cgroup is no answer" {
	not_systemd
	sleeper
	config 'del(.linux.cgroupsPath)'
	create "other.$ID"
	run ! failing "$(named_dir "$ID")" "openat:error=EIO" state "$ID"
	[[ "$output" == *"cannot tell whether the container is paused"*"input/output error"* ]]
	run ! failing "$(named_dir "$ID")" "openat:error=EMFILE" exec "$ID" true
	[[ "$output" == *"cannot tell whether the container is paused"*"too many open files"* ]]
	run ! failing "" "socket:error=EMFILE" state "other.$ID"
	[[ "$output" == *"cannot tell whether the container has started: too many open files"* ]]
	run ! failing "" "connect:error=EACCES" start "other.$ID"
	[[ "$output" == *"cannot tell whether the container has started: permission denied"* ]]
	run ! failing "" "fgetxattr:error=EIO" delete --force "other.$ID"
	[[ "$output" == *"cannot tell which container cgroup"*"input/output error"* ]]
	[ "$(status_of "other.$ID")" != "" ]
	is_running
	# A mount namespace without the hierarchy.
	run ! unshare -m --propagation private sh -c 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"' sh "$TARE" --root "$ROOT" state "$ID"
	[[ "$output" == *"cannot tell whether the container is paused"* ]]
	run ! unshare -m --propagation private sh -c 'mount -t tmpfs none /sys/fs/cgroup; exec "$@"' sh "$TARE" --root "$ROOT" delete --force "$ID"
	[ -e "$ROOT/$ID" ]
}

@test "a process that /proc hides is not dead" {
	config '.process.user={uid:1000,gid:1000}'
	sleeper
	for command in delete state; do
		run ! unshare -m --propagation private sh -c 'mount -t proc -o hidepid=invisible,gid=12345 proc /proc; exec setpriv --bounding-set=-sys_ptrace "$@"' \
			sh "$TARE" --root "$ROOT" $command "$ID"
		[[ "$output" == *"cannot tell whether the container lives: cannot see process $pid"*hidepid* ]] || { echo "$output"; return 1; }
		is_running
	done
	run ! unshare -m --propagation private sh -c 'mount -t tmpfs none /proc; exec "$@"' sh "$TARE" --root "$ROOT" delete "$ID"
	[[ "$output" == *"/proc"* ]] || { echo "$output"; return 1; }
	is_running
}

@test "a container whose init is dead is stopped, and delete ends what is left in its cgroup" {
	config 'del(.linux.namespaces[]|select(.type=="pid"))'
	script 'sleep 1000 & echo $! >/tmp/left; exec sleep 1000'
	config --arg c "$(named_path "$ID")" '.linux.cgroupsPath=$c'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ -s "$BUNDLE/rootfs/tmp/left" ]'
	left=$(<"$BUNDLE/rootfs/tmp/left")
	kill -KILL "$(pid_of "$ID")"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	kill -0 "$left"
	tare delete "$ID"
	wait_for '! kill -0 "$left" 2>/dev/null'
	nothing_left
}

@test "kill 0 tests for life" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	for signal in 0 00; do
		run -0 tare kill "$ID" $signal
		[ -z "$output" ]
	done
	[ "$(status_of "$ID")" = created ]
	tare start "$ID"
	run -0 tare kill --all "$ID" 0
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare kill "$ID" 0
	[[ "$output" == *"container not running"* ]]
	tare delete "$ID"
	run -1 tare kill "$ID" 0
	[[ "$output" == *"container does not exist"* ]]
}

@test "list: a root that was named is there, the default one need not be" {
	run -1 tare list
	[[ "$output" == *"cannot open the root directory '$ROOT': no such file or directory"* ]]
	run -1 tare list -q
	run -1 tare list -f json
	run -0 unshare -m --propagation private sh -c 'mount -t tmpfs none /run; unset XDG_RUNTIME_DIR; exec "$@"' sh "$TARE" list -f json
	[ "$output" = null ]
	create "$ID"
	run -0 tare list -q
	[ "$output" = "$ID" ]
}
