# SPDX-License-Identifier: Apache-2.0
# Scopes of systemd, and containers without a cgroup. Other cases that involve a cgroup also pass with
# TARE_MANAGER=systemd: vm/suite-inside lists their files.

load helpers

has_systemd() {
	[ -d /run/systemd/system ] || host_lacks "systemd does not run here"
}

# The container's cgroup is that of the unit $UNIT.
unit() {
	has_systemd
	UNIT=tare-$ID.scope
	DIR=$(cgroup_mount)/tare.slice/$UNIT
	config --arg p "tare.slice:tare:$ID" '.linux.cgroupsPath=$p | .process.args=["sleep","1000"]'
}

loaded() {
	systemctl list-units --all --no-legend --plain "tare-t$$.*" "libpod-t$$.*"
}

nothing_left() {
	[ ! -e "$DIR" ]
	[ -z "$(loaded)" ] || { loaded; return 1; }
}

teardown() {
	end_case
	[ ! -d /run/systemd/system ] || [ -z "$(loaded)" ] || { loaded; return 1; }
}

property() { # NAME VALUE
	actual=$(systemctl show -P "$1" "$UNIT")
	[ "$actual" = "$2" ] || { echo "$1 is '$actual', not '$2'"; return 1; }
}

@test "a container is a scope of systemd, until it is deleted" {
	unit
	TARE_MANAGER=systemd create "$ID"
	[ "$(sed -n 's/^0:://p' "/proc/$(pid_of "$ID")/cgroup")" = "${DIR#"$(cgroup_mount)"}" ]
	[ "$(cat "$DIR/cgroup.procs")" = "$(pid_of "$ID")" ]
	[[ "$(systemctl show -P Description "$UNIT")" == "tare container $ID, created "* ]]
	property Slice tare.slice
	property Delegate yes
	property MemoryAccounting yes
	property ActiveState active
	tare start "$ID"
	run -0 tare exec "$ID" cat /proc/self/cgroup
	[ "${lines[0]}" = 0::/ ]
	tare pause "$ID"
	[ "$(status_of "$ID")" = paused ]
	tare resume "$ID"
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare delete "$ID"
	[ -z "$output" ]
	nothing_left
}

watchers() {
	pgrep -fx "tare watch $ID"
}

unwatched() {
	wait_for '! watchers'
}

# A field of /proc/PID/status.
status_line() { # pid name
	sed -n "s/^$2:[[:space:]]*//p" "/proc/$1/status"
}

@test "a process with no privileges and nothing open reads a scope's counters before systemd removes them" {
	unit
	config '.linux.resources.memory={limit:33554432}'
	TARE_MANAGER=systemd create "$ID"
	run -0 watchers
	pid=$output
	[ "$(cd "/proc/$pid/fd" && echo *)" = '0 1 2 3' ]
	for set in CapInh CapPrm CapEff CapAmb; do [ "$(status_line "$pid" $set)" = 0000000000000000 ]; done
	[ "$(status_line "$pid" NoNewPrivs)" = 1 ]
	[ "$(status_line "$pid" Threads)" = 1 ]
	[ "$(readlink "/proc/$pid/cwd")" = / ]
	[[ "$(readlink "/proc/$pid/exe")" == "/memfd:tare"* ]]
	[ "$(cat "/proc/$pid/cgroup")" = "$(cat /proc/self/cgroup)" ]
	[ "$(cat "$DIR/cgroup.procs")" = "$(pid_of "$ID")" ]
	# It has its own session, and few private pages.
	[ "$(cut -d' ' -f6 "/proc/$pid/stat")" = "$pid" ]
	[ "$(status_line "$pid" RssAnon | tr -dc 0-9)" -le 40 ]
	# Without capabilities even a process of the same user may not inspect it.
	run -1 setpriv --bounding-set -all --inh-caps -all readlink "/proc/$pid/fd/0"
	tare start "$ID"
	[ "$(watchers)" = "$pid" ]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	unwatched
	run -0 tare delete "$ID"
	[ -z "$output" ]
	nothing_left
}

@test "a scope has no watcher if run waits for it, or if it has no memory limit" {
	unit
	config '.linux.resources={pids:{limit:50}}'
	TARE_MANAGER=systemd create "$ID"
	unwatched
	tare delete --force "$ID"
	config '.linux.resources.memory={limit:33554432}'
	TARE_MANAGER=systemd tare run -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
	wait_for '[ "$(status_of "$ID")" = running ]'
	run ! watchers
	tare delete --force "$ID"
	wait $! || true
	TARE_MANAGER=systemd tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	run -0 watchers
	tare delete --force "$ID"
	unwatched
	nothing_left
}

