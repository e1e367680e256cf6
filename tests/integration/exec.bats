# SPDX-License-Identifier: Apache-2.0
# exec: an additional process in a container.
load helpers

# A container that only waits, to execute processes in.
waiting() {
	config '.process.args=["sleep","10000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
}

process_file() {
	jq -n "$1" >"$WORK/process.json"
}

@test "exec runs in all of the container's namespaces, its cgroup and its root" {
	config '.linux.namespaces |= . + [{"type":"cgroup"}] | .linux.namespaces |= unique_by(.type)'
	waiting
	run -0 tare exec "$ID" sh -c 'for n in mnt pid net ipc uts cgroup; do test "$(readlink /proc/self/ns/$n)" = "$(readlink /proc/1/ns/$n)" || echo "other $n"; done; grep ^0: /proc/self/cgroup; echo $0 "$@"; cat /proc/1/comm' name one two
	[[ "$output" != *other* ]]
	[[ "$output" == *"0::/"* ]]
	[[ "$output" == *"name one two"* ]]
	[[ "$output" == *sleep* ]]
}

@test "exec returns the program's status, 128 plus the signal, or 255 for its own failure" {
	waiting
	run -7 tare exec "$ID" sh -c 'exit 7'
	run -143 tare exec "$ID" sh -c 'kill -TERM $$'
	run -255 tare exec "$ID" not-there
	[[ "$output" == *"executable file not found"* ]]
	[ "${#lines[@]}" -eq 1 ]
	run -255 tare exec "$ID"
	run -255 tare exec missing true
	[[ "$output" == *"does not exist"* ]]
}

@test "exec passes its own standard descriptors to the program" {
	waiting
	run -0 bash -c 'echo from outside | "$0" --root "$1" exec "$2" cat' "$TARE" "$ROOT" "$ID"
	[ "$output" = "from outside" ]
}

@test "exec has the container's environment, identity and limits, or what its flags state" {
	config '.process.env=["PATH=/bin","A=1","B=2"] | .process.user={"uid":5,"gid":6,"additionalGids":[7,8],"umask":63} |
		.process.cwd="/tmp" | .process.noNewPrivileges=true | .process.rlimits=[{"type":"RLIMIT_NOFILE","soft":100,"hard":200}]'
	waiting
	run -0 tare exec "$ID" sh -c 'echo "$A $B $HOME"; id; pwd; umask; ulimit -n; ulimit -Hn; grep -E "NoNew|CapInh|CapAmb" /proc/self/status'
	[ "${lines[0]}" = "1 2 /" ]
	[[ "${lines[1]}" == "uid=5 gid=6 groups=6,7,8" || "${lines[1]}" == "uid=5 gid=6 groups=7,8" ]]
	[ "${lines[2]}" = /tmp ]
	[ "${lines[3]}" = 0077 ]
	[ "${lines[4]}" = 100 ]
	[ "${lines[5]}" = 200 ]
	[[ "$output" == *"CapInh:	0000000000000000"* ]]
	[[ "$output" == *"CapAmb:	0000000000000000"* ]]
	[[ "$output" == *"NoNewPrivs:	1"* ]]
	run -0 tare exec -e B=3 -e C=4 -e C=5 --cwd /bin -u 11:12 -g 13 -g 14 "$ID" sh -c 'echo "$A $B $C"; id; pwd'
	[ "${lines[0]}" = "1 3 5" ]
	[[ "${lines[1]}" == "uid=11 gid=12 groups=12,13,14" || "${lines[1]}" == "uid=11 gid=12 groups=13,14" ]]
	[ "${lines[2]}" = /bin ]
}

@test "an exec's environment has nothing that was not configured" {
	environment() { run -0 bash -c '"$0" --root "$1" exec "${@:2}" | tr "\0" "\n" | sort | paste -sd " "' "$TARE" "$ROOT" "$@"; }
	show="cat /proc/self/environ"
	config '.process.env=["PATH=/bin","A=1"] | .process.user={"uid":5,"gid":6}'
	waiting
	# shellcheck disable=SC2086
	environment "$ID" $show
	[ "$output" = "A=1 HOME=/ PATH=/bin" ]
	# shellcheck disable=SC2086
	environment -e NOTIFY_SOCKET=/mine -e HOME=/home "$ID" $show
	[ "$output" = "A=1 HOME=/home NOTIFY_SOCKET=/mine PATH=/bin" ]
	process_file '{"cwd":"/","args":["cat","/proc/self/environ"],"env":["PATH=/bin","NOTIFY_SOCKET=/other"],"user":{"uid":5,"gid":6}}'
	environment --process "$WORK/process.json" "$ID"
	[ "$output" = "HOME=/ NOTIFY_SOCKET=/other PATH=/bin" ]
}

