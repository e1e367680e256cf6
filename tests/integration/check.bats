#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# check lists what a start would not find or would not be permitted to do, under the JSON pointer that the start would
# report.
load helpers

# Puts what check reports about the changed configuration into $found, as lines "POINTER ERRNO KIND". The text and the
# JSON output have to agree.
findings() { # change
	jq "${args[@]}" "$1" <"$WORK/good.json" >"$BUNDLE/config.json"
	run --separate-stderr tare check -b "$BUNDLE" --format json
	[ -z "$stderr" ]
	agrees=
	eval "$(jq -r --argjson s "$status" '"agrees=" + (.valid==($s==0) and ((.findings|length)==0)==.valid|tostring)
		+ " found=" + ([.findings[]|"\(.where) \(.errno) \(.kind)"]|join("\n")|@sh)
		+ " messages=" + ([.findings[]|.message]|join("\n")|@sh)' <<<"$output")"
	[ "$agrees" = true ]
	text=$(tare check -b "$BUNDLE" || true)
	while read -r message; do [[ "$text" == *"$message"* ]]; done <<<"$messages"
}

# check reports one finding with that pointer, and the word in its text. run fails with the same pointer and errno text.
finds() { # change, "POINTER ERRNO KIND", word of the text
	findings "$1"
	[ "$found" = "$2" ] || { echo "$1: '$found' and not '$2'"; return 1; }
	[[ "$text" == *"$3"*$'\n'"1 finding" ]] || { echo "$1: $text"; return 1; }
	# Compare with run where it is fast enough.
	! is_emulated || return 0
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": ${2%% *}: "* ]] || { echo "$1: run says $output"; return 1; }
}

# check has no finding. run is not tried.
finds_nothing() { # change
	findings "$1"
	[ -z "$found" ] || { echo "$1: $text"; return 1; }
	[ "$text" = "valid, and this host can honour all of it" ]
}

works() { # change
	finds_nothing "$1"
	run_container
}

good() {
	script true
	cp "$BUNDLE/config.json" "$WORK/good.json"
	args=()
}

@test "a configuration that works has no findings" {
	good
	works .
	works '.process.args=["/bin/sh","-c","true"]'
	works '.process.args=["./sh","-c","true"] | .process.cwd="/bin"'
	works '.process.args=["sh","-c","true"] | .process.cwd="/bin" | .process.env=["PATH=/none:"]'
	works '.process.cwd="/made/for/this"'
	works '.mounts+=[{destination:"/data",type:"bind",source:"rootfs/tmp",options:["bind"]}]'
	works '.hooks={prestart:[{path:"/bin/true"}],createRuntime:[{path:"/bin/true"}],createContainer:[{path:"/bin/true"}],poststart:[{path:"/bin/true"}],poststop:[{path:"/bin/true"}]}'
	works '.hooks={startContainer:[{path:"/bin/true"}]}'
	works '.process.oomScoreAdj=500 | .process.rlimits=[{type:"RLIMIT_CORE",soft:0,hard:0}]'
	works '.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"0"}'
}

@test "a root.path that is missing, or is not a directory" {
	good
	: >"$BUNDLE/file"
	finds '.root.path="nothing"' "/root/path 2 system" "'$BUNDLE/nothing': no such file or directory (root.path must be a directory"
	finds '.root.path="file"' "/root/path 20 system" "'$BUNDLE/file': not a directory"
	finds '.root.path="/no/thing"' "/root/path 2 system" "'/no/thing'"
	mkdir "$BUNDLE/other"
	cp -a "$BUNDLE/rootfs/." "$BUNDLE/other"
	works '.root.path="other"'
}

@test "a mount type that the kernel does not know, and a source that does not exist" {
	good
	finds '.mounts+=[{destination:"/x",type:"nosuchfs",source:"x"}]' "/mounts/7 19 unsupported" "'nosuchfs' is not known to this kernel"
	finds '.mounts+=[{destination:"/x",type:"bind",source:"/no/such"}]' "/mounts/7 2 system" "cannot open mount source '/no/such'"
	finds '.mounts+=[{destination:"/x",type:"none",source:"data",options:["rbind"]}]' "/mounts/7 2 system" "'$BUNDLE/data'"
	mkdir "$BUNDLE/data"
	works '.mounts+=[{destination:"/x",type:"none",source:"data",options:["rbind"]}]'
	# The type is ignored if an option makes the mount a bind.
	works '.mounts+=[{destination:"/x",type:"nosuchfs",source:"data",options:["rbind"]}]'
	# With a user namespace, a device that is missing on the host is created.
	works '.linux.devices=[{type:"c",path:"/dev/nosuch",major:1,minor:3}] | .linux.namespaces+=[{type:"user"}] |
		.linux.uidMappings=[{containerID:0,hostID:0,size:65536}] | .linux.gidMappings=.linux.uidMappings'
}

