# SPDX-License-Identifier: Apache-2.0
load helpers

@test "closed standard descriptors do not become the host's files" {
	config '.process.args=["sleep","1000"]'
	run -0 sh -c '"$1" --root "$2" run -d -b "$3" "$4" <&- >&- 2>&- 3>&-' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	pid=$(pid_of "$ID")
	for fd in 0 1 2; do [ "$(readlink "/proc/$pid/fd/$fd")" = /dev/null ]; done
	[ "$(ls "/proc/$pid/fd" | wc -l)" -eq 3 ]
}

@test "signals that the caller ignores are not ignored in the container" {
	config '.process.args=["grep","SigIgn","/proc/self/status"]'
	run -0 sh -c 'trap "" INT QUIT HUP PIPE; "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[ "$output" = $'SigIgn:\t0000000000000000' ]
}

@test "a caller that ignores SIGCHLD gets every exit status" {
	config '.process.args=["sh","-c","exit 5"] | .hooks={createRuntime:[{path:"/bin/true"}]}'
	ignoring_sigchld() { sh -c 'trap "" CHLD; exec "$@"' sh "$TARE" --root "$ROOT" "$@"; }
	run -5 ignoring_sigchld run -b "$BUNDLE" "$ID"
	[ "$output" = "" ]
	config '.hooks.createRuntime[0].path="/bin/false"'
	run -1 ignoring_sigchld run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/hooks/createRuntime/0: hook '/bin/false' exited with status 1" ]]
	config 'del(.hooks) | .process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -6 ignoring_sigchld exec "$ID" sh -c 'exit 6'
}

@test "a container without a process can be created but not started" {
	config 'del(.process)'
	create "$ID"
	[ "$(status_of "$ID")" = created ]
	run -1 tare start "$ID"
	[[ "$output" == *": /process: is missing" ]]
	[ "$(status_of "$ID")" = created ]
	run -1 tare run -b "$BUNDLE" "$ID.run"
	[[ "$output" == *"/process"* ]]
}

@test "a container without a mount namespace" {
	config '.linux.namespaces|=map(select(.type!="mount")) | del(.linux.maskedPaths,.linux.readonlyPaths) | .mounts=[]'
	inside 'ls /bin/busybox; readlink /proc/self/ns/mnt || echo no-proc'
	[ "${lines[0]}" = /bin/busybox ]
	config '.mounts=[{"destination":"/t","type":"tmpfs","source":"t"}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/mounts: mounts need a mount namespace"* ]]
}

@test "cgroupsPath: nested cgroups are removed with the container, one in use is refused" {
	config --arg c "$(named_path "$ID.top")/middle/leaf" '.linux.cgroupsPath=$c | .process.args=["sleep","1000"]'
	create "$ID"
	grep -q "$(pid_of "$ID")" "$(named_dir "$ID.top")/middle/leaf/cgroup.procs"
	run -1 tare create -b "$BUNDLE" "$ID.2"
	[[ "$output" == *"container's cgroup is not empty: 1 process(es) found"* ]]
	[ "$(status_of "$ID")" = created ]
	tare delete --force "$ID"
	[ ! -e "$(named_dir "$ID.top")" ]
	config '.linux.cgroupsPath="/"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/cgroupsPath"* ]]
	config --arg c "$(named_path "$ID.top")/middle/cgroup.procs" '.linux.cgroupsPath=$c'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot create cgroup '${DELEGATED:-}/$ID.top/middle/cgroup.procs': not a directory"* ]]
	[ ! -e "$(named_dir "$ID.top")" ]
}

@test "cgroupsPath: a relative one is beside the caller's cgroup, always in the same place" {
	config --arg c "$ID.group/x" '.linux.cgroupsPath=$c | .process.args=["sleep","1000"]'
	for _ in 1 2; do
		create "$ID"
		[ "$(cgroup_mount)$(sed -n "s/^0:://p" "/proc/$(pid_of "$ID")/cgroup")" = "$(cgroup_of "$ID.group/x")" ]
		grep -qx "$(pid_of "$ID")" "$(cgroup_of "$ID.group/x")/cgroup.procs"
		tare delete --force "$ID"
		[ ! -e "$(cgroup_of "$ID.group")" ]
	done
	config '.linux.cgroupsPath="../up"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/cgroupsPath: must not contain '..'"* ]]
}

@test "a frozen cgroup is refused for a container" {
	local dir
	dir=$(named_dir "$ID.cold")
	mkdir "$dir"
	own "$dir"
	echo 1 >"$dir/cgroup.freeze"
	config --arg c "$(named_path "$ID.cold")" '.linux.cgroupsPath=$c | .process.args=["true"]'
	run -1 timeout -k 1 "$HANGS" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"container's cgroup unexpectedly frozen"*"(write 0 to cgroup.freeze of '${DELEGATED:-}/$ID.cold', or of the cgroup above it that is frozen)"* ]] || { echo "$output"; return 1; }
	echo 0 >"$dir/cgroup.freeze"
	run -0 tare run -b "$BUNDLE" "$ID"
	# The cgroup existed before, so it stays.
	rmdir "$dir"
}