@test "a scope's watcher exits when the creation fails, and the container works without it" {
	unit
	config '.linux.resources.memory={limit:33554432}'
	run ! env TARE_MANAGER=systemd "$TARE" --root "$ROOT" --systemd-cgroup create --pid-file "$WORK/none/pid" -b "$BUNDLE" "$ID"
	[[ "$output" == *"$WORK/none/pid"* ]]
	unwatched
	nothing_left
	TARE_MANAGER=systemd create "$ID"
	kill -KILL "$(watchers)"
	tare start "$ID"
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -0 tare state "$ID"
	jq -e 'has("oomKills")|not' <<<"$output"
	tare delete "$ID"
	nothing_left
}

@test "a scope's watcher that cannot be started is an error, and nothing is left" {
	command -v strace >/dev/null || not_here "needs strace"
	unit
	config '.linux.resources.memory={limit:33554432}'
	local count
	# The watcher's memfd and clone are the last ones of a creation.
	for call in memfd_create:EMFILE:'too many open files' clone3:EAGAIN:'resource temporarily unavailable'; do
		IFS=: read -r name errno words <<<"$call"
		strace -o "$WORK/trace" -e trace="$name" "$TARE" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
		run -0 watchers
		tare delete --force "$ID"
		count=$(grep -c "^$name" "$WORK/trace")
		run -1 strace -o "$WORK/trace" -e trace="$name" -e inject="$name:error=$errno:when=$count" "$TARE" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$ID"
		[[ "$output" == "tare: create $ID: cannot "*": $words"* ]]
		unwatched
		run ! tare state "$ID"
		nothing_left
	done
}

@test "delete --force of a container with a damaged record stops its scope and all its processes" {
	unit
	for pids in own host; do
		[ $pids = own ] || config '.linux.namespaces|=map(select(.type!="pid"))'
		# All processes ignore TERM, which systemd sends first.
		script 'trap "" TERM; sleep 1000 & exec sleep 1000'
		for what in garbage ""; do
			TARE_MANAGER=systemd create "$ID"
			tare start "$ID"
			wait_for '[ "$(wc -l <"$DIR/cgroup.procs")" = 2 ]'
			pid=$(pid_of "$ID")
			echo "$what" >"$ROOT/$ID/record"
			run -1 tare delete "$ID"
			# systemd waits 90 seconds for processes that ignore TERM.
			SECONDS=0
			run -0 tare delete --force "$ID"
			[ "$SECONDS" -lt 80 ]
			run ! kill -0 "$pid"
			[ ! -e "$ROOT/$ID" ]
			nothing_left
		done
	done
}

@test "run removes the scope with the container, and returns its status" {
	unit
	script 'exit 7'
	TARE_MANAGER=systemd run -7 tare run -b "$BUNDLE" "$ID"
	nothing_left
	config 'del(.linux.cgroupsPath)'
	script 'cat /proc/self/cgroup | grep ^0; ls /sys/fs/cgroup/memory.max'
	run -0 "$TARE" --root "$ROOT" --systemd-cgroup run -b "$BUNDLE" "$ID"
	[ "$output" = $'0::/\n/sys/fs/cgroup/memory.max' ]
	nothing_left
}

@test "limits are the same after a reload of systemd" {
	unit
	config '.linux.resources+={memory:{limit:67108864,swap:100663296,reservation:33554432},pids:{limit:23},
		cpu:{shares:2048,quota:200000,period:100000,cpus:"0",mems:"0"},unified:{"memory.high":"50331648","memory.oom.group":"1"}}'
	TARE_MANAGER=systemd create "$ID"
	files="memory.max memory.swap.max memory.low memory.high memory.oom.group pids.max cpu.weight cpu.max cpuset.cpus cpuset.mems"
	before=$(cd "$DIR" && grep . $files)
	[[ "$before" == *"memory.max:67108864"*"memory.swap.max:33554432"*"pids.max:23"*"cpu.max:200000 100000"*"cpuset.cpus:0"* ]]
	systemctl daemon-reload
	[ "$(cd "$DIR" && grep . $files)" = "$before" ]
	property MemoryMax 67108864
	property TasksMax 23
	property CPUQuotaPerSecUSec 2s
	property AllowedCPUs 0
	property OOMPolicy kill
	tare update --memory 83886080 --memory-swap 83886080 --pids-limit 1 --cpu-quota 12345 "$ID"
	before=$(cd "$DIR" && grep . $files)
	[[ "$before" == *"memory.max:83886080"*"memory.swap.max:0"*"pids.max:1"*"cpu.max:12345 100000"* ]]
	property MemoryMax 83886080
	property MemorySwapMax 0
	property TasksMax 1
	tare update --cpu-quota 20000 "$ID"
	before=$(cd "$DIR" && grep . $files)
	systemctl daemon-reload
	[ "$(cd "$DIR" && grep . $files)" = "$before" ]
}