@test "hooks that are missing or cannot be executed, of the runtime and of the container" {
	good
	echo 'exit 0' >"$WORK/plain"
	args=(--arg w "$WORK")
	for kind in prestart createRuntime createContainer poststart; do
		finds ".hooks.$kind=[{path:\"/bin/true\"},{path:\"/no/hook\"}]" "/hooks/$kind/1 2 system" "cannot execute hook '/no/hook'"
		finds ".hooks.$kind=[{path:(\$w+\"/plain\")}]" "/hooks/$kind/0 13 system" "must be an executable file"
		finds ".hooks.$kind=[{path:\$w}]" "/hooks/$kind/0 13 system" "cannot execute hook '$WORK'"
	done
	# A failing poststop hook does not make a command fail, so only check reports it.
	findings '.hooks.poststop=[{path:"/no/hook"}]'
	[ "$found" = "/hooks/poststop/0 2 system" ]
	finds '.hooks.startContainer=[{path:"/no/hook"}]' "/hooks/startContainer/0 2 system" "below its root"
	# startContainer hooks are looked up in the container and the other hooks on the host, never the other way
	# round.
	cp /bin/busybox "$BUNDLE/rootfs/bin/only-inside"
	works '.hooks.startContainer=[{path:"/bin/only-inside",args:["true"]}]'
	finds '.hooks.poststart=[{path:"/bin/only-inside",args:["true"]}]' "/hooks/poststart/0 2 system" only-inside
	: >"$BUNDLE/rootfs/plain"
	finds '.hooks.startContainer=[{path:"/plain"}]' "/hooks/startContainer/0 13 system" "cannot execute hook '/plain'"
}

@test "a program that is not in the root file system, or no program" {
	good
	cd "$BUNDLE/rootfs"
	: >plain
	mkdir dir
	mkfifo fifo
	ln -s /no/where dangling
	ln -s loop loop
	ln -s /bin/sh busybox.link
	finds '.process.args=["nosuch"]' "/process/args 2 system" 'exec: "nosuch": executable file not found in $PATH'
	finds '.process.env=[]' "/process/args 2 system" "process.env has no PATH"
	finds '.process.env=["PATH=/none:/dir"]' "/process/args 2 system" 'not found in $PATH'
	finds '.process.args=["/no/such"]' "/process/args 2 system" 'exec: "/no/such"'
	finds '.process.args=["./sh"] | .process.cwd="/dir"' "/process/args 2 system" 'exec: "./sh"'
	finds '.process.args=["plain"] | .process.env=["PATH=/:/none"]' "/process/args 13 system" 'exec: "plain"'
	finds '.process.args=["/dir"]' "/process/args 13 system" "is a directory"
	finds '.process.args=["/fifo"]' "/process/args 13 system" 'exec: "/fifo"'
	finds '.process.args=["/dangling"]' "/process/args 2 system" 'exec: "/dangling"'
	finds '.process.args=["/loop"]' "/process/args 40 system" 'exec: "/loop"'
	finds '.process.args=["/plain/x"]' "/process/args 20 system" 'exec: "/plain/x"'
	finds '.process.args=["/bin/sh/"]' "/process/args 20 system" 'exec: "/bin/sh/"'
	works '.process.args=["/busybox.link","true"]'
	works '.process.args=["../../bin/../busybox.link","true"]'
	# A link that leads out of the root file system finds no file of the host.
	ln -s "$TOOLS/../src/tare" outside
	ln -s ../../../../../../../../../etc up
	finds '.process.args=["/outside"]' "/process/args 2 system" 'exec: "/outside"'
	finds '.process.args=["/up/passwd"]' "/process/args 2 system" 'exec: "/up/passwd"'
}

