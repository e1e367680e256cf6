#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tare doctor, and where tare asks its program. Each fault is made in namespaces of the case.
load helpers

USER_ID=65534

# Removes the cgroups that a case has made, and disables the controller that it has enabled, unless it is used meanwhile.
teardown() {
	[ -z "${MINE:-}" ] || rmdir "$MINE/caller" "$MINE"
	[ -z "${ENABLED:-}" ] || echo "-$ENABLED" 2>/dev/null >"$(cgroup_mount)/cgroup.subtree_control" || true
	end_case
}

# Runs a script in a private mount namespace, with $1, $2, ... as its arguments.
apart() { # SCRIPT ARGUMENTS...
	unshare -m --propagation private bash -c "$1" apart "${@:2}"
}

as_user() { # COMMAND...
	setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$@"
}

# A copy of the programs, and a state root, that an ordinary user may use.
for_user() {
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$(dirname "$TARE")/tare-doctor" "$WORK"
	mkdir "$WORK/users"
	chown $USER_ID "$WORK/users"
}

# The report on stdin has a line with this verdict and item. Prints its texts.
reports() { # VERDICT ITEM
	local found
	found=$(jq -r --arg v "$1" --arg i "$2" '.results[]|select(.verdict==$v and .item==$i)|[.finding,.lost,.change]|map(select(.))|join(" | ")')
	[ -n "$found" ] || { echo "no '$1 $2'" >&2; return 1; }
	echo "$found"
}

# Runs a command that prints a report as JSON. It must have a line with this verdict, item and texts.
finds() { # VERDICT ITEM WORDS COMMAND...
	local report line
	report=$("${@:4}" </dev/null 3>&-) || [ $? = 1 ] || return 1
	line=$(reports "$1" "$2" <<<"$report") || { jq -c ".results[]|select(.item==\"$2\")" <<<"$report" >&2; return 1; }
	[[ "$line" == *"$3"* ]] || { echo "not '$3': $line" >&2; return 1; }
}

doctor() { # ARGUMENTS: as root
	"$TARE" --root "$ROOT" doctor --format json "$@"
}

# The same as the user, after another command.
user_doctor() { # ARGUMENTS...
	as_user "$WORK/tare" --root "$WORK/users" doctor --format json "$@"
}

# A script that hides an installed tare-doctor.
hide='mkdir -p "$1/empty"; for d in /usr/local/libexec/tare /usr/libexec/tare; do [ ! -d $d ] || mount --bind "$1/empty" $d; done; '

@test "cgroup2 at an unusual place is found through tare-doctor, also under another mount and with a blank in its path" {
	config '.process.args=["cat","/proc/self/cgroup"]|.linux.cgroupsPath="/'"$ID"'"|.linux.namespaces-=[{type:"cgroup"}]'
	# Binds, because a new mount of cgroup2 would change the options of all of them.
	odd='mkdir "$1/odd place" "$1/covered" && mount --bind "$2" "$1/covered" && mount -t tmpfs none "$1/covered" &&
		mount --bind "$2" "$1/odd place" && mount -t tmpfs none /sys/fs/cgroup && shift 2 && "$@"'
	run -0 apart "$odd" "$WORK" "$(cgroup_mount)" "$TARE" --root "$ROOT" run --keep -b "$BUNDLE" "$ID"
	[[ "${lines[-1]}" == "0::/$ID" ]] || { echo "$output"; return 1; }
	grep -x "cgroup-mount $WORK/odd place" "$ROOT/$ID/record"
	rmdir "$WORK/odd place" "$WORK/covered"
	run -0 apart "$odd" "$WORK" "$(cgroup_mount)" "$TARE" --root "$ROOT" delete "$ID"
	[ ! -e "$(cgroup_mount)/$ID" ]
}

@test "a host without cgroup2 needs no tare-doctor; with one at an unusual place its absence is an error" {
	config '.process.args=["true"]'
	cp "$TARE" "$WORK/tare"
	run -0 apart "$hide"' umount -lR /sys/fs/cgroup && ! grep -q " - cgroup2 " /proc/self/mountinfo && shift && "$@"' \
		"$WORK" "$WORK/tare" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	run -1 apart "$hide"' mkdir "$1/odd" && mount --bind "$2" "$1/odd" && mount -t tmpfs none /sys/fs/cgroup && shift 2 && "$@"' \
		"$WORK" "$(cgroup_mount)" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot find the mount point of cgroup2: cannot execute '"*"/tare-doctor': no such file or directory (install tare-doctor beside tare, or mount cgroup2 on /sys/fs/cgroup)" ]] || { echo "$output"; return 1; }
}