@test "a quota without a period uses the current period, for systemd too" {
	unit
	config '.linux.resources+={cpu:{quota:20000,period:20000},unified:{"cpu.max":"50000"}}'
	TARE_MANAGER=systemd create "$ID"
	for quota in 50000 30000 max; do
		[ $quota = 50000 ] || tare update -r - "$ID" <<<'{"unified":{"cpu.max":"'$quota'"}}'
		[ "$(cat "$DIR/cpu.max")" = "$quota 20000" ]
		property CPUQuotaPeriodUSec 20ms
		systemctl daemon-reload
		[ "$(cat "$DIR/cpu.max")" = "$quota 20000" ]
	done
}

@test "systemd gets limits in any notation of the kernel's, and a weight that was not configured" {
	unit
	config '.linux.resources+={cpu:{shares:512},unified:{"pids.max":"0x10","memory.max":"0x4000000"}}'
	TARE_MANAGER=systemd create "$ID"
	property TasksMax 16
	property MemoryMax 67108864
	weight=$(cat "$DIR/cpu.weight")
	[ "$weight" != 100 ]
	tare update -r - "$ID" <<<'{"cpu":{"idle":0}}'
	property CPUWeight "$weight"
	systemctl set-property --runtime "$UNIT" CPUQuota=50%
	[ "$(cat "$DIR/cpu.weight")" = "$weight" ]
	# sched(7): nice 5 is 335 where nice 0 is 1024.
	tare update -r - "$ID" <<<'{"unified":{"cpu.weight.nice":"5"}}'
	[ "$(cat "$DIR/cpu.weight")" = 33 ]
	property CPUWeight 33
	systemctl set-property --runtime "$UNIT" CPUQuota=40%
	[ "$(cat "$DIR/cpu.weight")" = 33 ]
}

@test "systemd gets the limit of zswap writeback" {
	unit
	config '.linux.resources+={pids:{limit:23},unified:{"memory.zswap.writeback":"0"}}'
	TARE_MANAGER=systemd create "$ID"
	property MemoryZSwapWriteback no
	tare update --pids-limit 50 --memory 64m "$ID"
	[ "$(cat "$DIR/memory.zswap.writeback")" = 0 ]
	systemctl daemon-reload
	systemctl set-property --runtime "$UNIT" MemoryHigh=48M
	[ "$(cat "$DIR/memory.zswap.writeback")" = 0 ]
	tare update -r - "$ID" <<<'{"unified":{"memory.zswap.writeback":"1"}}'
	[ "$(cat "$DIR/memory.zswap.writeback")" = 1 ]
	property MemoryZSwapWriteback yes
	echo "and what it was, if systemd refuses the rest"
	run -1 tare update -r - "$ID" <<<'{"unified":{"memory.zswap.writeback":"0","memory.high":"0"}}'
	[ "$(cat "$DIR/memory.zswap.writeback")" = 1 ]
	property MemoryZSwapWriteback yes
}

# A copy of tare with a tare-systemd that runs the script. $REAL is the real tare-systemd.
with_systemd() { # script
	mkdir -p "$WORK/bin"
	cp "$TARE" "$WORK/bin/tare"
	printf '#!/bin/sh\nREAL=%s\n%s\n' "$(dirname "$TARE")/tare-systemd" "$1" >"$WORK/bin/tare-systemd"
	chmod 755 "$WORK/bin/tare-systemd"
}

@test "an update that systemd or the kernel refuses leaves everything as it was" {
	unit
	config '.linux.resources+={memory:{limit:67108864},pids:{limit:23},cpu:{shares:2048,quota:12345,period:100000}}'
	TARE_MANAGER=systemd create "$ID"
	files="memory.max memory.high memory.swap.max pids.max cpu.weight cpu.idle cpu.max cpuset.cpus.effective"
	properties="MemoryMax MemoryHigh MemorySwapMax TasksMax CPUWeight CPUQuotaPerSecUSec CPUQuotaPeriodUSec AllowedCPUs"
	state() {
		(cd "$DIR" && grep . $files)
		for name in $properties; do systemctl show -p "$name" "$UNIT"; done
		cat "$ROOT/$ID/record"
		echo "end of the record"
	}
	before=$(state)
	[[ "$before" == *"cpu.max:12345 100000"*"TasksMax=23"* ]]
	echo "systemd cannot be reached"
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/none run -1 tare update --pids-limit 40 --memory 128m --cpu-quota 23456 "$ID"
	[[ "$output" == *"cannot reach systemd"* ]]
	diff <(echo "$before") <(state)
	echo "systemd refuses what the kernel accepts"
	run -1 tare update -r - "$ID" <<<'{"pids":{"limit":40},"cpu":{"quota":23456},"unified":{"memory.high":"0"}}'
	[[ "$output" == *"cannot set the properties of unit $UNIT"*MemoryHigh* ]]
	diff <(echo "$before") <(state)
	echo "the kernel accepts what systemd cannot express"
	run -1 tare update -r - "$ID" <<<'{"pids":{"limit":40},"unified":{"cpuset.cpus":"all"}}'
	[[ "$output" == *"/unified/cpuset.cpus: cannot express 'all' of 'cpuset.cpus' as a property of systemd (write it in plain numbers)"* ]]
	diff <(echo "$before") <(state)
	echo "systemd has set the properties, and its answer is lost"
	with_systemd '"$REAL" "$@" || exit; [ -e '"$WORK/once"' ] || { touch '"$WORK/once"'; echo lost >&2; exit 1; }'
	run -1 "$WORK/bin/tare" --root "$ROOT" update --pids-limit 40 --memory 128m --cpu-quota 23456 --cpu-share 512 --cpuset-cpus 0 "$ID"
	[[ "$output" == *": lost"* ]]
	diff <(echo "$before") <(state)
	echo "the kernel refuses a value that it accepted before"
	with_systemd 'cd '"$DIR"'; [ ! -e '"$WORK/twice"' ] || echo 0 >cpu.max.burst; "$REAL" "$@" || exit
		[ -e '"$WORK/twice"' ] || { touch '"$WORK/twice"'; echo 500000 100000 >cpu.max; echo 400000 >cpu.max.burst; }'
	run -1 "$WORK/bin/tare" --root "$ROOT" update --pids-limit 40 --memory 128m --cpu-quota 23456 "$ID"
	[[ "$output" == *"cannot reset 'cpu.max', which systemd has changed, to '23456 100000'"* ]]
	diff <(echo "$before") <(state)
	tare update --pids-limit 40 "$ID"
	[ "$(cat "$DIR/pids.max")" = 40 ]
	property TasksMax 40
	echo "other limits stay exact"
	tare update --cpu-share 512 "$ID"
	[ "$(cat "$DIR/cpu.max")" = "12345 100000" ]
}

