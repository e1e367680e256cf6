# SPDX-License-Identifier: Apache-2.0
# linux.netDevices: one end of a pair of virtual Ethernet devices moves from the host into the container.

load helpers

setup_file() {
	command -v ip >/dev/null || not_here "needs ip of iproute2"
}

# Makes NAME and its peer NAMEp on the host; deleting one deletes both. If the device gets an address when it is made,
# udev does not give it another one later.
pair() { # name [address]
	ip link add "$1" ${2:+address "$2"} type veth peer name "${1}p" 2>/dev/null || host_lacks "no virtual Ethernet devices"
}

teardown() {
	for name in $(ip -o link show type veth 2>/dev/null | sed -n "s/^[0-9]*: \(v$$[a-z]*\)@.*/\1/p"); do
		ip link del "$name" 2>/dev/null || true
	done
	end_case
}

@test "a device moves with its attributes and addresses, under its new name" {
	pair "v$$a" 02:00:00:00:00:77
	ip link set "v$$a" mtu 1400 up
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

@test "names: the same, a template, one that is in use" {
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
	# A failure that occurs much later, in init.
	config 'del(.linux.netDevices.none0) | .process.args=["no such program"]'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$(ip addr show dev "v$$a")" == *",UP"*"inet 10.9.8.7/24"*"inet6 fd00::7/64"* ]]
	ip link show dev "v$$b"
}

# Prints what must be the same afterwards in the network namespace of a process. Of a lifetime only whether there is
# one. It waits for duplicate address detection, because the kernel adds the route of a link-local address only after
# it.
network() {
	wait_for "! nsenter -n -t $1 ip -6 addr show tentative | grep -q ."
	nsenter -n -t "$1" ip -j -d addr | jq -cS '.[] | select(.ifname!="lo") | .ifname as $n |
		{ifname,ifindex,master,mtu,up:(.flags|index("UP")!=null)}, (.addr_info[] | . + {on:$n} |
		(.valid_life_time,.preferred_life_time)|=(if .>4000000000 then . else .>700 end))' | sort
	for family in -4 -6; do
		nsenter -n -t "$1" ip $family -j -d route show table all | jq -cS '.[] | select(.dev!="br0") |
			if has("expires") then .expires|=(.>700) else . end'
	done | sort
}

# A network namespace with pairs va and vb, all peers up. $pid is a process in it.
namespace() {
	unshare -n sleep 300 3>&- &
	pid=$!
	wait_for "[ \$(readlink /proc/$pid/ns/net) != \$(readlink /proc/self/ns/net) ]"
	for name in va vb; do
		nsenter -n -t $pid ip link add $name type veth peer name ${name}p || host_lacks "no virtual Ethernet devices"
		nsenter -n -t $pid ip link set ${name}p up
	done
}

@test "a creation that fails leaves addresses with a lifetime and routes as they were" {
	namespace
	nsenter -n -t $pid sh -e <<-'EOF'
		ip link add br0 type bridge
		ip link set br0 up
		ip link set va up
		ip link set vb up master br0
		ip addr add 10.9.8.7/24 brd + dev va label va:one
		ip addr add 10.9.9.9/24 dev va valid_lft 900 preferred_lft 800
		ip addr add 169.254.7.7/16 scope link dev va
		ip addr add 10.4.4.4/24 dev va noprefixroute
		ip addr add 10.3.3.3/24 dev vb
		ip -6 addr add fd00::7/64 dev va
		ip -6 addr add fd00:1::7/64 dev va nodad valid_lft 900 preferred_lft 800
		ip route add 10.4.4.0/24 dev va proto kernel scope link src 10.4.4.4 metric 100
		ip route add default via 10.9.9.1 dev va
		ip route add 10.77.0.0/16 via 10.9.8.1 proto static metric 7 mtu 1300 src 10.9.8.7
		ip route add 10.78.0.0/16 via 172.16.0.1 dev va onlink table 100
		ip route add 10.79.0.0/16 dev vb src 10.9.8.7
		ip route add 10.80.0.0/16 nexthop via 10.9.8.1 weight 3 nexthop via 10.3.3.1
		ip route add unreachable 10.81.0.0/16
		ip route add local 10.82.0.0/16 dev va
		ip -6 route add fd00:2::/64 via fd00::1
		ip -6 route add fd00:3::/64 dev va expires 900
		ip -6 route add default via fe80::1 dev va
		ip -6 route add fd00:4::/64 nexthop via fd00::1 nexthop via fd00:1::1 weight 2
	EOF
	wait_for "! nsenter -n -t $pid ip -6 addr show tentative | grep -q ."
	nsenter -n -t $pid ip -6 route add fd00:5::/64 via fd00::1 src fd00::7
	network $pid >"$WORK/before"
	grep -q '10.77.0.0/16' "$WORK/before"
	config '.linux.netDevices={"va":{"name":"eth0"},"vb":{}} | .hooks.createRuntime=[{"path":"/bin/false"}]'
	run -1 nsenter -n -t $pid "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/bin/false"* ]]
	[[ "$output" != *"could not be restored"* ]]
	network $pid >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
	# Again, in another order, and with a device that is down.
	nsenter -n -t $pid ip link set vb down
	network $pid | grep -v 10.80.0.0/16 >"$WORK/before"
	config '.linux.netDevices={"vb":{},"va":{}}'
	run -1 nsenter -n -t $pid "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID"
	[[ "$output" != *"could not be restored"* ]]
	network $pid | grep -v 10.80.0.0/16 >"$WORK/after"
	diff "$WORK/before" "$WORK/after"
	# The kernel refuses a route over a device that is down, and accepts the other one.
	run -0 nsenter -n -t $pid ip route show 10.80.0.0/16
	[[ "$output" == "10.80.0.0/16 via 10.9.8.1 dev va"* ]]
	kill $pid
	wait $pid || true
}

@test "a device that cannot get its name back, because another one has it by then, is reported" {
	namespace
	nsenter -n -t $pid ip link set va up
	nsenter -n -t $pid ip addr add 10.9.8.7/24 dev va
	cat >"$WORK/hook" <<-'EOF'
		#!/bin/sh
		ip link add va type veth peer name vap2
		exit 1
	EOF
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" '.linux.netDevices={"va":{"name":"eth0"},"vb":{}} | .hooks.createRuntime=[{"path":$h,"env":["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]'
	run -1 nsenter -n -t $pid "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID"
	[[ "$output" == *"(and network device 'va' could not be restored: file exists)"* ]] || { echo "$output"; return 1; }
	# If the kernel moves a device before it is renamed, everything else is as before.
	if nsenter -n -t $pid ip link show dev eth0; then
		[[ "$(nsenter -n -t $pid ip addr show dev eth0)" == *",UP"*"10.9.8.7/24"* ]]
	fi
	nsenter -n -t $pid ip link show dev vb
	kill $pid
	wait $pid || true
}

@test "into a user namespace, by way of the bridge process, and into a namespace that is joined" {
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
	# The device belongs to that namespace now, and the runtime does not move it back.
	nsenter -n -t $pid ip link show dev eth7
	kill $pid
	wait $pid || true
}

@test "without a network namespace of its own netDevices are refused" {
	config '.linux.netDevices={"lo":{}} | .linux.namespaces|=map(select(.type!="network"))'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices: the container needs a network namespace of its own"* ]]
	config '.linux.netDevices={"lo":{"name":"lo1"}} | .linux.namespaces+=[{"type":"network"}]'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/netDevices/lo: cannot move network device 'lo' into the container: invalid argument (a device of this kind cannot be moved to another network namespace)" ]]
}
