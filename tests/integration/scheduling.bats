# SPDX-License-Identifier: Apache-2.0
# Scheduler, I/O priority, memory policy and personality, as the program gets them from the kernel (tools/facts.c).
load helpers

# facts FACT...: runs a program that prints these facts.
facts() {
	cp "$TOOLS/facts" "$BUNDLE/rootfs/bin/facts"
	config '.process.args=["facts"]+$ARGS.positional' --args "$@"
	run_container
}

# scheduler JSON WANTED: policy, flags, nice, priority; for SCHED_DEADLINE followed by runtime, deadline and period.
scheduler() {
	config ".process.scheduler=$1"
	facts scheduler
	[[ "$output " == "$2 "* ]] || { echo "$1: '$output', not '$2'"; return 1; }
}

@test "scheduler: every policy" {
	scheduler '{policy:"SCHED_OTHER",nice:5}' "0 0 5 0"
	scheduler '{policy:"SCHED_OTHER",nice:-5}' "0 0 -5 0"
	scheduler '{policy:"SCHED_BATCH",nice:19}' "3 0 19 0"
	scheduler '{policy:"SCHED_BATCH"}' "3 0 0 0"
	scheduler '{policy:"SCHED_IDLE"}' "5 0 0 0"
	chrt -f 1 true 2>/dev/null || host_lacks "no real-time processes in this cgroup"
	scheduler '{policy:"SCHED_FIFO",priority:10}' "1 0 0 10"
	scheduler '{policy:"SCHED_RR",priority:99}' "2 0 0 99"
	scheduler '{policy:"SCHED_DEADLINE",runtime:5000000,deadline:20000000,period:30000000}' "6 0 0 0 5000000 20000000 30000000"
	# Without a period, the kernel uses the deadline.
	scheduler '{policy:"SCHED_DEADLINE",runtime:5000000,deadline:20000000}' "6 0 0 0 5000000 20000000 20000000"
}

@test "scheduler: every flag" {
	# RESET_ON_FORK is 1, RECLAIM 2, DL_OVERRUN 4. The other flags state what is to be kept.
	scheduler '{policy:"SCHED_BATCH",nice:3,flags:["SCHED_FLAG_RESET_ON_FORK"]}' "3 1 3 0"
	scheduler '{policy:"SCHED_BATCH",nice:3,flags:["SCHED_FLAG_KEEP_POLICY"]}' "0 0 3 0"
	# The kernel reads the policy only if it reads the parameters.
	scheduler '{policy:"SCHED_BATCH",nice:3,flags:["SCHED_FLAG_KEEP_PARAMS"]}' "0 0 0 0"
	scheduler '{policy:"SCHED_DEADLINE",runtime:5000000,deadline:20000000,flags:["SCHED_FLAG_RECLAIM","SCHED_FLAG_DL_OVERRUN"]}' "6 6 0 0 5000000"
	# Not every kernel has utilization clamps. Without them the kernel returns an error.
	for flag in SCHED_FLAG_UTIL_CLAMP_MIN SCHED_FLAG_UTIL_CLAMP_MAX; do
		config --arg f $flag '.process.scheduler={policy:"SCHED_BATCH",flags:[$f]} | .process.args=["facts","scheduler"]'
		run tare run -b "$BUNDLE" "$ID"
		[[ "$status $output" == "0 3 0 "* || "$status $output" == "1 "*"/process/scheduler: cannot set the scheduler: operation not supported"* ]] ||
			{ echo "$output"; return 1; }
	done
}

@test "scheduler: what the kernel or the caller's rights do not permit is an error, and leaves nothing" {
	# A policy that no kernel has implemented.
	config '.process.scheduler={policy:"SCHED_ISO"} | .process.args=["true"]'
	run_container "" 1
	[[ "$output" == *"/process/scheduler: cannot set the scheduler: invalid argument"* ]]
	[ ! -e "$ROOT/$ID" ]
	refused() { # scheduler, hint, program that calls tare
		config ".process.scheduler=$1"
		run -1 setpriv --inh-caps -sys_nice --bounding-set -sys_nice ${3:-} "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/process/scheduler: cannot set the scheduler: operation not permitted ($2)" ]] || { echo "$output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
	}
	refused '{policy:"SCHED_OTHER",nice:-5}' "nice -5 is below the caller's: it needs CAP_SYS_NICE or RLIMIT_NICE"
	# Without a value it is 0.
	refused '{policy:"SCHED_BATCH"}' "nice 0 is below the caller's: it needs CAP_SYS_NICE or RLIMIT_NICE" "nice -n 5"
	refused '{policy:"SCHED_FIFO",priority:3}' "priority 3 needs CAP_SYS_NICE, or an RLIMIT_RTPRIO of the caller that permits it"
	refused '{policy:"SCHED_DEADLINE",runtime:5000000,deadline:20000000}' "SCHED_DEADLINE needs CAP_SYS_NICE"
}