@test "a working directory that is not a directory, or cannot be reached" {
	good
	: >"$BUNDLE/rootfs/plain"
	mkfifo "$BUNDLE/rootfs/fifo"
	ln -s loop "$BUNDLE/rootfs/loop"
	finds '.process.cwd="/plain"' "/process/cwd 20 system" "cannot use '/plain' as the working directory"
	finds '.process.cwd="/plain/below"' "/process/cwd 20 system" "'/plain/below'"
	finds '.process.cwd="/fifo"' "/process/cwd 20 system" "'/fifo'"
	finds '.process.cwd="/"+("n"*256)' "/process/cwd 36 system" "file name too long"
	finds '.process.cwd="/"+("n/"*3000)' "/process/cwd 36 system" "file name too long"
	finds '.process.cwd="/loop"' "/process/cwd 40 system" "'/loop'"
}

@test "check does not judge the program where a mount or a hook may provide it" {
	good
	mkdir -p "$BUNDLE/data" "$BUNDLE/rootfs/usr/lib" "$BUNDLE/rootfs/real"
	cp /bin/busybox "$BUNDLE/data/busybox.tool"
	cp /bin/busybox "$BUNDLE/busybox.tool"
	: >"$BUNDLE/rootfs/real/file"
	ln -s /real "$BUNDLE/rootfs/link"
	ln -s link/busybox.tool "$BUNDLE/rootfs/busybox.tool"
	bind() { echo ".mounts+=[{destination:\"$1\",type:\"bind\",source:\"$2\"}]"; }
	works "$(bind /opt data) | .process.args=[\"/opt/busybox.tool\",\"true\"]"
	works "$(bind /usr/lib/busybox.tool busybox.tool) | .process.args=[\"/usr/lib/busybox.tool\",\"true\"]"
	works "$(bind /opt data) | .process.args=[\"busybox.tool\",\"true\"] | .process.env=[\"PATH=/none:/opt\"]"
	# Through symbolic links, both in the program's path and in the mount's destination.
	works "$(bind /real data) | .process.args=[\"/link/busybox.tool\",\"true\"]"
	works "$(bind /real data) | .process.args=[\"/busybox.tool\",\"true\"]"
	works "$(bind /link data) | .process.args=[\"/real/busybox.tool\",\"true\"]"
	works "$(bind /link data) | .process.cwd=\"/real/file\""
	# The destination of a second mount may lead through a link that is in the first mount.
	ln -s /usr "$BUNDLE/data/link"
	works "$(bind /opt data) | $(bind /opt/link data) | .process.args=[\"/usr/busybox.tool\",\"true\"]"
	# At other places the program is looked up, also if a mount lies beside a mount, in one or over one, and the
	# program's path leads through none of them.
	mkdir "$BUNDLE/data/sub"
	finds "$(bind /opt data) | $(bind /opt/sub data) | $(bind /opt/sub/sub data) | $(bind /opt data) | .process.args=[\"/usr/busybox.tool\"]" "/process/args 2 system" /usr/busybox.tool
	finds "$(bind /opt data) | .process.args=[\"/usr/busybox.tool\"]" "/process/args 2 system" /usr/busybox.tool
	finds "$(bind /dev/shm/x data) | .process.args=[\"/usr/busybox.tool\"]" "/process/args 2 system" /usr/busybox.tool
	# A hook that runs before the program may create it. A hook that runs later, or is missing, cannot.
	cat >"$WORK/hook" <<-H
		#!/bin/sh
		cp /bin/busybox "$BUNDLE/rootfs/usr/busybox.made"
	H
	chmod 755 "$WORK/hook"
	args=(--arg h "$WORK/hook")
	for kind in prestart createRuntime createContainer; do
		rm -f "$BUNDLE/rootfs/usr/busybox.made"
		works ".hooks.$kind=[{path:\$h}] | .process.args=[\"/usr/busybox.made\",\"true\"]"
	done
	rm "$BUNDLE/rootfs/usr/busybox.made"
	finds '.hooks.poststart=[{path:$h}] | .process.args=["/usr/busybox.made","true"]' "/process/args 2 system" /usr/busybox.made
	findings '.hooks.prestart=[{path:"/no/hook"}] | .process.args=["/usr/busybox.made","true"]'
	[ "$found" = $'/hooks/prestart/0 2 system\n/process/args 2 system' ]
}