@test "exec --user alone keeps the container's group" {
	config '.process.user={"uid":5,"gid":6}'
	waiting
	run -0 tare exec -u 9 "$ID" sh -c 'id -u; id -g'
	[ "${lines[0]}" = 9 ]
	[ "${lines[1]}" = 6 ]
}

@test "exec --user does not accept invalid ids as root" {
	config '.process.user={"uid":5,"gid":6}'
	waiting
	for user in "1:" ":2" ":" "" "0x1" "-1" "+1" "4294967295" "4294967296" "18446744073709551616" " 1" "1 " "name" "1:name" "1:-1" "1:4294967295" "1:2:3" "1,2"; do
		run tare exec -u "$user" "$ID" id -u
		[ "$status" -eq 255 ] || { echo "'$user' gave $status: $output"; return 1; }
		[[ "$output" == *--user* ]]
	done
	for user in 1 01 001 1:1 01:01; do
		run -0 tare exec -u "$user" "$ID" sh -c 'echo $(id -u)'
		[ "$output" = 1 ]
	done
	run -0 tare exec -u 0 "$ID" id -u
	[ "$output" = 0 ]
	run -0 tare exec -u 4294967294 "$ID" id -u
	[ "$output" = 4294967294 ]
}

@test "exec --cap adds capabilities, but no inheritable ones" {
	config '.process.capabilities={"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}'
	waiting
	run -0 tare exec -c CAP_NET_RAW "$ID" grep ^Cap /proc/self/status
	[ "${lines[0]}" = "CapInh:	0000000000000000" ]
	[ "${lines[1]}" = "CapPrm:	0000000000002020" ]
	[ "${lines[2]}" = "CapEff:	0000000000002020" ]
	[ "${lines[3]}" = "CapBnd:	0000000000002020" ]
	[ "${lines[4]}" = "CapAmb:	0000000000000000" ]
	tare delete --force "$ID"
	# A capability that is not inheritable in the container does not become ambient. CAP_NET_RAW is 13, CAP_KILL is
	# 5.
	config '["CAP_KILL"] as $k | .process.capabilities={"bounding":$k,"effective":$k,"permitted":$k,"inheritable":["CAP_KILL"]} | .process.user={"uid":7,"gid":7}'
	waiting
	run -0 tare --log "$WORK/log" exec -c CAP_NET_RAW -c CAP_KILL "$ID" grep -E '^Cap(Inh|Amb|Eff)' /proc/self/status
	[ "${lines[0]}" = "CapInh:	0000000000000020" ]
	[ "${lines[1]}" = "CapEff:	0000000000000020" ]
	[ "${lines[2]}" = "CapAmb:	0000000000000020" ]
	[ ! -s "$WORK/log" ]
	# Only the specification's spelling is a name.
	for name in CAP_NONE cap_kill KILL 5 '' CAP_KILL,CAP_CHOWN; do
		run -255 tare exec -c "$name" "$ID" true
		[ "$output" = "tare: exec $ID: invalid value '$name' for flag --cap: unknown capability" ]
	done
}

@test "a capability that an exec cannot have is a warning in the log" {
	config '.process.capabilities={"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]}'
	waiting
	lacking() { setpriv --inh-caps -net_raw,-kill --bounding-set -net_raw,-kill "$TARE" --root "$ROOT" --log "$WORK/log" exec "$@"; }
	# Capabilities of the container alone cause no warning.
	run -0 lacking "$ID" true
	[ -z "$output" ]
	[ ! -s "$WORK/log" ]
	run -0 lacking -c CAP_NET_RAW -c CAP_CHOWN "$ID" grep CapEff /proc/self/status
	[ "$output" = "CapEff:	0000000000000001" ]
	[ "$(grep -c warning "$WORK/log")" = 1 ]
	grep -q "warning.*CAP_NET_RAW" "$WORK/log"
	: >"$WORK/log"
	process_file '{"cwd":"/","args":["true"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0},"capabilities":{"bounding":["CAP_KILL","CAP_CHOWN"],"effective":["CAP_NEW_THING"]}}'
	run -0 lacking --process "$WORK/process.json" "$ID"
	[ "$(grep -c warning "$WORK/log")" = 2 ]
	grep -q "warning.*CAP_KILL" "$WORK/log"
	grep -q "warning.*/capabilities/effective/0.*CAP_NEW_THING" "$WORK/log"
	# An exec that fails has one reason, in the last line, and no warnings.
	: >"$WORK/log"
	run -255 lacking -c CAP_NET_RAW "$ID" no-such-program
	run -1 grep warning "$WORK/log"
}

