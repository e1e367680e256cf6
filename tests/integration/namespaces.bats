# SPDX-License-Identifier: Apache-2.0
load helpers

# A namespace of the caller of tare.
ns() {
	readlink "/proc/${holder:-self}/ns/$1"
}

@test "new namespaces differ from the host's, inherited ones do not" {
	inside 'for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done'
	i=0
	for n in pid net ipc uts mnt cgroup; do
		[ "${lines[$i]}" != "$(ns $n)" ]
		i=$((i + 1))
	done
	config '.linux.namespaces|=map(select(.type!="network" and .type!="ipc")) | .mounts|=map(select(.type!="sysfs" and .type!="mqueue"))'
	inside 'readlink /proc/self/ns/net; readlink /proc/self/ns/ipc'
	[ "$output" = "$(ns net)"$'\n'"$(ns ipc)" ]
}

# The types in the order of the specification, each with the kernel's name.
TYPES="pid:pid network:net mount:mnt ipc:ipc uts:uts user:user cgroup:cgroup time:time"

@test "each type: new, or the runtime's" {
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	add_user_namespace
	config '.linux.namespaces=[("pid","network","mount","ipc","uts","user","cgroup","time")|{type:.}]'
	show='for n in pid net mnt ipc uts user cgroup time; do readlink /proc/self/ns/$n; done'
	inside "$show"
	i=0
	for type in $TYPES; do
		[[ "${lines[$i]}" == "${type#*:}:["* ]]
		[ "${lines[$i]}" != "$(ns "${type#*:}")" ] || { echo "${lines[$i]} is the host's"; return 1; }
		i=$((i + 1))
	done
	chown -R "${OTHER:-0}:${OTHER:-0}" "$BUNDLE/rootfs"
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	config '.linux.namespaces|=map(select(.type=="mount" or .type=="user")) | del(.hostname) | .mounts|=map(select(.type!="sysfs" and .type!="mqueue" and .type!="cgroup"))'
	inside "$show"
	i=0
	for type in $TYPES; do
		[[ $type = mount:mnt || "$type as ${TARE_AS:-}" = "user:user as user" ]] || [ "${lines[$i]}" = "$(ns "${type#*:}")" ] || { echo "${lines[$i]} is not the host's"; return 1; }
		i=$((i + 1))
	done
}

@test "each type: given twice, with a path of another type, with a relative path" {
	for type in $TYPES; do
		config --arg t "${type%:*}" '.linux.namespaces=(.linux.namespaces|map(select(.type!=$t)))+[{"type":$t},{"type":$t}]'
		run_container "" 1
		[[ "$output" == *"namespace '${type%:*}' given twice"* ]]
		other=/proc/self/ns/ipc
		[ "${type%:*}" != ipc ] || other=/proc/self/ns/net
		config --arg t "${type%:*}" --arg p $other '.linux.namespaces=(.linux.namespaces|map(select(.type!=$t)))+[{"type":$t,"path":$p}]'
		run_container "" 1
		[[ "$output" == *"/linux/namespaces/"*"/path: '$other' is not a ${type%:*} namespace"* || "$output" == *"is not an ${type%:*} namespace"* ]] || { echo "$output"; return 1; }
		config --arg t "${type%:*}" '(.linux.namespaces[]|select(.type==$t)).path="proc/self/ns/net"'
		run_container "" 1
		[[ "$output" == *"/path: must be an absolute path, not 'proc/self/ns/net'"* ]]
		config --arg t "${type%:*}" '.linux.namespaces|=map(select(.type!=$t)) | .linux.namespaces+=if $t=="time" or ($t=="user" and .linux.uidMappings==null) then [] else [{"type":$t}] end'
	done
}

# An ordinary user can join only namespaces that belong to a user namespace which it also joins.
join_user_namespace() { # PID
	[ "${TARE_AS:-}" != user ] || config --arg p "/proc/$1/ns/user" '(.linux.namespaces[]|select(.type=="user")).path=$p'
}

@test "mount and time namespaces joined by path" {
	config '.linux.namespaces+=[{"type":"time"}] | .linux.timeOffsets={"boottime":{"secs":7777777}} | .process.args=["sleep","1000"]'
	create "$ID.a"
	tare start "$ID.a"
	pid=$(pid_of "$ID.a")
	config --arg p "/proc/$pid/ns/time" '(.linux.namespaces[]|select(.type=="time")).path=$p | del(.linux.timeOffsets)'
	join_user_namespace "$pid"
	inside 'readlink /proc/self/ns/time; cut -d. -f1 /proc/uptime'
	[ "${lines[0]}" = "$(readlink "/proc/$pid/ns/time")" ]
	[ "${lines[1]}" -ge 7777777 ]
	# A mount namespace is joined with its mounts. This one has the bundle at the configured path.
	case ${TARE_AS:-} in
	user) owner="nsenter -t $pid -U" ;;
	userns) owner="nsenter -t $holder -U" ;;
	*) owner= ;;
	esac
	$owner unshare -m --propagation private sleep 60 3>&- &
	other=$!
	wait_for "[ \$(readlink /proc/$other/ns/mnt) != \$(readlink /proc/self/ns/mnt) ]"
	config --arg p "/proc/$other/ns/mnt" '(.linux.namespaces[]|select(.type=="mount")).path=$p'
	wanted=$(readlink "/proc/$other/ns/mnt")
	inside 'readlink /proc/self/ns/mnt; ls -d /bin/busybox; [ ! -e /boot ]'
	kill $other
	wait $other || true
	[ "$output" = "$wanted"$'\n/bin/busybox' ]
}

@test "the loopback interface is up in a new network" {
	inside 'ip -o link show lo; ip -o addr show lo'
	[[ "$output" == *",UP"* ]]
	[[ "$output" == *127.0.0.1/8* ]]
}

@test "namespaces joined by path" {
	config '.process.args=["sleep","1000"]'
	create "$ID.a"
	pid=$(pid_of "$ID.a")
	for n in network:net ipc:ipc uts:uts pid:pid cgroup:cgroup; do
		config --arg t "${n%:*}" --arg p "/proc/$pid/ns/${n#*:}" \
			'(.linux.namespaces[]|select(.type==$t)).path=$p | del(.hostname)'
	done
	join_user_namespace "$pid"
	inside 'for n in net ipc uts pid cgroup; do readlink /proc/self/ns/$n; done; ps | grep -c sleep'
	expected=$(for n in net ipc uts pid cgroup; do readlink "/proc/$pid/ns/$n"; done)
	[ "$(head -n 5 <<<"$output")" = "$expected" ]
}

@test "a path of the wrong type, a missing path, and a file that is no namespace" {
	config '(.linux.namespaces[]|select(.type=="network")).path="/proc/self/ns/ipc"'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/namespaces/1/path"*"is not a network namespace"* ]]
	config '(.linux.namespaces[]|select(.type=="network")).path="/etc/passwd"'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"is not a network namespace"* ]]
	config '(.linux.namespaces[]|select(.type=="network")).path="/nowhere"'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"o such file"* ]]
}

