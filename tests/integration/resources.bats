# SPDX-License-Identifier: Apache-2.0
# linux.resources as files of the cgroup, and as what a process experiences. Most of it needs a host with all
# controllers in cgroup v2. Each case names the controllers that it needs.

load helpers

# Adds to the resources, and gives the container the cgroup /$ID.
limits() {
	config --arg path "$(named_path "$ID")" ".linux.cgroupsPath=\$path | .linux.resources+=$1"
}

created() {
	create "$ID" || { cat "$WORK/err"; return 1; }
}

again() {
	tare delete --force "$ID"
	created
}

# limit FILE VALUE: compares with the content of the cgroup's file.
limit() {
	local actual
	actual=$(cat "$(named_dir "$ID")/$1")
	[ "$actual" = "$2" ] || { echo "$1 is '$actual', not '$2'"; return 1; }
}

# Creation fails with these words in its error, and leaves nothing.
refused() {
	run -1 tare create -b "$BUNDLE" "$ID"
	for words in "$@"; do
		[[ "$output" == *"$words"* ]] || { echo "$output"; return 1; }
	done
	[ ! -e "$(named_dir "$ID")" ]
	[ -z "$(tare list -q)" ]
}

@test "memory: limit, reservation, and swap" {
	controllers memory
	limits '{memory:{limit:33554432,swap:67108864,reservation:16777216}}'
	created
	limit memory.max 33554432
	limit memory.swap.max 33554432
	limit memory.low 16777216
	limits '{memory:{limit:33554432,swap:33554432}}'
	again
	limit memory.swap.max 0
	limit memory.low 0
	limits '{memory:{limit:33554432,swap:-1}}'
	again
	limit memory.max 33554432
	limit memory.swap.max max
	limits '{memory:{limit:-1,swap:8192,reservation:-1}}'
	again
	limit memory.max max
	limit memory.swap.max 8192
	limit memory.low max
}

@test "memory: more than the limit cannot be allocated" {
	controllers memory
	limits '{memory:{limit:8388608,swap:8388608}}'
	inside 'dd if=/dev/zero of=/dev/null bs=1M count=1 2>/dev/null; echo $?
		dd if=/dev/zero of=/dev/null bs=32M count=1 2>/dev/null; echo $?'
	[[ "$output" == *0$'\n'*137 ]]
}

@test "memory: a container starts and runs with 256 KiB" {
	controllers memory
	config '.process.args=["/bin/true"]'
	limits '{memory:{limit:262144}}'
	for _ in 1 2 3 4 5 6 7 8; do
		run -0 tare run -b "$BUNDLE" "$ID"
	done
	# Also with a filter of the size that engines use, installed before or after the change of user.
	config --slurpfile filter "$BATS_TEST_DIRNAME/../seccomp/profile.json" '.linux.seccomp=$filter[0]'
	for late in true false; do
		config --argjson late $late '.process.noNewPrivileges=$late'
		run -0 tare run -b "$BUNDLE" "$ID"
	done
	config 'del(.linux.seccomp)'
	config '.linux.namespaces+=[{"type":"user"},{"type":"time"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	run -0 tare run -b "$BUNDLE" "$ID"
	config '.process.terminal=true'
	run -0 tare run -b "$BUNDLE" "$ID"
}

@test "memory: an init that was killed by the OOM killer is reported as that" {
	controllers memory
	limits '{memory:{limit:65536}}'
	for _ in 1 2 3 4 5; do
		refused "container init was OOM-killed (memory limit too low?)"
	done
	for bytes in 4096 20480; do
		limits "{memory:{limit:$bytes}}"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"container init was OOM-killed (memory limit too low?)" ||
			"$output" == *" (memory.max of cgroup '"*"' is $bytes bytes, and was reached)" ]] || { echo "$output"; return 1; }
	done
	config 'del(.linux.resources.memory)'
	limits '{unified:{"memory.max":"64K"}}'
	refused "container init was OOM-killed (memory limit too low?)"
}