@test "a lower oom_score_adj and a higher hard limit than the caller is permitted to set" {
	good
	lacking() { setpriv --inh-caps -sys_resource --bounding-set -sys_resource "$TARE" --root "$ROOT" "$@"; }
	refused() { # change, pointer, word
		config "$1"
		run -1 lacking check -b "$BUNDLE"
		[[ "$output" == "system: $2: "*"$3"*"needs CAP_SYS_RESOURCE)"$'\n'"1 finding" ]] || { echo "$output"; return 1; }
		run -1 lacking run -b "$BUNDLE" "$ID"
		[[ "$output" == *": $2: "*"$3"* ]] || { echo "$output"; return 1; }
		cp "$WORK/good.json" "$BUNDLE/config.json"
	}
	own=$(cat /proc/self/oom_score_adj)
	files=$(prlimit --noheadings --raw -o HARD --nofile)
	refused ".process.oomScoreAdj=$((own > -1000 ? -1000 : -1001))" /process/oomScoreAdj "cannot set oom_score_adj to -1000"
	refused ".process.rlimits=[{type:\"RLIMIT_CORE\",soft:0,hard:0},{type:\"RLIMIT_NOFILE\",soft:9,hard:$((files + 1))}]" /process/rlimits/1 "$((files + 1)) (hard)"
	config ".process.rlimits=[{type:\"RLIMIT_NOFILE\",soft:$files,hard:$files}] | .process.oomScoreAdj=1000"
	run -0 lacking check -b "$BUNDLE"
	run -0 lacking run -b "$BUNDLE" "$ID"
	# A process may return to a value that it gave up without losing the right to it.
	config ".process.oomScoreAdj=$((own < 900 ? own + 10 : own))"
	run -0 sh -c 'echo 1000 >/proc/self/oom_score_adj && exec "$@"' sh "$TARE" --root "$ROOT" check -b "$BUNDLE"
	run -0 sh -c 'echo 1000 >/proc/self/oom_score_adj && exec "$@"' sh "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	# The trial does not change the caller.
	[ "$(cat /proc/self/oom_score_adj)" = "$own" ]
}

@test "a network device, memory nodes and a huge page size that this host does not have" {
	good
	finds '.linux.netDevices={"nosuch0":{}}' "/linux/netDevices/nosuch0 19 system" "cannot find network device 'nosuch0'"
	[ -r /sys/devices/system/node/has_memory ] || not_here "no nodes of memory"
	nodes=$(cat /sys/devices/system/node/has_memory)
	for mode in MPOL_BIND MPOL_INTERLEAVE MPOL_PREFERRED; do
		finds ".linux.memoryPolicy={mode:\"$mode\",nodes:\"900\"}" "/linux/memoryPolicy 22 system" "nodes of this host that have memory: $nodes"
	done
	# The kernel ignores missing nodes if at least one exists.
	works '.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"0,900"}'
	works '.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"900",flags:["MPOL_F_RELATIVE_NODES"]}'
	controllers hugetlb
	finds '.linux.resources.hugepageLimits=[{pageSize:"2MB",limit:0},{pageSize:"3MB",limit:0}]' "/linux/resources/hugepageLimits/1 0 unsupported" "no huge pages of the size '3MB' (it has: "
	works '.linux.resources.hugepageLimits=[{pageSize:"2MB",limit:0}]'
}

@test "a seccomp agent's socket that does not exist, or is not a socket" {
	good
	: >"$WORK/file"
	args=(--arg w "$WORK")
	notify='.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}'
	finds "$notify | .linux.seccomp.listenerPath=(\$w+\"/agent\")" "/linux/seccomp/listenerPath 2 system" "cannot connect to socket '$WORK/agent'"
	finds "$notify | .linux.seccomp.listenerPath=(\$w+\"/file\")" "/linux/seccomp/listenerPath 111 system" "it is not a socket"
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$WORK/agent"
	finds_nothing "$notify | .linux.seccomp.listenerPath=(\$w+\"/agent\")"
	# Without a notify rule the agent is not contacted.
	works '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:($w+"/none"),syscalls:[]}'
}