@test "cgroup2 at an unusual place, and a tare-doctor that fails or names a wrong one: each is an error of its own" {
	config '.process.args=["true"]'
	cp "$TARE" "$WORK/tare"
	answers() { # SCRIPT WORDS: of tare-doctor, and of the error
		printf '#!/bin/sh\n%s\n' "$1" >"$WORK/tare-doctor"
		chmod 755 "$WORK/tare-doctor"
		run -1 apart 'mkdir -p "$1/odd" && mount --bind "$2" "$1/odd" && mount -t tmpfs none /sys/fs/cgroup && shift 2 && "$@"' \
			"$WORK" "$(cgroup_mount)" "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
		[ "$output" = "tare: run $ID: $2" ] || { echo "$output"; return 1; }
	}
	answers 'exit 5' "cannot find the mount point of cgroup2: '$WORK/tare-doctor' has failed: input/output error (mount cgroup2 on /sys/fs/cgroup)"
	answers 'kill -9 $$' "cannot find the mount point of cgroup2: '$WORK/tare-doctor' has failed: input/output error (mount cgroup2 on /sys/fs/cgroup)"
	answers 'echo /tmp' "cannot use cgroup2 at '/tmp': it is not mounted there any more"
	long=/$(printf '%0128d' 0)
	answers "echo $long" "cannot use cgroup2 at '$long': the path has more than 127 bytes (mount cgroup2 on /sys/fs/cgroup)"
}

@test "the command line: the bundle once, a known format; status 2 if there is no report" {
	run -2 "$TARE" doctor -b "$BUNDLE" "$BUNDLE"
	[ "$output" = "tare: doctor: the bundle is given twice" ]
	run -2 "$TARE" doctor --format yaml
	[ "$output" = "tare: doctor: invalid format 'yaml'" ]
	cp "$TARE" "$WORK/tare"
	run -2 apart "$hide"' shift && "$@"' "$WORK" "$WORK/tare" doctor
	[[ "$output" == "tare: doctor: cannot execute '"*"/tare-doctor': no such file or directory (install tare-doctor beside tare: it is built with it)" ]]
	run -2 "$(dirname "$TARE")/tare-doctor"
	[ "$output" = "tare: doctor: this program is executed by 'tare doctor'" ]
}

# --- the form of the report

@test "JSON: every line is complete, and the exit status is that of the verdicts" {
	for_user
	shape='.ok==([.results[]|select(.verdict=="broken")]|length==0) and (.results|length>20) and all(.results[];
		(keys==["change","finding","item","lost","subject","verdict"])
		and (.verdict|IN("ok","unknown","limited","broken"))
		and ([.subject,.item,.finding]|all(type=="string" and length>0))
		and ((.lost!=null)==(.verdict|IN("unknown","limited")))
		and (.verdict!="broken" or (.change|type=="string" and length>0))
		and (.verdict!="ok" or .change==null))'
	run -0 --separate-stderr doctor "$BUNDLE"
	[ -z "$stderr" ]
	jq -e "$shape and .ok" <<<"$output"
	run -0 --separate-stderr user_doctor "$BUNDLE"
	jq -e "$shape" <<<"$output"
	# A bundle that does not exist is broken.
	run -1 --separate-stderr doctor "$WORK/none"
	[ -z "$stderr" ]
	jq -e "$shape and (.ok|not)" <<<"$output"
}

@test "text: the same lines in the same order, advice below them, no colours without a terminal" {
	run -1 --separate-stderr "$TARE" --root "$ROOT" doctor "$WORK/none"
	[[ "$output" != *$'\e'* ]]
	text=$output
	json=$(doctor "$WORK/none") || true
	diff <(grep -E '^  (ok|unknown|limited|broken) ' <<<"$text" | awk '{print $1}') <(jq -r '.results[].verdict' <<<"$json")
	diff <(grep -E '^[^ 0-9]' <<<"$text") <(jq -r '.results[].subject' <<<"$json" | uniq)
	diff <(sed -n 's/^ *\(lost\|change\): //p' <<<"$text") <(jq -r '.results[]|.lost,.change|select(.)' <<<"$json")
	counts=$(jq -r '[.results[].verdict]|"\(map(select(.=="ok"))|length) ok, \(map(select(.=="unknown"))|length) unknown, \(map(select(.=="limited"))|length) limited, \(map(select(.=="broken"))|length) broken"' <<<"$json")
	[ "$(tail -n 1 <<<"$text")" = "$counts" ]
}

@test "on a terminal verdicts are coloured, unless NO_COLOR is set, and lines fit its width" {
	terminal() { # COLUMNS COMMAND
		python3 -c '
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, int(sys.argv[1]), 0, 0))
    os.execvp(sys.argv[2], sys.argv[2:])
out = b""
while True:
    try: part = os.read(fd, 65536)
    except OSError: break
    if not part: break
    out += part
