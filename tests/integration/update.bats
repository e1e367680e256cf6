# SPDX-License-Identifier: Apache-2.0
# update. Files of the cgroup core exist on every host. Cases that need controllers name them.

load helpers

# A container that sleeps, in the cgroup /$ID, with resources.
start_with() {
	config --arg path "$(named_path "$ID")" --argjson r "$1" '.linux.cgroupsPath=$path | .linux.resources+=$r | .process.args=["sleep","1000"]'
	create "$ID" || { cat "$WORK/err"; return 1; }
	tare start "$ID"
}

# limit FILE VALUE: compares with the content of the cgroup's file.
limit() {
	local actual
	actual=$(cat "$(named_dir "$ID")/$1")
	[ "$actual" = "$2" ] || { echo "$1 is '$actual', not '$2'"; return 1; }
}

update() {
	run -0 tare update "$@"
	[ -z "$output" ]
}

# update_with JSON
update_with() {
	update -r - "$ID" <<<"$1"
}

@test "update reads a document from a file and from standard input" {
	start_with '{}'
	echo '{"unified":{"cgroup.max.depth":"5"}}' >"$WORK/resources"
	update --resources="$WORK/resources" "$ID"
	limit cgroup.max.depth 5
	update --resources=- "$ID" <<<'{"unified":{"cgroup.max.depth":"6"}}'
	limit cgroup.max.depth 6
	update --resources - "$ID" <<<'{"unified":{"cgroup.max.depth":"7"},"somethingNew":{"a":[1]},"devices":[{"allow":false,"access":"rwm"}]}'
	limit cgroup.max.depth 7
	# Device rules are unchanged.
	run -0 tare exec "$ID" sh -c 'echo >/dev/null'
	update_with '{}'
	update "$ID"
	limit cgroup.max.depth 7
}

@test "an error in the syntax of a document names the file, and unknown keys are warnings in the log" {
	start_with '{}'
	for document in '' '{' '{"cpu":{"shares":1' '[1,]'; do
		echo "$document" >"$WORK/resources"
		run -1 tare update -r "$WORK/resources" "$ID"
		[[ "$output" == "tare: update $ID: $WORK/resources: line "*", column "* ]] || { echo "$output"; return 1; }
		run -1 tare update -r - "$ID" <"$WORK/resources"
		[[ "$output" == "tare: update $ID: standard input: line "*", column "* ]] || { echo "$output"; return 1; }
	done
	# Errors with a JSON pointer and those of flags do not.
	run -1 tare update -r - "$ID" <<<'{"cpu":{"shares":"many"}}'
	[[ "$output" == "tare: update $ID: /cpu/shares: "* ]]
	run -1 tare update --cpu-idle 2 "$ID"
	[[ "$output" == "tare: update $ID: /cpu/idle: "* ]]
	echo '{"unified":{"cgroup.max.depth":"5"},"memroy":{"limit":1},"cpu":{"share":7,"x":1}}' >"$WORK/resources"
	run -0 tare --log "$WORK/log" update -r "$WORK/resources" "$ID"
	[ -z "$output" ]
	limit cgroup.max.depth 5
	sed 's/^time="[^"]*" //' "$WORK/log" | diff - <(for line in "/memroy: is an unknown key and has no effect (the nearest known key is 'memory')" \
		"/cpu/share: is an unknown key and has no effect (the nearest known key is 'shares')" \
		"/cpu/x: is an unknown key and has no effect"; do echo "level=warning msg=\"$WORK/resources: $line\""; done)
	# A refused update has one line in the log, its error.
	rm "$WORK/log"
	run -1 tare --log "$WORK/log" update -r - "$ID" <<<'{"memroy":{},"unified":{"cgroup.nothing":"1"}}'
	[ "$(wc -l <"$WORK/log")" = 1 ]
	# Keys of the specification that have no effect in cgroup v2 are known.
	tare --log "$WORK/log2" update -r - "$ID" <<<'{"devices":[],"blockIO":{},"memory":{},"cpu":{},"network":{},"hugepageLimits":[],"rdma":{}}'
	[ ! -s "$WORK/log2" ]
}

