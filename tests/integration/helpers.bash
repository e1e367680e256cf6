# SPDX-License-Identifier: Apache-2.0
# What the cases share. Each case gets its own busybox bundle in $BUNDLE and its own state root in $ROOT. The steps that
# all cases share use the shell's builtins where possible: starting a program is what costs most in an emulated machine.
# The cases run as root. With TARE_AS=user or TARE_AS=userns they call tare as another user (as.bash).

bats_require_minimum_version 1.5.0
TARE=${TARE:-$BATS_TEST_DIRNAME/../../build/src/tare}
TOOLS=${TARE_TOOLS:-$(dirname "$TARE")/../tests}

load "${BASH_SOURCE[0]%/*}/as"

setup() {
	[ "$EUID" = 0 ] || not_here "needs root"
	skip_needs_root
	enable -f "$TOOLS/ownmounts.so" own_mounts
	own_mounts
	WORK=$(mktemp -d)
	BUNDLE=$WORK/bundle
	ROOT=$WORK/state
	# mktemp's name is unique. A process id is not: another suite may run in another pid namespace.
	ID=t$$.${WORK##*.}
	template "$BATS_RUN_TMPDIR/bundle"
	cp -a "$BATS_RUN_TMPDIR/bundle/." "$BUNDLE"
	cp -al "$BATS_RUN_TMPDIR/links/." "$BUNDLE/rootfs/bin"
	[ -z "${TARE_AS:-}" ] || become_other
	watch_mounts
}

# Makes the bundle that each case copies, and the symbolic links to busybox. The cases share the links as hard links:
# several hundred new links would be most of what a case costs.
template() { # path
	[ ! -d "$1" ] || return 0
	BUNDLE=$WORK/template
	mkdir -p "$BUNDLE/rootfs/bin" "$BUNDLE/rootfs/etc" "$BUNDLE/rootfs/tmp" "${1%/*}/links"
	cp /bin/busybox "$BUNDLE/rootfs/bin/busybox"
	/bin/busybox --list | grep -vx busybox | python3 -c 'import os, sys
for name in sys.stdin.read().split(): os.symlink("busybox", sys.argv[1] + "/" + name)' "${1%/*}/links"
	"$TARE" spec -b "$BUNDLE"
	config '.process.terminal=false | .process.env=["PATH=/bin"] | .root.readonly=false | .process.noNewPrivileges=false'
	config "$(changes_as)"
	mv "$BUNDLE" "$1"
	BUNDLE=$WORK/bundle
}

# From now to the end of the case the mounts of the case's namespace must not change, not even for a moment: for
# everything that the case starts, this namespace is the host's. A case that changes the mounts itself calls end_watch
# before, and this again afterwards. With "ends" they may change in between, but must be the same at the end.
watch_mounts() { # [ends]
	end_watch
	coproc WATCH { exec "$TOOLS/mountwatch" "$WORK/watch.end" "$WORK/watch.report" "$@" 3>&-; }
	watch=$WATCH_PID
	read -r -u "${WATCH[0]}" || true
}

end_watch() {
	[ -n "${watch:-}" ] || return 0
	# Opening a FIFO for reading and writing does not wait for a reader.
	: <>"$WORK/watch.end"
	wait "$watch" || { echo "mountwatch ended with status $?"; return 1; }
	watch=
}

# Everything that the case made is removed, and the mounts are the same as before.
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
	end_other
	report=$(<"$WORK/watch.report")
	rm -rf --one-file-system "$WORK"
	[ -z "$report" ] || { printf '%s\n' "$report"; return 1; }
	if compgen -G "$(cgroup_of "$ID*")"; then return 1; fi
	end_delegation
}

# Removes the mounts that an engine made for a case. The engine may still be unmounting them itself. For a container that
# has ended conmon starts podman once more, which mounts its storage for as long as it runs.
unmount_work() {
	wait_for '! pgrep -f "^[^ ]*(conmon|podman) .*$WORK/" >/dev/null' || { pgrep -af "$WORK/"; return 1; }
	for _ in {1..50}; do
		mounts=$(grep -o " $WORK/[^ ]*" /proc/self/mountinfo | sort -ru)
		[ -n "$mounts" ] || return 0
		xargs umount -l <<<"$mounts" 2>"$WORK/umount" || sleep 0.1
	done
	cat "$WORK/umount"
	return 1
}

# Skips a case that cannot run. TARE_MUST_RUN=1 makes that a failure. TARE_MUST_RUN=tools makes it a failure only if
# something is missing that can be installed, and not if this host's kernel or hierarchy lacks it (host_lacks).
not_here() {
	[ "${TARE_MUST_RUN:-0}" = 0 ] || { echo "cannot run here: $1" >&2; return 1; }
	skip "$1"
}

host_lacks() {
	[ "${TARE_MUST_RUN:-0}" != 1 ] || { echo "cannot run here: $1" >&2; return 1; }
	skip "$1"
}

# Skips a case that needs these controllers in the v2 hierarchy.
controllers() { # NAME...
	local name
	for name in "$@"; do
		grep -qw "$name" "$(cgroup_mount)/cgroup.controllers" || host_lacks "no controller '$name' in cgroup v2"
	done
}

