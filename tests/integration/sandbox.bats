# SPDX-License-Identifier: Apache-2.0
# The command sandbox: a program in a container that flags describe.
load helpers

# The program's user and group id, in the sandbox and on the host. An unprivileged caller's program has the caller's ids.
PROGRAM=65534
case ${TARE_AS:-} in
user) PROGRAM=$AS_USER ON_HOST=$AS_USER ;;
userns) ON_HOST=$((AS_FIRST + PROGRAM)) ;;
*) ON_HOST=$PROGRAM ;;
esac

sandbox() {
	tare sandbox "$@"
}

# Other callers than root cannot map the ids of files below an overlay: the program may write to those that it owns.
own_by_program() { # PATH...
	[ -z "${OTHER:-}" ] || chown -hR "$ON_HOST:$ON_HOST" "$@"
}

# Makes a copy of tare that another user may use, and runs it as user 65533 without subordinate ids.
as_user() {
	cp "$TARE" "$WORK/tare"
	mkdir -p "$WORK/user"
	chmod 755 "$WORK"
	chown 65533:65533 "$WORK/user"
	setpriv --reuid 65533 --regid 65533 --clear-groups "$WORK/tare" --root "$WORK/user" sandbox "$@"
}

@test "a program sees the host's programs, and nothing else of the host" {
	run -0 sandbox -- sh -c 'echo /*; id -u; id -g; cat /proc/sys/kernel/hostname; pwd'
	[[ " ${lines[0]} " == *" /usr "* && " ${lines[0]} " == *" /tmp "* ]]
	[[ ! " ${lines[0]} " =~ ' '/(home|root|var|mnt|srv|opt|boot)' ' ]]
	[ "${lines[*]:1}" = "$PROGRAM $PROGRAM sandbox /" ]
	mkdir -p "$WORK/secret"
	run -1 sandbox -- test -e "$WORK/secret"
	run -1 sandbox -- test -e /etc/shadow
}

@test "the sandbox is read-only except for /tmp, /run and /dev/shm" {
	run -0 sandbox -- sh -c 'for d in / /usr /etc /dev /bin; do touch $d/file 2>/dev/null && echo $d; done
		for d in /tmp /run /dev/shm; do touch $d/file || exit; done'
	[ -z "$output" ]
}

@test "the program has no capabilities, no_new_privs, a filter and no core dumps" {
	run -0 sandbox -- sh -c 'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status; ulimit -c'
	[ "$(grep -c '0000000000000000' <<<"$output")" = 5 ]
	grep -qx $'NoNewPrivs:\t1' <<<"$output"
	grep -qx $'Seccomp:\t2' <<<"$output"
	[ "${lines[-1]}" = 0 ]
}