@test "a sysctl of a namespace that belongs to the host is refused" {
	config '(.linux.namespaces[]|select(.type=="network")).path="/proc/self/ns/net" | .linux.sysctl={"net.ipv4.ip_forward":"0"}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"is not in a separate kernel namespace"* ]]
}

# A user namespace that maps the ids below 1009. MAP is the map, as /proc/self/uid_map shows it in the container.
user_ns() {
	case ${TARE_AS:-} in
	user) MAP=("0 $AS_USER 1" "1 $AS_FIRST 1009") ;;
	userns) MAP=("0 1000 1000" "1000 3000 10") ;;
	*) MAP=("0 100000 1000" "1000 200000 10") ;;
	esac
	add_user_namespace
	config '.linux.uidMappings=[$ARGS.positional[]|split(" ")|map(tonumber)|{containerID:.[0],hostID:.[1],size:.[2]}]
		| .linux.gidMappings=.linux.uidMappings' --args "${MAP[@]}"
}

@test "a user namespace with several lines of mappings" {
	user_ns
	inside 'cat /proc/self/uid_map | tr -s " "; id -u; stat -c %u /bin/busybox; test -c /dev/null && echo x >/dev/null && echo null; mount | grep -c devtmpfs'
	[ "${lines[0]# }" = "${MAP[0]}" ]
	[ "${lines[1]# }" = "${MAP[1]}" ]
	[ "${lines[2]} ${lines[3]} ${lines[4]}" = "0 0 null" ]
	config '.process.user={"uid":1003,"gid":1004,"additionalGids":[5]}'
	inside 'id -u; id -g; id -G'
	[ "$output" = $'1003\n1004\n1004 5' ]
}