@test "init starts under a limit of one process, and of none" {
	unit
	for limit in 1 0; do
		config --argjson n $limit '.linux.resources.pids.limit=$n'
		TARE_MANAGER=systemd create "$ID"
		[ "$(cat "$DIR/pids.max")" = $limit ]
		property TasksMax 1
		tare delete --force "$ID"
		nothing_left
	done
}

@test "a limit that systemd gets last keeps the others exact" {
	unit
	for late in '{pids:{limit:1}}' '{pids:{limit:0}}' '{memory:{limit:524288}}'; do
		config ".linux.resources=$late"'+{cpu:{shares:2048,quota:12345,period:100000},unified:{"cpuset.cpus":"0"}}'
		TARE_MANAGER=systemd create "$ID" || { cat "$WORK/err"; return 1; }
		[ "$(cat "$DIR/cpu.max")" = "12345 100000" ]
		[ "$(cat "$DIR/cpuset.cpus")" = 0 ]
		case $late in
		*limit:0*) [ "$(cat "$DIR/pids.max")" = 0 ] ;;
		*limit:1*) [ "$(cat "$DIR/pids.max")" = 1 ] ;;
		*) [ "$(cat "$DIR/memory.max")" = 524288 ]; property MemoryMax 524288 ;;
		esac
		tare delete --force "$ID"
		nothing_left
	done
}

@test "hooks see only init, and their own processes, in the scope" {
	unit
	printf '#!/bin/sh\nexec cat %s/cgroup.procs >>%s/seen.$1\n' "$DIR" "$WORK" >"$WORK/hook"
	chmod 755 "$WORK/hook"
	config '.linux.resources.pids.limit=2'
	for kind in prestart createRuntime createContainer; do
		rm -f "$WORK"/seen.*
		config --arg h "$WORK/hook" --arg k $kind '.hooks={($k):[{path:$h,args:["hook",$k]}]}'
		TARE_MANAGER=systemd create "$ID" || { cat "$WORK/err"; return 1; }
		expected=1
		[ $kind != createContainer ] || expected=2
		[ "$(wc -l <"$WORK/seen.$kind")" = $expected ]
		[ "$(cat "$DIR/cgroup.procs")" = "$(pid_of "$ID")" ]
		tare delete --force "$ID"
	done
	nothing_left
}

@test "device rules are in effect, and still are after a reload" {
	unit
	config '.linux.resources.devices=[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":1,"minor":3,"access":"rw"}] | .process.args=["sleep","1000"] | .process.capabilities.bounding+=["CAP_MKNOD"] | .process.capabilities.effective+=["CAP_MKNOD"] | .process.capabilities.permitted+=["CAP_MKNOD"]'
	TARE_MANAGER=systemd create "$ID"
	tare start "$ID"
	tare exec "$ID" sh -c 'mknod /mem c 1 1'
	systemctl daemon-reload
	run ! tare exec "$ID" sh -c 'exec 3</mem'
	[[ "$output" == *"Operation not permitted"* ]]
	run -0 tare exec "$ID" sh -c 'echo x >/dev/null'
}