@test "if no cgroup can be made, the error names the option that does without one" {
	in_own_mounts() { # COMMAND, OPTIONS...
		unshare -m --propagation private sh -c "$1"' && shift && exec "$@"' sh "$@" 2>&1
	}
	config '.process.args=["true"]'
	mount=$(cgroup_mount)
	run -1 in_own_mounts "mount -o remount,bind,ro $mount" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *": read-only file system ("*"--cgroup-manager disabled does without)" ]]
	run -1 in_own_mounts "umount -l $mount" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"no cgroup2 file system mounted (--cgroup-manager disabled starts without a cgroup)" ]]
	for what in "mount -o remount,bind,ro $mount" "umount -l $mount"; do
		run -0 in_own_mounts "$what" "$TARE" --root "$ROOT" --cgroup-manager disabled run -b "$BUNDLE" "$ID"
	done
}

@test "what this version does not support is refused by name" {
	refuse() {
		config "$1"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"$2"*"not support"* || "$output" == *"$2: cgroup v2 "* ]] || { echo "$output"; return 1; }
		run -1 --separate-stderr tare check -b "$BUNDLE" --format json
		[ -z "$stderr" ]
		jq -e --arg w "$2" '.valid==false and (.findings|map(select(.kind=="unsupported" and .where==$w))|length==1)' <<<"$output"
	}
	resources() { # JSON, where below the resources
		refuse ".linux.resources=$1" "/linux/resources/$2"
		[ ! -e "$(cgroup_of "$ID")" ] && [ ! -e "$ROOT/$ID" ]
	}
	resources '{memory:{swappiness:60}}' memory/swappiness
	resources '{memory:{disableOOMKiller:true}}' memory/disableOOMKiller
	resources '{memory:{useHierarchy:true}}' memory/useHierarchy
	resources '{memory:{kernel:1048576}}' memory/kernel
	resources '{memory:{kernelTCP:1048576}}' memory/kernelTCP
	resources '{cpu:{realtimeRuntime:950000}}' cpu/realtimeRuntime
	resources '{cpu:{realtimePeriod:1000000}}' cpu/realtimePeriod
	resources '{blockIO:{leafWeight:10}}' blockIO/leafWeight
	resources '{blockIO:{weightDevice:[{major:8,minor:0,leafWeight:10}]}}' blockIO/weightDevice/0/leafWeight
	resources '{network:{classID:1}}' network/classID
	resources '{network:{priorities:[{name:"lo",priority:1}]}}' network/priorities
}

@test "check lists every finding of a wrong configuration" {
	config '.process.rlimits=[{"type":"RLIMIT_FOO","soft":1,"hard":1}] | .process.cwd="relative" | .hostname=7'
	run -1 --separate-stderr tare check -b "$BUNDLE" --format json
	jq -e '.valid==false and ([.findings[].where]|sort==["/hostname","/process/cwd","/process/rlimits/0/type"])' <<<"$output"
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"config: /process/rlimits/0/type: unknown rlimit 'RLIMIT_FOO'"* ]]
	printf '{\n "a": ]' >"$BUNDLE/config.json"
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"line 2"* ]]
}

@test "plan and check change nothing; features is JSON" {
	before=$(find "$WORK" | sort; compgen -G "$(cgroup_of "t$$.*")" || true)
	run -0 tare plan -b "$BUNDLE" --format json
	jq -e 'map(.step)|index("spawn") < index("pivot") and index("pivot") < index("exec")' <<<"$output"
	run -0 tare check -b "$BUNDLE"
	[ "$output" = "valid, and this host can honour all of it" ]
	[ "$(find "$WORK" | sort; compgen -G "$(cgroup_of "t$$.*")" || true)" = "$before" ]
	run -0 --separate-stderr tare features
	jq -e '.ociVersionMin=="1.0.0" and .ociVersionMax=="1.3.0" and (.mountOptions|index("rro")) and .linux.mountExtensions.idmap.enabled and (.potentiallyUnsafeConfigAnnotations|contains(["org.systemd.property.","run.oci.keep_original_groups"]))' <<<"$output"
	[ -z "$stderr" ]
}