os.waitpid(pid, 0)
sys.stdout.buffer.write(out.replace(b"\r", b""))' "$@"
	}
	run -0 terminal 90 "$TARE" --root "$ROOT" doctor "$WORK/none"
	[[ "$output" == *$'\e[32mok\e[0m'* && "$output" == *$'\e[31mbroken\e[0m'* ]]
	plain=$(sed 's/\x1b\[[0-9]*m//g' <<<"$output")
	# A word that is longer than the line stays whole.
	run -0 awk '/^  ok +version / { column = index($0, "Linux") }
		length($0) > 90 && substr($0, column) ~ / / { print; failed = 1 }
		END { exit failed || !column }' <<<"$plain"
	run -0 env NO_COLOR=1 bash -c "$(declare -f terminal)"'; terminal 90 "$@"' _ "$TARE" --root "$ROOT" doctor "$WORK/none"
	[[ "$output" != *$'\e'* ]]
}

@test "a report leaves nothing: no process, no cgroup, no file, no mount" {
	for_user
	listing() { find "$WORK" "$ROOT" 2>/dev/null | sort; find "$(cgroup_mount)" -type d -name 'tare*'; }
	before=$(listing)
	"$WORK/tare" --root "$ROOT" doctor --format json "$BUNDLE" >/dev/null
	user_doctor "$BUNDLE" >/dev/null
	[ "$before" = "$(listing)" ]
	# The processes of a report have the command line of tare-doctor, and its program.
	for exe in /proc/[0-9]*/exe; do
		[[ "$(readlink "$exe")" != "$WORK/tare"* ]] || { echo "$exe is left"; return 1; }
	done
}

@test "what a killed report has started is killed, too" {
	mkdir "$WORK/bin"
	printf '#!/bin/sh\necho $$ >"%s/pid"\nexec sleep 1000\n' "$WORK" >"$WORK/bin/criu"
	chmod +x "$WORK/bin/criu"
	PATH="$WORK/bin:$PATH" "$TARE" --root "$ROOT" doctor >/dev/null 2>&1 3>&- &
	wait_for '[ -s "$WORK/pid" ]'
	kill -9 $!
	wait_for 'has_died "$(<"$WORK/pid")"'
}

# --- the subjects, each in at least two states

# bats test_tags=vm
@test "kernel: a version before 5.14; memfds that the pid namespace forbids to execute" {
	finds ok version "(the minimum is 5.14)" doctor
	finds broken version "Linux 2.6" setarch --uname-2.6 "$TARE" --root "$ROOT" doctor --format json
	# Without /proc every start fails. The program itself is executed, because tare would not find it.
	finds broken host "cannot read /proc: no such file or directory | a procfs has to be mounted on /proc" apart 'mount -t tmpfs none /proc && exec "$1" report json "" ""' "$(dirname "$TARE")/tare-doctor"
	finds ok "sealed memfd" "can be executed" doctor
	[ -e /proc/sys/vm/memfd_noexec ] || host_lacks "vm.memfd_noexec"
	forbid='echo 2 >/proc/sys/vm/memfd_noexec && exec "$@"'
	finds broken "sealed memfd" "sysctl vm.memfd_noexec=1" unshare -mpf --mount-proc --propagation private sh -c "$forbid" . "$TARE" --root "$ROOT" doctor --format json
	run -1 unshare -mpf --mount-proc --propagation private sh -c "$forbid" . "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"vm.memfd_noexec must not be 2"* ]]
}

@test "user namespaces: forbidden by their limit, by a chroot, by a missing map" {
	for_user
	finds ok "user namespace" "can be made" user_doctor
	finds ok "other namespaces" "mount, pid, network, ipc, uts, cgroup, time" user_doctor
	limit='echo 0 >/proc/sys/user/max_'
	without='exec setpriv --bounding-set -all --inh-caps=-all "$@"'
	finds broken "user namespace" "the limit in /proc/sys/user/max_user_namespaces is reached: raise it" \
		unshare -Ur sh -c "${limit}user_namespaces; $without" . "$TARE" --root "$ROOT" doctor --format json
	# Root of a user namespace can do without another one.
	finds limited "user namespace" "containers with a user namespace" \
		unshare -Urm sh -c "${limit}user_namespaces; exec \"\$@\"" . "$TARE" --root "$ROOT" doctor --format json
	finds limited "uts namespace" "the limit in /proc/sys/user/max_uts_namespaces is reached: raise it" \
		unshare -Urm sh -c "${limit}uts_namespaces; exec \"\$@\"" . "$TARE" --root "$ROOT" doctor --format json
	finds broken "user namespace" "the caller's user or group id has no mapping" unshare -U "$WORK/tare" --root "$WORK/users" doctor --format json
	mkdir -p "$WORK/jail/proc"
	cp "$WORK/tare" "$WORK/tare-doctor" "$WORK/jail"
	for file in $(ldd "$WORK/tare-doctor" | grep -o '/[^ ]*'); do
		mkdir -p "$WORK/jail${file%/*}"
		cp "$file" "$WORK/jail$file"
	done
	finds broken "user namespace" "a process in a chroot cannot make user namespaces" \
		apart 'mount --rbind /proc "$1/proc" && chroot --userspec='"$USER_ID:$USER_ID"' "$1" /tare --root /none doctor --format json' "$WORK/jail"
}