@test "annotations are properties of the unit" {
	unit
	config '.annotations={"org.systemd.property.TimeoutStopUSec":"uint64 7000000","org.systemd.property.KillSignal":"15","org.systemd.property.RuntimeMaxSec":"3600","org.systemd.property.Documentation":"[\u0027man:a(1)\u0027, \u0027man:b(1)\u0027]"}'
	TARE_MANAGER=systemd create "$ID"
	property TimeoutStopUSec 7s
	property KillSignal 15
	property RuntimeMaxUSec 1h
	property Documentation '"man:a(1)" "man:b(1)"'
	tare delete --force "$ID"
	config '.annotations={"org.systemd.property.NoSuchThing":"true"}'
	TARE_MANAGER=systemd run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot start unit $UNIT"*NoSuchThing* ]]
	nothing_left
}

@test "run.oci.systemd.subgroup: empty, or refused" {
	unit
	config '.annotations={"run.oci.systemd.subgroup":""}'
	TARE_MANAGER=systemd create "$ID"
	[[ "$(cat "/proc/$(pid_of "$ID")/cgroup")" == *"/$UNIT" ]]
	tare delete --force "$ID"
	config '.annotations={"run.oci.systemd.subgroup":"sub"}'
	TARE_MANAGER=systemd run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.systemd.subgroup: cannot place"* ]]
	nothing_left
	# Only systemd's scopes can have it.
	config 'del(.linux.cgroupsPath) | .process.args=["true"]'
	TARE_MANAGER='' run_container
}

@test "a unit of another program is not touched" {
	unit
	systemd-run --quiet --scope --unit="$UNIT" sleep 1000 3>&- >/dev/null 2>&1 &
	wait_for 'systemctl -q is-active "$UNIT"'
	TARE_MANAGER=systemd run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"unit $UNIT"*"already loaded"* ]]
	run -0 tare delete --force "$ID"
	systemctl -q is-active "$UNIT"
	systemctl stop "$UNIT"
}

# Runs create in a pid namespace in which the next pids are those of host processes, up to $1.
from_inside() { # PID OPTIONS...
	unshare --pid --fork --mount-proc sh -c 'echo $(($1 - $2)) >/proc/sys/kernel/ns_last_pid; shift 2
		exec "$@"' sh "$1" "$2" "$TARE" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$ID" </dev/null
}

@test "from another pid namespace systemd is not asked, and no process of the host is treated as the container's" {
	unit
	# The pid of the host process is that of the first, second, ... process that tare starts there.
	for before in 1 2 3 4 5 6; do
		sleep 1000 3>&- >/dev/null 2>&1 &
		victim=$!
		cgroup=$(cat "/proc/$victim/cgroup")
		run -1 from_inside "$victim" "$before"
		[[ "$output" == *"cannot start unit $UNIT: systemd is not in this pid namespace"*"--cgroup-manager cgroupfs"* ]]
		[ "${#lines[@]}" -eq 1 ]
		[ "$(cat "/proc/$victim/cgroup")" = "$cgroup" ]
		kill "$victim"
		nothing_left
		[ -z "$(ls -A "$ROOT")" ]
	done
}

@test "a process that systemd has not put into the unit is not killed" {
	unit
	sleep 1000 3>&- >/dev/null 2>&1 &
	victim=$!
	with_systemd 'manager=$1 what=$2 unit=$3; shift 4; [ $what = start ] || { echo $what >>'"$WORK/asked"'; exit 1; }
		busctl -q call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit \
			"ssa(sv)a(sa(sv))" "$unit" replace 2 PIDs au 1 '"$victim"' "$1" "$2" "$3" 0
		for i in 1 2 3 4 5 6 7 8 9; do ! grep -q "$unit" /proc/'"$victim"'/cgroup || exit 0; sleep 1; done'
	run -1 "$WORK/bin/tare" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$ID" </dev/null
	[[ "$output" == *"unit $UNIT has started, but its process is in cgroup"* ]]
	[ ! -e "$WORK/asked" ]
	grep -q "$UNIT" "/proc/$victim/cgroup"
	[ -z "$(ls -A "$ROOT")" ]
	systemctl stop "$UNIT"
	run ! kill -0 "$victim"
}

# A proxy of the bus that drops data with one of the words in it. DBUS_SYSTEM_BUS_ADDRESS is its address.
proxy() { # WORD...
	cat >"$WORK/proxy" <<-'EOF'
		import selectors, socket, sys
		listener = socket.socket(socket.AF_UNIX)
		listener.bind(sys.argv[1])
		listener.listen()
		while True:
		    here, there = listener.accept()[0], socket.socket(socket.AF_UNIX)
		    there.connect("/run/dbus/system_bus_socket")
		    selector = selectors.DefaultSelector()
		    selector.register(here, selectors.EVENT_READ, there)
		    selector.register(there, selectors.EVENT_READ, here)
		    open_ends = True
		    while open_ends:
		        for key, _ in selector.select():
		            data = key.fileobj.recv(65536)
		            open_ends = open_ends and len(data) > 0
		            if not any(word.encode() in data for word in sys.argv[2:]):
		                key.data.sendall(data)
		    here.close()
		    there.close()
	EOF
	python3 "$WORK/proxy" "$WORK/bus" "$@" 3>&- >/dev/null 2>&1 &
	proxy=$!
	wait_for '[ -S "$WORK/bus" ]'
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/bus
}