@test "all findings are in one list, also those that need no look at the host" {
	good
	before=$(find "$WORK" ! -name config.json | sort)
	findings '.mounts+=[{destination:"/x",type:"nosuchfs",source:"x"},{destination:"/y",type:"bind",source:"/no/source"}] |
		.hooks={createRuntime:[{path:"/no/hook"}],poststop:[{path:"/no/other"}],startContainer:[{path:"/no/inside"}]} |
		.process.args=["nosuch"] | .process.cwd="/bin/busybox" | .linux.netDevices={"nosuch0":{}} |
		.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"900"} | .linux.resources.memory={swappiness:60} |
		.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",listenerPath:"/no/agent",syscalls:[{names:["mkdir"],action:"SCMP_ACT_NOTIFY"}]}'
	[ "$status" -eq 1 ]
	[ "$(cut -d' ' -f1 <<<"$found" | sort)" = "$(sort <<<"/linux/resources/memory/swappiness
/mounts/7
/mounts/8
/hooks/createRuntime/0
/hooks/poststop/0
/hooks/startContainer/0
/process/args
/process/cwd
/linux/netDevices/nosuch0
/linux/memoryPolicy
/linux/seccomp/listenerPath")" ] || { echo "$found"; return 1; }
	[[ "$text" == *$'\n'"11 findings" ]]
	[ "$(find "$WORK" ! -name config.json | sort)" = "$before" ]
	[ ! -e "$(cgroup_of "$ID")" ]
}

@test "an unprivileged caller: missing files are found, and files that it cannot look at are not reported" {
	chmod 755 "$WORK" "$BUNDLE"
	rm "$BUNDLE/config.json"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" && chown 65534:65534 "$ROOT" "$BUNDLE"
	chown -R 65534:65534 "$BUNDLE/rootfs"
	as() { as_nobody "$WORK/tare" --root "$ROOT" "$@"; }
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	as spec --rootless -b "$BUNDLE"
	config '.process.terminal=false | .process.args=["true"] | .process.env=["PATH=/bin"] | .root.readonly=false'
	cp "$BUNDLE/config.json" "$WORK/good.json"
	run -0 as check -b "$BUNDLE"
	[ "$output" = "valid, and this host can honour all of it" ]
	run -0 as run -b "$BUNDLE" "$ID"
	finds_as() { # change, pointer
		cp "$WORK/good.json" "$BUNDLE/config.json"
		config --arg w "$WORK" "$1"
		run -1 as check -b "$BUNDLE"
		[[ "$output" == *": $2: "*$'\n'"1 finding" ]] || { echo "$1: $output"; return 1; }
		run -1 as run -b "$BUNDLE" "$ID"
		[[ "$output" == *": $2: "* ]] || { echo "$1: $output"; return 1; }
	}
	finds_as '.root.path="nothing"' /root/path
	finds_as '.mounts+=[{destination:"/y",type:"bind",source:"/no/source"}]' "/mounts/$(jq '.mounts|length' "$WORK/good.json")"
	finds_as '.process.args=["nosuch"]' /process/args
	finds_as '.process.cwd="/bin/busybox"' /process/cwd
	finds_as '.hooks.startContainer=[{path:"/no"}]' /hooks/startContainer/0
	finds_as '.process.oomScoreAdj=-1000' /process/oomScoreAdj
	finds_as '.linux.memoryPolicy={mode:"MPOL_BIND",nodes:"900"}' /linux/memoryPolicy
	finds_as '.linux.cgroupsPath="/not/delegated"' /linux/cgroupsPath
	[ ! -e "$(cgroup_mount)/not" ]
	finds_as '.linux.uidMappings=[{containerID:0,hostID:100000,size:10}]' /linux/uidMappings
	# The hook is executable, but not for the caller, which runs it.
	printf '#!/bin/sh\n' >"$WORK/hook"
	chmod 700 "$WORK/hook"
	finds_as '.hooks.createRuntime=[{path:($w+"/hook")}]' /hooks/createRuntime/0
	# Files that the start cannot reach are found by trying to open them.
	mkdir -m 700 "$WORK/closed" "$BUNDLE/rootfs/closed"
	finds_as '.mounts+=[{destination:"/y",type:"bind",source:($w+"/closed/x")}]' "/mounts/$(jq '.mounts|length' "$WORK/good.json")"
	finds_as '.root.path=($w+"/closed/x")' /root/path
	finds_as '.mounts+=[{destination:"/x",type:"nosuchfs",source:"x"}]' "/mounts/$(jq '.mounts|length' "$WORK/good.json")"
	# A poststop hook is used only after the end, maybe by another user who can reach it: not reported.
	for change in '.hooks.poststop=[{path:($w+"/closed/x")}]'; do
		cp "$WORK/good.json" "$BUNDLE/config.json"
		config --arg w "$WORK" "$change"
		run as check -b "$BUNDLE"
		[ "$output" = "valid, and this host can honour all of it" ] || { echo "$change: $output"; return 1; }
	done
}