@test "an update that is refused changes nothing" {
	start_with '{"unified":{"cgroup.max.depth":"5","cgroup.max.descendants":"8"}}'
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6","cgroup.max.descendants":"9","cgroup.nothing":"1"}}'
	[[ "$output" == *"cannot set 'cgroup.nothing'"* ]]
	limit cgroup.max.depth 5
	limit cgroup.max.descendants 8
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6","cgroup.max.descendants":"many"}}'
	[[ "$output" == *"/unified/cgroup.max.descendants: cannot set 'cgroup.max.descendants' to 'many'"*"nvalid argument"* ]]
	limit cgroup.max.depth 5
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6"},"cpu":{"shares":"many"}}'
	[[ "$output" == */cpu/shares* ]]
	limit cgroup.max.depth 5
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6"},"memory":{"swappiness":10}}'
	[[ "$output" == *"/memory/swappiness: "*"no swappiness"* ]]
	limit cgroup.max.depth 5
}

@test "update of a created and of a paused container" {
	config --arg path "$(named_path "$ID")" '.linux.cgroupsPath=$path'
	create "$ID"
	update_with '{"unified":{"cgroup.max.depth":"5"}}'
	limit cgroup.max.depth 5
	tare pause "$ID"
	update_with '{"unified":{"cgroup.max.depth":"6"}}'
	limit cgroup.max.depth 6
	[ "$(status_of "$ID")" = paused ]
}

@test "update of a container that is not running, and of one that does not exist" {
	run -1 tare update nothing
	[[ "$output" == *"does not exist"* ]]
	start_with '{}'
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare update -r - "$ID" <<<'{}'
	[[ "$output" == *"container not running"* ]]
}

@test "invalid values and documents" {
	start_with '{}'
	for flag in --memory=1x --memory=-2 --memory-swap=much --memory-reservation= --cpu-share=-1 --cpu-quota=1.5 \
		--cpu-period=9h --pids-limit=some --cpu-idle=2 --blkio-weight=5 --blkio-weight=1001 --cpuset-cpus=a-b \
		--cpu-share=99999999999999999999; do
		run -1 tare update "$flag" "$ID"
		[ "${#lines[@]}" = 1 ]
	done
	run -1 tare update -r "$WORK/nothing" "$ID"
	[[ "$output" == *"cannot read resources from"*"o such file or directory"* ]]
	for document in '' '[]' '{' '{"cpu":{"shares":1},"cpu":{"shares":2}}'; do
		run -1 tare update -r - "$ID" <<<"$document"
	done
	# A whole configuration would change nothing, so it is refused. An unknown key is not an error.
	for document in "$(cat "$BUNDLE/config.json")" '{"linux":{"resources":{"unified":{"cgroup.max.depth":"3"}}}}' '{"linux":1}'; do
		run -1 tare update -r - "$ID" <<<"$document"
		[[ "$output" == *": /linux: is not a resource: expected is the value of /linux/resources, not a whole configuration"*"jq .linux.resources config.json)" ]]
	done
	limit cgroup.max.depth max
	for document in '{"linux":null}' '{"linus":{}}' '{"linux":{},"unified":{"cgroup.max.depth":"4"}}'; do
		update_with "$document"
	done
	limit cgroup.max.depth 4
	run -1 tare update -r - --memory 1g "$ID" <<<'{}'
	[[ "$output" == *"--memory cannot be used with --resources"* ]]
	for flag in --l3-cache-schema --mem-bw-schema; do
		run -1 tare update $flag "L3:0=f" "$ID"
		[[ "$output" == *"cannot use $flag: schemata are set when a container is created"*"/linux/intelRdt"* ]]
	done
	update --kernel-memory 1m "$ID"
	run -1 tare update --cpu-rt-runtime 1000 "$ID"
	[[ "$output" == *"/cpu/realtimeRuntime: "*"realtime"* ]]
}

