# SPDX-License-Identifier: Apache-2.0
# The effect of limits: on a program that exceeds its own, and between two containers. These cases change the machine
# (disk scheduler, swap, huge pages, an RDMA device), so they run only in the VM, and alone. Durations vary a lot there,
# so the bounds are wide, and shares of one resource are compared where possible.
load helpers

setup_file() {
	[ -n "${TARE_MACHINE_IS_OURS:-}" ] || return 0
	modprobe bfq
	modprobe rdma_rxe
}

# Skips the case unless the machine may be changed and has these controllers.
ours_with() {
	[ -n "${TARE_MACHINE_IS_OURS:-}" ] || skip "needs a machine that the tests may change"
	controllers "$@"
}

# The block device that holds the case's directory, and its number.
disk() {
	local number
	number=$(stat -c %d "$WORK")
	DEVICE=$((number >> 8)):$((number & 255))
	QUEUE=/sys/dev/block/$DEVICE/queue
	[ -e "$QUEUE/scheduler" ] || host_lacks "no disk below the tests"
}

teardown() {
	[ ! -e "$WORK/restore" ] || tac "$WORK/restore" | sh
	for id in $(tare list -q); do tare delete --force "$id"; done
	[ ! -d "$(cgroup_mount)/$ID.pair" ] || rmdir "$(cgroup_mount)/$ID.pair"
	end_case
}

# Registers a command that runs when the case is over, also if it failed.
restore() { # command
	echo "$1" >>"$WORK/restore"
}

set_machine() { # FILE VALUE
	restore "echo '$(sed 's/.*\[\(.*\)\].*/\1/' "$1")' >'$1'"
	echo "$2" >"$1"
}

# Two containers with the same root file system run the script at the same time, in cgroups of one parent, each with its
# own resources.
pair() { # RESOURCES RESOURCES SCRIPT
	mkdir "$(cgroup_mount)/$ID.pair"
	script "$3"
	local number=0 resources
	for resources in "$1" "$2"; do
		number=$((number + 1))
		config --arg path "/$ID.pair/$number" ".linux.cgroupsPath=\$path | .linux.resources=$resources | .process.env=[\"PATH=/bin\",\"NUMBER=$number\"]"
		create "$ID.$number" || { cat "$WORK/err"; return 1; }
	done
	tare start "$ID.1"
	tare start "$ID.2"
}

member() { # NUMBER FILE
	cat "$(cgroup_mount)/$ID.pair/$1/$2"
}

cpu_usage() { # NUMBER
	member "$1" cpu.stat | sed -n 's/^usage_usec //p'
}

bytes_read() { # NUMBER
	member "$1" io.stat | sed -n "s/^$DEVICE .*rbytes=\([0-9]*\).*/\1/p"
}

# How much of something each of the two consumes from now until that many seconds later, in $first and $second.
shares() { # seconds command
	local a b
	a=$($2 1) b=$($2 2)
	sleep "$1"
	first=$(($($2 1) - ${a:-0}))
	second=$(($($2 2) - ${b:-0}))
	echo "# $BATS_TEST_DESCRIPTION: $first and $second" >&3
}

limits() {
	config --arg path "$(named_path "$ID")" ".linux.cgroupsPath=\$path | .linux.resources=$1"
}

# Measures how many milliseconds the container takes.
takes() {
	local begin
	begin=$(date +%s%3N)
	tare run -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 || { cat "$WORK/out"; return 1; }
	milliseconds=$(($(date +%s%3N) - begin))
}

@test "cpu: two containers share a processor by their weights" {
	ours_with cpu cpuset
	pair '{cpu:{cpus:"0",shares:512}}' '{cpu:{cpus:"0",shares:20480}}' 'while :; do :; done'
	[ "$(member 2 cpu.weight)" -gt $((10 * $(member 1 cpu.weight))) ]
	shares 3 cpu_usage
	[ "$first" -gt 0 ]
	[ "$second" -gt $((3 * first)) ]
}

@test "cpu: an idle container gets what the other leaves over" {
	ours_with cpu cpuset
	pair '{cpu:{cpus:"0",idle:1}}' '{cpu:{cpus:"0"}}' 'while :; do :; done'
	[ "$(member 1 cpu.idle)" = 1 ]
	shares 3 cpu_usage
	[ "$second" -gt $((5 * first)) ]
}