# Runs check and run through the function wrap, which prepares a process and gets their arguments. check reports one
# finding, and run fails, both with the pointer ("" for none) followed by the words.
finds_in() { # wrap, change, pointer, words
	jq "${args[@]}" "$2" <"$WORK/good.json" >"$BUNDLE/config.json"
	run -1 "$1" check -b "$BUNDLE"
	[[ "$output" == *"${3:+$3: }"*"$4"*$'\n'"1 finding" ]] || { echo "$2: $output"; return 1; }
	run -1 "$1" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"${3:+$3: }"*"$4"* ]] || { echo "$2: run says $output"; return 1; }
}

@test "a cgroup that cannot be made: read-only, not delegated, frozen, or taken" {
	good
	mount=$(cgroup_mount)
	read_only() { # arguments
		unshare -m --propagation private sh -c 'mount -o remount,bind,ro "$0" && exec "$@"' "$mount" "$TARE" --root "$ROOT" "$@"
	}
	finds_in read_only . "" ": read-only file system (the cgroup2 mount has to be writable"
	finds_in read_only '.linux.cgroupsPath="/tx/y"' /linux/cgroupsPath "cannot create cgroup '/tx/y': read-only file system"
	[ ! -e "$mount/tx" ]
}

@test "a cgroup with other processes, or below a frozen one" {
	good
	mount=$(cgroup_mount)
	taken=$mount/$ID.taken
	mkdir "$taken" "$taken/sub"
	sleep 1000 3>&- 9>&- &
	echo $! >"$taken/sub/cgroup.procs"
	args=(--arg c "/$ID.taken")
	finds '.linux.cgroupsPath=$c+"/sub"' "/linux/cgroupsPath 16 state" "container's cgroup is not empty: 1 process(es) found"
	echo 1 >"$taken/cgroup.freeze"
	findings '.linux.cgroupsPath=$c+"/new"'
	[ "$found" = "/linux/cgroupsPath 16 state" ]
	[[ "$text" == *"unexpectedly frozen"* ]]
	[ ! -e "$taken/new" ]
	echo 0 >"$taken/cgroup.freeze"
	works '.linux.cgroupsPath=$c+"/new"'
	kill -9 $!
	wait_for "grep -q 'populated 0' $taken/cgroup.events"
	rmdir "$taken/sub" "$taken"
}

@test "systemd that cannot be reached" {
	good
	no_bus() { DBUS_SYSTEM_BUS_ADDRESS=unix:path=$WORK/none "$TARE" --systemd-cgroup --root "$ROOT" "$@"; }
	finds_in no_bus . "" "the system bus cannot be opened"
}

@test "a configuration without a program" {
	good
	finds 'del(.process.args)' "/process/args 0 config" "is missing"
	finds 'del(.process)' "/process 0 config" "is missing"
}

@test "namespaces and ids that the kernel refuses" {
	good
	# One user namespace in which setgroups(2) is denied, and one in which no further uts namespace can be created.
	rooted() { unshare -Urm --propagation private "$TARE" --root "$ROOT" "$@"; }
	limited() {
		unshare -Urm --propagation private sh -c 'echo 0 >/proc/sys/user/max_uts_namespaces; exec "$@"' . "$TARE" --root "$ROOT" "$@"
	}
	finds_in limited . "" "cannot start init in its namespaces: no space left on device"
	finds_in rooted '.process.user.additionalGids=[0]' /process/user/additionalGids "setgroups is denied in this user namespace"
	user='.linux.namespaces+=[{type:"user"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:1}]|.linux.gidMappings=[{containerID:0,hostID:0,size:6}]'
	works "$user"
	finds "$user|.process.user.uid=33" "/process/user 22 system" "cannot become uid 33: invalid argument (uid 33 is not mapped in the container's user namespace)"
	finds "$user|.process.user.gid=33" "/process/user 22 system" "cannot become gid 33: invalid argument (gid 33 is not mapped in the container's user namespace)"
	finds "$user|.process.user.additionalGids=[33]" "/process/user 22 system" "every group has to be mapped in the container's user namespace"
	finds "$user|.linux.gidMappings[0].size=5|.mounts[1].options+=[\"gid=5\"]" $'/mounts/1 0 config\n/mounts/2 0 note' "gid=5"
}