@test "memory: an exec that does not fit reports why" {
	controllers memory
	config '.process.args=["sleep","100"]'
	limits '{memory:{limit:1048576,swap:1048576}}'
	created
	tare start "$ID"
	# The OOM killer must choose the new process, not the existing ones.
	echo -1000 >"/proc/$(tare state "$ID" | jq .pid)/oom_score_adj" || host_lacks "oom_score_adj cannot be lowered"
	echo 65536 >"$(named_dir "$ID")/memory.max"
	run -255 tare exec "$ID" true
	[[ "$output" == *" (OOM kills in the container's cgroup: "[1-9]")" ||
		"$output" == *" (memory.max of cgroup '"*"' is 65536 bytes, and was reached)" ]] || { echo "$output"; return 1; }
	[ "$(tare state "$ID" | jq -r .status)" = running ]
}

@test "memory: checkBeforeUpdate refuses a limit below what is in use" {
	not_systemd
	controllers memory
	local dir
	dir=$(named_dir "$ID")
	mkdir "$dir"
	grep -qw memory "$dir/cgroup.controllers" || { rmdir "$dir"; host_lacks "memory is not enabled for child cgroups"; }
	# The content of a tmpfs stays charged to the cgroup of the process that wrote it.
	sh -c "echo \$\$ >$dir/cgroup.procs; exec dd if=/dev/zero of=/dev/shm/$ID bs=1M count=4" 2>/dev/null
	limits '{memory:{limit:1048576,checkBeforeUpdate:true}}'
	run -1 tare create -b "$BUNDLE" "$ID"
	rm "/dev/shm/$ID"
	[[ "$output" == *"/linux/resources/memory/limit: cannot set a limit of 1048576 bytes: 'memory.current' is "* ]]
	[ "$(cat "$dir/memory.max")" = max ]
	limits '{memory:{limit:33554432,checkBeforeUpdate:true}}'
	created
	limit memory.max 33554432
	tare delete --force "$ID"
	rmdir "$dir"
}

@test "a cgroup that existed before stays, whatever happens to the container" {
	not_systemd
	local dir
	dir=$(cgroup_mount)/$ID
	mkdir "$dir"
	limits '{unified:{"cgroup.max.depth":"5"}}'
	run -0 tare run -b "$BUNDLE" "$ID"
	limits '{unified:{"cgroup.nonsense":"1"}}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[ -d "$dir" ]
	config 'del(.linux.resources.unified)'
	created
	tare delete --force "$ID"
	rmdir "$dir"
}

# Limits, owner, freezer and device rules: the content of every writable file.
snapshot() { # DIR
	find "$1" -maxdepth 1 -type f -perm -600 ! -name '*.pressure' ! -name '*.peak' ! -name cgroup.procs \
		! -name cgroup.threads | sort | while read -r file; do
		echo "${file##*/} $(cat "$file" 2>/dev/null)"
	done
	stat -c '%n %u' "$1" "$1/cgroup.procs"
}

# Whether device rules deny a process of the host in the cgroup a device that no rule allows.
is_denied() { # DIR
	[ -e "$WORK/device" ] || mknod "$WORK/device" c 240 77
	LC_ALL=C sh -c 'echo $$ >"$1/cgroup.procs" && : <"$2"' sh "$1" "$WORK/device" 2>&1 | grep -q 'Operation not permitted'
}

@test "a cgroup that existed before gets its own limits back when the container is removed" {
	not_systemd
	local dir
	dir=$(cgroup_mount)/$ID
	mkdir "$dir"
	echo 7 >"$dir/cgroup.max.depth"
	[ ! -e "$dir/memory.max" ] || echo 67108864 >"$dir/memory.max"
	[ ! -e "$dir/cpu.max" ] || echo "20000 100000" >"$dir/cpu.max"
	snapshot "$dir" >"$WORK/before"
	config '.mounts+=[{destination:"/sys/fs/cgroup",type:"cgroup2",source:"c",options:["rw"]}] | .process.user.uid=1000'
	limits '{unified:{"cgroup.max.depth":"5"},devices:[{allow:false,access:"rwm"}]}'
	if [ -e "$dir/memory.max" ]; then
		config '.linux.resources+={memory:{limit:33554432,swap:33554432},cpu:{quota:50000,period:50000,burst:1000,idle:1}}'
	fi
	created
	limit cgroup.max.depth 5
	[ "$(stat -c %u "$dir/cgroup.procs")" = 1000 ]
	is_denied "$dir"
	tare pause "$ID"
	tare delete --force "$ID"
	run ! is_denied "$dir"
	snapshot "$dir" | diff "$WORK/before" -
	# After a failed creation, and after containers that were killed.
	config '.linux.resources.unified={"cgroup.max.depth":"6","cgroup.nonsense":"1"}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cgroup.nonsense"* ]]
	snapshot "$dir" | diff "$WORK/before" -
	# Of two containers that were not deleted, the first one's saved state counts.
	config 'del(.linux.resources.unified["cgroup.nonsense"])'
	for id in "$ID" "$ID.next"; do
		create "$id"
		tare kill "$id" KILL
		wait_for '[ "$(status_of "$id")" = stopped ]'
	done
	tare delete "$ID"
	limit cgroup.max.depth 6
	tare delete "$ID.next"
	snapshot "$dir" | diff "$WORK/before" -
	rmdir "$dir"
}