@test "cpu: a quota limits the time, whether the other uses its own or not" {
	ours_with cpu
	pair '{cpu:{quota:10000,period:100000}}' '{}' 'while :; do :; done'
	shares 3 cpu_usage
	[ "$first" -gt 0 ]
	[ "$first" -lt 1000000 ]
	[ "$second" -gt $((2 * first)) ]
}

@test "cpu: unused quota can be used later, up to the burst" {
	ours_with cpu
	limits '{cpu:{quota:20000,period:100000,burst:20000}}'
	inside 'for n in 1 2 3; do sleep 1; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done; cat /sys/fs/cgroup/cpu.stat'
	[ "$(sed -n 's/^nr_bursts //p' <<<"$output")" -gt 0 ]
	limits '{cpu:{quota:20000,period:100000}}'
	inside 'for n in 1 2 3; do sleep 1; i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; done; cat /sys/fs/cgroup/cpu.stat'
	[ "$(sed -n 's/^nr_bursts //p' <<<"$output")" = 0 ]
}

@test "blockIO: two containers share a disk by their weights" {
	ours_with io
	disk
	set_machine "$QUEUE/scheduler" bfq
	set_machine "$QUEUE/iosched/low_latency" 0
	set_machine "$QUEUE/iosched/strict_guarantees" 1
	for number in 1 2; do dd if=/dev/zero of="$BUNDLE/rootfs/file$number" bs=1M count=64 status=none; done
	sync
	pair '{blockIO:{weight:10}}' '{blockIO:{weight:1000}}' 'while dd if=/file$NUMBER of=/dev/null bs=64k iflag=direct; do :; done 2>/dev/null'
	[ "$(member 1 io.bfq.weight)" = "default 10" ]
	[ "$(member 2 io.bfq.weight)" = "default 1000" ]
	sleep 1
	shares 5 bytes_read
	[ "$first" -gt 0 ]
	[ "$second" -gt $((2 * first)) ]
}

# Under the throttle the script takes at least that many milliseconds, most of them because of the throttle.
throttle() { # RESOURCES MILLISECONDS SCRIPT
	script "$3"
	limits '{}'
	takes
	local free=$milliseconds
	limits "$1"
	takes
	echo "# $BATS_TEST_DESCRIPTION: $milliseconds ms, without $free ms" >&3
	[ "$milliseconds" -ge "$2" ]
	[ "$milliseconds" -ge $((free + 1500)) ]
}

@test "blockIO: bytes per second, and operations per second" {
	ours_with io
	disk
	local of="[{major:${DEVICE%:*},minor:${DEVICE#*:},rate"
	dd if=/dev/zero of="$BUNDLE/rootfs/file" bs=1M count=4 status=none
	sync
	throttle "{blockIO:{throttleReadBpsDevice:$of:1048576}]}}" 2500 'dd if=/file of=/dev/null bs=64k iflag=direct'
	throttle "{blockIO:{throttleWriteBpsDevice:$of:1048576}]}}" 2500 'dd if=/dev/zero of=/file bs=64k count=64 conv=notrunc oflag=direct'
	throttle "{blockIO:{throttleReadIOPSDevice:$of:20}]}}" 2500 'dd if=/file of=/dev/null bs=64k iflag=direct'
	throttle "{blockIO:{throttleWriteIOPSDevice:$of:20}]}}" 2500 'dd if=/dev/zero of=/file bs=64k count=64 conv=notrunc oflag=direct'
}

@test "memory: the reservation is kept when another container needs memory" {
	ours_with memory
	for number in 1 2; do dd if=/dev/zero of="$BUNDLE/rootfs/file$number" bs=1M count=24 status=none; done
	dd if=/dev/zero of="$BUNDLE/rootfs/large" bs=1M count=192 status=none
	sync
	echo 3 >/proc/sys/vm/drop_caches
	script true
	pair '{memory:{reservation:33554432}}' '{}' 'cat /file$NUMBER >/dev/null; touch /ready$NUMBER; while [ ! -e /go$NUMBER ]; do sleep 0.1; done; cat /large >/dev/null; touch /done; sleep 1000'
	echo 64M >"$(cgroup_mount)/$ID.pair/memory.max"
	[ "$(member 1 memory.low)" = 33554432 ]
	for number in 1 2; do wait_for "[ -e $BUNDLE/rootfs/ready$number ]"; done
	kept() { member 1 memory.stat | sed -n 's/^file //p'; }
	[ "$(kept)" -ge 25000000 ]
	touch "$BUNDLE/rootfs/go2"
	for _ in $(seq 600); do [ ! -e "$BUNDLE/rootfs/done" ] || break; sleep 0.1; done
	[ -e "$BUNDLE/rootfs/done" ]
	echo "# $(kept) of 25165824 bytes are still there" >&3
	[ "$(kept)" -ge 24000000 ]
	# Again without a reservation.
	echo 0 >"$(cgroup_mount)/$ID.pair/1/memory.low"
	for _ in 1 2 3 4 5 6 7 8; do
		tare exec "$ID.2" sh -c 'cat /large >/dev/null'
		[ "$(kept)" -ge 20000000 ] || break
	done
	echo "# $(kept) without a reservation" >&3
	[ "$(kept)" -lt 20000000 ]
}