@test "rights: setgroups denied, a capability missing, one outside of the bounding set" {
	finds ok capabilities "those of root on the host" doctor
	! doctor | reports limited setgroups || return 1
	finds limited setgroups "is denied in this user namespace" unshare -Ur "$TARE" --root "$ROOT" doctor --format json
	finds ok capabilities "those of root in a user namespace" unshare -Ur "$TARE" --root "$ROOT" doctor --format json
	! doctor | reports limited CAP_MKNOD || return 1
	finds limited CAP_MKNOD "device nodes" setpriv --bounding-set -mknod "$TARE" --root "$ROOT" doctor --format json
	finds limited "bounding set" "CAP_MKNOD" setpriv --bounding-set -mknod "$TARE" --root "$ROOT" doctor --format json
	for_user
	finds ok capabilities "without CAP_SYS_ADMIN" user_doctor
}

@test "ids: no range, a small one, a sufficient one that is mapped" {
	command -v newuidmap >/dev/null || not_here "newuidmap is not installed"
	for_user
	with() { # the line of /etc/subuid and /etc/subgid
		apart 'printf %s "$1" >"$2/sub" && mount --bind "$2/sub" /etc/subuid && mount --bind "$2/sub" /etc/subgid && shift 2 && "$@"' \
			"$1" "$WORK" setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$WORK/tare" --root "$WORK/users" doctor --format json
	}
	name=$(id -nu $USER_ID)
	finds limited /etc/subuid "has no usable range for $name | containers with more than one user id | as root: add the line '$name:300000:65536' to /etc/subuid" with "other:200000:100000"
	finds limited /etc/subgid "10 ids for $name" with "$name:200000:10"
	finds ok /etc/subuid "65536 ids for $name, from 200000" with "other:1:1"$'\n'"$USER_ID:200000:65536"$'\n'
	finds ok newuidmap "maps them" with "$name:200000:65536"
	finds ok newgidmap "maps them" with "$name:200000:65536"
	finds ok ids "user ids can be mapped" doctor
	finds limited ids "1 user id in this user namespace" unshare -Ur "$TARE" --root "$ROOT" doctor --format json
}

@test "newuidmap: not installed, without rights, on a nosuid mount, under no_new_privs, failing" {
	for_user
	mkdir "$WORK/bin"
	at() { # COMMAND...: with only that program in PATH
		as_user "$@" env PATH="$WORK/bin" "$WORK/tare" --root "$WORK/users" doctor --format json
	}
	finds limited newuidmap "newuidmap is not installed" at
	printf '#!/bin/sh\nexit 1\n' >"$WORK/bin/newuidmap"
	chmod 755 "$WORK/bin/newuidmap"
	finds limited newuidmap "is neither set-user-ID root nor has a file capability" at
	chmod u+s "$WORK/bin/newuidmap"
	finds ok newuidmap "can write maps" at
	finds limited newuidmap "no_new_privs is set" at setpriv --no-new-privs
	chmod u-s "$WORK/bin/newuidmap"
	setcap cap_setuid+ep "$WORK/bin/newuidmap"
	finds ok newuidmap "can write maps" at
	finds limited newuidmap "is on a file system that is mounted nosuid" apart 'mount -t tmpfs -o nosuid none "$1/mnt" 2>/dev/null || { mkdir "$1/mnt" && mount -t tmpfs -o nosuid,mode=755 none "$1/mnt"; }
		cp "$1/bin/newuidmap" "$1/mnt" && chmod 4755 "$1/mnt/newuidmap" && export PATH="$1/mnt:$PATH" && exec setpriv --reuid '$USER_ID' --regid '$USER_ID' --clear-groups "$1/tare" --root "$1/users" doctor --format json' "$WORK"
	rmdir "$WORK/mnt"
	setcap -r "$WORK/bin/newuidmap"
	chmod u+s "$WORK/bin/newuidmap"
	finds limited newuidmap "operation not permitted | subordinate ids" apart 'printf "%s:200000:65536" '$USER_ID' >"$1/sub" && mount --bind "$1/sub" /etc/subuid && export PATH="$1/bin:$PATH" &&
		exec setpriv --reuid '$USER_ID' --regid '$USER_ID' --clear-groups "$1/tare" --root "$1/users" doctor --format json' "$WORK"
}