@test "exec --no-new-privs" {
	waiting
	run -0 tare exec --no-new-privs "$ID" grep NoNewPrivs /proc/self/status
	[ "$output" = "NoNewPrivs:	1" ]
	run -0 tare exec "$ID" grep NoNewPrivs /proc/self/status
	[ "$output" = "NoNewPrivs:	0" ]
}

@test "exec --process uses the document, and the container for what the document lacks" {
	config '.process.capabilities={"bounding":["CAP_KILL"],"effective":["CAP_KILL"],"permitted":["CAP_KILL"]} | .process.rlimits=[{"type":"RLIMIT_NOFILE","soft":99,"hard":199}]'
	waiting
	process_file '{"cwd":"/tmp","args":["sh","-c","id -u; pwd; echo $X; ulimit -n; grep -E \"CapEff|NoNew\" /proc/self/status"],"env":["PATH=/bin","X=y"],"user":{"uid":3,"gid":4},"noNewPrivileges":true}'
	run -0 tare exec --process "$WORK/process.json" "$ID"
	[ "${lines[0]}" = 3 ]
	[ "${lines[1]}" = /tmp ]
	[ "${lines[2]}" = y ]
	[ "${lines[3]}" = 99 ]
	# The effective set of a user other than root is the container's, as the document has none.
	[ "${lines[4]}" = "CapEff:	0000000000000000" ] || [ "${lines[4]}" = "CapEff:	0000000000000020" ]
	[ "${lines[5]}" = "NoNewPrivs:	1" ]
	process_file '{"cwd":"/","args":["true"],"user":{"uid":"root"}}'
	run -255 tare exec --process "$WORK/process.json" "$ID"
	[[ "$output" == *"/user/uid"* ]]
	process_file '{"cwd":"/","user":{"uid":0,"gid":0}}'
	run -255 tare exec --process "$WORK/process.json" "$ID"
	[ "${#lines[@]}" -eq 1 ]
	run -255 tare exec --process "$WORK/none.json" "$ID"
	[[ "$output" == *"no such file"* ]]
}

@test "exec --process without a user keeps the container's user, and is root only on request" {
	config '.process.user={"uid":5,"gid":6,"additionalGids":[7],"umask":63}'
	waiting
	for user in '' ',"user":null'; do
		echo '{"cwd":"/tmp","args":["sh","-c","id -u; id -g; grep Groups /proc/self/status; umask; pwd"],"env":["PATH=/bin"]'"$user}" >"$WORK/process.json"
		run -0 tare exec --process "$WORK/process.json" "$ID"
		[ "$output" = $'5\n6\nGroups:\t7 \n0077\n/tmp' ]
		run -0 tare exec --process "$WORK/process.json" --user 8:9 "$ID"
		[ "${lines[0]} ${lines[1]}" = "8 9" ]
	done
	for user in '{}:uid' '{"gid":5}:uid' '{"uid":5}:gid' '{"uid":null,"gid":5}:uid' '{"username":"www-data"}:uid'; do
		echo '{"cwd":"/","args":["id"],"env":["PATH=/bin"],"user":'"${user%:*}}" >"$WORK/process.json"
		run -255 tare exec --process "$WORK/process.json" "$ID"
		[[ "$output" == *"/user/${user##*:}"*"is required"* ]] || { echo "$user: $output"; return 1; }
	done
}

@test "exec --detach returns when the program runs, with the pid in a file" {
	waiting
	tare exec -d --pid-file "$WORK/pid" "$ID" sh -c 'sleep 1000' </dev/null >/dev/null 2>&1 3>&-
	pid=$(cat "$WORK/pid")
	[[ "$(readlink "/proc/$pid/exe")" == */busybox ]]
	[ "$(readlink /proc/"$pid"/ns/pid)" = "$(readlink /proc/"$(pid_of "$ID")"/ns/pid)" ]
	run -255 tare exec -d --pid-file "$WORK/pid2" "$ID" not-there
	[ ! -e "$WORK/pid2" ]
	printf '#!/bin/none\n' >"$BUNDLE/rootfs/bin/script"
	chmod 755 "$BUNDLE/rootfs/bin/script"
	run -255 tare exec -d --pid-file "$WORK/pid2" "$ID" script
	[[ "$output" == *"interpreter '/bin/none' does not exist"* ]]
	[ ! -e "$WORK/pid2" ]
}