@test "clone3 denied by a filter on tare itself" {
	good
	errno=38
	filtered() { "$TOOLS/refuse" clone3=$errno -- "$TARE" --root "$ROOT" "$@"; }
	# With ENOSYS, clone(2) is used instead.
	run -0 filtered check -b "$BUNDLE"
	errno=1
	finds_in filtered . "" "cannot start init in its namespaces: operation not permitted"
}

@test "a new procfs that the kernel refuses because the caller's is masked" {
	good
	mkdir "$WORK/empty"
	masked() {
		unshare -mpf --mount-proc --propagation private sh -c 'mount -t tmpfs none /proc/sys/kernel && exec "$@"' . \
			unshare -Urm "$TARE" --root "$ROOT" "$@"
	}
	finds_in masked '.linux.resources={}|.linux.namespaces+=[{type:"user"}]|.linux.uidMappings=[{containerID:0,hostID:0,size:1}]|.linux.gidMappings=[{containerID:0,hostID:0,size:1}]' \
		/mounts/0 "cannot mount 'proc' on '/proc': operation not permitted (the mount on /proc/sys/kernel forbids"
}

@test "mounts and devices that conflict with the root file system, and options that no file system accepts" {
	good
	mkdir -p "$BUNDLE/rootfs/"{dev,proc,sys,dir,ro} "$WORK/vol"
	echo x >"$BUNDLE/rootfs/file"
	args=(--arg w "$WORK")
	finds '.mounts+=[{destination:"/file",type:"tmpfs",source:"tmpfs"}]' "/mounts/7 20 system" "cannot mount 'tmpfs' on '/file'"
	finds '.mounts+=[{destination:"/x",type:"tmpfs",source:"tmpfs",options:["sizes=1"]}]' "/mounts/7 22 system" "cannot set option 'sizes=1'"
	# A start creates a missing mount point in a writable volume.
	works '.mounts+=[{destination:"/vol",type:"bind",source:($w+"/vol"),options:["bind"]},{destination:"/vol/made",type:"tmpfs",source:"tmpfs"}]'
	rmdir "$WORK/vol/made"
	findings '.mounts+=[{destination:"/vol",type:"bind",source:($w+"/vol"),options:["bind"]},{destination:"/vol/made",type:"tmpfs",source:"tmpfs"}]'
	[ -z "$found" ] && [ ! -e "$WORK/vol/made" ]
	finds '.mounts+=[{destination:"/vol",type:"bind",source:($w+"/vol"),options:["bind","ro"]},{destination:"/vol/made",type:"tmpfs",source:"tmpfs"}]' \
		"/mounts/8 30 system" "read-only"
	finds '.linux.sysctl={"net.ipv4.nope":"1"}' "/linux/sysctl/net.ipv4.nope 2 unsupported" "nope"
	finds '.process.scheduler={policy:"SCHED_DEADLINE",runtime:500,deadline:1000,period:1000}' "/process/scheduler 22 system" "cannot set the scheduler"
}

@test "a trial changes nothing: bundle, volumes, joined namespaces, mounts, processes" {
	good
	mkdir "$WORK/vol"
	args=(--arg w "$WORK")
	unshare -nu --propagation private sleep 1000 3>&- 9>&- &
	wait_for "[ \"\$(readlink /proc/$!/ns/net)\" != \"\$(readlink /proc/self/ns/net)\" ]"
	args+=(--arg p "/proc/$!/ns")
	name=$(nsenter -t $! -u hostname)
	forward=$(nsenter -t $! -n cat /proc/sys/net/ipv4/ip_forward)
	before=$(find "$WORK" ! -name config.json -printf '%p %m %u %T@\n' | sort)
	finds_nothing '.linux.namespaces|=map(if .type=="network" then .path=$p+"/net" elif .type=="uts" then .path=$p+"/uts" else . end)|
		.hostname="changed"|.linux.sysctl={"net.ipv4.ip_forward":"\(1)"}|.process.cwd="/made"|
		.mounts+=[{destination:"/vol",type:"bind",source:($w+"/vol"),options:["bind","rshared"]},{destination:"/vol/x/y",type:"tmpfs",source:"tmpfs"}]|
		.linux.devices=[{type:"c",path:"/dir/null",major:1,minor:3}]|.linux.rootfsPropagation="rshared"|.hooks.createRuntime=[{path:"/bin/false"}]'
	[ "$(nsenter -t $! -u hostname)" = "$name" ]
	[ "$(nsenter -t $! -n cat /proc/sys/net/ipv4/ip_forward)" = "$forward" ]
	[ "$(find "$WORK" ! -name config.json -printf '%p %m %u %T@\n' | sort)" = "$before" ]
	kill -9 $!
}