# Runs a command under a seccomp filter.
filtered() { # NAME=ERRNO | NAME=notify COMMAND...
	"$TOOLS/refuse" "$1" -- "${@:2}"
}

@test "seccomp: no filter, one that refuses a call, one that has a listener already" {
	for_user
	finds ok "filter around tare" "there is none" doctor
	finds ok notification "can notify an agent" doctor
	finds broken "clone3(2)" "is refused by a seccomp filter around tare | allow clone3 in that profile" filtered clone3=1 "$TARE" --root "$ROOT" doctor --format json
	finds limited "keyctl(2)" "use --no-new-keyring" filtered keyctl=1 "$TARE" --root "$ROOT" doctor --format json
	finds broken "openat2(2)" "allow openat2" filtered openat2=1 setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$WORK/tare" --root "$WORK/users" doctor --format json
	# Of all calls only the refused one is reported.
	[ "$(filtered keyctl=1 "$TARE" --root "$ROOT" doctor --format json | jq -r '.results[].item|select(endswith("(2)"))')" = "keyctl(2)" ]
	finds ok "filter around tare" "it refuses none of the calls that were tried" filtered acct=1 "$TARE" --root "$ROOT" doctor --format json
	finds limited notification "device or resource busy | filters with SCMP_ACT_NOTIFY | a filter around tare notifies an agent already" filtered acct=notify "$TARE" --root "$ROOT" doctor --format json
}

@test "/proc and /sys: fresh ones in a user namespace, and what masks them" {
	for_user
	finds ok "can be mounted" "fresh /proc, fresh /sys, tmpfs, devpts, mqueue, cgroup2" unshare -mpf --mount-proc --propagation private "$TARE" --root "$ROOT" doctor --format json
	mask='mount -t tmpfs none /proc/sys/kernel && mount --bind /dev/null /proc/version && mount -t tmpfs none /sys/kernel && shift && exec "$@"'
	masked() { unshare -mpf --mount-proc --propagation private sh -c "$mask" . . "$@"; }
	finds limited "fresh /proc" "operation not permitted; covered by /proc/sys/kernel, /proc/version | " masked unshare -Urm "$TARE" --root "$ROOT" doctor --format json
	# In its own mount namespace root can make one for a container.
	finds ok "can be mounted" "fresh /proc, tmpfs, devpts" masked "$TARE" --root "$ROOT" doctor --format json
	# Containers of root need no user namespace, those of a user do.
	finds broken "fresh /proc" "--security-opt unmask=ALL" masked setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$WORK/tare" --root "$WORK/users" doctor --format json
	finds limited all "the limit in /proc/sys/user/max_user_namespaces is reached" unshare -Urm sh -c 'echo 0 >/proc/sys/user/max_user_namespaces && exec "$@"' . "$TARE" --root "$ROOT" doctor --format json
	finds limited "fresh /sys" "covered by /sys/kernel" masked "$TARE" --root "$ROOT" doctor --format json
}

# bats test_tags=vm
@test "cgroups of root: a read-only mount, none, one that exists" {
	finds ok "containers' cgroups" "can be made in" doctor
	finds ok mount "cgroup2 on $(cgroup_mount)" doctor || finds limited mount "cgroup2 on $(cgroup_mount), beside cgroup v1" doctor
	finds ok "device rules" "can be enforced" doctor
	finds limited "device rules" "operation not permitted | containers with linux.resources.devices" filtered bpf=1 "$TARE" --root "$ROOT" doctor --format json
	finds limited "device rules" "the kernel needs CONFIG_BPF_SYSCALL and CONFIG_CGROUP_BPF" filtered bpf=38 "$TARE" --root "$ROOT" doctor --format json
	finds broken "containers' cgroups" "read-only file system" apart 'mount -o remount,bind,ro "$1" && shift && exec "$@"' "$(cgroup_mount)" "$TARE" --root "$ROOT" doctor --format json
	finds broken mount "no cgroup2 is mounted | mount -t cgroup2 none /sys/fs/cgroup" apart 'umount -lR /sys/fs/cgroup && shift && exec "$@"' . "$TARE" --root "$ROOT" doctor --format json
	for_user
	finds limited mount "no cgroup2 is mounted | limits, and ps" apart 'umount -lR /sys/fs/cgroup && shift && exec "$@"' . \
		setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$WORK/tare" --root "$WORK/users" doctor --format json
}

