# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the checks of all engines share. The engine of a file calls the runtime $RUNTIME, which is tare if it is not set,
# in a directory and with storage of its own. It is started once for a file, because an emulated machine needs longer for
# that than for most checks. A file defines begin_engine and end_engine; `missing`, which prints what the engine needs
# and this host lacks; and `engine`, the engine's command.
#
# A check must mean the same for every runtime: no messages of a runtime, and no flags or annotations that only one has.

bats_require_minimum_version 1.5.0
load "${BASH_SOURCE[0]%/*}/../integration/helpers"
load "${BASH_SOURCE[0]%/*}/../integration/engines"
RUNTIME=${RUNTIME:-$TARE}

setup_file() {
	[ "$EUID" = 0 ] && [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || return 0
	MISSING=$(missing)
	export MISSING
	[ -z "$MISSING" ] || return 0
	# For all cases of the file, which are children of this process.
	enable -f "$TOOLS/ownmounts.so" own_mounts
	own_mounts
	WORK=$(mktemp -d)
	export WORK
	chmod 755 "$WORK"
	mkdir -p "$WORK/rootfs/bin" "$WORK/rootfs/etc" "$WORK/rootfs/tmp" "$WORK/rootfs/kept"
	: >"$WORK/rootfs/kept/file"
	chmod 1777 "$WORK/rootfs/tmp"
	cp /bin/busybox "$TOOLS/probe" "$WORK/rootfs/bin/"
	/bin/busybox --list | grep -vx busybox | (cd "$WORK/rootfs/bin" && xargs -n 1 ln -s busybox)
	echo 'root:x:0:0::/:/bin/sh' >"$WORK/rootfs/etc/passwd"
	tar -C "$WORK/rootfs" -cf "$WORK/image.tar" .
	begin_engine
}

teardown_file() {
	[ -n "${WORK:-}" ] || return 0
	end_engine
	unmount_work
	rm -rf --one-file-system "$WORK"
}

setup() {
	[ "$EUID" = 0 ] || not_here "needs root"
	[ -z "${MISSING:-}" ] || host_lacks "${MISSING//$'\n'/, }"
	[ -n "${WORK:-}" ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	CASE=$WORK/$BATS_TEST_NUMBER
	mkdir "$CASE"
	chmod 755 "$CASE"
	C=c$BATS_TEST_NUMBER
}

# A container that a check has left. Looking for one would be a third of what a check costs.
teardown() {
	[ ! -e "${CASE:-/none}/begun" ] || remove_all
	cd /
}

remove_all() {
	engine ps -aq | xargs -r "$BASH" -c 'engine rm -f "$@"' - >/dev/null
}

# Runs a container and leaves its output and status. Flags and arguments are those of the engine's run.
created() { # FLAGS... IMAGE COMMAND...
	engine run --rm --network none "$@"
}

# A container that runs until the end of the check, named $C.
begin() { # FLAGS... IMAGE COMMAND...
	: >"$CASE/begun"
	engine run -d --name "$C" --network none "$@" >/dev/null
}

# The same, without anything to do.
begin_idle() { # FLAGS...
	begin "$@" "$IMAGE" sh -c 'trap "exit 3" TERM; sleep 1000 & wait'
}

# Sets $flags and $words to what is before and after "--".
divide() { # FLAGS... -- COMMAND...
	flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	words=("${@:2}")
}

# What `run` has called printed exactly this, and exited with 0. Without the carriage returns that a terminal adds.
printed() { # EXPECTED
	[ "$status:${output//$'\r'/}" = "0:$1" ] || { printf '%s: %s\n' "$status" "$output"; return 1; }
}

# A new container prints exactly this, and exits with 0.
gives() { # EXPECTED FLAGS... -- COMMAND...
	local flags words
	divide "${@:2}"
	run created "${flags[@]}" "$IMAGE" "${words[@]}"
	printed "$1"
}

# The same of a command in the container $C.
answers() { # EXPECTED FLAGS... -- COMMAND...
	local flags words
	divide "${@:2}"
	run engine exec "${flags[@]}" "$C" "${words[@]}"
	printed "$1"
}

# The same of a command on the host.
prints() { # EXPECTED COMMAND...
	run "${@:2}"
	printed "$1"
}

# The capabilities that a process with all of them has, as in /proc/PID/status.
all_capabilities() {
	grep CapBnd /proc/self/status | sed s/Bnd/Eff/
}

# A file of the Container Device Interface with one device, example.com/check=one: a node, a mount, a variable, and
# hooks, each of which copies its input to a file.
cdi_device() { # DIRECTORY
	mkdir -p "$1"
	echo mounted >"$WORK/cdi-mount"
	cat >"$1/check.json" <<-END
		{"cdiVersion": "0.5.0", "kind": "example.com/check", "devices": [{"name": "one", "containerEdits": {
		  "deviceNodes": [{"path": "/dev/checked", "hostPath": "/dev/loop-control", "permissions": "r"}],
		  "env": ["CHECKED=yes"],
		  "mounts": [{"hostPath": "$WORK/cdi-mount", "containerPath": "/checked", "options": ["ro", "nosuid", "nodev", "bind"]}],
		  "hooks": [
		    {"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createRuntime"]},
		    {"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createContainer"]},
		    {"hookName": "poststop", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-poststop"]}]}}]}
	END
}

# A script that shows whether a device can be opened for reading, and the error of doing so for writing.
opens() { # DEVICE
	echo "(: <$1) && echo opened; (: >$1) 2>&1 | grep -o 'not permitted'"
}

# What a container with that device shows.
cdi_works() {
	rm -f "$WORK"/cdi-[cp]*[rep]
	gives $'yes\nmounted\nopened\nnot permitted' --device example.com/check=one -- sh -c "echo \$CHECKED; cat /checked; $(opens /dev/checked)"
	for hook in createRuntime createContainer poststop; do jq -e '.id and .bundle' "$WORK/cdi-$hook" >/dev/null; done
}

# --- what several engines are checked for in the same way

# A container that prints when it begins and when it is stopped.
begin_reporting() { # FLAGS...
	begin "$@" "$IMAGE" sh -c 'trap "echo stopped; exit 3" TERM; echo begun; sleep 1000 & wait'
}

pauses() {
	engine pause "$C" >/dev/null
	prints paused engine inspect -f '{{.State.Status}}' "$C"
	engine unpause "$C" >/dev/null
}

# The container of begin_reporting ends by itself when it is asked to, and both its lines are in the log.
stops() {
	engine stop -t 60 "$C" >/dev/null
	prints 3 engine inspect -f '{{.State.ExitCode}}' "$C"
	prints $'begun\nstopped' engine logs "$C"
}

# In a container that waits: user, environment, directory, terminal, input, and a program that is a directory.
exec_works() {
	answers $'1000\nb\n/tmp' -u 1000 -e A=b -w /tmp -- sh -c 'id -u; echo $A; pwd'
	answers $'33\n34' -u 33:34 -- sh -c 'id -u; id -g'
	answers terminal -t -- sh -c 'test -t 0 && test -t 1 && echo terminal'
	run -0 engine exec -i "$C" cat <<<'some text'
	[ "$output" = 'some text' ]
	run -126 engine exec "$C" /etc
}

exec_detaches() {
	engine exec -d "$C" sh -c 'echo done >/tmp/detached' >/dev/null
	wait_for '[ "$(engine exec "$C" cat /tmp/detached)" = done ]'
}

attach_works() {
	: >"$CASE/begun"
	engine create --name "$C" --network none "$IMAGE" sh -c 'echo attached; exit 4' >/dev/null
	run -4 engine start -a "$C"
	[ "$output" = attached ]
}

# The statistics of a container with a limit of 64 MiB, which the engine prints in its own unit.
stats_work() { # EXPRESSION FOR THE UNIT AND THE LIMIT
	run -0 engine stats --no-stream --format '{{.PIDs}} {{.MemUsage}}' "$C"
	[[ "$output" =~ ^[12]\ [0-9.]+$1$ ]] || { echo "$output"; return 1; }
}

cp_diff_and_commit_work() { # NAME OF THE NEW IMAGE
	begin_idle
	echo copied >"$CASE/file"
	engine cp "$CASE/file" "$C:/tmp/copied" >/dev/null 2>&1
	answers copied -- cat /tmp/copied
	run -0 engine diff "$C"
	[[ "$output" == *"A /tmp/copied"* ]]
	engine commit "$C" "$1" >/dev/null 2>&1
	run -0 created "$1" cat /tmp/copied
	[ "$output" = copied ]
}

# More shares are a larger weight, and less than the default's are one of less than 100.
cpu_shares_work() {
	local weight
	for shares in 512 2048; do
		run -0 created --cpu-shares $shares "$IMAGE" cat /sys/fs/cgroup/cpu.weight
		weight[shares]=$output
	done
	[ "${weight[512]}" -lt 100 ] && [ "${weight[2048]}" -gt "${weight[512]}" ]
}

# Prints the namespaces of the process that reads this, one on each line.
print_namespaces='for n; do readlink /proc/self/ns/$n; done'

joins_the_host() {
	run -0 --separate-stderr engine run --rm --pid host --ipc host --uts host --cgroupns host --network host "$IMAGE" \
		sh -c "$print_namespaces" - pid ipc uts cgroup net
	[ "$output" = "$(readlink /proc/self/ns/{pid,ipc,uts,cgroup,net})" ]
}

# A new container joins these namespaces of a container that waits, besides its network.
joins_another() { # NAMESPACE...
	local kind flags=(--network "container:$C")
	for kind; do flags+=("--$kind" "container:$C"); done
	local joined
	joined=$(engine exec "$C" sh -c "$print_namespaces" - "$@" net)
	run -0 --separate-stderr engine run --rm "${flags[@]}" "$IMAGE" sh -c "$print_namespaces" - "$@" net
	[ "$output" = "$joined" ]
}

# A profile that allows everything but making directories.
seccomp_profile() { # FILE
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >"$1"
}

seccomp_profile_works() {
	seccomp_profile "$CASE/profile.json"
	gives $'implemented\nonly others' --security-opt "seccomp=$CASE/profile.json" -- \
		sh -c 'mkdir /new 2>&1 | grep -o implemented; touch /file && echo only others'
}

# A directory is read-write at one place and read-only at another.
volumes_work() {
	mkdir -m 755 "$CASE/data"
	touch "$CASE/data/f"
	gives $'wrote\nrefused' -v "$CASE/data:/rw" -v "$CASE/data:/ro:ro" -- \
		sh -c 'echo x >/rw/f && echo wrote; echo x 2>/dev/null >/ro/f || echo refused'
	[ "$(cat "$CASE/data/f")" = x ]
}

# A new volume has what the image has there, and what one container adds another sees.
named_volumes_work() {
	begin_idle -v "named$C:/kept"
	answers file -- ls /kept
	engine exec "$C" touch /kept/more
	run -0 created --volumes-from "$C" "$IMAGE" ls /kept
	[ "$output" = $'file\nmore' ]
	engine rm -f "$C" >/dev/null
	engine volume rm "named$C" >/dev/null
}

temporary_file_systems_work() {
	gives $'1024\n1777\nnoexec' --tmpfs /t:size=1m,mode=1777,noexec -- \
		sh -c 'set -- $(df -k /t | tail -n 1); echo $2; stat -c %a /t; grep " /t " /proc/mounts | grep -o noexec'
	gives $'2048\n4096' --shm-size 2m --mount type=tmpfs,target=/u,tmpfs-size=4m -- \
		sh -c 'for d in /dev/shm /u; do set -- $(df -k $d | tail -n 1); echo $2; done'
}

later_mounts_follow() {
	mkdir "$CASE/data" "$CASE/data/sub"
	mount --bind "$CASE/data" "$CASE/data"
	mount --make-shared "$CASE/data"
	begin_idle -v "$CASE/data:/follows:rslave" -v "$CASE/data:/alone:rprivate"
	mount -t tmpfs tmpfs "$CASE/data/sub"
	touch "$CASE/data/sub/later"
	answers later -- ls /follows/sub
	answers '' -- ls /alone/sub
}

# The program of a root file system that is a directory of this machine changes it, but not through an overlay.
root_directory_works() { # DIRECTORY
	run -0 engine run --rm --network none --rootfs "$1:O" sh -c 'touch /new; ls /new'
	[ "$output" = /new ] && [ ! -e "$1/new" ]
	run -0 engine run --rm --network none --rootfs "$1" sh -c 'touch /new; ls /new'
	[ "$output" = /new ] && [ -e "$1/new" ]
}

# Steps of an image that run as two users.
two_users() { # FILE
	printf 'FROM %s\nRUN id -u >/made\nUSER 33\nRUN id -u >/tmp/made\n' "$IMAGE" >"$1"
}

built_by_two_users() { # IMAGE
	run -0 created "$1" cat /made /tmp/made
	[ "$output" = $'0\n33' ]
}

# A container that counts in a file.
begin_counting() { # FLAGS...
	begin "$@" "$IMAGE" sh -c 'i=0; while :; do i=$((i+1)); echo $i >/count; sleep 0.1; done'
	counted=3
	counts_on
}

# A restored container has not begun again, and counts on.
restored() {
	run -0 engine exec "$C" cat /count
	[ "$output" -gt "$counted" ]
	counted=$output
	counts_on
}

counts_on() {
	wait_for '[ "$(engine exec "$C" cat /count)" -gt "$counted" ]'
}

# An image of 101 layers, each with one file, as an archive that docker and podman load.
many_layers() { # FILE NAME
	python3 "$BATS_TEST_DIRNAME/archive.py" "$1" "$WORK/image.tar" 100 "$2" ""
}

# A root file system in $1 that starts systemd: the programs are those of this machine.
systemd_root() { # DIRECTORY
	mkdir -p "$1/usr" "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/tmp" "$1/var" "$1/root"
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$1/$link"; done
	cp -a /etc "$1/etc"
	rm -rf "$1/etc/systemd" "$1/etc/fstab"
}

begin_systemd() { # ROOT DIRECTORY
	: >"$CASE/begun"
	engine run -d --name "$C" --network none --systemd=always -v /usr:/usr:ro --rootfs "$1" \
		/usr/lib/systemd/systemd --unit=basic.target >/dev/null
}

# A unit has a cgroup of its own below the container's, and systemd ends by itself when it is asked to.
systemd_works() {
	run -0 engine exec "$C" systemd-run --quiet --wait --pipe cat /proc/self/cgroup
	[[ "$output" == 0::*/system.slice/run-*.service ]]
	engine stop -t 100 "$C" >/dev/null
	[ "$(engine inspect -f '{{.State.ExitCode}}' "$C")" != 137 ]
}

# A unit of podman that waits until it is stopped.
quadlet() { # FLAGS OF PODMAN
	cat <<-END
		[Container]
		Image=$IMAGE
		Network=none
		Pull=never
		GlobalArgs=$1
		Exec=sh -c 'trap "exit 0" TERM; sleep 1000 & wait'
		[Service]
		TimeoutStartSec=300
	END
}
