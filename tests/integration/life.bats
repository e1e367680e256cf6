# SPDX-License-Identifier: Apache-2.0
# A state that cannot be determined is an error and not a guess, what could not be undone is reported, and what is left
# is removed.
load helpers

run_sleep() {
	config --arg c "$(named_path "$ID")" '.process.args=["sleep","1000"] | .linux.cgroupsPath=$c'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
	pid=$(pid_of "$ID")
}

is_running() {
	kill -0 "$pid"
	[ "$(status_of "$ID")" = running ]
}

# Runs tare in a new pid namespace with its own procfs.
in_other_pid_namespace() { # ARGS
	unshare -mpf --mount-proc --propagation private "$TARE" --root "$ROOT" "$@"
}

# Runs tare with an injected failure of one kind of system call, only on the path if that is not empty. LeakSanitizer
# does not work under strace.
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

end_survivors() {
	local pid
	for pid in $(survivors); do
		kill -KILL "$pid"
	done
}

nothing_left() {
	shopt -s dotglob nullglob
	left=("$ROOT"/*)
	shopt -u nullglob
	[ "${#left[@]}" -eq 0 ] || { echo "left: ${left[*]}"; return 1; }
	[ ! -e "$(named_dir "$ID")" ] || { echo "the cgroup is left"; return 1; }
}

@test "a container is only created with the procfs of the pid namespace on /proc" {
	config '.process.args=["sleep","1000"]'
	# In the new pid namespace the next pids are those of processes that the procfs of the outer one shows.
	outer='for i in $(seq 60); do sleep 60 3>&- & done; last=$!
		unshare -pf sh -c "echo $((last - 40)) >/proc/sys/kernel/ns_last_pid; exec \"\$@\"" . "$@"'
	for command in 'create' 'run -d'; do
		run -1 unshare -mpf --mount-proc --propagation private sh -c "$outer" . "$TARE" --root "$ROOT" $command -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: ${command% *} $ID: cannot read the start time of this process: /proc is that of another pid namespace (mount the procfs of this pid namespace on /proc)" ]] || { echo "$output"; return 1; }
	done
	run -1 unshare -pf "$TARE" --root "$ROOT" check -b "$BUNDLE"
	[[ "$output" == "system: cannot read the start time of this process: /proc is that of another pid namespace ("*"1 finding" ]] || { echo "$output"; return 1; }
	# A sanitized program reads its options from /proc, and looks for leaks there.
	for command in "run $ID" check; do
		! grep -q __asan_init "$TARE" || break
		# shellcheck disable=SC2086
		run -1 unshare -m --propagation private sh -c 'umount -l /proc && exec "$@"' . "$TARE" --root "$ROOT" $command -b "$BUNDLE"
		[ "$output" = "tare: $command: cannot read /proc: no such file or directory (a procfs has to be mounted on /proc)" ] || { echo "$output"; return 1; }
	done
	[ -z "$(ls -A "$ROOT")" ]
}

@test "from another pid namespace no command treats a running container as stopped" {
	run_sleep
	for command in delete state start pause resume "kill ${ID}" "exec $ID true" "update --pids-limit 5 $ID" "kill $ID 0" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! in_other_pid_namespace "$@"
		[[ "$output" == *"cannot tell whether the container lives: it was created in another pid namespace (run this command in that namespace)"* ]] || { echo "$*: $output"; return 1; }
		is_running
	done
	run ! in_other_pid_namespace kill --all "$ID" TERM
	run ! in_other_pid_namespace ps "$ID"
	is_running
	run -0 in_other_pid_namespace list -f json
	jq -e --arg id "$ID" '.[0].id==$id and .[0].status=="unknown" and .[0].pid==0' <<<"$output"
	run -0 in_other_pid_namespace list
	[[ "$output" == *"warning: container $ID: cannot tell whether the container lives"* ]]
	[[ "$output" == *"$ID"*" unknown "* ]]
	# The same if /proc is still that of the first namespace, and the pid belongs to no process of this one.
	for command in delete "exec $ID true" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! unshare -pf "$TARE" --root "$ROOT" "$@"
		[ "$1" = delete ] || [[ "$output" == *": it was created in another pid namespace ("* ]] || { echo "$*: $output"; return 1; }
		is_running
	done
	# If it belongs to another process, that gets no signal, and only ends by the SIGTERM from here.
	other='echo $(($1 - 1)) >/proc/sys/kernel/ns_last_pid; sleep 1000 3>&- & [ $! = "$1" ] || exit 99
		shift; ! "$@" || exit 98; kill -TERM $!; wait $!; [ $? = 143 ]'
	run -0 unshare -pf sh -c "$other" . "$pid" "$TARE" --root "$ROOT" kill "$ID" KILL
	[[ "$output" == *": it was created in another pid namespace ("* ]] || { echo "$output"; return 1; }
	is_running
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
}

@test "with the procfs of another pid namespace on /proc no command treats a running container as stopped" {
	config '.process.args=["sleep","1000"]'
	# In the inner pid namespace, init has a pid that belongs to another process in the outer one.
	outer='for i in $(seq 60); do sleep 1000 3>&- & done
		exec env last=$! unshare -mpf --mount-proc sh -c "$inner" . "$@"'
	inner='echo $((last - 40)) >/proc/sys/kernel/ns_last_pid
		"$@" run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 || exit
		umount -l /proc
		for command in "state $ID" "delete $ID" "exec $ID true" "kill $ID KILL"; do
			! "$@" $command || echo "$command succeeds"
		done
		mount -t proc proc /proc
		"$@" state "$ID" | jq -r .status'
	run -0 env BUNDLE="$BUNDLE" ID="$ID" WORK="$WORK" inner="$inner" unshare -mpf --mount-proc --propagation private \
		sh -c "$outer" . "$TARE" --root "$ROOT"
	[ "${#lines[@]}" = 5 ] && [ "${lines[4]}" = running ] || { echo "$output"; return 1; }
	hint="mount the procfs of this pid namespace on /proc"
	[ -z "${TARE_AS:-}" ] ||
		hint="it needs the procfs of this pid namespace, which the caller may not mount: a container made with --proc bind has none"
	for line in "${lines[@]:0:4}"; do
		[[ "$line" == *" $ID: cannot tell whether the container lives: /proc is that of another pid namespace ($hint)" ]] || { echo "$output"; return 1; }
	done
}

@test "a container of a pid namespace that is gone is stopped if its cgroup is empty, and can be removed" {
	not_systemd
	config '.process.args=["sleep","1000"]'
	# The commands run in the namespace of this case: its number cannot be that of the one that is gone, as that of a new
	# namespace can.
	unshare -mpf --mount-proc "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
	nothing_left
	# The cgroup may be gone, too, with that of the engine's own container.
	unshare -mpf --mount-proc "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for 'rmdir "$(cgroup_of "$ID")"'
	run -1 tare delete "$ID"
	[[ "$output" == *"it was created in another pid namespace"* ]] || { echo "$output"; return 1; }
	run -0 tare delete --force "$ID"
	[[ "$output" == *"warning: container $ID was created in another pid namespace, and its cgroup is gone"* ]] || { echo "$output"; return 1; }
	nothing_left
}

@test "from another pid namespace delete --force kills a container by its cgroup" {
	not_systemd
	run_sleep
	in_other_pid_namespace delete --force "$ID"
	wait_for 'has_died "$pid"'
	nothing_left
	# Without a cgroup this is not possible.
	config 'del(.linux.cgroupsPath)'
	"$TARE" --root "$ROOT" --cgroup-manager disabled run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	pid=$(pid_of "$ID")
	run ! in_other_pid_namespace delete --force "$ID"
	[[ "$output" == *"it was created in another pid namespace"* ]]
	is_running
	tare delete --force "$ID"
	nothing_left
}

@test "from another time namespace a running container is not treated as stopped" {
	[ -e /proc/self/ns/time ] || host_lacks "needs time namespaces"
	run_sleep
	for command in delete state "exec $ID true" "kill $ID KILL"; do
		# shellcheck disable=SC2086
		set -- $command
		[ $# -gt 1 ] || set -- "$@" "$ID"
		run ! unshare -Tf --boottime 100000 "$TARE" --root "$ROOT" "$@"
		[[ "$output" == *"it was created in another time namespace"* ]]
		is_running
	done
}

@test "an error while looking at init is reported, not taken for an answer" {
	run_sleep
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

@test "an error while looking at the gate or the cgroup is reported, not taken for an answer" {
	not_systemd
	run_sleep
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
	# A mount namespace without the cgroup hierarchy, with the directory that it is mounted on or without it.
	for command in state "delete --force"; do
		for at in "$(cgroup_mount)" /sys/fs/cgroup; do
			# shellcheck disable=SC2086
			run ! unshare -m --propagation private sh -c 'mount -t tmpfs none "$0"; exec "$@"' "$at" "$TARE" --root "$ROOT" $command "$ID"
			[ "$command" != state ] || [[ "$output" == *"cannot tell whether the container is paused"* ]] || { echo "$at: $output"; return 1; }
			[ -e "$ROOT/$ID" ]
		done
	done
}

@test "a process that /proc hides is not treated as dead" {
	config '.process.user={uid:1000,gid:1000}'
	run_sleep
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

@test "a container with a dead init is stopped, and delete kills what is left in its cgroup" {
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
	wait_for 'has_died "$left"'
	nothing_left
}

@test "kill 0 tests whether the container is alive" {
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

@test "list: a root that is named must exist, the default one need not" {
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

# --- processes that tare forks ---

# Runs tare in the background. Its pid is in $job.
background() { # ARGS
	"$TARE" --root "$ROOT" "$@" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
}

# Kills tare while it waits for a process that it forked. That process wrote its pid to FILE, and must be killed as
# well.
killed_with() { # FILE
	file=$1
	wait_for '[ -s "$file" ]' || { cat "$WORK/err"; return 1; }
	forked=$(<"$1")
	kill -0 "$forked"
	kill -KILL "$job"
	wait "$job" || true
	wait_for 'has_died "$forked"' || { kill -KILL "$forked"; return 1; }
	wait_for '[ -z "$(survivors)" ]' || { end_survivors; return 1; }
}

@test "a hook is killed with the tare that waits for it" {
	for kind in prestart createRuntime; do
		config --arg k $kind --arg s "echo \$\$ >$WORK/$kind; exec sleep 1000" 'del(.hooks) | .hooks[$k]=[{path:"/bin/sh",args:["sh","-c",$s]}]'
		background create -b "$BUNDLE" "$ID"
		killed_with "$WORK/$kind"
		tare delete --force "$ID"
	done
	config --arg s "echo \$\$ >$WORK/poststop; exec sleep 1000" '.hooks={poststop:[{path:"/bin/sh",args:["sh","-c",$s]}]}'
	create "$ID"
	background delete --force "$ID"
	killed_with "$WORK/poststop"
	nothing_left
}

@test "init and its hooks are killed with the parent, also after a change of ids" {
	add_user_namespace
	dir=$(named_dir "$ID")
	config --arg c "$(named_path "$ID")" '.linux.cgroupsPath=$c'
	length=1000.$$
	config --arg s "exec sleep $length" '.hooks={createContainer:[{path:"/bin/sh",args:["sh","-c",$s]}]}'
	for pids in own host; do
		# In its own pid namespace a hook is killed with init, in that of the caller only by its own death signal.
		[ $pids = own ] || config '.linux.namespaces|=map(select(.type!="pid")) | .mounts|=map(select(.type!="proc"))
			| del(.linux.maskedPaths,.linux.readonlyPaths)'
		background create -b "$BUNDLE" "$ID"
		wait_for 'pgrep -f "^sleep $length" >"$WORK/hook"' || { cat "$WORK/err"; return 1; }
		killed_with "$WORK/hook"
		wait_for '[ ! -s "$dir/cgroup.procs" ]' || { cat "$dir/cgroup.procs"; return 1; }
		tare delete --force "$ID"
		nothing_left
	done
}

@test "the process that holds the namespace of an idmapped mount is killed with tare" {
	add_user_namespace
	mkdir "$WORK/data"
	config --arg d "$WORK/data" '.mounts+=[{destination:"/data",type:"bind",source:$d,options:["bind","idmap"]}]'
	run ! failing "" "pidfd_send_signal:signal=KILL:when=1" create -b "$BUNDLE" "$ID" </dev/null 3>&-
	wait_for '[ -z "$(survivors)" ]' || { end_survivors; return 1; }
	tare delete --force "$ID"
	nothing_left
}

@test "ps is killed with tare" {
	mkdir "$WORK/bin"
	printf '#!/bin/sh\necho $$ >%s\nexec sleep 1000\n' "$WORK/ps" >"$WORK/bin/ps"
	chmod +x "$WORK/bin/ps"
	create "$ID"
	PATH="$WORK/bin:$PATH" background ps "$ID"
	killed_with "$WORK/ps"
	tare delete --force "$ID"
}

# --- what cannot be undone, and what is left ---

@test "what run cannot remove is an error, and stays for delete to remove" {
	not_systemd
	config --arg c "$(named_path "$ID")" '.linux.cgroupsPath=$c'
	script 'while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 3'
	run -3 unshare -m --propagation private sh -c '
		mount -o remount,bind,rw "$2" || exit 99
		"$1" --root "$3" run -b "$4" "$5" & job=$!
		while [ "$("$1" --root "$3" state "$5" 2>/dev/null | jq -r .status)" != running ]; do sleep 0.05; done
		mount -o remount,bind,ro "$2"
		touch "$4/rootfs/tmp/go"
		wait $job' sh "$TARE" "$(cgroup_mount)" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == *"cannot remove cgroup '${DELEGATED:-}/$ID': read-only file system"*"delete $ID removes what is left"* ]] || { echo "$output"; return 1; }
	[ "$(status_of "$ID")" = stopped ]
	[ -e "$(named_dir "$ID")" ]
	tare delete "$ID"
	nothing_left
}

@test "what create cannot remove is part of its error, and stays for delete to remove" {
	not_systemd
	config --arg c "$(named_path "$ID")/a/b" '.linux.cgroupsPath=$c | .hooks={prestart:[{path:"/bin/false"}]}'
	run ! failing "$(named_dir "$ID")/a" "unlinkat:error=EROFS" create -b "$BUNDLE" "$ID" </dev/null 3>&-
	[[ "$output" == *"hook '/bin/false' exited with status 1 (and cannot remove cgroup '${DELEGATED:-}/$ID/a/b': read-only file system: to be removed by delete $ID)"* ]] || { echo "$output"; return 1; }
	[ "$(status_of "$ID")" = stopped ]
	tare delete "$ID"
	nothing_left
	[ ! -e "$(named_dir "$ID")" ]
}

@test "with too few descriptors nothing is left, or it is reported and delete removes it" {
	not_systemd
	config --arg c "$(named_path "$ID")/a/b" '.linux.cgroupsPath=$c | .process.args=["true"]'
	for command in create run; do
		for count in {3..40}; do
			status=0
			(ulimit -n "$count"; exec "$TARE" --root "$ROOT" $command -b "$BUNDLE" "$ID") </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- || status=$?
			if [ -e "$ROOT/$ID" ] && [ "$status" -ne 0 ]; then
				grep -q "delete $ID" "$WORK/err" || { echo "$command $count: $(<"$WORK/err")"; return 1; }
			fi
			tare delete --force "$ID"
			nothing_left || { echo "$command $count: $(<"$WORK/err")"; return 1; }
			[ ! -e "$(named_dir "$ID")" ] || { echo "$command $count: cgroup: $(<"$WORK/err")"; return 1; }
		done
	done
}

@test "an error while a container's directory is made leaves no directory" {
	for injection in flock:error=EIO readlinkat:error=EIO readlinkat:error=ENOMEM; do
		run ! failing "" "$injection" create -b "$BUNDLE" "$ID" </dev/null 3>&-
		nothing_left || { echo "$injection: $output"; return 1; }
	done
}

@test "if delete is killed at any step, the next delete completes it" {
	not_systemd
	config --arg c "$(named_path "$ID")/a/b" '.linux.cgroupsPath=$c'
	for name in unlinkat renameat2 kill; do
		for count in {1..12}; do
			create "$ID"
			status=0
			failing "" "$name:signal=KILL:when=$count" delete --force "$ID" >"$WORK/out" 2>&1 || status=$?
			[ "$status" -ne 0 ] || break
			tare delete --force "$ID"
			nothing_left || { echo "$name $count"; return 1; }
			[ ! -e "$(named_dir "$ID")" ] || { echo "$name $count: cgroup"; return 1; }
		done
		[ "$status" -eq 0 ]
	done
}

# --- files that are written by name ---

@test "a pid file replaces a regular file and nothing else" {
	config '.process.args=["sleep","1000"]'
	mkfifo "$WORK/fifo"
	mknod "$WORK/full" c 1 7
	mkdir "$WORK/dir"
	ln -s full "$WORK/link"
	ln -s nowhere "$WORK/dangling"
	: >"$WORK/regular"
	create other.$ID
	tare start other.$ID
	for name in fifo full dir link dangling; do
		before=$(stat -c '%i %F' "$WORK/$name")
		for command in "create -b $BUNDLE --pid-file $WORK/$name $ID" "run -d -b $BUNDLE --pid-file $WORK/$name $ID" "exec --pid-file $WORK/$name other.$ID touch /tmp/ran"; do
			# shellcheck disable=SC2086
			! tare $command </dev/null >"$WORK/out" 2>&1 3>&- || { echo "$command succeeds"; return 1; }
			grep -F "cannot write pid file '$WORK/$name': it exists and is not a regular file" "$WORK/out" || { cat "$WORK/out"; return 1; }
			[ "$(stat -c '%i %F' "$WORK/$name")" = "$before" ]
			[ ! -e "$ROOT/$ID" ]
			[ ! -e "$BUNDLE/rootfs/tmp/ran" ]
		done
	done
	create --pid-file "$WORK/regular" "$ID"
	[ "$(<"$WORK/regular")" = "$(pid_of "$ID")" ]
}