@test "exec --tty provides a terminal of the container's devpts" {
	waiting
	run -0 command script -qec "'$TARE' --root '$ROOT' exec -t '$ID' sh -c 'test -t 0 && test -t 1 && tty; echo \$\$; cat /proc/self/stat | cut -d\" \" -f7'" /dev/null </dev/null
	output=$(tr -d '\r' <<<"$output")
	[[ "$output" == *"/dev/pts/"* ]]
	# A controlling terminal: /proc/PID/stat's tty_nr is not 0.
	[[ "$output" != *$'\n0' ]]
}

@test "exec in the foreground with a terminal follows its size" {
	waiting
	cat >"$WORK/size.py" <<'P'
import fcntl, os, pty, struct, sys, termios, time, signal
pid, fd = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 50, 0, 0))
text = b""
sent = False
end = time.time() + 10
while time.time() < end:
    try:
        block = os.read(fd, 1000)
    except OSError:
        break
    if not block:
        break
    text += block
    if b"ready" in text and not sent:
        sent = True
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 31, 71, 0, 0))
print(text.decode())
P
	run -0 python3 "$WORK/size.py" "$TARE" --root "$ROOT" exec -t "$ID" sh -c 'echo ready; i=0; while [ "$(stty size)" != "31 71" ] && [ $i -lt 100 ]; do sleep 0.05; i=$((i+1)); done; stty size'
	[[ "$output" == *"31 71"* ]]
}

@test "exec --console-socket and --pidfd-socket" {
	waiting
	cat >"$WORK/receive.py" <<'P'
import array, socket, sys
for name in sys.argv[1:]:
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen(1)
    globals()[name] = server
print("ready", flush=True)
for name in sys.argv[1:]:
    peer, _ = globals()[name].accept()
    data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
    print(name.rsplit("/", 1)[1], data.decode(), len(array.array("i", ancillary[0][2])), flush=True)
P
	python3 "$WORK/receive.py" "$WORK/console" "$WORK/pidfd" >"$WORK/received" 3>&- &
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/console" "$WORK/pidfd"
	tare exec -d -t --console-socket "$WORK/console" --pidfd-socket "$WORK/pidfd" "$ID" sleep 100 </dev/null >"$WORK/out" 2>&1 3>&- || cat "$WORK/out"
	wait_for 'grep -q "pidfd setns 1" "$WORK/received"'
	grep -q "^console ..* 1" "$WORK/received"
	run -255 tare exec -d -t "$ID" true
	[[ "$output" == *"cannot allocate tty"* ]]
	run -255 tare exec --console-socket "$WORK/console" "$ID" true
	[[ "$output" == *"cannot use console socket"* ]]
}

@test "exec --preserve-fds passes these descriptors and no others" {
	waiting
	run -0 bash -c 'for n in $(seq 10 60); do eval "exec $n</etc/passwd"; done; exec 3<<<three 4<<<four 5</; "$0" --root "$1" exec --preserve-fds 2 "$2" sh -c "cat <&3; cat <&4; ls /proc/self/fd | sort -n | xargs echo"' "$TARE" "$ROOT" "$ID"
	[ "${lines[0]}" = three ]
	[ "${lines[1]}" = four ]
	# ls itself has one more open, the directory.
	[ "${lines[2]}" = "0 1 2 3 4 5" ]
}

@test "exec --preserve-fds skips numbers that are not open, and no descriptor of the runtime takes them" {
	waiting
	# The runtime's own files get the free numbers.
	show='cat <&9; cat <&40; ls /proc/self/fd | sort -n | xargs echo'
	for n in 38 39 65536; do
		run -0 with_gaps "$TARE" --root "$ROOT" exec --preserve-fds $n "$ID" sh -c "$show"
		[ "$output" = $'nine\nforty\n0 1 2 3 9 40' ] || { echo "$n: $output"; return 1; }
	done
	# With a terminal, which the runtime opens in the container, and with a filter before the program.
	run -0 with_gaps "$TARE" --root "$ROOT" exec -t --preserve-fds 38 "$ID" sh -c "$show" </dev/null
	[ "$output" = $'nine\nforty\n0 1 2 3 9 40' ]
	run -255 with_gaps "$TARE" --root "$ROOT" exec --preserve-fds 6 "$ID" true
	[[ "$output" == *"cannot preserve descriptors 3 to 8: none of them is open"* ]]
}