@test "a proxy of the bus is accepted, unless it is in another pid namespace" {
	unit
	proxy
	TARE_MANAGER=systemd create "$ID" || { cat "$WORK/err"; return 1; }
	[ "$(cat "$DIR/cgroup.procs")" = "$(pid_of "$ID")" ]
	run -0 tare delete --force "$ID"
	run -1 from_inside $$ 1
	[[ "$output" == *"systemd is not in this pid namespace"* ]]
	kill "$proxy"
	nothing_left
}

@test "a systemd that does not answer is waited for only once" {
	unit
	TARE_MANAGER=systemd create "$ID"
	before=$(cat "$DIR/pids.max" "$DIR/cpu.weight" "$DIR/cpu.max")
	proxy Properties
	run -1 tare update --pids-limit 40 --cpu-share 512 --cpu-quota 20000 "$ID"
	[[ "$output" == *"cannot set the properties of unit $UNIT: no answer from systemd within 25 s"* ]]
	[ "$(cat "$DIR/pids.max" "$DIR/cpu.weight" "$DIR/cpu.max")" = "$before" ]
	kill "$proxy"
	unset DBUS_SYSTEM_BUS_ADDRESS
}

@test "without a bus creation fails, and nothing is left" {
	script 'true'
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/none TARE_MANAGER=systemd run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot reach systemd"*"no such file or directory"* ]]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "a bus that does not answer is waited for, but not forever" {
	script 'true'
	python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(100)' "$WORK/bus" 3>&- >/dev/null 2>&1 &
	pid=$!
	wait_for '[ -S "$WORK/bus" ]'
	DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/bus TARE_MANAGER=systemd run -1 timeout "$HANGS" "$TARE" --root "$ROOT" --systemd-cgroup run -b "$BUNDLE" "$ID"
	kill "$pid"
	[[ "$output" == *"no answer"* || "$output" == *"timed out"* ]]
	[ -z "$(ls -A "$ROOT")" ]
}

# Runs tare in the background, with the signal dispositions of a terminal's job. Its pid is in $job.
background() { # PROGRAM ARGS
	env --default-signal=INT,TERM,HUP,QUIT "$1" --root "$ROOT" "${@:2}" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- &
	job=$!
}

# Sends the signal to tare, which exits and reports it.
interrupted() { # SIGNAL
	status=0
	kill "-$1" "$job"
	wait "$job" || status=$?
	[ "$status" -eq 1 ] || { echo "status $status: $(cat "$WORK/err")"; return 1; }
	[[ "$(cat "$WORK/err")" == *"interrupted by SIG$1"* ]] || { cat "$WORK/err"; return 1; }
}