@test "memory: sizes, no limit, and swap as the rest of the sum" {
	controllers memory
	start_with '{"memory":{"limit":33554432,"reservation":25165824}}'
	update --memory 64M "$ID"
	limit memory.max 67108864
	limit memory.low 25165824
	update --memory 50m "$ID"
	limit memory.max 52428800
	update --memory-reservation 32m "$ID"
	limit memory.low 33554432
	limit memory.max 52428800
	update --memory-swap 96M "$ID"
	limit memory.max 52428800
	limit memory.swap.max 48234496
	# The limit of memory and swap together stays.
	update --memory 64m "$ID"
	limit memory.max 67108864
	limit memory.swap.max 33554432
	run -1 tare update --memory 128m "$ID"
	[[ "$output" == *"memory+swap limit should be >= memory limit"*"100663296"* ]]
	limit memory.max 67108864
	update --memory 128m --memory-swap 128m "$ID"
	limit memory.max 134217728
	limit memory.swap.max 0
	# A container without swap gets none.
	for mib in 160 96; do
		update --memory ${mib}m "$ID"
		limit memory.max $((mib << 20))
		limit memory.swap.max 0
	done
	update --memory -1 "$ID"
	limit memory.max max
	limit memory.swap.max max
	run -1 tare update --memory-swap 96m "$ID"
	[[ "$output" == *"unable to set swap limit without memory limit"* ]]
	run -1 tare update --memory 64m --memory-swap 32m "$ID"
	[[ "$output" == *"memory+swap limit should be >= memory limit"* ]]
	limit memory.max max
	update --memory 64m --memory-swap -1 "$ID"
	limit memory.swap.max max
	update_with '{"memory":{"limit":-1,"reservation":-1}}'
	limit memory.max max
	limit memory.low max
}

@test "cpu: a quota keeps the period, and a period the quota" {
	controllers cpu
	start_with '{"cpu":{"quota":500000,"period":1000000,"shares":100}}'
	limit cpu.max "500000 1000000"
	update --cpu-quota 600000 "$ID"
	limit cpu.max "600000 1000000"
	update --cpu-period 900000 "$ID"
	limit cpu.max "600000 900000"
	update --cpu-quota -1 "$ID"
	limit cpu.max "max 900000"
	update --cpu-period 100000 "$ID"
	limit cpu.max "max 100000"
	update --cpu-period 10000 --cpu-quota 3000 "$ID"
	limit cpu.max "3000 10000"
	update --cpu-burst 2000 "$ID"
	limit cpu.max.burst 2000
	limit cpu.max "3000 10000"
	update_with '{"cpu":{"quota":0,"period":0,"shares":0,"cpus":"","mems":""}}'
	limit cpu.max "3000 10000"
}

@test "cpu: the errors for a quota below the burst, and a burst above the quota, name what else to set" {
	controllers cpu
	start_with '{"cpu":{"quota":50000,"period":100000,"burst":40000}}'
	run -1 tare update --cpu-quota 20000 "$ID"
	[[ "$output" == *"/cpu/quota: cannot set 'cpu.max' to '20000 100000': invalid argument (the quota must not be below the burst, which is 40000: set burst, too)"* ]]
	limit cpu.max "50000 100000"
	run -1 tare update --cpu-burst 60000 "$ID"
	[[ "$output" == *"/cpu/burst: cannot set 'cpu.max.burst' to '60000': invalid argument (the burst must not be above the quota, which is 50000: set quota, too)"* ]]
	limit cpu.max.burst 40000
	# As the errors advise.
	update --cpu-quota 20000 --cpu-burst 10000 "$ID"
	update --cpu-quota 80000 --cpu-burst 60000 "$ID"
	limit cpu.max "80000 100000"
	limit cpu.max.burst 60000
	# Too small with any burst.
	run -1 tare update --cpu-quota 10 --cpu-burst 0 "$ID"
	[[ "$output" == *"the kernel does not accept this value here"* ]]
}

@test "a cpuset of a cgroup with processes cannot become empty" {
	controllers cpuset
	start_with '{"cpu":{"cpus":"0"}}'
	run -1 tare update -r - "$ID" <<<'{"unified":{"cpuset.cpus":""}}'
	[[ "$output" == *"/unified/cpuset.cpus: cannot set 'cpuset.cpus' to '': no space left on device (a cgroup with processes cannot have an empty list: name all that it may use)"* ]]
	limit cpuset.cpus 0
}

@test "cpu: weight and idle" {
	controllers cpu
	start_with '{}'
	update --cpu-share 1024 "$ID"
	limit cpu.weight 100
	update --cpu-share 2 "$ID"
	limit cpu.weight 1
	update --cpu-idle 1 "$ID"
	limit cpu.idle 1
	run -1 tare update --cpu-share 100 "$ID"
	[[ "$output" == *"/cpu/shares: have no effect in a container that is idle"* ]]
	update --cpu-idle 0 "$ID"
	limit cpu.idle 0
	limit cpu.weight 100
	update --cpu-idle 1 "$ID"
	update --cpu-idle 0 --cpu-share 262144 "$ID"
	limit cpu.weight 10000
}