@test "a descriptor to preserve that the caller does not have is missed, even if its number is in use by now" {
	waiting
	# The runtime's own files get the free numbers.
	for n in 1 2 3; do
		missing="cannot preserve descriptors 3 to $((2 + n)): none of them is open"
		[ $n -gt 1 ] || missing="cannot preserve descriptor 3: it is not open"
		run -255 "$TARE" --root "$ROOT" --log "$WORK/log" exec --preserve-fds $n "$ID" ls -l /proc/self/fd 3>&- 4>&- 5>&-
		[[ "$output" == *"$missing"* ]]
		run -255 "$TARE" --root "$ROOT" exec --preserve-fds $n "$ID" ls -l /proc/self/fd 3>&- 4>&- 5>&-
		[[ "$output" == *"$missing"* ]]
	done
	run -0 "$TARE" --root "$ROOT" --log "$WORK/log" exec --preserve-fds 3 "$ID" true 3</ 4</ 5</
	run -1 "$TARE" --root "$ROOT" --log "$WORK/log" create --preserve-fds 1 -b "$BUNDLE" "$ID.b" 3>&-
	[[ "$output" == *"cannot preserve descriptor 3: it is not open"* ]]
	run -1 tare state "$ID.b"
}

# bats test_tags=vm
@test "an empty label is no label: the container's label stays" {
	# Without AppArmor, unconfined is the only profile.
	config '.process.apparmorProfile="unconfined"'
	waiting
	for flag in --no-new-privs --apparmor= --process-label=; do
		run -0 "$TARE" --root "$ROOT" --debug --log "$WORK/$flag" exec $flag "$ID" true
		# The label is set through this procfs.
		grep -q open-procfs "$WORK/$flag" || { cat "$WORK/$flag"; return 1; }
	done
}

@test "exec forwards signals in the foreground" {
	waiting
	"$TARE" --root "$ROOT" exec "$ID" sh -c 'trap "echo got it; exit 9" USR1; touch /tmp/there; while :; do sleep 0.05; done' >"$WORK/exec.out" 3>&- &
	pid=$!
	wait_for '[ -e "$BUNDLE/rootfs/tmp/there" ]'
	kill -USR1 "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" -eq 9 ]
	grep -q "got it" "$WORK/exec.out"
}

# bats test_tags=vm
@test "exec --cgroup places the process below the container's cgroup and nowhere else" {
	waiting
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$(pid_of "$ID")"/cgroup | cut -d: -f3)
	mkdir "$cgroup/sub"
	own "$cgroup/sub" "$cgroup/sub/cgroup.procs"
	tare exec -d --pid-file "$WORK/pid" --cgroup /sub "$ID" sleep 100 </dev/null >/dev/null 2>&1 3>&-
	grep -q "/sub$" /proc/"$(cat "$WORK/pid")"/cgroup
	run -255 tare exec --cgroup /none "$ID" true
	for path in .. ../x /sub/../.. /.. memory:/../x; do
		run -255 tare exec --cgroup "$path" "$ID" true
		[[ "$output" == *"leaves the container's cgroup"* ]]
	done
	kill -9 "$(cat "$WORK/pid")"
}

# A container with an init that manages cgroups itself: init is in $cgroup/moved, and $cgroup can have no processes.
moved() {
	waiting
	init=$(pid_of "$ID")
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$init"/cgroup | cut -d: -f3)
	mkdir "$cgroup/moved"
	echo "$init" >"$cgroup/moved/cgroup.procs"
	controller=$(cut -d' ' -f1 <"$cgroup/cgroup.controllers")
	[ -n "$controller" ] || not_here "no controller to enable"
	echo "+$controller" >"$cgroup/cgroup.subtree_control" || not_here "cannot enable a controller"
}

@test "exec follows an init that has moved into a child cgroup" {
	moved
	tare exec -d --pid-file "$WORK/pid" "$ID" sleep 100 </dev/null >/dev/null 2>&1 3>&-
	grep -q "/moved$" /proc/"$(cat "$WORK/pid")"/cgroup
}

