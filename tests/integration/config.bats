# SPDX-License-Identifier: Apache-2.0
# What the specification requires of every configuration, and of every operation (config.md, runtime.md).
load helpers

# Everything in which a container could leave a trace: files, cgroups, mounts, values of the host, processes. The cache
# of compiled filters is excluded, because it does not belong to one container.
traces() {
	find "$WORK" -mindepth 1 ! -name config.json ! -path "$WORK/watch.*" ! -path '*/@seccomp*' | sort
	compgen -G "$(cgroup_of "t$$.*")" || true
	cat /proc/self/mountinfo /proc/sys/kernel/hostname /proc/sys/kernel/domainname /proc/sys/kernel/msgmax
	pgrep -af -- "$ID" | grep -v pgrep || true
}

@test "unknown properties change nothing, at any place" {
	script 'id -u; pwd; umask; ulimit -n; hostname; cat /proc/self/status | grep -E "Cap|NoNew|Seccomp:"; cat /proc/self/mountinfo | cut -d" " -f5-'
	config '.process.rlimits=[{type:"RLIMIT_NOFILE",soft:100,hard:100}] | .linux.resources.devices+=[{allow:true,type:"c",major:1,minor:3}]
		| .linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir"],action:"SCMP_ACT_ERRNO"}]} | .hooks={poststop:[{path:"/bin/true"}]}'
	run_container
	plain=$output
	# An additional property in every object, among them names that are known at other places or in other case.
	config 'def more: if type=="object" then map_values(more)+{"x-unknown":{"a":[1,null]},"Path":7,"UID":-1,"futureFlag":true} elif type=="array" then map(more) else . end;
		(.annotations//{}) as $a | (.linux.sysctl//{}) as $s | more | .annotations=$a | .linux.sysctl=$s | .vm={"kernel":{"path":"/vmlinux"}} | .solaris={"milestone":1} | .windows={} | .zos={}'
	jq -e '.process.user["x-unknown"] and .mounts[0].UID and .linux.seccomp.syscalls[0].futureFlag and .hooks.poststop[0].Path' "$BUNDLE/config.json"
	run_container
	[ "$output" = "$plain" ]
	[ -n "$plain" ]
}

@test "a wrong value of a known property is refused by name, and leaves nothing" {
	cp "$BUNDLE/config.json" "$WORK/good.json"
	wrong() { # change, where
		jq "$1" <"$WORK/good.json" >"$BUNDLE/config.json"
		run_container "" 1
		[[ "$output" == *": $2: "* ]] || { echo "$1: $output"; return 1; }
		[ "$(traces)" = "$before" ] || { echo "$1 leaves:"; diff <(echo "$before") <(traces); return 1; }
	}
	before=$(traces)
	wrong '.ociVersion="1.0"' /ociVersion
	wrong '.root.readonly="yes"' /root/readonly
	wrong '.mounts[0].options="ro"' /mounts/0/options
	wrong '.mounts[1].destination=""' /mounts/1/destination
	wrong '.process.terminal=1' /process/terminal
	wrong '.process.cwd="tmp"' /process/cwd
	wrong '.process.env=["A"]' /process/env/0
	wrong '.process.args=[]' /process/args
	wrong '.process.user.uid=-1' /process/user/uid
	wrong '.process.user.umask=512' /process/user/umask
	wrong '.process.oomScoreAdj=1001' /process/oomScoreAdj
	wrong '.process.scheduler={policy:"SCHED_FAST"}' /process/scheduler/policy
	wrong '.process.ioPriority={class:"IOPRIO_CLASS_BE",priority:8}' /process/ioPriority/priority
	wrong '.process.execCPUAffinity={initial:"one"}' /process/execCPUAffinity/initial
	wrong '.annotations={"":"x"}' /annotations/
	wrong '.annotations={"a":1}' /annotations/a
	wrong '.linux.namespaces+=[{type:"net"}]' /linux/namespaces/6/type
	wrong '.linux.devices=[{type:"x",path:"/d",major:1,minor:3}]' /linux/devices/0/type
	wrong '.linux.rootfsPropagation="both"' /linux/rootfsPropagation
	wrong '.linux.maskedPaths=["proc"]' /linux/maskedPaths/0
	wrong '.linux.readonlyPaths=["proc"]' /linux/readonlyPaths/0
	wrong '.linux.memoryPolicy={mode:"MPOL_BEST"}' /linux/memoryPolicy/mode
	wrong '.linux.personality={domain:"BSD"}' /linux/personality/domain
	wrong '.linux.sysctl={"vm.swappiness":"1"}' /linux/sysctl/vm.swappiness
	wrong '.linux.cgroupsPath="/../up"' /linux/cgroupsPath
	wrong '.linux.resources.pids={limit:-2}' /linux/resources/pids/limit
	wrong '.linux.seccomp={defaultAction:"ALLOW"}' /linux/seccomp/defaultAction
	wrong '.linux.netDevices={"a/b":{}}' /linux/netDevices/a~1b
	wrong '.linux.intelRdt={closID:"a/b"}' /linux/intelRdt/closID
	wrong '.hooks={poststop:[{path:"x"}]}' /hooks/poststop/0/path
}

@test "a creation that fails leaves nothing, however late it fails" {
	cp "$BUNDLE/config.json" "$WORK/good.json"
	config '.process.args=["true"]'
	# tare creates missing mount points in the root file system, where they stay: let a first run create them.
	run_container
	before=$(traces)
	late() { # change, words
		cp "$WORK/good.json" "$BUNDLE/config.json"
		config --arg c "$(named_path "$ID.top")/sub" --arg w "$WORK" ".linux.cgroupsPath=\$c | .linux.namespaces+=[{type:\"time\"}] | $1"
		run_container "" 1
		[[ "$output" == *"$2"* ]] || { echo "$1: $output"; return 1; }
		[ "$(traces)" = "$before" ] || { echo "$1 leaves:"; diff <(echo "$before") <(traces); return 1; }
		[ ! -e "$(named_dir "$ID.top")" ]
	}
	late '.mounts+=[{destination:"/x",type:"bind",source:"/no/source",options:["bind"]}]' "no such file"
	late '.linux.namespaces|=map(if .type=="network" then .path="/no/namespace" else . end)' "no such file"
	late '.linux.resources.unified={"cgroup.nonsense":"1"}' "cgroup.nonsense"
	late '.linux.timeOffsets={monotonic:{secs:-9999999999}}' "/linux/timeOffsets"
	late '.hooks={createRuntime:[{path:"/bin/false"}]}' "/hooks/createRuntime/0"
	late '.hooks={createContainer:[{path:"/bin/false"}]}' "/hooks/createContainer/0"
	late '.mounts+=[{destination:"/tmp",type:"tmpfs",source:"t",options:["size=wrong"]}]' "size=wrong"
	late '.mounts+=[{destination:"/tmp",type:"nosuchfs",source:"t"}]' "nosuchfs"
	late '.linux.sysctl={"kernel.msgmax":"many"}' "kernel.msgmax"
	late '.linux.seccomp={defaultAction:"SCMP_ACT_NOTIFY",listenerPath:"/no/agent"}' "/no/agent"
	late '.process.args=["no-such-program"]' "no-such-program"
	late '.process.cwd="/proc/version"' "/proc/version"
	late '.hooks={startContainer:[{path:"/bin/false"}]}' "/hooks/startContainer/0"
	late '.hooks={poststart:[{path:"/bin/false"}]} | .process.args=["sleep","1000"]' "/hooks/poststart/0"
}

@test "ociVersion: every version that features reports is accepted, and nothing else" {
	for version in 1.0.0 1.0.2 1.0.2-dev 1.1.0 1.2.1 1.3.0 1.0.0-rc5+build.7; do
		config --arg v "$version" '.ociVersion=$v'
		create "$ID"
		[ "$(tare state "$ID" | jq -r .ociVersion)" = "$version" ]
		tare delete --force "$ID"
	done
	for version in "" 1 1.0 v1.0.0 2.0.0 01.0.0 1.0.0-05 "1.0.0 "; do
		config --arg v "$version" '.ociVersion=$v'
		run_container "" 1
		[[ "$output" == *": /ociVersion: "* ]]
	done
}

@test "root.path and bind sources: absolute, or relative to the bundle, wherever the caller is" {
	mkdir -p "$BUNDLE/data" "$WORK/elsewhere/data" "$WORK/elsewhere/rootfs"
	echo bundle >"$BUNDLE/data/which"
	echo cwd >"$WORK/elsewhere/data/which"
	echo absolute >"$WORK/elsewhere/file"
	config --arg a "$WORK/elsewhere/file" '.mounts+=[{destination:"/data",type:"none",source:"data",options:["bind"]},
		{destination:"/file",type:"none",source:$a,options:["bind"]}]'
	cd "$WORK/elsewhere"
	for root in rootfs ./rootfs "$BUNDLE/rootfs"; do
		config --arg r "$root" '.root.path=$r'
		inside 'cat /data/which /file; ls -d /bin/busybox'
		[ "$output" = $'bundle\nabsolute\n/bin/busybox' ]
	done
	cd "$BUNDLE"
	script 'cat /data/which'
	run -0 tare run "$ID"
	[ "$output" = bundle ]
	: >"$BUNDLE/file"
	for root in file nothing; do
		config --arg r "$root" '.root.path=$r'
		run_container "" 1
		[[ "$output" == *"/root/path: "*"$BUNDLE/$root"* ]] || { echo "$output"; return 1; }
	done
}

