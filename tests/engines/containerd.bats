# SPDX-License-Identifier: Apache-2.0
# containerd, called by ctr.
load common

# Removal of tasks and containers has its own commands, so this file has no use for the engine's `rm`.
ctrs() {
	timeout --foreground 300 ctr -a "$WORK/containerd.sock" "$@" 3>&-
}

begin_engine() {
	export RUNTIME
	begin_containerd
}

missing() {
	command -v ctr >/dev/null || echo "no ctr"
}

end_engine() {
	end_daemon containerd
}

remove_all() {
	ctrs task ls -q | while read -r id; do ctrs task rm -f "$id" >/dev/null 2>&1 || true; done
	ctrs container ls -q | xargs -r -n 1 timeout 300 ctr -a "$WORK/containerd.sock" container rm
}

created() { # FLAGS... -- COMMAND...
	local flags words
	divide "$@"
	ctrs run --rm --runc-binary "$RUNTIME" --env PATH=/bin "${flags[@]}" --rootfs "$WORK/rootfs" "n$RANDOM" "${words[@]}"
}

gives() { # EXPECTED FLAGS... -- COMMAND...
	run created "${@:2}"
	printed "$1"
}

begin_idle() { # FLAGS...
	: >"$CASE/begun"
	ctrs run -d --runc-binary "$RUNTIME" --env PATH=/bin "$@" --rootfs "$WORK/rootfs" "$C" \
		sh -c 'trap "exit 3" TERM; sleep 1000 & wait'
}

answers() { # EXPECTED FLAGS... -- COMMAND...
	local flags words
	divide "${@:2}"
	run ctrs task exec --exec-id "e$RANDOM" "${flags[@]}" "$C" "${words[@]}"
	printed "$1"
}

task_status() {
	ctrs task ls | awk -v id="$C" '$1 == id { print $3 }'
}

# bats test_tags=core
@test "run: output and exit status" {
	gives hello -- echo hello
	run -7 created -- sh -c 'exit 7'
}

@test "run: a missing program" {
	run ! created -- /no/such/program
	[[ "$output" == *"/no/such/program"* ]]
}

@test "run -t: a terminal" {
	type -P script >/dev/null || not_here "no script(1)"
	export -f ctrs created divide
	run -0 env SHELL=/bin/bash script -qec 'created -t -- sh -c "test -t 0 && test -t 1 && echo terminal"' /dev/null
	[[ "$output" == *terminal* ]]
}

@test "run: --user, --cwd, --env" {
	gives $'33\n34\n/tmp\nb' --user 33:34 --cwd /tmp --env A=b -- sh -c 'id -u; id -g; pwd; echo $A'
}

@test "run: --cap-add, --cap-drop, --privileged" {
	gives 1 --cap-drop CAP_CHOWN --cap-add CAP_SYS_ADMIN -- \
		sh -c 'c=0x$(sed -n "s/^CapEff:\t//p" /proc/self/status); echo $(((c & 1) == 0 && (c >> 21 & 1) == 1))'
	gives "$(all_capabilities)" --privileged -- grep CapEff /proc/self/status
}

@test "run: --read-only, --mount, --device" {
	echo mounted >"$CASE/file"
	gives $'refused\nmounted\n4' --read-only --mount "type=bind,src=$CASE/file,dst=/tmp/file,options=rbind:ro" --device /dev/loop-control -- \
		sh -c 'touch /x 2>/dev/null || echo refused; cat /tmp/file; test -c /dev/loop-control && head -c 4 /dev/zero | wc -c'
}

@test "run: --hostname, --net-host" {
	gives "box $(readlink /proc/self/ns/net)" --hostname box --net-host -- sh -c 'echo $(hostname) $(readlink /proc/self/ns/net)'
}

@test "limits: --memory-limit, --cpus, by systemd and by the runtime" {
	local cgroup2=type=cgroup2,src=cgroup,dst=/sys/fs/cgroup,options=ro
	# Without a cgroup namespace the mount shows all cgroups.
	local limits='path=$(cat /proc/self/cgroup); cd "/sys/fs/cgroup${path#0::}" && cat memory.max cpu.max'
	gives $'67108864\n50000 100000' --memory-limit 67108864 --cpus 0.5 --mount "$cgroup2" -- sh -c "$limits"
	[ -d /run/systemd/system ] || not_here "no systemd"
	gives $'67108864\n50000 100000' --runc-systemd-cgroup --cgroup "system.slice:ctr:$C" --memory-limit 67108864 --cpus 0.5 \
		--mount "$cgroup2" -- sh -c "$limits"
}

# bats test_tags=core
@test "--seccomp: the engine's profile" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	gives $'39 1 0\n298 -1 1\n600 -1 38' --seccomp -- probe 39 298:0:0:0:0:0 600
	gives '298 -1 14' -- probe 298:0:0:0:0:0
}

@test "a task's life: run -d, exec, pause, resume, kill" {
	begin_idle
	answers sh -- cat /proc/1/comm
	answers $'33\n/tmp' --user 33 --cwd /tmp -- sh -c 'id -u; pwd'
	run -5 ctrs task exec --exec-id other "$C" sh -c 'exit 5'
	ctrs task pause "$C"
	prints PAUSED task_status
	ctrs task resume "$C"
	prints RUNNING task_status
	run -0 ctrs task ps "$C"
	[ "${#lines[@]}" -ge 2 ]
	ctrs task kill -s TERM "$C"
	wait_for '[ "$(task_status)" = STOPPED ]'
	run -3 ctrs task rm "$C" || [ "$status" = 0 ]
	ctrs container rm "$C"
}

@test "task metrics" {
	begin_idle --memory-limit 67108864
	run -0 ctrs task metrics --format json "$C"
	jq -e '.memory.usage_limit == 67108864 and .memory.usage > 0 and .pids.current > 0' <<<"$output" >/dev/null
}

# bats test_tags=core
@test "task checkpoint" {
	command -v criu >/dev/null || not_here "no criu"
	begin_idle
	run -0 ctrs task checkpoint --image-path "$CASE/images" "$C"
	[ -s "$CASE/images/inventory.img" ]
}

# An image of containerd's store, where the shim mounts the layers.
image() {
	: >"$CASE/begun"
	many_layers "$CASE/many.tar" localhost/many:latest
	ctrs images import "$CASE/many.tar" >/dev/null
}

@test "an image of 101 layers" {
	image
	run -0 ctrs run --rm --runc-binary "$RUNTIME" localhost/many:latest "$C" sh -c 'ls -d /layer* | wc -l'
	[ "$output" = 100 ]
}

@test "an image in a user namespace: --uidmap, --gidmap" {
	image
	run -0 ctrs run --rm --runc-binary "$RUNTIME" --uidmap 0:100000:65536 --gidmap 0:200000:65536 localhost/many:latest "$C" \
		sh -c 'for f in uid gid; do set -- $(cat /proc/self/${f}_map); echo $*; done; stat -c %u:%g /bin/busybox'
	[ "$output" = $'0 100000 65536\n0 200000 65536\n0:0' ]
}
