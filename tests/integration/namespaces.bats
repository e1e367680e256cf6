# SPDX-License-Identifier: Apache-2.0
load helpers

ns() {
	readlink "/proc/self/ns/$1"
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
	inside 'for n in net ipc uts pid cgroup; do readlink /proc/self/ns/$n; done; ps | grep -c sleep'
	expected=$(for n in net ipc uts pid cgroup; do readlink "/proc/$pid/ns/$n"; done)
	[ "$(head -n 5 <<<"$output")" = "$expected" ]
}

@test "a path of the wrong type, a missing one, and no namespace at all" {
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

@test "a sysctl of a namespace that is the host's is refused" {
	config '(.linux.namespaces[]|select(.type=="network")).path="/proc/self/ns/net" | .linux.sysctl={"net.ipv4.ip_forward":"0"}'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"is not in a separate kernel namespace"* ]]
}

user_ns() {
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":1000},{"containerID":1000,"hostID":200000,"size":10}]
		| .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
}

@test "a user namespace with several lines of mappings" {
	user_ns
	inside 'cat /proc/self/uid_map | tr -s " "; id -u; stat -c %u /bin/busybox; test -c /dev/null && echo x >/dev/null && echo null; mount | grep -c devtmpfs'
	[[ "${lines[0]}" == *"0 100000 1000"* ]]
	[[ "${lines[1]}" == *"1000 200000 10"* ]]
	[ "${lines[2]} ${lines[3]} ${lines[4]}" = "0 0 null" ]
	config '.process.user={"uid":1003,"gid":1004,"additionalGids":[5]}'
	inside 'id -u; id -g; id -G'
	[ "$output" = $'1003\n1004\n1004 5' ]
}

@test "capabilities in a user namespace are the asked ones" {
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
	as() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
	as "$WORK/tare" spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["sh","-c","id -u; hostname; grep CapEff /proc/self/status; test -c /dev/null && echo dev"] | .root.readonly=false'
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	run -0 as "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = $'0\ntare\nCapEff:\t0000000020000420\ndev' ]
}