@test "memory: swap is available up to the limit of both, or not at all" {
	ours_with memory
	dd if=/dev/zero of="$WORK/swap" bs=1M count=128 status=none
	chmod 600 "$WORK/swap"
	mkswap "$WORK/swap" >/dev/null
	restore "swapoff $WORK/swap"
	swapon "$WORK/swap"
	# Random data, because the kernel does not write pages of zeros to swap.
	script 'dd if=/dev/urandom of=/dev/null bs=24M count=1 iflag=fullblock 2>/dev/null; echo $?; cat /sys/fs/cgroup/memory.peak /sys/fs/cgroup/memory.swap.peak'
	limits '{memory:{limit:8388608,swap:67108864}}'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" -le 8388608 ]
	[ "${lines[2]}" -ge 8388608 ]
	limits '{memory:{limit:8388608,swap:8388608}}'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = 137 ]
	[ "${lines[2]}" = 0 ]
}

@test "hugepageLimits: more pages than the limit cannot be reserved" {
	ours_with hugetlb
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	set_machine /proc/sys/vm/nr_hugepages 8
	[ "$(cat /proc/sys/vm/nr_hugepages)" = 8 ]
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin/"
	# mmap(2) of two pages and of three, private, anonymous and huge.
	config '.process.args=["probe","9:0:4194304:3:0x40022:-1:0","11:0:0","9:0:6291456:3:0x40022:-1:0"]'
	limits '{hugepageLimits:[{pageSize:"2MB",limit:6291456}]}'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "${lines[0]}" =~ ^9\ [0-9]+\ 0$ ]]
	[ "${lines[2]}" = "9 -1 12" ]
	config '.process.args=["probe","9:0:6291456:3:0x40022:-1:0"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[[ "$output" =~ ^9\ [0-9]+\ 0$ ]]
}

@test "rdma: more handles of a device than the limit cannot be opened" {
	ours_with rdma
	local dir
	restore "rdma link delete tare0; ip link delete tare-rdma"
	ip link add tare-rdma type dummy
	ip link set tare-rdma up
	rdma link add tare0 type rxe netdev tare-rdma
	limits '{rdma:{tare0:{hcaHandles:1,hcaObjects:4}}}'
	config '.process.args=["sleep","1000"]'
	create "$ID"
	dir=$(named_dir "$ID")
	[ "$(cat "$dir/rdma.max")" = "tare0 hca_handle=1 hca_object=4 " ]
	# ib_uverbs_get_context of rdma/ib_user_verbs.h, by a process in the container's cgroup. The second one exceeds
	# the limit.
	run -0 python3 - "$dir/cgroup.procs" /dev/infiniband/uverbs* <<'P'
import ctypes, os, struct, sys
files = [os.open(sys.argv[2], os.O_RDWR) for _ in range(2)]
open(sys.argv[1], 'w').write('0')
for fd in files:
    answer = ctypes.create_string_buffer(64)
    try:
        os.write(fd, struct.pack('=IHHQ', 0, 4, 2, ctypes.addressof(answer)))
        print('opened')
    except OSError as e:
        print(e.strerror)
P
	echo "$output"
	[ "$output" = $'opened\nResource temporarily unavailable' ]
	limits '{rdma:{tare0:{hcaHandles:1}}}'
	tare delete --force "$ID"
	create "$ID"
	[ "$(cat "$dir/rdma.max")" = "tare0 hca_handle=1 hca_object=max " ]
}
