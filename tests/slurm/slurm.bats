#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Slurm with tare as the runtime of `--container`: tests/slurm/run. One cluster of two nodes serves all cases (nodes).
# With SLURM_RUNTIME=crun or runc, the same cases with these, configured as Slurm's documentation does.

bats_require_minimum_version 1.5.0
TARE=${TARE:-$SLURM_BUILD/src/tare}
HANGS=60

wait_for() {
	local end=$((EPOCHSECONDS + HANGS))
	until eval "$1"; do
		[ "$EPOCHSECONDS" -lt "$end" ] || { echo "never: $1"; return 1; }
		sleep 0.2
	done
}

config() {
	local changed
	changed=$(jq "$@" <"$BUNDLE/config.json") && printf '%s\n' "$changed" >"$BUNDLE/config.json"
}

cgroup_mount() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

setup_file() {
	export CLUSTER
	CLUSTER=$(mktemp -d)
	chmod 755 "$CLUSTER"
	mkdir "$CLUSTER/shared" "$CLUSTER/programs"
	cp "$SLURM_BUILD/src/tare" "$CLUSTER/programs/"
	cp "$BATS_TEST_DIRNAME/slurm.conf" "$CLUSTER/shared/"
	echo CgroupPlugin=disabled >"$CLUSTER/shared/cgroup.conf"
	configure_runtime >"$CLUSTER/shared/oci.conf"
	for uid in 0 1000 1001; do bundle "$uid"; done
	mkdir -m 1777 "$CLUSTER/shared/out"
	start_cluster
	export HEAD
}

# tare's file is the one that is installed.
configure_runtime() {
	if [ "$SLURM_RUNTIME" = tare ]; then
		sed -E 's,[^ ]*/tare --root,/opt/tare/tare --root,' "$SLURM_BUILD/engines/oci.conf"
		return
	fi
	cat <<-END
		EnvExclude="^(SLURM_CONF|SLURM_CONF_SERVER)="
		RunTimeEnvExclude="^(SLURM_CONF|SLURM_CONF_SERVER)="
		RunTimeQuery="$SLURM_RUNTIME --rootless=true --root=/run/user/%U/tare state %n.%u.%j.%s.%t"
		RunTimeKill="$SLURM_RUNTIME --rootless=true --root=/run/user/%U/tare kill -a %n.%u.%j.%s.%t"
		RunTimeDelete="$SLURM_RUNTIME --rootless=true --root=/run/user/%U/tare delete --force %n.%u.%j.%s.%t"
		RunTimeRun="exec $SLURM_RUNTIME --rootless=true --root=/run/user/%U/tare run --bundle %b %n.%u.%j.%s.%t"
	END
}

# A bundle for each of the users. user1001's has subordinate ids, so that it needs newuidmap.
bundle() { # UID
	BUNDLE=$CLUSTER/shared/bundle$1
	mkdir -p "$BUNDLE/rootfs/bin" "$BUNDLE/rootfs/tmp"
	cp /bin/busybox "$BUNDLE/rootfs/bin/"
	for name in sh cat sleep id stty tty readlink kill echo touch mkdir; do
		ln -s busybox "$BUNDLE/rootfs/bin/$name"
	done
	echo "files of $1" >"$BUNDLE/rootfs/origin"
	if [ "$1" = 0 ]; then "$TARE" spec -b "$BUNDLE"; else "$TARE" spec -b "$BUNDLE" --rootless; fi
	config '.process.env=["PATH=/bin", "OF_THE_BUNDLE=yes"] | .root.readonly=false'
	case $1 in
	1000) config '.linux.uidMappings=[{"containerID":0,"hostID":1000,"size":1}] | .linux.gidMappings=.linux.uidMappings' ;;
	1001) config '.linux.uidMappings=[{"containerID":0,"hostID":1001,"size":1},{"containerID":1,"hostID":100100000,"size":65536}]
		| .linux.gidMappings=.linux.uidMappings | .process.user={"uid":33,"gid":44,"additionalGids":[55]}' ;;
	esac
	chown -hR "$1:$1" "$BUNDLE"
}