@test "exec refuses an init that has moved into a frozen cgroup" {
	moved
	echo 1 >"$cgroup/moved/cgroup.freeze"
	wait_for 'grep -q "frozen 1" "$cgroup/moved/cgroup.events"'
	for flag in --no-new-privs -d; do
		run -255 timeout -k 2 "$HANGS" "$TARE" --root "$ROOT" exec $flag "$ID" true
		[[ "$output" == *"cannot exec in a paused container"*"/moved', which is frozen"* ]]
	done
	[ "$(cat "$cgroup/moved/cgroup.procs")" = "$init" ]
	(sleep 0.5; echo 0 >"$cgroup/moved/cgroup.freeze") 3>&- &
	run -0 tare exec --ignore-paused "$ID" echo thawed
	[ "$output" = thawed ]
}

@test "exec refuses a stopped and a paused container" {
	waiting
	cgroup=$(cgroup_mount)$(grep ^0: /proc/"$(pid_of "$ID")"/cgroup | cut -d: -f3)
	echo 1 >"$cgroup/cgroup.freeze"
	wait_for 'grep -q "frozen 1" "$cgroup/cgroup.events"'
	run -255 tare exec "$ID" true
	[[ "$output" == *"cannot exec in a paused container"* ]]
	(sleep 0.5; echo 0 >"$cgroup/cgroup.freeze") 3>&- &
	run -0 tare exec --ignore-paused "$ID" echo thawed
	[ "$output" = thawed ]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -255 tare exec "$ID" true
	[[ "$output" == *"cannot exec in a stopped container"* ]]
}

@test "exec into a created container, before its start" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	run -0 tare exec "$ID" echo early
	[ "$output" = early ]
	[ "$(status_of "$ID")" = created ]
}

@test "exec reads no configuration: a bundle that is edited or removed does not matter" {
	waiting
	rm "$BUNDLE/config.json"
	run -0 tare exec "$ID" echo fine
	[ "$output" = fine ]
}