@test "a mount is a bind if an option makes it one, and else of its type" {
	mkdir "$BUNDLE/data"
	: >"$BUNDLE/data/file"
	for type in '"none"' '"bind"' '"tmpfs"' '"whatever"' null; do
		for option in bind rbind; do
			config --argjson t "$type" --arg o $option '.mounts=[{destination:"/m",type:$t,source:"data",options:[$o]}] | .linux.maskedPaths=[] | .linux.readonlyPaths=[]'
			inside 'ls /m'
			[ "$output" = file ] || { echo "$type $option: $output"; return 1; }
		done
	done
	config 'del(.mounts[0].type)'
	inside 'ls /m'
	[ "$output" = file ]
	# Engines omit the option if the type is "bind".
	config '.mounts[0]={destination:"/m",type:"bind",source:"data"}'
	inside 'ls /m'
	[ "$output" = file ]
	config '.mounts[0].type="nosuchfs"'
	run_container "" 1
	[[ "$output" == *"/mounts/0: "*"nosuchfs"*"no such device"* ]] || { echo "$output"; return 1; }
	config '.mounts[0]|=del(.type)'
	run_container "" 1
	[[ "$output" == *"/mounts/0: a mount needs a type, or the option 'bind' or 'rbind'"* ]]
}

@test "destinations: relative ones are below the root, dots and slashes are resolved" {
	config '.mounts=[{destination:"one/two",type:"tmpfs",source:"t"},{destination:"//three///four/",type:"tmpfs",source:"t"},
		{destination:"/five/../six",type:"tmpfs",source:"t"},{destination:"../../seven",type:"tmpfs",source:"t"},{destination:"/proc",type:"proc",source:"proc"}] | .process.cwd="/tmp"'
	inside 'awk "{print \$5}" /proc/self/mountinfo | grep -E "one|three|five|six|seven"'
	[ "$output" = $'/one/two\n/three/four\n/six\n/seven' ]
}