# Runs a command as a user without rights and without subordinate ids, whatever TARE_AS is.
as_nobody() { # COMMAND...
	setpriv --reuid 65534 --regid 65534 --clear-groups "$@" 3>&-
}

# Gives what a case has made as root to the caller of tare (as.bash).
own() { # PATH...
	[ -z "${OTHER:-}" ] || chown -hR "$OTHER:$OTHER" "$@"
}

# The same for what root owns in the bundle.
own_bundle() {
	[ -z "${OTHER:-}" ] || find "$BUNDLE" -user 0 -exec chown -h "$OTHER:$OTHER" {} +
}

tare() {
	case $1 in
	create | run | check | plan) own_bundle ;;
	esac
	case $1 in
	create | run) "$TARE" --root "$ROOT" ${TARE_MANAGER:+--cgroup-manager "$TARE_MANAGER"} "$@" ;;
	*) "$TARE" --root "$ROOT" "$@" ;;
	esac
}

# The cgroupsPath that names a cgroup after the container, and the directory of that cgroup: with TARE_MANAGER=systemd
# those of a scope.
named_path() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then echo ":tare:$1"; else echo "${DELEGATED:-}/$1"; fi
}

named_dir() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then
		echo "$(cgroup_mount)/system.slice/tare-$1.scope"
	else
		echo "$(cgroup_mount)${DELEGATED:-}/$1"
	fi
}

# Skips a case about paths, which systemd chooses itself, or about something else that systemd does differently.
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

# After create, init waits with the caller's output open. That must not be the pipe that bats reads to its end.
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

# The directory of a container's cgroup if the configuration names none: beside the caller's cgroup, or that of
# systemd's scope.
cgroup_of() { # ID
	if [ "${TARE_MANAGER:-}" = systemd ]; then
		named_dir "$1"
		return
	fi
	if [ -n "${DELEGATED:-}" ]; then
		echo "$(cgroup_mount)$DELEGATED/$1"
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

# Whether this is an emulated machine, as its processor's name shows.
is_emulated() {
	grep -q 'QEMU Virtual CPU' /proc/cpuinfo
}

# How often something is repeated. With sanitizers or in an emulated machine each round takes ten times as long, so a
# tenth of the rounds is run.
rounds() { # N
	if is_emulated || grep -q __asan_init "${TARE_PROGRAM:-$TARE}"; then echo $(($1 / 10)); else echo "$1"; fi
}

# If something takes longer than this many seconds, it hangs. This is no measure of speed: a busy machine, an emulated
# one and sanitizers stay far below it.
HANGS=120

wait_for() {
	local end=$((EPOCHSECONDS + HANGS))
	until eval "$1"; do
		[ "$EPOCHSECONDS" -lt "$end" ] || { echo "never: $1"; return 1; }
		sleep 0.05
	done
}

# For a fault that only shows as waiting until a time limit of tare expires: at least one of several attempts takes less
# than that. A busy machine delays some attempts, the fault all of them.
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

# Gives a socket another name, with a path of exactly that many bytes, in $LONG. A program can bind only to a short path.
long_path() { # SOCKET BYTES
	local dir=$WORK/long
	while [ $(($2 - ${#dir})) -gt 250 ]; do dir+=/$(printf '%0200d' 0); done
	mkdir -p "$dir"
	LONG=$dir/$(printf "%0$(($2 - ${#dir} - 1))d" 0)
	[ ${#LONG} = "$2" ]
	ln "$1" "$LONG"
}

# Runs a command with only the standard descriptors, 9 and 40 open, whatever the caller has open.
with_gaps() { # COMMAND...
	bash -c 'for fd in $(ls /proc/$$/fd); do [ "$fd" -lt 3 ] || eval "exec $fd>&-"; done; exec 9<<<nine 40<<<forty; exec "$@"' _ "$@"
}

# Whether this kernel keeps the exit status of a process for which its parent has waited.
keeps_status() {
	local version
	IFS=.- read -r -a version <<<"$(uname -r)"
	[ "${version[0]}" -gt 6 ] || [ "${version[0]}" = 6 -a "${version[1]}" -ge 15 ]
}

# A zombie is dead: the machine's first process may be slow to wait for it.
has_died() { # PID
	[[ ! -e /proc/$1/stat || $(sed 's/.*) //' "/proc/$1/stat" 2>/dev/null) =~ ^(Z|$) ]]
}

# Whether a report has the form of the schema.
valid_report() { # FILE
	python3 "$BATS_TEST_DIRNAME/../tools/validate.py" "$BATS_TEST_DIRNAME/../../share/report-schema.json" "$1"
}

# Runs the bundle with a report in $WORK/report, and checks its form. Then the expression of jq must be true of it.
reported() { # STATUS EXPRESSION [FLAG...]
	run -"$1" tare run --report "$WORK/report" "${@:3}" -b "$BUNDLE" "$ID"
	valid_report "$WORK/report"
	jq -e "$2" "$WORK/report" >/dev/null || { cat "$WORK/report"; return 1; }
}