@test "a signal ends create and run while the bus does not answer" {
	python3 -c 'import socket, sys, time
s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(); time.sleep(100)' "$WORK/bus" 3>&- >/dev/null 2>&1 &
	pid=$!
	wait_for '[ -S "$WORK/bus" ]'
	export DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/bus
	for what in "create TERM" "run INT"; do
		background "$TARE" --systemd-cgroup ${what% *} -b "$BUNDLE" "$ID"
		wait_for 'program=$(pgrep -P "$job" -x tare-systemd)'
		interrupted ${what#* }
		[ -z "$(ls -A "$ROOT")" ]
		run ! kill -0 "$program"
	done
	unset DBUS_SYSTEM_BUS_ADDRESS
	kill "$pid"
}

@test "an update that a signal interrupts has no effect" {
	unit
	config '.linux.resources+={pids:{limit:23},cpu:{quota:12345,period:100000}}'
	TARE_MANAGER=systemd create "$ID"
	state() {
		(cd "$DIR" && grep . pids.max cpu.max cpu.weight memory.max memory.low)
		for name in TasksMax CPUQuotaPerSecUSec CPUQuotaPeriodUSec CPUWeight MemoryMax MemoryLow; do systemctl show -p "$name" "$UNIT"; done
		cat "$ROOT/$ID/record"
		echo "end of the record"
	}
	before=$(state)
	for moment in before after; do
		run=
		[ $moment = before ] || run='"$REAL" "$@";'
		with_systemd '[ ! -e '"$WORK"'/here ] || exec "$REAL" "$@"; '"$run"' touch '"$WORK"'/here; exec sleep 1000'
		background "$WORK/bin/tare" update --pids-limit 40 --cpu-quota 23456 --cpu-share 512 --memory 64m --memory-reservation 32m "$ID"
		wait_for '[ -e "$WORK/here" ]'
		[ "$(cat "$DIR/pids.max")" = 40 ]
		interrupted TERM
		diff <(echo "$before") <(state)
		rm "$WORK/here"
	done
	# An update without a signal succeeds.
	tare update --pids-limit 40 "$ID"
	[ "$(cat "$DIR/pids.max")" = 40 ]
	property TasksMax 40
}

@test "an answer of systemd that cannot be waited for counts as none" {
	unit
	TARE_MANAGER=systemd create "$ID"
	run -1 systemd-run --quiet --wait --pipe -p SystemCallFilter=~wait4 -p SystemCallErrorNumber=ECHILD \
		"$TARE" --root "$ROOT" update -r - "$ID" <<<'{"unified":{"memory.high":"0"}}'
	[[ "$output" == *"cannot wait for tare-systemd: no child processes"* ]]
	[ "$(cat "$DIR/memory.high")" = max ]
	property MemoryHigh infinity
}

@test "a signal ends create after systemd has made the scope, which is removed" {
	unit
	with_systemd 'trap "" TERM; "$REAL" "$@" || exit; [ $2 != start ] || { touch '"$WORK"'/here; exec sleep 1000; }'
	background "$WORK/bin/tare" --systemd-cgroup create -b "$BUNDLE" "$ID"
	wait_for '[ -e "$WORK/here" ]'
	[ -n "$(loaded)" ]
	interrupted TERM
	[ -z "$(ls -A "$ROOT")" ]
	nothing_left
}

@test "a hundred containers at once" {
	unit
	python3 -c 'import json, sys
config = json.load(open(sys.argv[1] + "/bundle/config.json"))
for i in range(100):
    config["linux"]["cgroupsPath"] = "tare.slice:tare:%s.%d" % (sys.argv[2], i)
    config["linux"]["resources"].update(memory={"limit": (20 + i) << 20}, pids={"limit": 10 + i}, cpu={"quota": 20000 + 100 * i, "period": 50000})
    config["process"]["args"] = ["sleep", str(1000 + i)]
    json.dump(config, open("%s/config.%d" % (sys.argv[1], i), "w"))' "$WORK" "$ID"
	pids=
	for i in {0..99}; do
		{
			"$TARE" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" --config "$WORK/config.$i" --pid-file "$WORK/pid.$i" "$ID.$i" &&
				"$TARE" --root "$ROOT" start "$ID.$i"
		} </dev/null >>"$WORK/out" 2>&1 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || { cat "$WORK/out"; return 1; }; done
	[ ! -s "$WORK/out" ]
	[ "$(loaded | wc -l)" -eq 100 ]
	for i in {0..99}; do
		cgroup=/tare.slice/tare-$ID.$i.scope
		seen=
		for file in memory.max pids.max cpu.max cgroup.procs; do
			while read -r line; do seen="$seen $line"; done <"$(cgroup_mount)$cgroup/$file"
		done
		pid=$(cat "$WORK/pid.$i")
		[ "$seen" = " $(((20 + i) << 20)) $((10 + i)) $((20000 + 100 * i)) 50000 $pid" ] || { echo "$i has$seen"; return 1; }
		[ "$(cat "/proc/$pid/cgroup")" = "0::$cgroup" ]
		[ "$(tr '\0' ' ' <"/proc/$pid/cmdline")" = "sleep $((1000 + i)) " ]
	done
	pids=
	for i in {0..99}; do
		tare delete --force "$ID.$i" >>"$WORK/out" 2>&1 3>&- &
		pids="$pids $!"
	done
	for pid in $pids; do wait "$pid" || { cat "$WORK/out"; return 1; }; done
	[ ! -s "$WORK/out" ]
	[ -z "$(loaded)" ] || { loaded; return 1; }
	[ -z "$(compgen -G "$(cgroup_mount)/tare.slice/tare-$ID.*")" ]
	[ -z "$(ls -A "$ROOT")" ]
}

@test "kill -9 of tare at random moments: delete --force leaves no scope" {
	unit
	config '.linux.resources+={memory:{limit:67108864,swap:67108864,reservation:33554432},pids:{limit:23},
		cpu:{shares:2048,quota:50000,period:100000},unified:{"memory.high":"50331648"}} | .process.args=["sh","-c","sleep 1000; true",$id]' --arg id "$ID"
	met=0
	for i in {1..32}; do
		command=create
		[ $((i % 2)) = 0 ] || command=run
		"$TARE" --root "$ROOT" --systemd-cgroup $command -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- &
		pid=$!
		# At any moment, or soon after systemd has made the scope.
		if [ $((i % 4)) -lt 2 ]; then
			sleep "0.$((RANDOM % 3))$((RANDOM % 10))$((RANDOM % 10))"
		else
			wait_for '[ -e "$DIR" ]'
			sleep "0.0$((RANDOM % 10))"
		fi
		kill -9 $pid 2>/dev/null || true
		wait $pid 2>/dev/null || true
		[ ! -e "$DIR" ] || met=$((met + 1))
		run -0 tare delete --force "$ID"
		[ ! -e "$ROOT/$ID" ]
		[ ! -e "$DIR" ]
	done
	[ "$met" -ge 8 ]
	# A request that was on its way to systemd finds no process to put into the scope.
	wait_for '[ -z "$(loaded)" ]'
	nothing_left
	wait_for '[ -z "$(pgrep -f "$ID")" ]'
}