@test "scheduler and I/O priority also apply in a user namespace" {
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]
		| .linux.gidMappings=.linux.uidMappings | .process.ioPriority={class:"IOPRIO_CLASS_RT",priority:2}'
	scheduler '{policy:"SCHED_OTHER",nice:-7}' "0 0 -7 0"
	facts ioprio
	[ "$output" = "1 2 1 2" ]
}

@test "I/O priority: every class, of the process and its group" {
	for case in "RT 0 1" "RT 7 1" "BE 0 2" "BE 7 2" "IDLE 0 3"; do
		# shellcheck disable=SC2086
		set -- $case
		config --arg c "IOPRIO_CLASS_$1" --argjson p "$2" '.process.ioPriority={class:$c,priority:$p}'
		facts ioprio
		[ "$output" = "$3 $2 $3 $2" ] || { echo "$case: $output"; return 1; }
	done
}

# mempolicy JSON WANTED: the mode with its flags, and the nodes.
mempolicy() {
	config ".linux.memoryPolicy=$1"
	facts mempolicy
	[ "$output" = "$2" ] || { echo "$1: '$output', not '$2'"; return 1; }
}

@test "memory policy: every mode" {
	mempolicy '{mode:"MPOL_DEFAULT"}' "0 0"
	mempolicy '{mode:"MPOL_PREFERRED",nodes:"0"}' "1 0x1"
	mempolicy '{mode:"MPOL_BIND",nodes:"0"}' "2 0x1"
	mempolicy '{mode:"MPOL_INTERLEAVE",nodes:"0"}' "3 0x1"
	mempolicy '{mode:"MPOL_LOCAL"}' "4 0"
	# set_mempolicy(2): MPOL_PREFERRED without nodes means the local node.
	mempolicy '{mode:"MPOL_PREFERRED",nodes:""}' "4 0"
	mempolicy '{mode:"MPOL_PREFERRED"}' "4 0"
	mempolicy '{mode:"MPOL_PREFERRED_MANY",nodes:"0"}' "5 0x1"
	# Since Linux 6.9.
	[ -e /sys/kernel/mm/mempolicy/weighted_interleave ] || host_lacks "no weighted interleaving"
	mempolicy '{mode:"MPOL_WEIGHTED_INTERLEAVE",nodes:"0"}' "6 0x1"
}

@test "memory policy: every flag, and nodes that do not exist" {
	# NUMA_BALANCING 8192, RELATIVE_NODES 16384, STATIC_NODES 32768
	mempolicy '{mode:"MPOL_BIND",nodes:"0",flags:["MPOL_F_NUMA_BALANCING"]}' "8194 0x1"
	mempolicy '{mode:"MPOL_BIND",nodes:"0",flags:["MPOL_F_RELATIVE_NODES"]}' "16386 0x1"
	mempolicy '{mode:"MPOL_INTERLEAVE",nodes:"0",flags:["MPOL_F_STATIC_NODES"]}' "32771 0x1"
	mempolicy '{mode:"MPOL_BIND",nodes:"0",flags:["MPOL_F_STATIC_NODES","MPOL_F_NUMA_BALANCING"]}' "40962 0x1"
	config '.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"900"}'
	run_container "" 1
	[[ "$output" == *"/linux/memoryPolicy: cannot set the memory policy: invalid argument (a node of the list does not exist, or none has memory and is in the cgroup's cpuset)" ]] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
}

@test "personality: each domain, or the caller's" {
	cp "$TOOLS/facts" "$BUNDLE/rootfs/bin/facts"
	script 'facts personality; uname -m'
	machine=$(uname -m)
	for case in "LINUX 0 $machine" "LINUX32 8 $(setarch linux32 uname -m)"; do
		# shellcheck disable=SC2086
		set -- $case
		config --arg d "$1" '.linux.personality={domain:$d}'
		for caller in linux32 linux64; do
			run -0 setarch $caller "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
			[ "$output" = "$2"$'\n'"$3" ] || { echo "$case from $caller: $output"; return 1; }
		done
	done
	[ "$machine" != "$(setarch linux32 uname -m)" ]
	config 'del(.linux.personality)'
	run -0 setarch linux32 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "${lines[0]}" = 8 ]
	config '.linux.personality={domain:"LINUX",flags:["ADDR_NO_RANDOMIZE"]}'
	run_container "" 1
	[[ "$output" == *"/linux/personality/flags/0: unknown personality flag 'ADDR_NO_RANDOMIZE'"* ]]
}

@test "execCPUAffinity does not affect the container's own program" {
	[ "$(nproc)" -ge 2 ] || not_here "needs two cpus"
	config '.process.execCPUAffinity={"initial":"1","final":"1"} | .process.args=["grep","Cpus_allowed_list","/proc/self/status"]'
	run_container
	[ "$output" = "$(grep Cpus_allowed_list /proc/self/status)" ]
}
