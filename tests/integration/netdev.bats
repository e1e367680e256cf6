# SPDX-License-Identifier: Apache-2.0
# linux.netDevices: the host's end of a pair of virtual Ethernet devices moves.

load helpers

setup_file() {
	command -v ip >/dev/null || skip "needs ip of iproute2"
}

# pair NAME: NAME and its peer NAMEp, which goes with it, on the host.
pair() {
	ip link add "$1" type veth peer name "${1}p" 2>/dev/null || host_lacks "no virtual Ethernet devices"
}

teardown() {
	for name in $(ip -o link show type veth 2>/dev/null | sed -n "s/^[0-9]*: \(v$$[a-z]*\)@.*/\1/p"); do
		ip link del "$name" 2>/dev/null || true
	done
	end_case
}

@test "a device moves with its attributes and addresses, under its new name" {
	pair "v$$a"
	ip link set "v$$a" mtu 1400 address 02:00:00:00:00:77 up
	ip addr add 10.9.8.7/24 brd 10.9.8.255 dev "v$$a"
	ip addr add 10.9.8.9/24 dev "v$$a"
	ip addr add 10.1.0.1 peer 10.1.0.2/32 dev "v$$a"
	ip addr add 169.254.7.7/16 scope link dev "v$$a"
	ip -6 addr add fd00::7/64 nodad dev "v$$a"
	config --arg n "v$$a" '.linux.netDevices={($n):{"name":"lan"}} | .linux.sysctl={"net/ipv4/conf/lan/forwarding":"1"}'
	inside 'ip addr show dev lan; cat /proc/sys/net/ipv4/conf/lan/forwarding'
	[[ "$output" == *"lan"*",UP"*"mtu 1400"*"02:00:00:00:00:77"* ]]
	[[ "$output" == *"inet 10.9.8.7/24 brd 10.9.8.255 scope global lan"* ]]
	[[ "$output" == *"inet 10.9.8.9/24 scope global secondary lan"* ]]
	[[ "$output" == *"inet 10.1.0.1 peer 10.1.0.2/32 scope global lan"* ]]
	[[ "$output" == *"inet6 fd00::7/64 scope global"* ]]
	[[ "$output" != *169.254* ]]
	[ "${lines[-1]}" = 1 ]
	run -1 ip link show dev "v$$a"
}

@test "names: its own, a template, one that is taken" {
	pair "v$$a"
	pair "v$$b"
	pair "v$$c"
	config --arg a "v$$a" --arg b "v$$b" --arg c "v$$c" '.linux.netDevices={($a):{},($b):{"name":"eth%d"},($c):{"name":"eth%d"}}'
	inside 'ls /sys/class/net'
	[ "$output" = "eth0"$'\n'"eth1"$'\n'"lo"$'\n'"v$$a" ]
	pair "v$$d"
	ip addr add 10.9.8.7/24 dev "v$$d"
	ip link set "v$$d" up
	config --arg d "v$$d" '.linux.netDevices={($d):{"name":"lo"}}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices/v$$d: cannot name a network device 'lo': the container has one of that name"* ]]
	[[ "$(ip addr show dev "v$$d")" == *",UP"*"inet 10.9.8.7/24"* ]]
}

@test "a creation that fails leaves the devices as they were" {
	pair "v$$a"
	pair "v$$b"
	ip addr add 10.9.8.7/24 dev "v$$a"
	ip -6 addr add fd00::7/64 nodad dev "v$$a"
	ip link set "v$$a" up
	config --arg a "v$$a" --arg b "v$$b" '.linux.netDevices={($a):{"name":"eth0"},($b):{"name":"eth1"},"none0":{}}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices/none0: cannot find network device 'none0': no such device"* ]]
	[[ "$(ip addr show dev "v$$a")" == *",UP"*"inet 10.9.8.7/24"*"inet6 fd00::7/64"* ]]
	[[ "$(ip addr show dev "v$$b")" != *",UP"* ]]
	# Much later, in init.
	config 'del(.linux.netDevices.none0) | .process.args=["no such program"]'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$(ip addr show dev "v$$a")" == *",UP"*"inet 10.9.8.7/24"*"inet6 fd00::7/64"* ]]
	ip link show dev "v$$b"
}

@test "into a user namespace, behind a bridge, and into a namespace that is joined" {
	pair "v$$a"
	ip addr add 10.9.8.7/24 dev "v$$a"
	chmod 755 "$WORK"
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config --arg a "v$$a" '.linux.netDevices={($a):{"name":"eth0"}} | .linux.namespaces+=[{"type":"user"}]
		| .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	inside 'ip addr show dev eth0'
	[[ "$output" == *",UP"*"inet 10.9.8.7/24"* ]]
	pair "v$$b"
	config --arg b "v$$b" '.linux.netDevices={($b):{"name":"eth0"}} | .linux.namespaces+=[{"type":"time"}]'
	inside 'ip addr show dev eth0'
	[[ "$output" == *",UP"* ]]
	pair "v$$c"
	unshare -n sleep 60 3>&- &
	local pid=$!
	wait_for "[ \$(readlink /proc/$pid/ns/net) != \$(readlink /proc/self/ns/net) ]"
	chown -R 0:0 "$BUNDLE/rootfs"
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	config --arg c "v$$c" --arg p "/proc/$pid/ns/net" '.linux.netDevices={($c):{"name":"eth7"}}
		| .linux.namespaces|=map(if .type=="network" then .path=$p else . end)'
	inside 'ip addr show dev eth7'
	[[ "$output" == *",UP"* ]]
	# It is the namespace's now, and no longer the runtime's to move.
	nsenter -n -t $pid ip link show dev eth7
	kill $pid
	wait $pid || true
}

@test "no network namespace of its own: refused" {
	config '.linux.netDevices={"lo":{}} | .linux.namespaces|=map(select(.type!="network"))'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices: the container needs a network namespace of its own"* ]]
	config '.linux.netDevices={"lo":{"name":"lo1"}} | .linux.namespaces+=[{"type":"network"}]'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices/lo: cannot move network device 'lo' into the container: invalid argument"*"for good"* ]]
}