@test "a check that is killed leaves no process" {
	good
	cgroup=$(cgroup_mount)/$ID.check
	mkdir "$cgroup"
	for i in $(seq "$(rounds 40)"); do
		sh -c 'echo $$ >"$0/cgroup.procs"; exec "$@"' "$cgroup" "$TARE" check -b "$BUNDLE" >"$WORK/out" 2>&1 3>&- &
		sleep "0.00$((i % 10))"
		kill -9 $! 2>/dev/null || true
		wait $! 2>/dev/null || true
		wait_for "grep -q 'populated 0' $cgroup/cgroup.events"
	done
	rmdir "$cgroup"
}

@test "unknown keys and capabilities are notes, with the nearest known key" {
	good
	notes() { # change, lines "POINTER HINT"
		jq "$1" <"$WORK/good.json" >"$BUNDLE/config.json"
		run -0 tare check -b "$BUNDLE" --format json
		[ "$(jq -r '.findings[]|"\(.kind) \(.where) \(.hint)"' <<<"$output" | sort)" = "$(sort <<<"$2")" ] || { echo "$output"; return 1; }
		[ "$(jq .valid <<<"$output")" = true ]
		run_container
	}
	notes '.linux.maskedPath=[]|.process.noNewPrivilege=true|.linux.resource={}' \
		"note /linux/maskedPath the nearest known key is 'maskedPaths'
note /process/noNewPrivilege the nearest known key is 'noNewPrivileges'
note /linux/resource the nearest known key is 'resources'"
	# A swap, an insertion and a deletion count as one difference each. A key that resembles no known key gets no
	# hint.
	notes '.linux.namespaces[0].tyep=1|.mounts[0].ooptions=[]|.linux.cgroupPath="/x"|.process.rlimits[0].sfot=1|.xyz=1|.mounts[0].origin=1|.["'"$(printf 'a%.0s' {1..100})"'"]=1' \
		"note /linux/namespaces/0/tyep the nearest known key is 'type'
note /mounts/0/ooptions the nearest known key is 'options'
note /linux/cgroupPath the nearest known key is 'cgroupsPath'
note /process/rlimits/0/sfot the nearest known key is 'soft'
note /xyz 
note /mounts/0/origin 
note /$(printf 'a%.0s' {1..100}) "
	# Keys of other platforms, and objects with free keys, are not reported.
	notes '.windows={a:1}|.vm={}|.solaris={}|.process.commandLine="x"|.process.user.username="x"|.annotations={"a.b":"c"}' ""
	jq '.process.arsg=.process.args|del(.process.args)|.process.capabilities.bounding+=["CAP_NONE"]' <"$WORK/good.json" >"$BUNDLE/config.json"
	run -1 tare check -b "$BUNDLE"
	[ "$output" = "note: /process/capabilities/bounding/3: unknown capability 'CAP_NONE' is ignored
note: /process/arsg: is an unknown key and has no effect (the nearest known key is 'args')
config: /process/args: is missing
1 finding" ] || { echo "$output"; return 1; }
}

@test "capabilities that cannot be granted are notes" {
	good
	jq '.process.capabilities.bounding+=["CAP_NET_RAW"]' <"$WORK/good.json" >"$BUNDLE/config.json"
	run -0 setpriv --bounding-set -net_raw "$TARE" --root "$ROOT" check -b "$BUNDLE"
	[ "${lines[0]}" = "note: /process/capabilities: CAP_NET_RAW cannot be granted here" ]
}

@test "check has colours on a terminal, and none with NO_COLOR" {
	good
	jq '.xyz=1' <"$WORK/good.json" >"$BUNDLE/config.json"
	run -0 env -u NO_COLOR script -qec "'$TARE' --root '$ROOT' check -b '$BUNDLE'" /dev/null </dev/null
	[[ "${lines[0]}" == $'\e[31mnote\e[0m: /xyz: '* ]]
	run -0 env NO_COLOR=1 script -qec "'$TARE' --root '$ROOT' check -b '$BUNDLE'" /dev/null </dev/null
	[[ "${lines[0]}" == "note: /xyz: "* ]]
}