@test "an unprivileged caller's container is a scope of the user's own manager" {
	command -v as-tester >/dev/null || host_lacks "no user with a service manager"
	chmod 755 "$WORK"
	chown -R tester: "$BUNDLE"
	mkdir "$ROOT" && chown tester: "$ROOT"
	rm "$BUNDLE/config.json"
	as-tester "$TARE" spec --rootless -b "$BUNDLE" 3>&-
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .process.args=["sh","-c","cat /sys/fs/cgroup/pids.max; grep ^0: /proc/self/cgroup; sleep 1000"] | .linux.resources={pids:{limit:9},memory:{limit:67108864}} | .linux.cgroupsPath=":tare:"+$id' --arg id "$ID"
	chown tester: "$BUNDLE/config.json"
	as-tester "$TARE" --root "$ROOT" --systemd-cgroup create -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
	pid=$(as-tester "$TARE" --root "$ROOT" state "$ID" 3>&- | jq .pid)
	cgroup=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
	[[ "$cgroup" == /user.slice/user-1000.slice/user@1000.service/*/"tare-$ID.scope" ]]
	[ "$(cat "$(cgroup_mount)$cgroup/pids.max")" = 9 ]
	as-tester systemctl --user daemon-reload 3>&-
	[ "$(cat "$(cgroup_mount)$cgroup/memory.max")" = 67108864 ]
	run -0 as-tester "$TARE" --root "$ROOT" delete --force "$ID" 3>&-
	[ ! -e "$(cgroup_mount)$cgroup" ]
}

@test "podman of an unprivileged user, with limits" {
	command -v as-tester >/dev/null || host_lacks "no user with a service manager"
	command -v podman >/dev/null || host_lacks "no podman"
	chmod 711 "$WORK"
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
	as-tester podman import -q "$WORK/image.tar" localhost/busybox >/dev/null 3>&-
	run -0 as-tester podman --runtime "$TARE" run --rm --network none --memory 64m --pids-limit 30 localhost/busybox \
		sh -c 'cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max; id -u' 3>&-
	[ "$output" = $'67108864\n30\n0' ]
	run -0 as-tester systemctl --user list-units --all --no-legend --plain 'libpod-*' 3>&-
	[ -z "$output" ]
}

@test "a container without a cgroup of its own" {
	script 'echo fine'
	run -0 "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	[ "$output" = fine ]
	config '.process.args=["sleep","1000"]'
	TARE_MANAGER=disabled create "$ID"
	[ "$(cat "/proc/$(pid_of "$ID")/cgroup")" = "$(cat /proc/self/cgroup)" ]
	tare start "$ID"
	run -0 tare exec "$ID" echo fine
	[ "$output" = fine ]
	run -1 tare pause "$ID"
	[[ "$output" == *"cgroup not exist: the container was made without one"*"without --cgroup-manager disabled"* ]]
	tare delete --force "$ID"
	config '.linux.resources.pids.limit=5'
	TARE_MANAGER=disabled run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/resources/pids/limit: a limit needs a cgroup"* ]]
	run -1 "$TARE" --systemd-cgroup --cgroup-manager cgroupfs run -b "$BUNDLE" "$ID"
	[[ "$output" == *"contradict each other"* ]]
}

@test "any number of properties by annotations is passed on, and the last of two with the same name counts" {
	config '.annotations=([range(60)|{key:("org.systemd.property.Zz"+([65+./26,97+.%26]|map(floor)|implode)),value:"1"}]|from_entries)
		+{"org.systemd.property.TimeoutStopUSec":"1","org.systemd.property.TimeoutStopSec":"2"}'
	run -0 tare --systemd-cgroup plan -b "$BUNDLE"
	[ "$(grep -oE 'Zz[A-Z][a-z]' <<<"$output" | sort -u | wc -l)" = 60 ]
	[ "$(grep -o TimeoutStopUSec <<<"$output" | wc -l)" = 1 ]
	[[ "$output" == *" TimeoutStopUSec=2000000"* ]]
	config '.annotations={"org.systemd.property.TimeoutStopSec":"2","org.systemd.property.TimeoutStopUSec":"1"}'
	run -0 tare --systemd-cgroup plan -b "$BUNDLE"
	[ "$(grep -o TimeoutStopUSec=.* <<<"$output")" = TimeoutStopUSec=1 ]
}