@test "memory: OOM kills in a cgroup are reported for the container that was in it then" {
	not_systemd
	controllers memory
	config '.process.args=["sleep","1000"]'
	limits '{}'
	created
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	[ "$(tare state "$ID" | jq .oomKills)" = 0 ]
	config '.process.args=["dd","if=/dev/zero","of=/dev/null","bs=64M","count=1"]'
	limits '{memory:{limit:8388608,swap:8388608}}'
	run -137 tare run --keep -b "$BUNDLE" "$ID.next"
	[ "$(tare state "$ID.next" | jq .oomKills)" = 1 ]
	[ "$(tare state "$ID" | jq .oomKills)" = null ]
	tare delete "$ID"
	tare delete "$ID.next"
}

@test "pids: a limit, none, and zero" {
	controllers pids
	limits '{pids:{limit:7}}'
	created
	limit pids.max 7
	limits '{pids:{limit:-1}}'
	again
	limit pids.max max
	limits '{pids:{limit:0}}'
	again
	limit pids.max 0
	tare delete --force "$ID"
	script '(:); echo "not reached"'
	run tare run -b "$BUNDLE" "$ID"
	[ "$status" -ne 0 ]
	[[ "$output" == *"can't fork"* ]]
	limits '{pids:{limit:1}}'
	inside 'echo "alone"'
	[ "$output" = alone ]
	config 'del(.linux.resources.pids)'
	limits '{unified:{"pids.max":"0"}}'
	inside 'echo "alone"'
	limits '{pids:{limit:0},unified:{"pids.max":"3"}}'
	created
	limit pids.max 3
	# One process exists, so no process can be added.
	config 'del(.linux.resources.unified)'
	limits '{pids:{limit:1}}'
	again
	run -255 tare exec "$ID" true
	[[ "$output" == *"resource temporarily unavailable (pids.max of cgroup '"*"' is 1: starting a process needs up to two more)" ]]
}

@test "pids: the cgroup above, or the caller's own, is named if its limit is reached" {
	not_systemd
	controllers pids
	local above
	above=$(named_dir "$ID.above")
	config '.process.args=["true"]'
	mkdir "$above"
	echo 0 >"$above/pids.max"
	config --arg path "/$ID.above/x" '.linux.cgroupsPath=$path'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": resource temporarily unavailable (pids.max of cgroup '$above' is 0: starting a process needs up to two more)" ]] || { echo "$output"; return 1; }
	echo 1 >"$above/pids.max"
	# shellcheck disable=SC2016
	run -1 sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$above" "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[[ "$output" == *": resource temporarily unavailable (pids.max of cgroup '$above' is 1: starting a process needs up to two more)" ]] || { echo "$output"; return 1; }
	rmdir "$above"
}

@test "cpu: weight, bandwidth, burst, idle" {
	controllers cpu
	limits '{cpu:{shares:2048,quota:20000,period:50000,burst:10000}}'
	created
	limit cpu.weight 174
	limit cpu.max "20000 50000"
	limit cpu.max.burst 10000
	limits '{cpu:{shares:2,quota:-1,period:200000}}'
	again
	limit cpu.weight 1
	limits '{cpu:{quota:30000}}'
	again
	limit cpu.weight 100
	limit cpu.max "30000 100000"
	limits '{cpu:{idle:1,shares:1024}}'
	again
	limit cpu.idle 1
}