@test "capabilities in a user namespace are the requested ones" {
	user_ns
	inside 'grep CapEff /proc/self/status'
	[ "$output" = $'CapEff:\t0000000020000420' ]
}

@test "unmapped ids are refused" {
	user_ns
	config '.process.user.uid=5000'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot become uid 5000"* ]]
	config '.process.user.uid=0 | .mounts+=[{"destination":"/t","type":"tmpfs","source":"t","options":["uid=4242"]}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"not mapped"* ]]
}

@test "a user namespace joined by path, with namespaces of its own" {
	user_ns
	config '.process.args=["sleep","1000"]'
	create "$ID.a"
	pid=$(pid_of "$ID.a")
	config --arg p "/proc/$pid/ns" '(.linux.namespaces[]|select(.type=="user")).path=$p+"/user" | (.linux.namespaces[]|select(.type=="network")).path=$p+"/net" | del(.linux.uidMappings,.linux.gidMappings)'
	inside 'readlink /proc/self/ns/user; readlink /proc/self/ns/net; id -u'
	[ "$output" = "$(readlink "/proc/$pid/ns/user")"$'\n'"$(readlink "/proc/$pid/ns/net")"$'\n0' ]
}

@test "mappings of a joined user namespace must equal its own, or are refused" {
	user_ns
	config '.process.args=["sleep","1000"]'
	create "$ID.a"
	config --arg p "/proc/$(pid_of "$ID.a")/ns/user" '(.linux.namespaces[]|select(.type=="user")).path=$p | .linux.uidMappings|=reverse'
	inside 'readlink /proc/self/ns/user; id -u; wc -l </proc/self/uid_map'
	[ "$output" = "$(readlink "/proc/$(pid_of "$ID.a")/ns/user")"$'\n0\n2' ]
	other() { # change, uid or gid
		cp "$BUNDLE/config.json" "$WORK/same.json"
		config "$1"
		run_container "" 1
		[[ "$output" == *"/linux/$2Mappings: the user namespace to join has a different $2 map ("* ]] || { echo "$1: $output"; return 1; }
		[ ! -e "$ROOT/$ID" ]
		cp "$WORK/same.json" "$BUNDLE/config.json"
	}
	other '.linux.uidMappings[0].size+=1' uid
	other '.linux.gidMappings[0].hostID+=1' gid
	other 'del(.linux.gidMappings[0])' gid
	other '.linux.uidMappings+=[{containerID:5000,hostID:5000,size:1}]' uid
}

@test "time offsets: each clock, negative, and with nanoseconds" {
	config '.linux.namespaces+=[{"type":"time"}]'
	offsets() { # JSON SECS:NANOSECS of monotonic and boottime
		config ".linux.timeOffsets=$1"
		inside 'sed "s/  */ /g" /proc/self/timens_offsets'
		[ "$output" = "monotonic $2"$'\n'"boottime $3" ] || { echo "$1: $output"; return 1; }
	}
	offsets '{monotonic:{secs:-5,nanosecs:250000000},boottime:{secs:1000000,nanosecs:1}}' "-5 250000000" "1000000 1"
	offsets '{monotonic:{secs:86400}}' "86400 0" "0 0"
	offsets '{boottime:{nanosecs:999999999}}' "0 0" "0 999999999"
	offsets '{}' "0 0" "0 0"
	for wrong in -1 1000000000; do
		config ".linux.timeOffsets={monotonic:{secs:1,nanosecs:$wrong}}"
		run_container "" 1
		[[ "$output" == *"/linux/timeOffsets/monotonic/nanosecs: must be from 0 to 999999999, not $wrong"* ]]
	done
	config '.linux.timeOffsets={monotonic:{secs:-1000000000}}'
	run_container "" 1
	[[ "$output" == *"/linux/timeOffsets: cannot set the offsets of the time namespace"*"makes the clock negative"* ]]
	[ ! -e "$ROOT/$ID" ]
}