# The cluster's cgroup is the root of its hierarchy; its own processes have a child of it, as controllers require.
start_cluster() {
	local cgroup enter
	cgroup=$(cgroup_mount)/${CLUSTER##*.}.slurm
	mkdir "$cgroup" "$cgroup/daemons"
	echo "$cgroup" >"$CLUSTER/cgroup"
	enter='echo 0 >"$0/cgroup.procs"; exec unshare -C -m -p -n -u -i -f --propagation private --mount-proc --kill-child \
		sh -c '\''echo 0 >"$0/daemons/cgroup.procs"; exec sh "$@"'\'' "$0" "$@"'
	sh -c "$enter" "$cgroup" "$BATS_TEST_DIRNAME/nodes" "$SLURM_TREE" "$CLUSTER/programs" "$CLUSTER/shared" \
		>"$CLUSTER/log" 2>&1 </dev/null 3>&- &
	echo $! >"$CLUSTER/pid"
	wait_for 'HEAD=$(pgrep -P $!)'
	wait_for '[ "$(cluster sinfo -h -t idle -o %D 2>/dev/null)" = 2 ]' ||
		{ cat "$CLUSTER/log" "$CLUSTER/shared"/*.out; tail "$CLUSTER/shared"/*.log; return 1; }
}

teardown_file() {
	[ -d "${CLUSTER:-}" ] || return 0
	local cgroup
	cgroup=$(<"$CLUSTER/cgroup")
	kill -KILL "$(<"$CLUSTER/pid")"
	wait_for '! grep -q . "$cgroup/daemons/cgroup.procs"'
	find "$cgroup" -depth -type d -exec rmdir {} +
	rm -rf --one-file-system "$CLUSTER"
}

setup() {
	OUT=$CLUSTER/shared/out
}

# Each case leaves a cluster without jobs, containers, their files, processes and cgroups.
teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || { echo "${stderr:-}"; grep -h error: "$CLUSTER/shared"/n?.log | tail -n 10; }
	rm -rf "${OUT:?}"/*
	nothing_left && return
	# The next case must not fail, too.
	cluster sh -c 'rm -rf /run/user/*/tare/* /var/spool/slurmd.*/oci-*; pkill -KILL -f "[s]leep 4242"
		sleep 0.5; find /sys/fs/cgroup -depth -name "n?.*.0.?" -exec rmdir {} +'
	return 1
}

nothing_left() {
	wait_for '[ -z "$(cluster squeue -h)" ]'
	wait_for '! cluster pgrep -f "[s]lurmstepd: "'
	cluster sh -c 'for path in /run/user/*/tare/* /var/spool/slurmd.*/oci-*; do [ ! -e "$path" ] || { echo "left: $path"; exit 1; }; done'
	if cluster pgrep -af '[s]leep 4242'; then return 1; fi
	[ -z "$(cluster find /sys/fs/cgroup -name 'n?.*.0.?')" ]
}

# Runs a command in the head's namespaces, as root.
cluster() {
	nsenter -t "$HEAD" -m -p -n -u -i -C timeout "$HANGS" env -C /tmp "$@" 3>&-
}

as_user() { # UID COMMAND...
	cluster setpriv --reuid "$1" --regid "$1" --init-groups env HOME=/tmp "${@:2}"
}

same() { # ACTUAL EXPECTED
	[ "$1" = "$2" ] || { printf 'got:\n%s\nexpected:\n%s\n' "$1" "$2"; return 1; }
}

# srun of an ordinary user, with the user's bundle.
job() { # FLAG... COMMAND...
	as_user 1000 srun --quiet --container /cluster/bundle1000 "$@"
}

@test "a command runs in a container of both nodes, and its status is that of srun" {
	run --separate-stderr -7 job -N2 sh -c 'echo "$SLURMD_NODENAME $(cat /origin)"; exit 7'
	same "$(sort <<<"$output")" "$(printf 'n1 files of 1000\nn2 files of 1000')"
}

@test "each task of a step has its own container, with the variables of the job and of the bundle" {
	run --separate-stderr -0 job -N2 --ntasks-per-node=2 sh -c 'echo "$SLURM_PROCID $OF_THE_BUNDLE $$"'
	same "$(sort <<<"$output")" "$(printf '%d yes 1\n' 0 1 2 3)"
}

@test "standard input reaches the program" {
	run --separate-stderr -0 job -N1 sh -c 'cat; echo end' <<<"a line"
	same "$output" "$(printf 'a line\nend')"
}

@test "the user sees why a command cannot be executed" {
	run --separate-stderr -1 job -N1 no-such-program
	[[ "$stderr" =~ executable\ file.*not\ found ]]
}

@test "an ordinary user's container has the ids of the bundle" {
	run --separate-stderr -0 as_user 1001 srun --quiet --container /cluster/bundle1001 -N2 sh -c 'id -u; id -g; id -G; cat /origin'
	same "$(sort <<<"$output")" "$(printf '%s\n' 33 33 44 44 '44 55' '44 55' 'files of 1001' 'files of 1001')"
}

@test "root's containers have cgroups, which are removed when the job is killed" {
	cluster srun --quiet -J victim --container /cluster/bundle0 -N2 sh -c 'cat /origin; sleep 4242' >"$OUT/log" 2>&1 &
	wait_for '[ "$(grep -c "files of 0" "$OUT/log")" = 2 ]'
	run -0 cluster find /sys/fs/cgroup -name 'n?.root.*.0.?'
	[ "${#lines[@]}" = 2 ]
	for dir in "${lines[@]}"; do
		same "$(cluster sh -c 'xargs ps -o comm= -p <"$1/cgroup.procs"' - "$dir")" sleep
	done
	cluster scancel -n victim
	wait $! || true
	nothing_left
}

@test "a job array runs on both nodes, and each task has its output and status" {
	cat >"$OUT/script" <<-'END'
		#!/bin/sh
		echo "$SLURM_ARRAY_TASK_ID $SLURMD_NODENAME $(cat /origin)"
		until [ -e "/out/go" ]; do sleep 0.1; done
		exit $SLURM_ARRAY_TASK_ID
	END
	jq '.mounts+=[{"destination":"/out","source":"/cluster/out","type":"bind","options":["rbind"]}]' \
		"$CLUSTER/shared/bundle1000/config.json" >"$OUT/config.json"
	ln -s ../bundle1000/rootfs "$OUT/rootfs"
	run -0 as_user 1000 sbatch --parsable -J array --array=0-7 -n1 -o '/cluster/out/%a' --container /cluster/out /cluster/out/script
	array=$output
	# All run at the same time, four on each node.
	wait_for '[ "$(cat "$OUT"/[0-7] 2>/dev/null | wc -l)" = 8 ]'
	touch "$OUT/go"
	wait_for '[ -z "$(cluster squeue -h)" ]'
	# Nothing but the output of the program, not even messages of Slurm.
	for task in 0 1 2 3 4 5 6 7; do
		[[ "$(<"$OUT/$task")" =~ ^$task\ n[12]\ files\ of\ 1000$ ]]
		cluster scontrol show job "${array}_$task" | grep -q " ExitCode=$task:0$"
	done
	same "$(cut -d ' ' -f 2 "$OUT"/[0-7] | sort | uniq -c | tr -s ' ' | paste -sd ,)" ' 4 n1, 4 n2'
}

@test "a cancelled job gets SIGTERM and can finish" {
	as_user 1000 srun --quiet -J victim --container /cluster/bundle1000 -N1 \
		sh -c 'trap "echo finishing; exit 0" TERM; echo ready; while :; do sleep 0.1; done' >"$OUT/log" 2>&1 &
	wait_for 'grep -q ready "$OUT/log"'
	as_user 1000 scancel -n victim
	wait $! || true
	grep -qx finishing "$OUT/log"
}

@test "a cancelled job that ignores SIGTERM is killed on both nodes" {
	as_user 1000 srun --quiet -J victim --container /cluster/bundle1000 -N2 \
		sh -c 'trap "" TERM; sleep 4242 & echo ready; sleep 4242; sleep 4242' >"$OUT/log" 2>&1 &
	wait_for '[ "$(grep -c ready "$OUT/log")" = 2 ]'
	as_user 1000 scancel -n victim
	wait $! || true
	nothing_left
}

@test "a signal for a job reaches the program" {
	as_user 1000 srun --quiet -J victim --container /cluster/bundle1000 -N1 \
		sh -c 'trap "echo signalled; exit 5" USR1; echo ready; while :; do sleep 0.1; done' >"$OUT/log" 2>&1 &
	wait_for 'grep -q ready "$OUT/log"'
	as_user 1000 scancel --signal=USR1 -n victim
	status=0
	wait $! || status=$?
	[ "$status" = 5 ]
	grep -qx signalled "$OUT/log"
}

@test "a step with a terminal has it in the container, with its size" {
	echo '[ "$(stty size)" = "33 77" ] && read line && echo "got $line on $(tty)"; exit 3' >"$OUT/inside"
	cat >"$OUT/outside" <<-'END'
		stty rows 33 cols 77
		exec srun --quiet --pty --container /cluster/bundle1000 -N1 sh -c "$(cat /cluster/out/inside)"
	END
	run -3 as_user 1000 script -qec 'sh /cluster/out/outside' /dev/null <<<word
	[[ "$output" == *"got word on /dev/"* ]] || { echo "$output"; return 1; }
}