@test "cpu: a quota slows a program down" {
	controllers cpu
	limits '{cpu:{quota:10000,period:100000}}'
	inside 'i=0; until [ $i = 1000 ] || grep -q "^nr_throttled [1-9]" /sys/fs/cgroup/cpu.stat; do i=$((i+1)); done
		cat /sys/fs/cgroup/cpu.stat'
	throttled=$(sed -n 's/^nr_throttled //p' <<<"$output")
	[ "$throttled" -gt 0 ]
}

@test "cpuset: cpus and mems" {
	controllers cpuset
	limits '{cpu:{cpus:"0",mems:"0"}}'
	created
	limit cpuset.cpus 0
	limit cpuset.mems 0
	tare delete --force "$ID"
	inside 'grep -E "^(Cpus|Mems)_allowed_list" /proc/self/status'
	[ "${lines[0]##*$'\t'}" = 0 ]
	[ "${lines[1]##*$'\t'}" = 0 ]
	limits '{cpu:{cpus:"4000"}}'
	refused "/linux/resources/cpu/cpus: cannot set 'cpuset.cpus' to '4000'"
}

@test "blockIO: throttles of a device, weights" {
	controllers io
	local dev
	dev=$(cat /sys/block/[svn]*/dev | head -n 1)
	[ -n "$dev" ] || host_lacks "no block device"
	limits "{blockIO:{throttleReadBpsDevice:[{major:${dev%:*},minor:${dev#*:},rate:1048576}],
		throttleWriteIOPSDevice:[{major:${dev%:*},minor:${dev#*:},rate:100}]}}"
	created
	limit io.max "$dev rbps=1048576 wbps=max riops=max wiops=100"
	limits "{blockIO:{throttleReadBpsDevice:[{major:4095,minor:77,rate:1}]}}"
	tare delete --force "$ID"
	refused "/linux/resources/blockIO/throttleReadBpsDevice/0: cannot set 'io.max' to '4095:77 rbps=1'" "no such device"
	limits '{blockIO:{weight:500}}'
	if [ -e "$(dirname "$(find "$(cgroup_mount)" -mindepth 2 -maxdepth 2 -name io.stat | head -n 1)")/io.bfq.weight" ]; then
		created
		limit io.bfq.weight "default 500"
	elif [ -e "$(dirname "$(find "$(cgroup_mount)" -mindepth 2 -maxdepth 2 -name io.stat | head -n 1)")/io.weight" ]; then
		created
		limit io.weight "default 4950"
	else
		refused "/linux/resources/blockIO/weight: cannot set 'io.weight': the cgroup has no such file"
	fi
}

@test "hugepageLimits: reservations are limited" {
	controllers hugetlb
	limits '{hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	created
	limit hugetlb.2MB.rsvd.max 4194304
	[ "$(cat "$(named_dir "$ID")/hugetlb.2MB.max")" != 4194304 ]
	limits '{hugepageLimits:[{pageSize:"3MB",limit:4194304}]}'
	tare delete --force "$ID"
	refused "/linux/resources/hugepageLimits/0: cannot set 'hugetlb.3MB.max': the cgroup has no such file (this host has huge pages of these sizes: "
	[[ "$output" == *" 2MB"* && "$output" != *"too old"* ]]
}

@test "rdma: a device that does not exist is an error" {
	controllers rdma
	limits '{rdma:{nodev0:{hcaHandles:3,hcaObjects:4}}}'
	refused "/linux/resources/rdma/nodev0: cannot set 'rdma.max' to 'nodev0 hca_handle=3 hca_object=4'"
}

@test "unified: written last, line by line" {
	controllers hugetlb
	limits '{unified:{"hugetlb.2MB.max":"2097152\n6291456\n","cgroup.max.depth":"3"}}'
	created
	limit hugetlb.2MB.max 6291456
	limit cgroup.max.depth 3
	limits '{unified:{"hugetlb.2MB.rsvd.max":"2097152"},hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	again
	limit hugetlb.2MB.rsvd.max 2097152
}

@test "unified: memory.high and memory.oom.group" {
	controllers memory
	limits '{unified:{"memory.high":"64M","memory.oom.group":"1","memory.max":"128M"},memory:{limit:1000000000}}'
	created
	limit memory.high 67108864
	limit memory.oom.group 1
	limit memory.max 134217728
}

@test "unified: files that do not exist, or are the runtime's, are refused by name" {
	limits '{unified:{"nonsense.max":"1"}}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[ "$output" = "tare: create $ID: /linux/resources: cannot use controller 'nonsense': cgroup '/' does not have it" ] || { echo "$output"; return 1; }
	# Also where systemd makes the cgroup.
	for manager in cgroupfs systemd; do
		[ $manager = cgroupfs ] || config 'del(.linux.cgroupsPath)'
		run -1 tare --cgroup-manager $manager check -b "$BUNDLE" --format json
		jq -e '[.findings[]|select(.message|test("nonsense"))|{kind,where,message,hint}]==[{"kind":"unsupported","where":"/linux/resources","message":"cannot use controller '"'nonsense'"': cgroup '"'/'"' does not have it","hint":""}]' <<<"$output" || { echo "$output"; return 1; }
	done
	config 'del(.linux.resources.unified)'
	limits '{unified:{"cgroup.nonsense":"1"}}'
	refused "/linux/resources/unified/cgroup.nonsense: cannot set 'cgroup.nonsense': the cgroup has no such file"
	limits '{unified:{"cgroup.max.depth":"deep"}}'
	refused "/linux/resources/unified/cgroup.max.depth: cannot set 'cgroup.max.depth' to 'deep': invalid argument"
	limits '{unified:{"cgroup.procs":"1"}}'
	refused "/linux/resources/unified/cgroup.procs" "only the runtime writes this file"
	limits '{unified:{"../cgroup.max.depth":"1"}}'
	refused "/linux/resources/unified"
}

@test "a controller that no hierarchy has: the error and check name what the kernel lists" {
	for name in rdma misc ""; do
		[ -n "$name" ] || skip "the hierarchy has both controllers"
		grep -qw "$name" "$(cgroup_mount)/cgroup.controllers" /proc/self/cgroup || break
	done
	cp /proc/cgroups "$WORK/without"
	sed -i "/^$name/d" "$WORK/without"
	{ cat "$WORK/without" && printf '%s\t0\t1\t0\n' "$name"; } >"$WORK/disabled"
	{ cat "$WORK/without" && printf '%s\t0\t1\t1\n' "$name"; } >"$WORK/enabled"
	limits "{unified:{\"$name.max\":\"1\"}}"
	error="cannot use controller '$name': cgroup '/' does not have it"
	listed() { # without, disabled or enabled; tare's arguments
		unshare -m sh -c 'mount --bind "$1" /proc/cgroups && shift && exec "$@"' . "$WORK/$1" "$TARE" --root "$ROOT" "${@:2}"
	}
	for row in "without| (this kernel is built without it: boot another one)" "disabled| (the kernel's command line disables it: remove cgroup_disable=$name)" "enabled|"; do
		run -1 listed "${row%%|*}" create -b "$BUNDLE" "$ID"
		[ "$output" = "tare: create $ID: /linux/resources: $error${row#*|}" ] || { echo "$output"; return 1; }
		run -1 listed "${row%%|*}" check -b "$BUNDLE"
		[[ "$output" == *"/linux/resources: $error${row#*|}"* ]] || { echo "$output"; return 1; }
	done
}

@test "only the requested controllers are enabled, on the whole path" {
	not_systemd
	controllers hugetlb
	limits '{hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	config --arg id "$ID" '.linux.cgroupsPath="/"+$id+"/a/b"'
	created
	[ "$(cat "$(named_dir "$ID")/cgroup.subtree_control")" = hugetlb ]
	[ "$(cat "$(named_dir "$ID")/a/cgroup.subtree_control")" = hugetlb ]
	[ -z "$(cat "$(named_dir "$ID")/a/b/cgroup.subtree_control")" ]
	limit a/b/hugetlb.2MB.rsvd.max 4194304
	tare delete --force "$ID"
	[ ! -e "$(named_dir "$ID")" ]
	config 'del(.linux.resources.hugepageLimits)'
	created
	[ -z "$(cat "$(named_dir "$ID")/cgroup.subtree_control")" ]
}

@test "controllers cannot be enabled in a cgroup with processes: the error names the cgroup" {
	not_systemd
	controllers hugetlb
	local dir
	dir=$(named_dir "$ID")
	mkdir "$dir"
	sleep 60 3>&- &
	local pid=$!
	echo $pid >"$dir/cgroup.procs"
	limits '{hugepageLimits:[{pageSize:"2MB",limit:4194304}]}'
	config --arg id "$ID" '.linux.cgroupsPath="/"+$id+"/x"'
	run -1 tare create -b "$BUNDLE" "$ID"
	kill $pid
	wait $pid || true
	[[ "$output" == *"cannot enable controller 'hugetlb' in cgroup.subtree_control of cgroup '/$ID'"*"has processes of its own"* ]]
	[ ! -e "$dir/x" ]
	rmdir "$dir"
}

@test "a container in a threaded domain: only threaded controllers can be used" {
	not_systemd
	local dir
	dir=$(named_dir "$ID")
	mkdir "$dir" "$dir/first"
	echo threaded >"$dir/first/cgroup.type"
	config --arg id "$ID" '.linux.cgroupsPath="/"+$id+"/a/b" | .process.args=["sleep","100"]'
	created
	[ "$(cat "$dir/a/b/cgroup.type")" = threaded ]
	tare start "$ID"
	run -0 tare delete --force "$ID"
	[ ! -e "$dir/a" ]
	config '.linux.resources.hugepageLimits=[{"pageSize":"2MB","limit":4194304}]'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot use controller 'hugetlb' in cgroup '/$ID/a/b': it is part of a threaded domain"* ]]
	[ ! -e "$dir/a" ]
	rmdir "$dir/first" "$dir"
}

@test "values that request nothing need nothing" {
	not_systemd
	limits '{memory:{limit:-1,swap:-1,kernel:-1,kernelTCP:0,swappiness:0,disableOOMKiller:false},
		cpu:{shares:0,quota:-1,realtimeRuntime:0},pids:{limit:-1},blockIO:{weight:0,leafWeight:0},network:{classID:0}}'
	config --arg id "$ID" '.linux.cgroupsPath="/"+$id+"/x"'
	created
	[ -z "$(cat "$(named_dir "$ID")/cgroup.subtree_control")" ]
}

# The owner of a file of the container's cgroup.
owner() {
	stat -c %u "$(named_dir "$ID")${1:+/$1}"
}

# The files of the cgroup that a user owns, in the order of sort(1).
owners() { # UID
	(cd "$(named_dir "$ID")" && find . -maxdepth 1 -user "$1" | sed 's|^[.]/||' | sort)
}

@test "the container's user owns its cgroup if the container can write to it" {
	config '.linux.namespaces|=map(select(.type!="cgroup"))+[{"type":"cgroup"}] | .process.user.uid=1234
		| .mounts|=map(select(.destination!="/sys/fs/cgroup"))
		+[{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid"]}]'
	limits '{}'
	! grep -qw memory "$(cgroup_mount)/cgroup.controllers" || limits '{memory:{limit:33554432}}'
	created
	[ "$(owner)" = 1234 ]
	while read -r file; do
		[ ! -e "$(named_dir "$ID")/$file" ] || [ "$(owner "$file")" = 1234 ]
	done < <(cat /sys/kernel/cgroup/delegate 2>/dev/null || printf '%s\n' cgroup.procs cgroup.subtree_control cgroup.threads)
	[ "$(owner cgroup.procs)" = 1234 ]
	[ "$(owner cgroup.freeze)" = 0 ]
	# Mounted read-only, not the container's own, or not mounted: the owner does not change.
	config '(.mounts[]|select(.destination=="/sys/fs/cgroup").options)+=["ro"]'
	again
	[ "$(owner)" = 0 ]
	config '(.mounts[]|select(.destination=="/sys/fs/cgroup").options)-=["ro"] | .linux.namespaces|=map(select(.type!="cgroup"))'
	again
	[ "$(owner)" = 0 ]
	config '.mounts|=map(select(.destination!="/sys/fs/cgroup")) | .linux.namespaces+=[{"type":"cgroup"}]'
	again
	[ "$(owner)" = 0 ]
}

@test "the kernel decides which files the container's user owns; without its list they are three" {
	config '.linux.namespaces|=map(select(.type!="cgroup"))+[{"type":"cgroup"}] | .process.user.uid=1234
		| .mounts|=map(select(.destination!="/sys/fs/cgroup"))
		+[{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid"]}]'
	limits '{}'
	real=$TARE
	mkdir "$WORK/kernel"
	cat >"$WORK/tare" <<-EOF
		#!/bin/sh
		exec unshare -m --propagation private sh -c 'mount --bind "\$0" /sys/kernel/cgroup && exec "\$@"' $WORK/kernel $real "\$@"
	EOF
	chmod +x "$WORK/tare"
	TARE=$WORK/tare
	created
	[ "$(owners 1234)" = "$(printf '%s\n' . cgroup.procs cgroup.subtree_control cgroup.threads)" ]
	[ "$(owners 0)" = "$(cd "$(named_dir "$ID")" && ls -A | grep -vxE 'cgroup.(procs|threads|subtree_control)' | sort)" ]
	printf 'cgroup.max.depth\nnot.there\ncgroup.procs\n' >"$WORK/kernel/delegate"
	again
	[ "$(owners 1234)" = "$(printf '%s\n' . cgroup.max.depth cgroup.procs)" ]
	[ "$(owners 0)" = "$(cd "$(named_dir "$ID")" && ls -A | grep -vxE 'cgroup.(procs|max.depth)' | sort)" ]
}

@test "root of a user namespace can make child cgroups of its cgroup, and of no other" {
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config '.linux.namespaces|=map(select(.type!="cgroup"))+[{"type":"cgroup"},{"type":"user"}]
		| .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings
		| .mounts|=map(select(.destination!="/sys/fs/cgroup"))
		+[{"destination":"/sys/fs/cgroup","type":"cgroup","source":"cgroup","options":["nosuid"]}]'
	limits '{}'
	created
	[ "$(owner)" = 100000 ]
	tare delete --force "$ID"
	inside 'cd /sys/fs/cgroup; stat -c %u . cgroup.procs; mkdir a a/b && echo 0 >a/b/cgroup.procs && cat /proc/self/cgroup
		echo max >cgroup.max.depth 2>/dev/null || echo not mine'
	[ "${lines[0]} ${lines[1]}" = "0 0" ]
	[[ "$output" == *"0::/a/b"*"not mine"* ]]
	[ ! -e "$(named_dir "$ID")" ]
}

@test "intelRdt: the class, and what is written to it, for each combination" {
	plan() { # JSON, what the plan says of it
		config ".linux.intelRdt=$1"
		run -0 tare plan -b "$BUNDLE"
		[ "$(sed -n 's/^parent  *resctrl  *//p' <<<"$output")" = "$2" ] || { echo "$1: $(grep resctrl <<<"$output")"; return 1; }
	}
	plan '{}' "new container"
	plan '{l3CacheSchema:"L3:0=f",memBwSchema:"MB:0=20",schemata:["L2:0=3","L3:1=7"]}' "new container with L3:0=f,MB:0=20,L2:0=3,L3:1=7"
	plan '{closID:"gold"}' "gold"
	plan '{closID:"gold",memBwSchema:"MB:0=20"}' "gold with MB:0=20"
	plan '{closID:"gold",enableMonitoring:true}' "gold monitored as container"
	plan '{closID:"/"}' "/"
	plan '{closID:"/",schemata:["MB:0=20"],enableMonitoring:true}' "/ with MB:0=20 monitored as container"
	config 'del(.linux.intelRdt)'
	run -0 tare plan -b "$BUNDLE"
	[[ "$output" != *resctrl* ]]
}

@test "intelRdt without resctrl is refused by name, and leaves nothing" {
	[ "$(stat -fc %t /sys/fs/resctrl 2>/dev/null)" != 7655821 ] || skip "this host has resctrl"
	config '.linux.intelRdt={"l3CacheSchema":"L3:0=f","enableMonitoring":true}'
	refused "/linux/intelRdt: cannot use /sys/fs/resctrl: resctrl is not mounted there"
	run -1 tare check -b "$BUNDLE" --format json
	jq -e '[.findings[]|{kind,where}]==[{"kind":"unsupported","where":"/linux/intelRdt"}]' <<<"$output" || { echo "$output"; return 1; }
}