@test "a refused update of an idle container leaves it idle, and does not report its weight" {
	controllers cpu cpuset
	start_with '{"cpu":{"idle":1}}'
	run -1 tare update -r - "$ID" <<<'{"cpu":{"idle":0,"cpus":"4095"}}'
	[[ "$output" == *"cannot set 'cpuset.cpus'"* && "$output" != *"reset"* ]]
	limit cpu.idle 1
}

@test "pids, cpuset and block I/O" {
	controllers pids cpuset io
	start_with '{"pids":{"limit":20}}'
	limit pids.max 20
	update --pids-limit 10 "$ID"
	limit pids.max 10
	update --pids-limit -1 "$ID"
	limit pids.max max
	update --cpuset-cpus 0 --cpuset-mems 0 "$ID"
	limit cpuset.cpus 0
	limit cpuset.mems 0
	update --blkio-weight 1000 "$ID"
	[ -e "$(named_dir "$ID")/io.bfq.weight" ] || limit io.weight "default 10000"
	run -1 tare update --cpuset-cpus 0,9999 --pids-limit 7 "$ID"
	limit cpuset.cpus 0
	limit pids.max max
}

@test "limits that were written are restored if a later one is refused" {
	controllers memory cpu pids
	start_with '{"memory":{"limit":67108864},"cpu":{"shares":1024,"quota":5000,"period":100000},"pids":{"limit":30}}'
	# The kernel refuses a quota below 1 ms. All other limits are written before it.
	run -1 tare update --pids-limit 40 --memory 128m --cpu-share 2048 --cpu-quota 10 "$ID"
	[[ "$output" == *"/cpu/quota: cannot set 'cpu.max' to '10 100000'"* ]]
	limit pids.max 30
	limit memory.max 67108864
	limit cpu.weight 100
	limit cpu.max "5000 100000"
	update --cpu-share 2048 "$ID"
	before=$(cat "$(named_dir "$ID")/cpu.weight")
	run -1 tare update --cpu-idle 1 --cpu-quota 10 "$ID"
	limit cpu.idle 0
	limit cpu.weight "$before"
}

@test "a refused update restores a cpuset that was empty" {
	controllers cpuset
	start_with '{"cpu":{"shares":1024}}'
	before=$(cat "$(named_dir "$ID")/cpuset.cpus.effective")
	run -1 tare update -r - "$ID" <<<'{"cpu":{"cpus":"0"},"unified":{"cgroup.nothing":"1"}}'
	[[ "$output" != *"could not be reset"* ]] || { echo "$output"; return 1; }
	limit cpuset.cpus.effective "$before"
}

@test "an engine's whole document" {
	controllers memory cpu cpuset pids
	start_with '{}'
	update_with '{"devices":[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rwm"}],
		"memory":{"limit":67108864,"reservation":33554432,"swap":134217728,"kernel":0,"kernelTCP":0,"swappiness":0,"disableOOMKiller":false},
		"cpu":{"shares":512,"quota":20000,"period":100000,"realtimeRuntime":0,"realtimePeriod":0,"cpus":"0","mems":"0"},
		"pids":{"limit":100},"blockIO":{"weight":0},"hugepageLimits":[],"network":{}}'
	limit memory.max 67108864
	limit memory.swap.max 67108864
	limit memory.low 33554432
	limit cpu.max "20000 100000"
	limit cpuset.cpus 0
	limit pids.max 100
	run -0 tare exec "$ID" sh -c 'echo >/dev/null; head -c 1 /dev/zero | wc -c'
	[ "$output" = 1 ]
}

@test "update without the controller names the missing one" {
	start_with '{"unified":{"cgroup.max.depth":"5"}}'
	run -1 tare update -r - "$ID" <<<'{"unified":{"cgroup.max.depth":"6","nosuch.max":"1"}}'
	[[ "$output" == *"cannot use controller 'nosuch'"* ]]
	limit cgroup.max.depth 5
}