@test "the network is a loopback that is up, or with --net host that of the caller" {
	run -0 sandbox -- sh -c 'tail -n +3 /proc/net/dev | wc -l; cat /sys/class/net/lo/flags 2>/dev/null || true
		python3 -c "
import socket
listener = socket.create_server((\"127.0.0.1\", 0))
socket.create_connection(listener.getsockname()).close()"'
	[ "${lines[0]}" = 1 ]
	run -0 sandbox --net host -- readlink /proc/self/ns/net
	[ "$output" = "$(readlink /proc/self/ns/net)" ]
	run -125 sandbox --net bridge -- true
	[[ "$output" == *"--net"*"none, host"* ]]
}

@test "the exit status is the program's, or 125, 126 and 127 if it was not executed" {
	run -7 sandbox -- sh -c 'exit 7'
	run -127 sandbox -- /no/such/program
	run -127 sandbox -- nosuchprogram
	run -126 sandbox -- /etc/passwd
	run -126 sandbox -- /usr
	run -125 sandbox
	run -125 sandbox --no-such-flag -- true
	run -125 sandbox --rootfs /no/such/directory -- true
	run -125 sandbox --swap 1m -- true
}

@test "signals act on the program as outside of a sandbox" {
	run -143 sandbox -- sh -c 'kill -TERM $$; echo ignored'
	run -134 sandbox -- python3 -c 'import os; os.abort()'
	[ ! -e core ]
	run -152 sandbox -- sh -c 'ulimit -St 1; while :; do :; done'
	run -0 sandbox -- sh -c 'echo $$; kill -9 1; (sleep 0.1 &) ; sleep 0.3; grep -h ^State /proc/[0-9]*/status | grep -c Z; true'
	[ "${lines[0]}" -gt 1 ]
	[ "${lines[-1]}" = 0 ]
	"$TARE" --root "$ROOT" sandbox -- sh -c 'trap "exit 33" TERM; echo ready; while :; do sleep 0.1; done' >"$WORK/out" 3>&- &
	wait_for '[ "$(cat "$WORK/out")" = ready ]'
	kill -TERM $!
	status=0
	wait $! || status=$?
	[ "$status" -eq 33 ]
}

@test "an error names no id, and nothing is left" {
	run -127 --separate-stderr sandbox -- nosuchprogram
	[[ "$stderr" == 'tare: sandbox: /process/args: exec: "nosuchprogram": executable file not found'* ]]
	sandbox -- true
	[ -z "$(tare list -q)" ]
	! compgen -G "$ROOT/sandbox*"
}

@test "a sandbox removes those of which the command was killed, and no others" {
	"$TARE" --root "$ROOT" sandbox -- sleep 1000 3>&- &
	killed=$!
	"$TARE" --root "$ROOT" sandbox -- sleep 1001 3>&- &
	running=$!
	wait_for '[ "$(tare list -q | wc -l)" = 2 ] && ! tare list | grep -q creating'
	program=$(pgrep -P "$(pgrep -P "$killed")")
	kill -9 "$killed"
	wait "$killed" || true
	wait_for 'has_died "$program"'
	sandbox -- true
	run -0 tare list -q
	[ "${#lines[@]}" = 1 ]
	[[ "$output" == "sandbox-"* ]]
	run -0 tare ps "$output"
	[[ "$output" == *"sleep 1001"* ]]
	kill -9 "$running"
	wait "$running" || true
	sandbox -- true
	[ -z "$(tare list -q)" ]
}

@test "--ro, --rw, --tmpfs and --file" {
	mkdir "$WORK/ro" "$WORK/rw"
	echo one >"$WORK/ro/file"
	chown $ON_HOST "$WORK/rw"
	chmod 755 "$WORK" "$WORK/ro"
	cd "$WORK"
	run -0 sandbox --ro ro:/input --rw "$WORK/rw:/output" --tmpfs /scratch:1m --file /etc/motd='50% of
two' --file /bin.copy=@5 -- sh -c 'cat /input/file /etc/motd; echo; echo x >/output/made; echo y 2>/dev/null >/input/made
		df -k /scratch | tail -1 | { read -r _ size _; echo $size; }; /bin.copy; echo $?; cmp /bin.copy /bin/true' 5</bin/true
	[ "$output" = $'one\n50% of\ntwo\n1024\n0' ]
	[ "$(cat rw/made)" = x ]
	[ ! -e ro/made ]
	run -0 sandbox --ro ro -- cat "$WORK/ro/file"
	[ "$output" = one ]
}

@test "a mount of the caller replaces one of the sandbox" {
	run -0 sandbox --tmpfs /tmp:64k --file /etc/passwd=mine -- sh -c 'cat /etc/passwd; df -k /tmp | tail -1'
	[[ "$output" == mine*' 64 '* ]]
}

@test "the environment has no secrets of the caller" {
	SECRET=1 LANG=C TOKEN=2 run -0 sandbox --env TOKEN --env A=b --env NONE -- env
	[ "$(sort <<<"$output" | grep -vE '^(PATH|TERM|LC_.*|PWD)=' | tr '\n' ' ')" = 'A=b HOME=/tmp LANG=C TOKEN=2 ' ]
	# What the caller does not have is omitted, and replaces no default.
	run -0 env -u PATH -u HOME "$TARE" --root "$ROOT" sandbox --env PATH --env HOME --env NONE -- /usr/bin/env
	[ "$(sort <<<"$output" | grep -E '^(PATH|HOME|NONE)' | tr '\n' ' ')" = 'HOME=/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ' ]
	run -0 sandbox --clear-env --env A=b -- env
	[ "$(sort <<<"$output" | tr '\n' ' ')" = 'A=b HOME=/tmp PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin ' ]
}

@test "bytes that a configuration cannot contain are an error, and never others in the sandbox" {
	local bytes=$'a\xffb' content
	run -125 sandbox -- echo "$bytes"
	[[ "$output" == "tare: sandbox: cannot pass on an argument of the program: it is not UTF-8"* ]]
	run -125 sandbox --env "A=$bytes" -- true
	A=$bytes run -125 sandbox --env A -- true
	mkdir "$WORK/$bytes"
	run -125 sandbox --ro "$WORK/$bytes:/x" -- true
	run -125 sandbox --rootfs "$WORK/$bytes" -- true
	run -125 sandbox --tmpfs "/$bytes" -- true
	run -125 sandbox --cwd "/$bytes" -- true
	run -125 sandbox --hostname "$bytes" -- true
	# A file may contain any bytes. What was not requested is omitted.
	content=$(LC_TEST=$bytes tare sandbox --file "/x=$bytes" -- sh -c 'cat /x; env | grep LC_TEST || true' | od -An -tx1)
	[ "$content" = " 61 ff 62" ]
}

@test "--user, --cwd, --hostname" {
	run -0 sandbox --user 1000:1001 --cwd /usr/bin --hostname box -- sh -c 'id -u; id -g; pwd; uname -n'
	[ "$output" = $'1000\n1001\n/usr/bin\nbox' ]
	# Root of the sandbox is not root of the host.
	mkdir "$WORK/rw"
	chmod 777 "$WORK/rw" && chmod 755 "$WORK"
	run -0 sandbox --user 0 --rw "$WORK/rw:/rw" -- sh -c 'id -u; touch /rw/file'
	[ "$output" = 0 ]
	[ "$(stat -c %u:%g "$WORK/rw/file")" = $ON_HOST:$ON_HOST ]
}

@test "--rootfs: a directory as root, read-only" {
	chmod 755 "$WORK" "$BUNDLE"
	mkdir -p "$BUNDLE"/rootfs/{proc,dev,run}
	run -0 sandbox --rootfs "$BUNDLE/rootfs" -- sh -c 'echo /bin/busybox; touch /file 2>/dev/null || touch /tmp/file && echo tmp'
	[ "$output" = $'/bin/busybox\ntmp' ]
	[ ! -e "$BUNDLE/rootfs/file" ]
	[ ! -e "$BUNDLE/rootfs/tmp/file" ]
}

# What a case writes to /etc/file, removes and adds in an overlay.
overlay_script='echo upper >/etc/file && echo new >/new && cat /etc/file && rm -r /bin/vi && mkdir /bin/vi && id -u'

@test "--overlay: the program may write to the root file system, and nothing of it stays" {
	chmod 755 "$WORK" "$BUNDLE"
	echo lower >"$BUNDLE/rootfs/etc/file"
	# The links of the bundle belong to all cases, and another one may have changed their owner.
	ln -sfn busybox "$BUNDLE/rootfs/bin/vi"
	own_by_program "$BUNDLE/rootfs"
	run -0 sandbox --rootfs "$BUNDLE/rootfs" --overlay --file /etc/made=yes -- sh -c \
		"$overlay_script && cat /etc/made"
	[ "$output" = $'upper\n'$PROGRAM$'\nyes' ]
	[ "$(cat "$BUNDLE/rootfs/etc/file")" = lower ]
	[ ! -e "$BUNDLE/rootfs/new" ] && [ -L "$BUNDLE/rootfs/bin/vi" ] && [ ! -e "$BUNDLE/rootfs/etc/made" ]
	# Neither are the targets of mounts made in the directory.
	[ ! -e "$BUNDLE/rootfs/proc" ]
	run -1 sandbox --rootfs "$BUNDLE/rootfs" --overlay=1m -- dd if=/dev/zero of=/big bs=1k count=2000
	[[ "$output" == *"No space left"* ]]
	run -125 sandbox --overlay -- true
}

@test "--overlay for an ordinary user" {
	echo lower >"$BUNDLE/rootfs/etc/file"
	# The links of the bundle belong to all cases, and another one may have changed their owner.
	ln -sfn busybox "$BUNDLE/rootfs/bin/vi"
	chown -R 65533:65533 "$BUNDLE"
	run -0 as_user --rootfs "$BUNDLE/rootfs" --overlay -- sh -c "$overlay_script"
	[ "$output" = $'upper\n65533' ]
	[ "$(cat "$BUNDLE/rootfs/etc/file")" = lower ]
	[ -z "$(ls "$BUNDLE/rootfs/tmp")" ]
}

@test "--print-config prints a configuration that run carries out in the same way" {
	mkdir "$WORK/other"
	run -0 sandbox --file /tmp/x=@5 --hostname box --time-limit 60s --report "$WORK/report" --print-config -- sh -c 'cat /tmp/x; uname -n; id -u' 5< <(printf 'a\0b')
	printf '%s\n' "$output" >"$WORK/other/config.json"
	cd "$WORK/other"
	run -0 bash -c '"$1" --root "$2" run "$3" | od -c | head -3' _ "$TARE" "$ROOT" "$ID"
	jq -e '.limits==[{"name":"time-limit","value":60000000,"enforcedBy":"tare"}]' "$WORK/report"
	[ "${lines[0]}" = "$(printf 'a\0bbox\n%s\n' $PROGRAM | od -c | head -1)" ]
}

@test "--print-config: paths are absolute, and a warning names each flag that is missing in it" {
	mkdir "$WORK/other"
	cd "$WORK/other"
	run -0 --separate-stderr sandbox --report r --denied d --print-config -- true
	[ -z "$stderr" ]
	[ "$(jq -c '[.annotations["org.tare.report","org.tare.denied"]]' <<<"$output")" = "[\"$WORK/other/r\",\"$WORK/other/d\"]" ]
	run -0 --separate-stderr sandbox --denied - --print-config --output-limit 1k --report-fd 5 --learn x --die-with-parent -- true 5>/dev/null
	[ "$(jq -r '.annotations["org.tare.denied"]' <<<"$output")" = - ]
	[ "$(grep -oE '^tare: warning: --[a-z-]+ cannot be part of the configuration' <<<"$stderr" | cut -d' ' -f3 | tr '\n' ' ')" = '--output-limit --report-fd --learn --die-with-parent ' ]
	[ -z "$(ls)" ]
}

@test "the default filter: namespaces, keyrings and unusual sockets are refused" {
	run -0 sandbox -- python3 -c 'import ctypes, errno, socket, subprocess, threading
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
	ctypes.set_errno(0)
	libc.syscall(number, *args)
	return errno.errorcode.get(ctypes.get_errno(), "ok")
print(call(272, 0x10000000), call(248, b"user", b"x", b"y", 1, -3), call(425, 1, 0), call(321, 0, 0, 0), call(435, 0, 0))
for family in 38, 40:
	try:
		socket.socket(family, socket.SOCK_STREAM)
		print("made")
	except OSError as e:
		print(errno.errorcode[e.errno])
threading.Thread(target=lambda: print("thread", flush=True)).start()
print(subprocess.run(["echo", "child"]).returncode)'
	[ "$(sort <<<"$output" | tr '\n' ' ')" = '0 EPERM EPERM EPERM EPERM ENOSYS EPERM ENOSYS child thread ' ] || { echo "$output"; return 1; }
	run -0 sandbox --seccomp none -- grep Seccomp: /proc/self/status
	[ "$output" = $'Seccomp:\t0' ]
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":2}]}' >"$WORK/profile"
	run -1 sandbox --seccomp "$WORK/profile" -- mkdir /tmp/x
	[[ "$output" == *"No such file"* ]]
	run -125 sandbox --seccomp /no/such/file -- true
	echo '[]' >"$WORK/profile"
	run -125 sandbox --seccomp "$WORK/profile" -- true
}

@test "an ordinary user: its own ids, or others in the sandbox alone" {
	run -0 as_user -- sh -c 'id -u; id -g; touch /tmp/file; echo /*'
	[ "${lines[*]:0:2}" = "65533 65533" ]
	mkdir "$WORK/rw"
	chown 65533 "$WORK/rw"
	run -0 as_user --user 0 --rw "$WORK/rw:/rw" -- sh -c 'id -u; touch /rw/file'
	[ "$output" = 0 ]
	[ "$(stat -c %u "$WORK/rw/file")" = 65533 ]
	run -127 as_user -- /no/such/program
	[ -z "$("$TARE" --root "$WORK/user" list -q)" ]
}

# A container of tare with the host's programs, in which the script is executed. A tmpfs is on /dev/shm.
inside_container() { # JQ SCRIPT
	cp "${TARE_PROGRAM:-$TARE}" "$BUNDLE/rootfs/tare"
	rm -rf "$BUNDLE"/rootfs/bin
	mkdir -p "$BUNDLE"/rootfs/{usr,proc,dev,sys}
	for name in bin sbin lib lib64; do ln -sfn usr/$name "$BUNDLE/rootfs/$name"; done
	config '.process.env=["PATH=/bin:/usr/bin"]|.mounts+=[{"destination":"/usr","type":"bind","source":"/usr","options":["rbind","ro"]}]'
	config "$1"
	chmod 755 "$WORK" "$BUNDLE"
	script "$2"
	run tare run -b "$BUNDLE" "$ID"
}

# bats test_tags=vm
@test "in a container of tare, as root or as another user" {
	local caps='["CAP_SETUID","CAP_SETGID","CAP_SETFCAP","CAP_SYS_CHROOT","CAP_CHOWN","CAP_DAC_OVERRIDE"]'
	local script='sandbox() { /tare --root /dev/shm/state sandbox "$@"; }
		sandbox --proc bind -- sh -c "id -u; cat /proc/sys/kernel/hostname"
		sandbox --proc none -- sh -c "id -u; ls -a /proc"
		sandbox -- true; echo $?; /tare --root /dev/shm/state list -q'
	inside_container ".process.capabilities=([\"bounding\",\"effective\",\"permitted\"]|map({key:.,value:$caps})|from_entries)" "$script"
	[ "$status" = 0 ]
	[[ "$output" == $'65534\nsandbox\n65534\n'*"No such file"*"--proc bind"*"--proc none"*$'\n125' ]] || { echo "$output"; return 1; }
	inside_container '.process.user={"uid":1000,"gid":1000}|.process.capabilities={}' "$script"
	[[ "$output" == $'1000\nsandbox\n1000\n'*$'\n125' ]] || { echo "$output"; return 1; }
	# The id of root is not mapped without CAP_SETFCAP, not even by root.
	inside_container '.process.user={"uid":0,"gid":0}|.process.capabilities={}' "$script"
	[[ "$output" == *"needs CAP_SETFCAP"*$'\n125' ]] || { echo "$output"; return 1; }
	# With an unmasked /proc nothing is to be chosen.
	inside_container '.process.user={"uid":1000,"gid":1000}|.process.capabilities={}|.linux.maskedPaths=[]|.linux.readonlyPaths=[]' "$script"
	[[ "$output" == *$'\n0' ]] || { echo "$output"; return 1; }
}

# bats test_tags=vm
@test "a limit that cannot be enforced is an error, or omitted with --limits=best-effort" {
	run -125 "$TARE" --root "$ROOT" --cgroup-manager disabled sandbox --memory 64m -- true
	[[ "$output" == *"/linux/resources"* ]] || { echo "$output"; return 1; }
	run -0 "$TARE" --root "$ROOT" --log "$WORK/log" --cgroup-manager disabled sandbox --limits=best-effort --memory 64m --swap 1m \
		--pids 10 --cpus 0.5 --cpuset 0 -- true
	[ -z "$output" ]
	[ "$(grep -oE -- '--[a-z]+ is not enforced' "$WORK/log" | tr '\n' ' ')" = '--memory is not enforced --pids is not enforced --cpus is not enforced --cpuset is not enforced ' ]
	run -125 sandbox --limits=some -- true
}

# Runs a sandbox with a report, which must have the published form, and be this jq expression.
ended() { # STATUS JQ ARGUMENTS...
	run "-$1" sandbox --report "$WORK/report" "${@:3}"
	valid_report "$WORK/report"
	jq -e "$2" "$WORK/report" || { cat "$WORK/report"; return 1; }
}

# bats test_tags=vm
@test "limits of time and output, and the report of each cause" {
	ended 3 '.cause=="exit" and .exitCode==3 and .isolation.userNamespace and .isolation.seccompFilter' -- sh -c 'exit 3'
	ended 134 '.cause=="signal" and .signal.number==6' -- python3 -c 'import os; os.abort()'
	ended 124 '.cause=="time" and .signal.name=="TERM"' --time-limit 200ms -- sleep 1000
	ended 124 '.cause=="cpu-time"' --cpu-time-limit 200ms --grace 0 -- sh -c 'while :; do :; done'
	ended 124 '.cause=="output" and .output.bytes==1000' --output-limit 1000 -- sh -c 'while echo line; do :; done'
	ended 127 '.cause=="setup" and .setup.errnoName=="ENOENT" and .setup.pointer=="/process/args"' -- /no/such/program
	ended 126 '.cause=="setup" and .setup.errnoName=="EACCES"' -- /etc/passwd
	ended 0 '.limits|map({(.name):[.value,.enforcedBy]})|add=={"nofile":[50,"rlimit"],"fsize":[1024,"rlimit"],"time-limit":[60000000,"tare"]}' \
		--nofile 50 --fsize 1k --time-limit 1m -- true
}

@test "a command that fails before it has made a sandbox writes a report, too" {
	local usage='.cause=="setup" and .setup.kind=="usage" and (has("id")|not) and (.setup.message|contains($m))'
	mistaken() { # MESSAGE ARGUMENTS...
		run -125 sandbox "${@:2}"
		valid_report "$WORK/report"
		jq -e --arg m "$1" "$usage" "$WORK/report" >/dev/null || { cat "$WORK/report"; return 1; }
		[[ "$output" == *"$(jq -r .setup.message "$WORK/report")"* ]]
		rm "$WORK/report"
	}
	mistaken --time-limit --report "$WORK/report" --time-limit never -- true
	mistaken --time-limit --time-limit never --report="$WORK/report" -- true
	mistaken --no-such-flag --no-such-flag --report "$WORK/report" -- true
	mistaken missing --report "$WORK/report"
	mistaken --memory --report "$WORK/report" --memory=-5 -- true
	mistaken --limits --report "$WORK/report" --limits some -- true
	mistaken --net --report "$WORK/report" --net bridge -- true
	mistaken --overlay --report "$WORK/report" --overlay -- true
	mistaken --pids --report-fd 5 --pids many -- true 5>"$WORK/report"
	run -125 sandbox --report "$WORK/report" --report-format isolate --pids many -- true
	grep -qx status:XX "$WORK/report"
	# The flags of the program are its own, and what is only printed has no report.
	rm "$WORK/report"
	run -127 sandbox -- /no/such/program --report "$WORK/report"
	run -125 sandbox --report "$WORK/report" --print-config --net bridge -- true
	[ ! -e "$WORK/report" ]
}

@test "the report has the limits that are not enforced" {
	run -0 "$TARE" --root "$ROOT" --cgroup-manager disabled sandbox --limits=best-effort --report "$WORK/report" --memory 64m --swap 1m \
		--pids 10 --cpus 1.25 --cpuset 0-1,3 -- true
	valid_report "$WORK/report"
	jq -e '.limits|map({(.name):[.value,.enforcedBy]})|add=={"memory":[67108864,"nothing"],"swap":[1048576,"nothing"],"pids":[10,"nothing"],"cpus":[1.25,"nothing"],"cpuset":["0-1,3","nothing"]}' "$WORK/report"
}

@test "--denied, and --learn for a profile with which the same command runs" {
	run -0 sandbox --denied "$WORK/denied" -- sh -c 'unshare -Ur true 2>/dev/null; echo end'
	[ "$output" = end ]
	jq -e '.calls|map(select(.name=="unshare" and .answer=="EPERM"))|length==1' "$WORK/denied"
	run -0 sandbox --learn "$WORK/profile" -- sh -c 'mkdir /tmp/x && ls /tmp'
	[ "$output" = x ]
	run -0 sandbox --seccomp "$WORK/profile" -- sh -c 'mkdir /tmp/x && ls /tmp'
	[ "$output" = x ]
	# The profile allows no more than that.
	run sandbox --seccomp "$WORK/profile" -- python3 -c 'import socket; socket.socket()'
	[ "$status" != 0 ]
}

@test "--die-with-parent" {
	bash -c '"$1" --root "$2" sandbox --die-with-parent -- sh -c "echo ready; sleep 1000" & echo $! >"$3/pid"; wait' _ "$TARE" "$ROOT" "$WORK" >"$WORK/out" 3>&- &
	caller=$!
	wait_for '[ "$(cat "$WORK/out")" = ready ]'
	kill -9 "$caller"
	wait "$caller" || true
	wait_for 'has_died "$(cat "$WORK/pid")"'
	[ -z "$(tare list -q)" ]
}

judge() {
	python3 "$BATS_TEST_DIRNAME/../../examples/judge.py" --tare "$TARE" --root "$ROOT" --jobs 2 "$@"
}

# bats test_tags=vm
@test "the judge: each verdict of all 14 kinds is right, and nothing is left" {
	local limited=(fork-bomb memory-bomb shm-fill) others=(honest wrong endless-loop sleep output-flood core-dump kill-1
		ptrace network symlink close-stdin) n=$(($(rounds 30) / 10 + 1)) kind
	if [ "$(grep -cwE 'memory.* pids|pids.* memory' "$(cgroup_mount)/cgroup.controllers")" = 1 ]; then
		others+=("${limited[@]}")
		limited=()
		run -0 judge --all --rounds "$n"
	else
		run -0 judge --rounds "$n"
	fi
	for kind in "${others[@]}"; do
		grep -qE "^$kind +([A-Z]{2}) +\\1\*$n " <<<"$output" || { echo "$kind: $output"; return 1; }
	done
	# A kind that cannot be judged is named.
	for kind in "${limited[@]}"; do
		grep -qE "^$kind +[A-Z]{2} +not judged: no limit of (memory|pids) here$" <<<"$output" || { echo "$kind: $output"; return 1; }
	done
	[ "$((${#others[@]} + ${#limited[@]}))" = 14 ]
	[ -z "$(tare list -q)" ]
}

@test "the judge: a wrong verdict is a failure, and so is with --all a kind that is not judged" {
	mkdir "$WORK/mistaken"
	sed 's/"wrong": kind("WA"/"wrong": kind("AC"/' "$BATS_TEST_DIRNAME/../../examples/judge.py" >"$WORK/mistaken/judge.py"
	run -1 python3 "$WORK/mistaken/judge.py" --tare "$TARE" --root "$ROOT" --count 2 honest wrong
	[[ "$output" == *"wrong"*" AC "*"WA*1"* ]]
	run -1 judge --all --count 1 honest wrong
	[[ "$output" == *"wrong"*"not judged: more kinds than programs"* ]]
	run -0 judge --count 1 honest wrong
}

# bats test_tags=vm
@test "the judge of an ordinary user" {
	cp "$TARE" "$WORK/tare"
	cp "$BATS_TEST_DIRNAME/../../examples/judge.py" "$WORK"
	mkdir "$WORK/user"
	chmod 755 "$WORK"
	chown 65533:65533 "$WORK/user"
	run -0 setpriv --reuid 65533 --regid 65533 --clear-groups env TMPDIR="$WORK/user" python3 "$WORK/judge.py" --tare "$WORK/tare" --root "$WORK/user/state" \
		--count 9 --jobs 2 honest wrong sleep output-flood core-dump ptrace network symlink close-stdin
	[ -z "$("$TARE" --root "$WORK/user/state" list -q)" ]
}

# Runs the block of shell commands in docs/sandbox.md that begins with this line, as it is there.
recipe() { # FIRST LINE
	first=$1 awk '/^```$/ { in_block = 0 } is_first && $0 == ENVIRON["first"] { in_block = found = 1 }
		in_block { print } { is_first = /^```sh$/ } END { exit !found }' "$BATS_TEST_DIRNAME/../../docs/sandbox.md" >"$WORK/block"
	(cd "$WORK/where" && PATH=$WORK/path:$PATH sh -e "$WORK/block") 3>&-
}

# bats test_tags=vm
@test "docs/sandbox.md: the recipes work as they are" {
	local blocks=0 line
	mkdir "$WORK/where" "$WORK/path"
	chmod 755 "$WORK" "$WORK/where" "$BUNDLE"
	printf '#!/bin/sh\nexec "%s" --root "%s" "$@"\n' "$TARE" "$ROOT" >"$WORK/path/tare"
	chmod 755 "$WORK/path/tare"
	cp -r "$BATS_TEST_DIRNAME/../../examples" "$WORK/where"
	cp -a "$BUNDLE/rootfs" "$WORK/where/rootfs"
	own "$WORK/where"
	own_by_program "$WORK/where/rootfs"
	while read -r line; do
		blocks=$((blocks + 1))
		[[ "$line" != "mkdir -p source"* ]] || command -v cc >/dev/null || continue
		run -0 recipe "$line"
		case $line in
		"tare sandbox -- sh"*) [[ "${lines[0]}" == "$PROGRAM" && "$output" == *" lo: "* ]] ;;
		"cat > answer.py"*) [[ "$output" == exit && "$(<"$WORK/where/output")" == 5 ]] ;;
		"python3 examples/judge.py"*) [[ "$output" == *"endless-loop"*TL* ]] ;;
		"mkdir -p source"*) "$WORK/where/result/main" ;;
		*--overlay*) [[ "$output" == changed && ! -e "$WORK/where/rootfs/etc/motd" ]] ;;
		*--learn*) [ -z "$output" ] ;;
		*"--proc none"*) [[ "$output" == 42 && "$(jq -r .cause "$WORK/where/report.json")" == exit ]] ;;
		*) false ;;
		esac || { echo "$line: $output"; return 1; }
	done < <(awk 'is_first { print } { is_first = /^```sh$/ }' "$BATS_TEST_DIRNAME/../../docs/sandbox.md")
	[ "$blocks" = 7 ]
}

@test "resource limits of a process" {
	run -0 sandbox --nofile 100 --fsize 1m --stack 4m -- bash -c 'ulimit -n; ulimit -f; ulimit -s; ulimit -c'
	[ "$output" = $'100\n1024\n4096\n0' ] || { echo "$output"; return 1; }
	run -125 sandbox --nofile=-1 -- true
}

# bats test_tags=vm
@test "limits of the cgroup" {
	run -0 sandbox --cpus 0.5 --print-config -- true
	[ "$(jq '.linux.resources.cpu|.quota/.period' <<<"$output")" = 0.5 ]
	controllers memory
	run sandbox --memory 32m -- python3 -c 'bytearray(200000000)'
	[ "$status" = 137 ] || { echo "$status $output"; return 1; }
	[[ "$output" == *"OOM-killed"* ]]
	run sandbox --pids 4 --cpus 0.5 --cpuset 0 -- bash -c 'for i in 1 2 3 4 5 6 7; do sleep 0.2 & done; wait; echo end; nproc'
	[[ "$output" == *fork* ]] || { echo "$status $output"; return 1; }
	run -0 sandbox --cpuset 0 --cpus 0.3 --report "$WORK/report" -- nproc
	[ "$output" = 1 ]
	valid_report "$WORK/report"
	jq -e '.limits|map({(.name):[.value,.enforcedBy]})|add=={"cpus":[0.3,"cgroup"],"cpuset":["0","cgroup"]}' "$WORK/report"
}

@test "a terminal with --tty, and otherwise none of the caller's to type into" {
	run -0 command script -qec "'$TARE' --root '$ROOT' sandbox --tty -- tty" /dev/null </dev/null
	[[ "$output" == *"/dev/pts/0"* ]] || { echo "$output"; return 1; }
	# The program is in a session of its own, without the terminal that is its standard input.
	run -0 command script -qec "'$TARE' --root '$ROOT' sandbox -- sh -c 'test -t 0 && ! cat </dev/tty && echo none'" /dev/null </dev/null
	[[ "$output" == *none* ]] || { echo "$output"; return 1; }
}