@test "exec in a container without a program has the environment and the filter of its configuration" {
	config 'del(.process.args) | .process.env=["PATH=/bin","A=kept"] |
		.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir","mkdirat"],action:"SCMP_ACT_ERRNO",errnoRet:19}]}'
	create "$ID"
	run -0 tare exec "$ID" sh -c 'echo $A; mkdir /made 2>&1 || true'
	[ "$output" = "kept
mkdir: can't create directory '/made': No such device" ]
	# The same without the stored plan.
	rm "$ROOT/$ID/plan"
	run -0 tare exec "$ID" sh -c 'echo $A; mkdir /made 2>&1 || true'
	[ "${lines[0]}" = kept ]
	[[ "${lines[1]}" == *"No such device" ]]
}

@test "exec works from the record if the stored plan is damaged" {
	config '.process.env=["PATH=/bin","A=kept"]'
	waiting
	for damage in 'truncate -s 100 "$ROOT/$ID/plan"' 'rm "$ROOT/$ID/plan"' 'printf x | dd of="$ROOT/$ID/plan" bs=1 seek=200 conv=notrunc 2>/dev/null'; do
		cp "$ROOT/$ID/plan" "$WORK/plan"
		eval "$damage"
		run -0 tare exec "$ID" sh -c 'echo $A'
		[ "$output" = kept ]
		cp "$WORK/plan" "$ROOT/$ID/plan"
	done
}

@test "a container of another version of tare can be inspected, entered, stopped and deleted" {
	keys() { tare exec "$ID" grep -c "_ses.$ID" /proc/keys; }
	[ -e /proc/keys ] || not_here "the kernel has no keyrings to look at"
	config '.linux.maskedPaths=[] | .process.args=["sleep","1000"]'
	# If the container was created without a keyring, exec does not make one.
	create --no-new-keyring "$ID"
	tare start "$ID"
	run -1 keys
	rm "$ROOT/$ID/plan"
	run -1 keys
	tare delete --force "$ID"
	for change in "1,2s/^tare .*/tare 1/;/^is-no-new-keyring /d;/^cgroup-inode /d;/^keyring /d;/^notes /d;/^is-pid-namespace-own /d;/^has-filter /d;/^has-program /d;/^pid-namespace /d;/^time-namespace /d" "1,2s/^tare .*/tare 7/;/^pid /i news of today"; do
		create "$ID"
		tare start "$ID"
		run -0 keys
		with=$output
		sed -i "$change" "$ROOT/$ID/record"
		# Another version cannot use the stored plan either.
		printf '\377\377' | dd of="$ROOT/$ID/plan" bs=1 seek=8 conv=notrunc 2>/dev/null
		[ "$(status_of "$ID")" = running ]
		[ "$(tare list -q)" = "$ID" ]
		run -0 tare exec "$ID" echo fine
		[ "$output" = fine ]
		run -0 keys
		[ "$output" = "$with" ]
		tare kill "$ID" KILL
		wait_for '[ "$(status_of "$ID")" = stopped ]'
		tare delete "$ID"
	done
}

# bats test_tags=vm
@test "exec raises limits beyond the caller's, and lowers them below what it needs itself" {
	[ $((0x$(sed -n 's/^CapEff:\t//p' /proc/self/status) >> 24 & 1)) = 1 ] || host_lacks "needs CAP_SYS_RESOURCE"
	more=$(($(ulimit -Hn) + 1000))
	config --argjson m $more '.process.args=["sleep","1000"] | .process.user={uid:1000,gid:1000} |
		.process.rlimits=[{type:"RLIMIT_NOFILE",soft:$m,hard:$m},{type:"RLIMIT_CORE",soft:7,hard:9}]'
	create "$ID"
	tare start "$ID"
	run -0 tare exec "$ID" sh -c 'grep "open files" /proc/self/limits; grep "core file" /proc/self/limits; id -u'
	[[ "$output" == *" $more "*"$more "*" 7 "*" 9 "*1000 ]]
	jq '.process | .args=["sh","-c","ulimit -u; ulimit -n"] |
		.rlimits=[{type:"RLIMIT_NPROC",soft:1,hard:77777},{type:"RLIMIT_NOFILE",soft:8,hard:10}]' "$BUNDLE/config.json" >"$WORK/process.json"
	run -0 tare exec -p "$WORK/process.json" "$ID"
	[ "$output" = $'1\n8' ]
}

@test "exec sets the cpu affinity that the configuration requests" {
	[ "$(nproc)" -ge 2 ] || not_here "needs two cpus"
	config '.process.execCPUAffinity={"initial":"0","final":"1"}'
	waiting
	run -0 tare exec "$ID" grep Cpus_allowed_list /proc/self/status
	[[ "$output" == *$'\t1' ]]
	process_file '{"cwd":"/","args":["grep","Cpus_allowed_list","/proc/self/status"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0},"execCPUAffinity":{"initial":"0"}}'
	run -0 tare exec -p "$WORK/process.json" "$ID"
	[[ "$output" == *$'\t0' ]]
	# Without an initial affinity all cpus are allowed, whatever the caller's affinity is.
	process_file '{"cwd":"/","args":["nproc"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0},"execCPUAffinity":{"final":"0-1"}}'
	run -0 taskset -c 0 "$TARE" --root "$ROOT" exec -p "$WORK/process.json" "$ID"
	[ "$output" = 2 ]
}

@test "exec joins the container's session keyring" {
	grep -q keyring /proc/keys || not_here "no keys in this kernel"
	config '.linux.maskedPaths -= ["/proc/keys"]'
	waiting
	tare exec -d --pid-file "$WORK/pid" "$ID" sh -c 'cat /proc/keys >/tmp/keys; sleep 100' </dev/null >/dev/null 2>&1 3>&-
	wait_for '[ -s "$BUNDLE/rootfs/tmp/keys" ]'
	grep -q "_ses.$ID" "$BUNDLE/rootfs/tmp/keys"
	[ "$(grep -c "_ses.$ID" "$BUNDLE/rootfs/tmp/keys")" -eq 1 ]
}

@test "the session keyring belongs to one container, and exec finds it" {
	grep -q keyring /proc/keys || not_here "no keys in this kernel"
	serial() { tare "${@:2}" exec "$ID" sed -n "s/ .*_ses\\.$ID$1: .*//p" /proc/keys; }
	config '.linux.maskedPaths -= ["/proc/keys"] | .process.args=["sh","-c","cat /proc/keys >/tmp/keys; sleep 10000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ -s "$BUNDLE/rootfs/tmp/keys" ]'
	own=$(sed -n "s/ .*_ses\.$ID\.[0-9a-f]\{16\}: .*//p" "$BUNDLE/rootfs/tmp/keys")
	[ -n "$own" ]
	[ "$(serial '\.[0-9a-f]*')" = "$own" ]
	# A container in another state root may have the same id.
	"$TARE" --root "$ROOT.other" --cgroup-manager disabled run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	other=$("$TARE" --root "$ROOT.other" exec "$ID" sed -n "s/ .*_ses\.$ID\..*//p" /proc/keys)
	"$TARE" --root "$ROOT.other" delete --force "$ID"
	[ -n "$other" ]
	[ "$other" != "$own" ]
	# The key is not visible to the user's other processes.
	run -1 grep -F "_ses.$ID" /proc/keys
	# Another version cannot use the stored plan.
	rm "$ROOT/$ID/plan"
	[ "$(serial '\.[0-9a-f]*')" = "$own" ]
	# A container of an older version has a keyring with the shorter name.
	sed -i '1s/.*/tare 2/;/^keyring /d;/^notes /d;/^is-pid-namespace-own /d;/^has-filter /d;/^has-program /d;/^pid-namespace /d;/^time-namespace /d' "$ROOT/$ID/record"
	[ -n "$(serial '')" ]
	[ "$(serial '')" != "$own" ]
}

@test "exec in a user namespace is the container's root and has no more rights" {
	config '.linux.namespaces += [{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	chown -R 100000:100000 "$BUNDLE/rootfs"
	chmod 711 "$WORK"
	waiting
	run -0 tare exec "$ID" sh -c 'id -u; readlink /proc/self/ns/user; readlink /proc/1/ns/user; touch /tmp/made'
	[ "${lines[0]}" = 0 ]
	[ "${lines[1]}" = "${lines[2]}" ]
	[ "$(stat -c %u "$BUNDLE/rootfs/tmp/made")" = 100000 ]
}

# bats test_tags=vm
@test "exec in a container that was created in another user namespace is refused, and works from there" {
	[ "$(</proc/sys/user/max_user_namespaces)" -gt 0 ] || host_lacks "no user namespaces"
	config '.mounts|=map(select(.type!="devpts"))'
	script 'sleep 1000'
	unshare -Ur --propagation private "$TARE" --root "$ROOT" run --detach --pid-file "$WORK/pid" -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 </dev/null 3>&-
	pid=$(<"$WORK/pid")
	[ "$(readlink "/proc/$pid/ns/user")" != "$(readlink /proc/self/ns/user)" ]
	run -255 tare exec "$ID" id -u
	[ "$output" = "tare: exec $ID: cannot enter a container of another user namespace (run tare in that namespace: nsenter --user --preserve-credentials --target PID)" ]
	run -0 nsenter --user --preserve-credentials --target "$pid" "$TARE" --root "$ROOT" exec "$ID" cat /proc/self/uid_map 3>&-
	[ "$(tr -s ' ' <<<"$output")" = " 0 0 1" ]
	# A comparison that fails does not mean that the namespaces are the same.
	command -v strace >/dev/null || not_here "needs strace"
	ASAN_OPTIONS=detect_leaks=0 run -255 strace -f -o "$WORK/trace" -e inject=setns:error=ENOMEM:when=1 "$TARE" --root "$ROOT" exec "$ID" id -u
	grep -q 'setns.*ENOMEM.*INJECTED' "$WORK/trace" || not_here "needs strace that can inject errors"
	[ "$output" = "tare: exec $ID: cannot enter the container's namespaces: cannot allocate memory" ] || { echo "$output"; return 1; }
}

@test "exec in a container that shares the host's namespaces" {
	config '.linux.namespaces=[{"type":"mount"}] | .hostname=null | .mounts |= map(select(.type != "sysfs" and .type != "mqueue"))'
	waiting
	run -0 tare exec "$ID" sh -c 'readlink /proc/self/ns/pid; readlink /proc/self/ns/net; ls /bin/busybox'
	[ "${lines[0]}" = "$(readlink /proc/self/ns/pid)" ]
	[ "${lines[1]}" = "$(readlink /proc/self/ns/net)" ]
}

@test "exec in a container without a mount namespace stays in its root" {
	config '.linux.namespaces=[{"type":"pid"}] | .hostname=null | .mounts=[] | .linux.maskedPaths=[] | .linux.readonlyPaths=[]'
	waiting
	run -0 tare exec "$ID" sh -c 'ls /; pwd'
	[[ "$output" != *root* ]]
	[[ "$output" == *bin* ]]
}