# bats test_tags=vm
@test "cgroups of a user: none delegated, one delegated, a controller that is not" {
	for_user
	controller=$(tr ' ' '\n' <"$(cgroup_mount)/cgroup.controllers" | head -n 1)
	[ -n "$controller" ] || host_lacks "no controller"
	MINE=$(cgroup_mount)/$ID.mine
	mkdir "$MINE" "$MINE/caller"
	mine() {
		sh -c 'echo $$ >"$0/cgroup.procs" && exec setpriv --reuid '"$USER_ID --regid $USER_ID"' --clear-groups "$@"' "$MINE/caller" "$WORK/tare" --root "$WORK/users" doctor --format json
	}
	finds limited "containers' cgroups" "permission denied | limits, and ps" mine
	finds ok "device rules" "not needed" mine
	chown $USER_ID "$MINE" "$MINE/cgroup.procs" "$MINE/caller" "$MINE/caller/cgroup.procs"
	finds ok "containers' cgroups" "can be made in /$ID.mine" mine
	finds ok "device rules" "not needed" mine
	finds limited "controller $controller" "permission denied | limits of $controller" mine
	chown $USER_ID "$MINE/cgroup.subtree_control"
	grep -qw "$controller" "$(cgroup_mount)/cgroup.subtree_control" || ENABLED=$controller
	echo "+$controller" >"$(cgroup_mount)/cgroup.subtree_control"
	finds ok level "/$ID.mine has " mine
	[[ "$(mine | reports ok controllers)" == *"usable: "*"$controller"* ]]
}

@test "places: propagation of /, the state root, a bundle's mount flags" {
	finds limited "propagation of /" "mount --make-rshared /" unshare -m --propagation private "$TARE" --root "$ROOT" doctor --format json
	finds ok "propagation of /" shared unshare -m --propagation shared "$TARE" --root "$ROOT" doctor --format json
	finds ok "state root" "'$ROOT' will be made" doctor
	mkdir -m 700 "$ROOT"
	finds ok "state root" "'$ROOT' on " doctor
	chmod 777 "$ROOT"
	finds broken "state root" "write to it" doctor
	chmod 700 "$ROOT"
	finds broken "state root" "read-only file system" apart 'mount -t tmpfs -o ro,mode=700 none "$1" && shift && exec "$@"' "$ROOT" "$TARE" --root "$ROOT" doctor --format json
	finds ok "root file system" "'$BUNDLE/rootfs' on " doctor "$BUNDLE"
	finds ok "idmapped mounts" "work on its file system" doctor -b "$BUNDLE"
	finds ok overlay "works over it" doctor -b "$BUNDLE"
	on() { # OPTIONS: the bundle on a tmpfs with these mount options
		apart 'mount -t tmpfs none "$1" && cp -a "$2/." "$1" && mount -o "remount,$3" "$1" && exec "$4" --root "$5" doctor --format json "$1"' "$WORK/flags" "$BUNDLE" "$1" "$TARE" "$ROOT"
	}
	mkdir "$WORK/flags"
	finds broken "root file system" "'$WORK/flags/rootfs' on tmpfs at $WORK/flags (rw, noexec) | mount -o remount,exec $WORK/flags: no program" on noexec
	finds limited "root file system" "is mounted nosuid" on nosuid
	finds limited "root file system" "is mounted nodev" on nodev
	finds limited "root file system" "is mounted read-only | containers that write to their root; missing mount points cannot be made | mount -o remount,rw $WORK/flags, or use an overlay" on ro
	for_user
	chmod 700 "$BUNDLE/rootfs"
	finds broken "root file system" "may not be read by the caller" user_doctor "$BUNDLE"
	[ "$(user_doctor "$BUNDLE" | jq '[.results[]|select(.item=="root file system")]|length')" = 1 ]
	chmod 755 "$BUNDLE/rootfs"
	config '.root.path="gone"'
	finds broken "root file system" "no such file or directory | root.path must be a directory" doctor "$BUNDLE"
	echo '{' >"$BUNDLE/config.json"
	finds broken config.json "see tare check" doctor "$BUNDLE"
}

@test "places: a bundle with a FIFO or a device for its configuration or its root" {
	for path in /etc/passwd /dev/null "$WORK/fifo"; do
		[ -e "$path" ] || mkfifo "$path"
		config --arg p "$path" '.root.path=$p'
		finds broken "root file system" "not a directory | root.path must be a directory" doctor "$BUNDLE"
		# Nothing more is said about it, such as how to open it to others.
		[ "$(doctor "$BUNDLE" | jq '[.results[]|select(.item=="root file system")]|length')" = 1 ]
	done
	rm "$BUNDLE/config.json"
	mkfifo "$BUNDLE/config.json"
	finds broken config.json "cannot read '$BUNDLE/config.json': it is not a regular file" timeout "$HANGS" "$TARE" --root "$ROOT" doctor --format json "$BUNDLE"
	rm "$BUNDLE/config.json"
	ln -s /dev/zero "$BUNDLE/config.json"
	finds broken config.json "cannot read '$BUNDLE/config.json': it is not a regular file" doctor "$BUNDLE"
}