@test "hundreds of mounts" {
	config '.mounts+=[range(300)|{"destination":("/m/"+tostring),"type":"bind","source":"rootfs/bin","options":["rbind","ro"]}]'
	inside 'grep -c " /m/" /proc/self/mountinfo'
	[ "$output" = 300 ]
}

@test "a racing neighbour that swaps directories for links puts nothing onto the host" {
	canary=$WORK/canary
	mkdir -p "$canary" "$BUNDLE/rootfs/shared/dir"
	ln -s "$canary" "$BUNDLE/rootfs/shared/link"
	config '.mounts+=[{"destination":"/shared/dir/deep/er","type":"tmpfs","source":"t"},{"destination":"/shared/dir/file","type":"bind","source":"config.json","options":["bind"]}] | .process.args=["true"]'
	(cd "$BUNDLE/rootfs/shared" && while :; do mv dir swap; mv link dir; mv dir link; mv swap dir; done) 2>/dev/null 3>&- &
	racer=$!
	for i in $(seq "$(rounds 60)"); do tare run -b "$BUNDLE" "$ID" >/dev/null 2>&1 || true; done
	kill $racer
	wait $racer 2>/dev/null || true
	[ -z "$(ls -A "$canary")" ]
}

@test "a configuration that is not JSON is named, in the bundle and outside of it" {
	echo '{' >"$BUNDLE/config.json"
	run_container "" 1
	[[ "$output" == *"$BUNDLE/config.json: line 2, column 1:"* ]]
	run -1 tare run -f "$BUNDLE/config.json" -b "$BUNDLE" "$ID"
	[[ "$output" == *" $BUNDLE/config.json: line 2, column 1:"* ]]
}

@test "a config.json that is a FIFO, a device or a directory is refused at once; a pipe that is named is read" {
	mv "$BUNDLE/config.json" "$WORK/config.json"
	for kind in fifo device directory; do
		case $kind in
		fifo) mkfifo "$BUNDLE/config.json" ;;
		device) ln -s /dev/zero "$BUNDLE/config.json" ;;
		directory) mkdir "$BUNDLE/config.json" ;;
		esac
		run -1 timeout "$HANGS" "$TARE" --root "$ROOT" create -b "$BUNDLE" "$ID" </dev/null 3>&-
		[ "$output" = "tare: create $ID: cannot read '$BUNDLE/config.json': it is not a regular file" ] || { echo "$kind: $output"; return 1; }
		run -1 timeout "$HANGS" "$TARE" --root "$ROOT" check -b "$BUNDLE" 3>&-
		[[ "$output" == *"cannot read '$BUNDLE/config.json': it is not a regular file"* ]] || { echo "$kind: $output"; return 1; }
		rm -r "$BUNDLE/config.json"
	done
	config() { jq '.process.args=["echo","read"]' <"$WORK/config.json"; }
	run -0 tare run -f <(config) -b "$BUNDLE" "$ID"
	[ "$output" = read ]
}

@test "a root file system that does not exist is named" {
	mv "$BUNDLE/rootfs" "$BUNDLE/elsewhere"
	run_container "" 1
	[[ "$output" == *"/root/path: cannot open the root file system '$BUNDLE/rootfs': no such file or directory ("*"container's files"* ]]
	mv "$BUNDLE/elsewhere" "$BUNDLE/rootfs"
}

@test "more mount sources than descriptors: the limit is named if it can be raised" {
	# Without rights over the mounts init opens the sources, into descriptors for which the parent reserves numbers.
	local at=/mounts/
	[ -z "${TARE_AS:-}" ] || at="cannot place"
	config '.mounts+=[range(120)|{destination:"/m\(.)",type:"bind",source:"rootfs/tmp",options:["bind"]}]'
	run -1 sh -c 'ulimit -Sn 100; ulimit -Hn 200; exec "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == *"$at"*"too many open files (the limit of open files is 100: raise it with ulimit -n, up to 200)" ]]
	run -1 sh -c 'ulimit -n 100; exec "$1" --root "$2" run -b "$3" "$4"' _ "$TARE" "$ROOT" "$BUNDLE" "$ID"
	[[ "$output" == *"$at"*"too many open files" ]]
}