@test "as many lines of mappings as the kernel accepts, and no file changes its owner" {
	local base=${OTHER:-0}
	user_ns
	chown -R $((base + 400)):$((base + 400)) "$BUNDLE/rootfs"
	chown "$base:$base" "$BUNDLE/rootfs/etc"
	config '.mounts|=map(select(.type!="devpts"))'
	before=$(stat -c '%u %g %n' "$BUNDLE"/rootfs/* "$BUNDLE"/rootfs/bin/busybox)
	config '.linux.uidMappings=[range(340)|{containerID:.,hostID:(400-.),size:1}] | .linux.gidMappings=.linux.uidMappings'
	inside 'wc -l </proc/self/uid_map; tail -n 1 /proc/self/gid_map | tr -s " "'
	[ "$output" = $'340\n 339 61 1' ]
	[ "$(stat -c '%u %g %n' "$BUNDLE"/rootfs/{bin,etc,tmp} "$BUNDLE"/rootfs/bin/busybox)" = "$(grep -E '/(bin|etc|tmp|busybox)$' <<<"$before")" ]
	config '.linux.uidMappings+=[{containerID:340,hostID:60,size:1}]'
	run_container "" 1
	[[ "$output" == *"/linux/uidMappings: "*"invalid argument (the kernel accepts at most 340 ranges, "* ]] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
	# Fewer lines, but more than a page of text.
	config '.linux.uidMappings=[range(300)|{containerID:(.+100000),hostID:(.+100000),size:1}]'
	run_container "" 1
	[[ "$output" == *"less than $(getconf PAGESIZE) bytes as text)"* ]] || { echo "$output"; return 1; }
	# With few lines the cause of the error is another one.
	config '.linux.uidMappings=[{containerID:0,hostID:100,size:10},{containerID:5,hostID:200,size:10}]'
	run_container "" 1
	[[ "$output" == *"invalid argument (the container's ids of ranges 0 and 1 overlap)" ]] || { echo "$output"; return 1; }
	config '.linux.uidMappings=[{containerID:20,hostID:100,size:10},{containerID:0,hostID:0,size:1},{containerID:5,hostID:91,size:10}]'
	run_container "" 1
	[[ "$output" == *"invalid argument (the host's ids of ranges 0 and 2 overlap)" ]] || { echo "$output"; return 1; }
}

@test "time offsets, with and without a user namespace" {
	config '.linux.namespaces+=[{"type":"time"}] | .linux.timeOffsets={"boottime":{"secs":1000000,"nanosecs":0}}'
	inside 'cut -d. -f1 /proc/uptime'
	[ "$output" -ge 1000000 ]
	user_ns
	inside 'cut -d. -f1 /proc/uptime; id -u'
	[ "${lines[0]}" -ge 1000000 ]
}

@test "an unprivileged caller: spec --rootless" {
	chmod 755 "$WORK" "$BUNDLE"
	rm "$BUNDLE/config.json"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" && chown 65534:65534 "$ROOT" "$BUNDLE"
	chown -R 65534:65534 "$BUNDLE/rootfs"
	as() { as_nobody "$@"; }
	as "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["sh","-c","id -u; hostname; grep CapEff /proc/self/status; test -c /dev/null && echo dev"] | .root.readonly=false'
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	run -0 as "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'0\ntare\nCapEff:\t0000000020000420\ndev' ]
	config '.linux.namespaces|=map(select(.type!="user")) | del(.linux.uidMappings,.linux.gidMappings)'
	run -1 as "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/namespaces: an unprivileged caller needs a user namespace (tare spec --rootless writes one)"* ]]
}

@test "the failure of an unprivileged caller's init is reported even if it happens at once" {
	chmod 755 "$WORK" "$BUNDLE"
	rm "$BUNDLE/config.json"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" && chown 65534:65534 "$ROOT" "$BUNDLE"
	as() { as_nobody "$WORK/tare" "$@"; }
	as spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .root.path="nothing"'
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	for _ in $(seq "$(rounds 100)"); do
		run -1 as --root "$ROOT" run -b "$BUNDLE" "$ID"
		[[ "$output" == *": /root/path: cannot open the root file system "* ]] || { echo "$output"; return 1; }
	done
}

@test "what a container in a user namespace makes belongs to its root, also the message queues" {
	add_user_namespace
	inside 'stat -c %u:%g /dev/mqueue /dev/shm /dev/pts; readlink /proc/self/ns/ipc'
	[ "${lines[0]} ${lines[1]} ${lines[2]}" = "0:0 0:0 0:0" ]
	[ "${lines[3]}" != "$(readlink /proc/self/ns/ipc)" ]
	# Also in a user namespace that is joined.
	config '.process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID.first" >"$WORK/out" 2>&1 3>&-
	config --arg p "/proc/$(pid_of "$ID.first")/ns/user" '(.linux.namespaces[]|select(.type=="user")).path=$p | del(.linux.uidMappings,.linux.gidMappings)'
	inside 'stat -c %u:%g /dev/mqueue'
	[ "$output" = 0:0 ]
}

@test "an empty path is no path: the namespace is new" {
	inside 'for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done'
	config '.linux.namespaces|=map(.+{"path":""})'
	inside 'for n in mnt pid net ipc uts cgroup; do readlink /proc/self/ns/$n; done'
	[ "${#lines[@]}" = 6 ]
	for line in "${lines[@]}"; do
		type=${line%%:*}
		[ "$line" != "$(readlink "/proc/self/ns/$type")" ] || { echo "$line is the host's"; return 1; }
	done
}

# The host has a read-only mount, with a directory that another mount covers.
locked_source() { # command...
	unshare -m --propagation private sh -euc 'mount -t tmpfs -o mode=0777,nosuid,nodev,noexec none "$1"
		mkdir "$1/covered"
		touch "$1/covered/secret"
		mount -t tmpfs none "$1/covered"
		mount -o remount,bind,ro,nosuid,nodev,noexec "$1"
		shift
		exec "$@"' _ "$WORK/source" "$@"
}

# The root of the container may mount in its own mount namespace, also over what is the host's.
add_locked_source() {
	add_user_namespace
	mkdir "$WORK/source"
	config --arg source "$WORK/source" '.mounts+=[{destination:"/m",type:"bind",source:$source,options:["rbind"]}]
		| .process.capabilities|=with_entries(.value=["CAP_SYS_ADMIN","CAP_DAC_OVERRIDE"])'
	script 'for option in rw suid dev exec; do mount -o remount,bind,$option /m 2>/dev/null && echo $option; done
		umount /m/covered 2>/dev/null && echo umount; touch /m/file 2>/dev/null && echo written
		grep -o " /m r[ow][^ ]*" /proc/self/mountinfo; ls -A /m /m/covered'
}

SHOWN=$' /m ro,nosuid,nodev,noexec,relatime\n/m:\ncovered\n\n/m/covered:'

@test "the root of a user namespace cannot change a source's flags, or unmount what covers parts of it" {
	add_locked_source
	run -0 locked_source "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$SHOWN" ]
	config '.mounts[-1].options=["rbind","ro"]'
	run -0 locked_source "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$SHOWN" ]
	# Without the covering mount it would show what that covers.
	config '.mounts[-1].options=["bind"]'
	run -1 locked_source "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" = *"cannot open mount source '$WORK/source': invalid argument (mounts inside it are locked to it, and cannot be omitted: use rbind)" ]]
}

@test "the root of a user namespace that is joined cannot change a source's flags either" {
	add_locked_source
	cp "$BUNDLE/config.json" "$WORK/script.json"
	config '.process.args=["sleep","1000"] | .mounts|=.[:-1]'
	create "$ID.a"
	cp "$WORK/script.json" "$BUNDLE/config.json"
	config --arg path "/proc/$(pid_of "$ID.a")/ns/user" '(.linux.namespaces[]|select(.type=="user")).path=$path'
	run -0 locked_source "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$SHOWN" ]
}

@test "a process that holds a namespace for mount sources is not waited for if it cannot be killed" {
	command -v strace >/dev/null || not_here "needs strace"
	add_locked_source
	script true
	ASAN_OPTIONS=detect_leaks=0 run timeout -k 1 "$HANGS" strace -qq -o /dev/null -e inject=pidfd_send_signal:error=EPERM:when=1 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$status" = 0 ] || { echo "$status: $output"; return 1; }
}
