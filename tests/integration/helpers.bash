# SPDX-License-Identifier: Apache-2.0
# What the cases share. Each case gets a bundle of busybox of its own in $BUNDLE and a state root in $ROOT.
# What all cases go through does with the shell's own means what they can: starting a program is what costs most in an
# emulated machine.

bats_require_minimum_version 1.5.0
TARE=${TARE:-$BATS_TEST_DIRNAME/../../build/src/tare}
TOOLS=${TARE_TOOLS:-$(dirname "$TARE")/../tests}

setup() {
	[ "$EUID" = 0 ] || not_here "needs root"
	enable -f "$TOOLS/ownmounts.so" own_mounts
	own_mounts
	WORK=$(mktemp -d)
	BUNDLE=$WORK/bundle
	ROOT=$WORK/state
	# What mktemp made there is once only, which a process id is not: another suite may have its own of them.
	ID=t$$.${WORK##*.}
	template "$BATS_RUN_TMPDIR/bundle"
	cp -a "$BATS_RUN_TMPDIR/bundle/." "$BUNDLE"
	cp -al "$BATS_RUN_TMPDIR/links/." "$BUNDLE/rootfs/bin"
	watch_mounts
}

# The bundle that each case gets a copy of, and the symbolic links to busybox, which all cases have in common as hard
# links: some hundred new ones for each would be most of what a case costs.
template() { # path
	[ ! -d "$1" ] || return 0
	BUNDLE=$WORK/template
	mkdir -p "$BUNDLE/rootfs/bin" "$BUNDLE/rootfs/etc" "$BUNDLE/rootfs/tmp" "${1%/*}/links"
	cp /bin/busybox "$BUNDLE/rootfs/bin/busybox"
	/bin/busybox --list | grep -vx busybox | python3 -c 'import os, sys
for name in sys.stdin.read().split(): os.symlink("busybox", sys.argv[1] + "/" + name)' "${1%/*}/links"
	"$TARE" spec -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .root.readonly=false | .process.noNewPrivileges=false'
	mv "$BUNDLE" "$1"
	BUNDLE=$WORK/bundle
}

# From here to the end of the case the mounts of the case's namespace do not change, not even for a moment: they are
# the host's for all that the case starts. A case that has to change them itself calls this again when it has. With
# "ends" they may change meanwhile, and are the same at the end.
watch_mounts() { # [ends]
	end_watch
	coproc WATCH { exec "$TOOLS/mountwatch" "$WORK/watch.end" "$WORK/watch.report" "$@" 3>&-; }
	watch=$WATCH_PID
	read -r -u "${WATCH[0]}" || true
}

end_watch() {
	[ -n "${watch:-}" ] || return 0
	# Opened like this it does not wait for a reader.
	: <>"$WORK/watch.end"
	wait "$watch" || { echo "mountwatch ended with status $?"; return 1; }
	watch=
}

# What a case made is gone, and the mounts are what they were.
teardown() {
	end_case
}

end_case() {
	[ -n "${WORK:-}" ] || return 0
	shopt -s dotglob
	left=("$ROOT"/*)
	if [ -e "${left[0]}" ]; then
		for id in $(tare list -q 2>/dev/null); do
			tare delete --force "$id"
		done
	fi
	end_watch
	report=$(<"$WORK/watch.report")
	rm -rf --one-file-system "$WORK"
	[ -z "$report" ] || { printf '%s\n' "$report"; return 1; }
	if compgen -G "$(cgroup_of "$ID*")"; then return 1; fi
}

# What an engine has mounted for a case. It may still be unmounting that itself.
unmount_work() {
	for _ in {1..50}; do
		mounts=$(grep -o " $WORK/[^ ]*" /proc/self/mountinfo | sort -ru)
		[ -n "$mounts" ] || return 0
		xargs umount -l <<<"$mounts" 2>"$WORK/umount" || sleep 0.1
	done
	cat "$WORK/umount"
	return 1
}

# A case that cannot run says so. TARE_MUST_RUN=1 makes that a failure; TARE_MUST_RUN=tools only where something
# is missing that can be installed, and not where this host's kernel or hierarchy lacks it (host_lacks).
not_here() {
	[ "${TARE_MUST_RUN:-0}" = 0 ] || { echo "cannot run here: $1" >&2; return 1; }
	skip "$1"
}

host_lacks() {
	[ "${TARE_MUST_RUN:-0}" != 1 ] || { echo "cannot run here: $1" >&2; return 1; }
	skip "$1"
}

tare() {
	case $1 in
	create | run) "$TARE" --root "$ROOT" ${TARE_MANAGER:+--cgroup-manager "$TARE_MANAGER"} "$@" ;;
	*) "$TARE" --root "$ROOT" "$@" ;;
	esac
}

# With TARE_MANAGER=systemd these are what systemd makes: the cgroupsPath that names a cgroup after the container,
# and the directory that it then is.
named_path() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then echo ":tare:$1"; else echo "/$1"; fi
}

named_dir() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then
		echo "$(cgroup_mount)/system.slice/tare-$1.scope"
	else
		echo "$(cgroup_mount)/$1"
	fi
}

# A case about paths, of which systemd has its own, or about something else that it does differently.
not_systemd() { # [reason]
	[ "${TARE_MANAGER:-}" != systemd ] || skip "${1:-systemd has paths of its own}"
}

config() {
	local changed
	changed=$(jq "$@" <"$BUNDLE/config.json") && printf '%s\n' "$changed" >"$BUNDLE/config.json"
}

# The program of the container as a shell script.
script() {
	config --arg s "$1" '.process.args=["sh","-c",$s]'
}

# create leaves init waiting with the caller's output, which must not be the pipe that bats reads to its end.
create() {
	tare create -b "$BUNDLE" "$@" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&-
}

run_container() {
	run -"${2:-0}" tare run -b "$BUNDLE" "$ID"
}

# Runs a script inside and leaves its output in $output.
inside() {
	script "$1"
	run tare run -b "$BUNDLE" "$ID"
	[ "$status" -eq 0 ] || { echo "status $status: $output"; return 1; }
}

cgroup_mount() {
	if [ -e /sys/fs/cgroup/cgroup.controllers ]; then echo /sys/fs/cgroup; else echo /sys/fs/cgroup/unified; fi
}

# Where a container's cgroup is unless it says something else: beside the caller's, or where systemd makes it.
cgroup_of() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then
		named_dir "$1"
		return
	fi
	own=$(</proc/self/cgroup)
	own=${own#*0::}
	echo "$(cgroup_mount)${own%/*}/$1"
}

pid_of() {
	tare state "$1" | jq .pid
}

status_of() {
	tare state "$1" | jq -r .status
}

# An emulated machine's: it has a name of its own.
is_emulated() {
	grep -q 'QEMU Virtual CPU' /proc/cpuinfo
}

# How often something is repeated until it is believed. Sanitizers and emulation take ten times as long for each: they
# get a tenth of them.
rounds() { # N
	if is_emulated || grep -q __asan_init "$TARE"; then echo $(($1 / 10)); else echo "$1"; fi
}

# Something that takes longer than so many seconds hangs. It is no measure of speed: a busy machine, an emulated one and
# sanitizers stay far below it.
HANGS=120

wait_for() {
	local end=$((EPOCHSECONDS + HANGS))
	until eval "$1"; do
		[ "$EPOCHSECONDS" -lt "$end" ] || { echo "never: $1"; return 1; }
		sleep 0.05
	done
}

# For a fault that only shows as waiting for a time limit of tare's own: one of several attempts takes less than that.
# A busy machine delays some of them, the fault all.
sooner_than() { # milliseconds, command...
	local attempt begin
	for attempt in 1 2 3 4 5; do
		begin=${EPOCHREALTIME/[.,]/}
		"${@:2}"
		[ $(((${EPOCHREALTIME/[.,]/} - begin) / 1000)) -ge "$1" ] || return 0
	done
	echo "never took less than $1 ms: ${*:2}"
	return 1
}

# Another name for a socket, with a path of exactly so many bytes, in $LONG: a program can only bind to a short one.
long_path() { # SOCKET BYTES
	local dir=$WORK/long
	while [ $(($2 - ${#dir})) -gt 250 ]; do dir+=/$(printf '%0200d' 0); done
	mkdir -p "$dir"
	LONG=$dir/$(printf "%0$(($2 - ${#dir} - 1))d" 0)
	[ ${#LONG} = "$2" ]
	ln "$1" "$LONG"
}

# A command with standard descriptors and 9 and 40, whatever else the caller has.
with_gaps() { # COMMAND...
	bash -c 'for fd in $(ls /proc/$$/fd); do [ "$fd" -lt 3 ] || eval "exec $fd>&-"; done; exec 9<<<nine 40<<<forty; exec "$@"' _ "$@"
}