@test "a dangling link of the image is followed, and its missing target is made and used" {
	mkdir -p "$BUNDLE"/rootfs/{var,etc,deep/er} "$WORK/vol"
	echo content >"$WORK/vol/file"
	ln -s /run "$BUNDLE/rootfs/var/run"
	ln -s ../hop "$BUNDLE/rootfs/deep/er/up"
	ln -s /var/run/far/away "$BUNDLE/rootfs/deep/hop"
	ln -s ../deep/er/up/file "$BUNDLE/rootfs/etc/file"
	ln -s ../../../../../../outside/dir "$BUNDLE/rootfs/out"
	# A directory below a link, a file that a chain of two more links leads to, and a link that leads above the root.
	config --arg v "$WORK/vol" '.mounts+=[{destination:"/var/run/below/it",type:"bind",source:$v,options:["bind"]},
		{destination:"/etc/file",type:"bind",source:($v+"/file"),options:["bind"]},
		{destination:"/out",type:"bind",source:$v,options:["bind"]}] | .process.cwd="/var/run/work/dir"'
	inside 'pwd; cat /run/below/it/file /run/far/away/file /etc/file /outside/dir/file; for l in /etc/file /var/run /out; do readlink $l; done'
	[ "$output" = $'/run/work/dir\ncontent\ncontent\ncontent\ncontent\n../deep/er/up/file\n/run\n../../../../../../outside/dir' ] || { echo "$output"; return 1; }
	[ -d "$BUNDLE/rootfs/outside/dir" ] && [ ! -e "$WORK/outside" ] && [ ! -e "$BUNDLE/outside" ]
	[ -f "$BUNDLE/rootfs/run/far/away/file" ] && [ ! -s "$BUNDLE/rootfs/run/far/away/file" ]
	# Again, now that the target exists.
	inside 'cat /etc/file'
	[ "$output" = content ]
}

@test "links in a loop, and files where a directory is needed, are named" {
	ln -s b "$BUNDLE/rootfs/a"
	ln -s a "$BUNDLE/rootfs/b"
	: >"$BUNDLE/rootfs/file"
	ln -s /file/x "$BUNDLE/rootfs/through"
	config '.mounts[7]={destination:"/a/x",type:"tmpfs",source:"none"}'
	run_container "" 1
	[[ "$output" == *"/mounts/7: cannot "*" '/a/x' in the root file system: too many levels of symbolic links"* ]] || { echo "$output"; return 1; }
	config '.mounts[7].destination="/through/x"'
	run_container "" 1
	[[ "$output" == *"/mounts/7: cannot "*" '/through/x' in the root file system: not a directory"* ]] || { echo "$output"; return 1; }
	config '.mounts|=.[:7] | .process.cwd="/file/x"'
	run_container "" 1
	[[ "$output" == *"'/file/x' as the working directory: not a directory ('/file' is not a directory)" ]]
}

@test "the error for a mount target that cannot be made does not claim that it was opened" {
	mkdir "$BUNDLE/rootfs/mine"
	chown -R 0:0 "$BUNDLE/rootfs"
	chmod 755 "$WORK" "$BUNDLE"
	config '.mounts+=[{destination:"/mine/here",type:"tmpfs",source:"none"}] | .linux.namespaces+=[{type:"user"}] |
		.linux.uidMappings=[{containerID:0,hostID:100000,size:1000}] | .linux.gidMappings=.linux.uidMappings'
	mkdir -p "$BUNDLE"/rootfs/{proc,dev,sys}
	run tare run -b "$BUNDLE" "$ID"
	[ "$status" -eq 1 ]
	[[ "$output" == *"cannot make mount target '/mine/here' in the root file system"*"container's root user"* ]]
}

@test "--log to a FIFO without a reader is refused, and one with a reader gets the lines" {
	mkfifo "$WORK/fifo"
	own "$WORK/fifo"
	run -1 timeout -k 1 "$HANGS" "$TARE" --root "$ROOT" --log "$WORK/fifo" state "$ID"
	[[ "$output" == *"cannot open log file"*"no process reads from it"* ]]
	timeout "$HANGS" cat "$WORK/fifo" >"$WORK/lines" 3>&- &
	cat=$!
	wait_for '! "$TARE" --root "$ROOT" --log "$WORK/fifo" state "$ID" 2>&1 | grep -q "no process reads"'
	wait "$cat"
	grep -q "does not exist" "$WORK/lines"
}

@test "paths that are too long are refused, not truncated" {
	config '.mounts+=[{"destination":("/"+("a/"*2100)),"type":"tmpfs","source":"t"}] | .linux.maskedPaths=["/"+("b/"*2100)]'
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"config: /mounts/7/destination: the path is too long"*"config: /linux/maskedPaths/0: the path is too long"* ]]
	config 'del(.mounts[7]) | .linux.maskedPaths=[] | .linux.cgroupsPath=("c/"*600)'
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/linux/cgroupsPath: the path is longer than 900 bytes"* ]]
}