@test "annotations: any key and text, and none is lost" {
	config '.annotations={"org.opencontainers.reserved":"1","com.example/key":"two words","a":"","ümlaut \"\\":"\n\t\u0001\u2028"}'
	create "$ID"
	tare state "$ID" >"$WORK/said"
	jq -e --slurpfile c "$BUNDLE/config.json" '.annotations==$c[0].annotations' "$WORK/said"
	config '.annotations={"":"x"}'
	run -1 tare create -b "$BUNDLE" "$ID.2"
	[[ "$output" == *"/annotations/: the key must not be empty"* ]]
}

@test "a container that is being created cannot be started, killed, deleted or entered" {
	cat >"$WORK/hook" <<'H'
#!/bin/sh
cat >/dev/null
for command in "state ID" "start ID" "kill ID KILL" "delete ID" "exec ID true" "pause ID"; do
	(
		said=$("$1" --root "$2" $(echo "$command" | sed "s/ID/$3/") 2>&1 </dev/null)
		printf '%s: %s\nstatus %s\n' "$command" "$said" $? >"$4.${command%% *}"
	) &
done
wait
cat "$4".state "$4".start "$4".kill "$4".delete "$4".exec "$4".pause >"$4"
H
	chmod 755 "$WORK/hook"
	config --arg h "$WORK/hook" --arg t "$TARE" --arg r "$ROOT" --arg i "$ID" --arg o "$WORK/saw" '.hooks={createRuntime:[{path:$h,args:["hook",$t,$r,$i,$o]}]} | .process.args=["echo","untouched"]'
	run_container
	[ "$output" = untouched ]
	grep -q '"status": "creating"' "$WORK/saw"
	sed '1,/status 0/d' "$WORK/saw" >"$WORK/refused"
	[ "$(grep -c '^status ' "$WORK/refused")" = 5 ]
	for words in "start ID: tare: start $ID: another command is working on it" "kill ID KILL: tare: kill $ID: container not running" \
		"delete ID: tare: delete $ID: another command is working on it" "exec ID true: tare: exec $ID: cannot exec in a container that is not created yet"; do
		grep -qF "$words" "$WORK/refused" || { cat "$WORK/refused"; return 1; }
	done
	! grep -q "^status 0" "$WORK/refused"
}