@test "places: no idmapped mounts for a user or on ramfs, no overlay over two others" {
	for_user
	config '.root.path="'"$BUNDLE"'/rootfs"'
	finds limited "idmapped mounts" "need root's rights" user_doctor "$BUNDLE"
	finds ok overlay "works over it" user_doctor "$BUNDLE"
	chmod 700 "$BUNDLE/rootfs"
	finds broken "root file system" "may not be read by the caller" user_doctor "$BUNDLE"
	chmod 755 "$BUNDLE/rootfs"
	finds limited "idmapped mounts" "its file system does not support idmapped mounts" apart 'mount -t ramfs none "$1" && exec "$2" --root "$3" doctor --format json "${1%/rootfs}"' "$BUNDLE/rootfs" "$TARE" "$ROOT"
	mkdir -p "$WORK/o/"{lower,upper,work,first,upper2,work2}
	finds limited overlay "cannot mount an overlay over '$BUNDLE/rootfs'" apart 'cd "$1" && mount -t tmpfs none . && cd . && cd "$1" && mkdir lower upper work first upper2 work2 &&
		mount -t overlay -o lowerdir=lower,upperdir=upper,workdir=work none first && mount -t overlay -o "lowerdir=first,upperdir=upper2,workdir=work2" none "$2/rootfs" &&
		exec "$3" --root "$4" doctor --format json "$2"' "$WORK/o" "$BUNDLE" "$TARE" "$ROOT"
}

# bats test_tags=vm
@test "security modules: AppArmor, SELinux, none, and the profile of tare" {
	for_user
	# A host with these modules, as far as files show it: $1 has the files, $2 of the script is the list of modules.
	fake='mkdir -p "$1/k/apparmor" "$1/m/apparmor/parameters" "$1/s" && printf %s "$2" >"$1/k/lsm" && echo "$3" >"$1/m/apparmor/parameters/enabled" && printf "%s" "$4" >"$1/k/apparmor/profiles" &&
		mount -t tmpfs none /proc/sys/kernel && echo "$5" >/proc/sys/kernel/apparmor_restrict_unprivileged_userns && mount --bind "$1/m" /sys/module && mount -t tmpfs none /sys/kernel && mkdir /sys/kernel/security && mount --bind "$1/k" /sys/kernel/security && shift 5 && exec "$@"'
	on_host() { # MODULES APPARMOR PROFILES RESTRICTED COMMAND...
		apart "$fake" "$WORK/fake" "$@"
	}
	finds ok modules "capability,apparmor" on_host capability,apparmor Y "" 0 "$TARE" --root "$ROOT" doctor --format json
	finds ok labels AppArmor on_host capability,apparmor Y "" 0 "$TARE" --root "$ROOT" doctor --format json
	finds ok labels SELinux on_host capability,selinux N "" 0 sh -c 'mount -t tmpfs none /sys/fs && mkdir /sys/fs/selinux && : >/sys/fs/selinux/enforce && exec "$@"' . "$TARE" --root "$ROOT" doctor --format json
	finds limited labels "neither AppArmor nor SELinux" on_host capability N "" 0 "$TARE" --root "$ROOT" doctor --format json
	finds unknown modules "mount -t securityfs" apart 'umount -l /sys/kernel/security 2>/dev/null; shift; exec "$@"' . "$TARE" --root "$ROOT" doctor --format json
	user=(setpriv --reuid $USER_ID --regid $USER_ID --clear-groups "$WORK/tare" --root "$WORK/users" doctor --format json)
	profile="AppArmor profile of tare"
	finds ok "$profile" "this host does not restrict" on_host capability,apparmor Y "" 0 "$TARE" --root "$ROOT" doctor --format json
	finds limited "$profile" "containers of unprivileged callers | as root: install tare with" on_host capability,apparmor Y "tared (enforce)
" 1 "$TARE" --root "$ROOT" doctor --format json
	finds ok "$profile" "but this caller can make user namespaces" on_host capability,apparmor Y "" 1 "${user[@]}"
	finds broken "$profile" "is not in force, and this host restricts" on_host capability,apparmor Y "" 1 "$TOOLS/refuse" clone3=1 -- "${user[@]}"
	finds ok "$profile" "is loaded" on_host capability,apparmor Y "other (enforce)
tare (unconfined)
" 1 "$TARE" --root "$ROOT" doctor --format json
}

# bats test_tags=vm
@test "services: systemd that answers or not, CRIU" {
	mkdir "$WORK/bin"
	cp "$TARE" "$(dirname "$TARE")/tare-doctor" "$WORK/bin"
	fake() { # NAME SCRIPT
		printf '#!/bin/sh\n%s\n' "$2" >"$WORK/bin/$1"
		chmod +x "$WORK/bin/$1"
	}
	asked() {
		apart 'mkdir -p /run/systemd 2>/dev/null; mount -t tmpfs none /run && mkdir -p /run/systemd/system && exec env PATH="$1:$PATH" "$1/tare" --root "$2" doctor --format json' "$WORK/bin" "$ROOT"
	}
	fake tare-systemd 'echo "$*" >>'"$WORK/asked"
	finds ok systemd "answers over D-Bus" asked
	[ "$(<"$WORK/asked")" = "system ask tare.scope" ]
	fake tare-systemd 'echo "cannot ask systemd for unit tare.scope: connection refused" >&2; exit 1'
	finds limited systemd "connection refused | cgroups by --systemd-cgroup | systemctl start dbus (there is no /run/dbus/system_bus_socket)" asked
	# Where there is a bus, why it refuses is not known.
	report=$(apart 'mount -t tmpfs none /run && mkdir -p /run/systemd/system /run/dbus && : >/run/dbus/system_bus_socket &&
		exec env PATH="$1:$PATH" "$1/tare" --root "$2" doctor --format json' "$WORK/bin" "$ROOT") || [ $? = 1 ]
	[[ "$(reports limited systemd <<<"$report")" == *"connection refused | cgroups by --systemd-cgroup" ]]
	finds limited systemd "does not run on this host" apart 'mount -t tmpfs none /run && exec "$1/tare" --root "$2" doctor --format json' "$WORK/bin" "$ROOT"
	fake criu 'echo "Version: 3.17.1"; echo more'
	finds ok CRIU "Version: 3.17.1" asked
	finds limited CRIU "needs CAP_SYS_ADMIN for containers" setpriv --bounding-set -sys_admin --inh-caps -sys_admin env PATH="$WORK/bin:$PATH" "$TARE" --root "$ROOT" doctor --format json
	fake criu 'exit 1'
	finds unknown CRIU "'criu --version' has failed" asked
	finds limited CRIU "is not installed" env PATH="$(dirname "$(command -v env)")/none" "$TARE" --root "$ROOT" doctor --format json
}

# --- check and doctor agree

# For the same fault, both print the words; without it, neither does.
agree() { # WORDS [WRAPPER...]
	local words=$1 output
	shift
	output=$("$@" "$TARE" --root "$ROOT" check -b "$BUNDLE" 2>&1) && { echo "check finds nothing" >&2; return 1; }
	[[ "$output" == *"$words"* ]] || { echo "check: $output" >&2; return 1; }
	output=$("$@" "$TARE" --root "$ROOT" doctor "$BUNDLE" 2>&1) || true
	[[ "$output" == *"$words"* ]] || { echo "doctor: $output" >&2; return 1; }
	[[ "$("$TARE" --root "$ROOT" doctor "$BUNDLE")" != *"$words"* ]] || { echo "doctor prints it without the fault" >&2; return 1; }
}

# bats test_tags=vm
@test "check and doctor name the same cause of the same fault" {
	run -0 tare check -b "$BUNDLE"
	agree "a seccomp filter around tare refuses clone3(2): its profile has to allow it" filtered clone3=1
	config '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:"/none",syscalls:[{names:["getpid"],action:"SCMP_ACT_NOTIFY"}]}'
	agree "a filter around tare notifies an agent already, and a process can have one listener" filtered acct=notify
	config 'del(.linux.seccomp)'
	mkdir "$WORK/flags"
	noexec='mount -t tmpfs none "$0/flags" && cp -a "$0/bundle/." "$0/flags" && mount -o remount,noexec "$0/flags" && mount --bind "$0/flags" "$0/bundle" && exec "$@"'
	agree noexec unshare -m --propagation private sh -c "$noexec" "$WORK"
	limit='exec unshare -Urm sh -c "echo 0 >/proc/sys/user/max_$0_namespaces && exec \"\$@\"" . "$@"'
	agree "the limit in /proc/sys/user/max_uts_namespaces is reached: raise it" sh -c "$limit" uts
	config '.linux.namespaces+=[{type:"user"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:1}]|.linux.gidMappings=[{containerID:0,hostID:0,size:1}]|.mounts=[{destination:"/proc",type:"proc",source:"proc"}]|del(.linux.resources,.linux.maskedPaths,.linux.readonlyPaths)'
	agree "the limit in /proc/sys/user/max_user_namespaces is reached: raise it" sh -c "$limit" user
	agree "the mount on /proc/sys/kernel forbids a fresh one in a user namespace" unshare -mpf --mount-proc --propagation private sh -c 'mount -t tmpfs none /proc/sys/kernel && exec unshare -Urm "$@"' .
	config '.linux.uidMappings[0].size=10|.linux.gidMappings[0].size=10'
	without=-setuid,-sys_admin,-setfcap
	agree "newuidmap is not installed" setpriv --bounding-set $without --inh-caps $without env PATH=/none
}
