# SPDX-License-Identifier: Apache-2.0
load helpers

mountinfo_of() { # of a mount point, from the output of "cat /proc/self/mountinfo"
	awk -v p="$1" '$5 == p' <<<"$output" | tail -n 1
}

@test "the kernel shows the mount options" {
	mkdir "$WORK/data"
	config --arg s "$WORK/data" '.mounts+=[
		{"destination":"/a","type":"bind","source":$s,"options":["bind","ro","nosuid","nodev","noexec","noatime"]},
		{"destination":"/b","type":"bind","source":$s,"options":["rbind","rro","rnosuid","nodiratime","nosymfollow"]},
		{"destination":"/c","type":"tmpfs","source":"tmpfs","options":["size=1m","mode=1777","strictatime","defaults","lazytime","silent"]},
		{"destination":"d/relative","type":"bind","source":"rootfs/bin","options":["bind","rw","relatime"]}]'
	inside 'cat /proc/self/mountinfo'
	[[ "$(mountinfo_of /a)" == *" ro,nosuid,nodev,noexec,noatime "* ]]
	[[ "$(mountinfo_of /b)" == *" ro,nosuid,nodiratime,relatime,nosymfollow "* || "$(mountinfo_of /b)" == *" ro,nosuid,"*nodiratime* ]]
	[[ "$(mountinfo_of /c)" == *"lazytime"*"size=1024k"* ]]
	[ -n "$(mountinfo_of /d/relative)" ]
}

@test "rro applies to submounts, ro does not" {
	mkdir -p "$WORK/data/sub"
	run -0 unshare -m sh -c "mount -t tmpfs tmpfs '$WORK/data/sub'
		jq --arg s '$WORK/data' '.mounts+=[{\"destination\":\"/a\",\"type\":\"none\",\"source\":\$s,\"options\":[\"rbind\",\"ro\"]},{\"destination\":\"/b\",\"type\":\"none\",\"source\":\$s,\"options\":[\"rbind\",\"rro\"]}] | .process.args=[\"sh\",\"-c\",\"touch /a/sub/x && echo a; touch /a/x || echo a-ro; touch /b/sub/x || echo b-ro\"]' '$BUNDLE/config.json' >'$WORK/c.json'
		'$TARE' --root '$ROOT' run -f '$WORK/c.json' -b '$BUNDLE' '$ID' 2>/dev/null"
	[ "$output" = $'a\na-ro\nb-ro' ]
}

@test "propagation of mounts and of the root" {
	config '.mounts+=[{"destination":"/p","type":"tmpfs","source":"t","options":["shared"]},
		{"destination":"/q","type":"tmpfs","source":"t","options":["unbindable"]}] | .linux.rootfsPropagation="shared"'
	inside 'cat /proc/self/mountinfo'
	[[ "$(mountinfo_of /p)" == *" shared:"* ]]
	[[ "$(mountinfo_of /q)" == *" unbindable "* ]]
	[[ "$(mountinfo_of /)" == *" shared:"* ]]
}

@test "tmpfs gets the mode of its target, and tmpcopyup copies what it covers" {
	mkdir -m 1770 "$BUNDLE/rootfs/mode"
	mkdir -p "$BUNDLE/rootfs/copy/deep"
	echo kept >"$BUNDLE/rootfs/copy/deep/file"
	chmod 604 "$BUNDLE/rootfs/copy/deep/file"
	chown "$(on_host 7):$(on_host 8)" "$BUNDLE/rootfs/copy/deep/file"
	ln -s deep/file "$BUNDLE/rootfs/copy/link"
	config '.mounts+=[{"destination":"/mode","type":"tmpfs","source":"t"},{"destination":"/copy","type":"tmpfs","source":"t","options":["tmpcopyup"]}]'
	inside 'stat -c %a /mode; cat /copy/link; stat -c "%a %u %g" /copy/deep/file; echo new >/copy/new'
	[ "$output" = $'1770\nkept\n604 7 8' ]
	[ ! -e "$BUNDLE/rootfs/copy/new" ]
}

@test "a tmpfs on a missing target has the kernel's default mode" {
	chmod 755 "$WORK"
	mkdir -m 750 "$BUNDLE/rootfs/there"
	config '.process.user={uid:1000,gid:1000} | .mounts+=[{destination:"/cache",type:"tmpfs",source:"tmpfs"},
		{destination:"/made/for/it",type:"tmpfs",source:"tmpfs"},{destination:"/dev/own",type:"tmpfs",source:"tmpfs"},
		{destination:"/asked",type:"tmpfs",source:"tmpfs",options:["mode=711"]},{destination:"/there",type:"tmpfs",source:"tmpfs"}]'
	inside 'touch /cache/x && echo written; stat -c %a /cache /made /made/for /made/for/it /dev/own /asked /there'
	[ "$output" = $'written\n1777\n755\n755\n1777\n1777\n711\n750' ] || { echo "$output"; return 1; }
}

@test "a read-only tmpfs at /dev still gets its devices" {
	for option in ro rro; do
		config --arg o $option '(.mounts[]|select(.destination=="/dev")).options+=[$o]'
		inside 'test -c /dev/null && echo node; touch /dev/x 2>/dev/null || echo ro'
		[ "$output" = $'node\nro' ]
		config --arg o $option '(.mounts[]|select(.destination=="/dev")).options-=[$o]'
	done
}

@test "read-only root, masked and read-only paths" {
	mkdir "$BUNDLE/rootfs/"{secret,secret2,frozen}
	touch "$BUNDLE/rootfs/secret/x" "$BUNDLE/rootfs/secret2/x" && echo s >"$BUNDLE/rootfs/file"
	config '.root.readonly=true | .linux.maskedPaths=["/secret","/secret2","/file","/missing"] | .linux.readonlyPaths=["/frozen","/missing"]'
	# The masked directories are empty, and share one file system.
	inside 'ls -A /secret /secret2; cat /file; stat -c %d / /secret /secret2 | sort -u | wc -l; touch /x 2>&1; touch /secret/y 2>&1; echo end'
	[[ "$output" == $'/secret:\n\n/secret2:\n2\n'*"/x: Read-only file system"*"/secret/y: Read-only file system"$'\nend' ]] || { echo "$output"; return 1; }
	config '.root.readonly=false'
	inside 'touch /frozen/x 2>&1; touch /secret/y 2>&1; touch /x && echo rw'
	[[ "$output" == *"/frozen/x: Read-only file system"*"/secret/y: Read-only file system"$'\nrw' ]] || { echo "$output"; return 1; }
}

@test "a masked file is the host's null device, and cannot be changed from inside" {
	echo secret >"$BUNDLE/rootfs/file"
	echo secret >"$BUNDLE/rootfs/other"
	config '.linux.maskedPaths=["/file","/other"]'
	before=$(stat -c '%a %u %g' /dev/null)
	inside 'for f in /file /other; do chmod 666 $f 2>&1; chown 0:0 $f 2>&1; touch $f 2>&1; cat $f; echo x >$f && echo null; done'
	[ "$(grep -c 'Read-only file system' <<<"$output") $(grep -c '^null$' <<<"$output") $(wc -l <<<"$output")" = "6 2 8" ] || { echo "$output"; return 1; }
	[ "$(stat -c '%a %u %g' /dev/null)" = "$before" ]
}

@test "devices, links, and device rules in effect" {
	config '.linux.devices=[{"path":"/dev/own","type":"c","major":1,"minor":5,"fileMode":384,"uid":3,"gid":4},{"path":"/dev/pipe","type":"p"}]'
	inside 'ls -l /dev/own | cut -c1-10; stat -c "%u %g %t:%T" /dev/own; test -p /dev/pipe && echo pipe; readlink /dev/fd; readlink /dev/stdin; readlink /dev/ptmx
		for d in null zero full random urandom tty; do stat -c "%a %t:%T" /dev/$d; done'
	[ "$output" = $'crw-------\n3 4 1:5\npipe\n/proc/self/fd\n/proc/self/fd/0\npts/ptmx\n666 1:3\n666 1:5\n666 1:7\n666 1:8\n666 1:9\n666 5:0' ]
	# 10:229 is fuse: every user may open it, except for the rules. Making a node needs a capability.
	config '.process.capabilities.bounding+=["CAP_MKNOD"] | .process.capabilities.effective+=["CAP_MKNOD"] | .process.capabilities.permitted+=["CAP_MKNOD"] | del(.linux.devices)'
	config '.linux.resources.devices=[{"allow":false,"access":"rwm"},{"allow":true,"type":"c","major":10,"minor":229,"access":"r"},{"allow":true,"type":"c","major":4,"access":"rw"},{"allow":false,"type":"c","major":4,"minor":64,"access":"w"}]'
	inside 'mknod /tmp/kmsg c 10 229; mknod /tmp/mem c 1 1; (exec 3</tmp/kmsg) && echo read; (exec 3>/tmp/kmsg) 2>/dev/null || echo write-denied; (exec 3</tmp/mem) 2>&1; echo x >/dev/null && echo null'
	[[ "$output" == *read*write-denied*"Operation not permitted"*null ]]
}

@test "device rules: a thousand are in effect; more than the kernel accepts are an error, and leave nothing" {
	# Of all devices with these major numbers only fuse exists. Its rule is in the middle.
	rules() { # how many
		config --argjson n "$1" '.linux.resources.devices=[{allow:false,access:"rwm"}]
			+ [range($n) | {allow:(. % 2 == 0),type:"c",major:(600 + . % 3000),minor:.,access:"rwm"}]
			+ [{allow:true,type:"c",major:10,minor:229,access:"r"}]
			+ [range($n) | {allow:true,type:"c",major:(. % 7 + 600),minor:.,access:"rwm"}]'
	}
	config '.process.capabilities.bounding+=["CAP_MKNOD"] | .process.capabilities.effective+=["CAP_MKNOD"] | .process.capabilities.permitted+=["CAP_MKNOD"]'
	rules 500
	inside 'mknod /tmp/fuse c 10 229; mknod /tmp/mem c 1 1; (exec 3</tmp/fuse) && echo read; (exec 3>/tmp/fuse) 2>&1; (exec 3</tmp/mem) 2>&1; echo x >/dev/null && echo null'
	[ "$(sed 's/.*: //' <<<"$output")" = $'read\nOperation not permitted\nOperation not permitted\nnull' ]
	# More than the verifier follows, and more than tare compiles.
	for many in 20000 50000; do
		rules "$many"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/linux/resources/devices: cannot load the device rules of the cgroup: "*"(the kernel does not accept that many rules: "* ]] || { echo "$output"; return 1; }
		run -1 tare state "$ID"
		[ ! -e "$(named_dir "$ID")" ]
	done
}

@test "idmapped mounts" {
	mkdir "$WORK/data" && touch "$WORK/data/f" && chown 1000:1000 "$WORK/data/f"
	config --arg s "$WORK/data" '.mounts+=[{"destination":"/m","type":"bind","source":$s,"options":["bind","idmap"],
		"uidMappings":[{"containerID":1000,"hostID":5000,"size":1}],"gidMappings":[{"containerID":1000,"hostID":6000,"size":1}]}]'
	inside 'stat -c "%u %g" /m/f'
	[ "$output" = "5000 6000" ]
}

@test "--no-pivot" {
	script 'ls /; touch /w && echo written'
	run -0 tare run --no-pivot -b "$BUNDLE" "$ID"
	[[ "$output" == *written* ]]
	[[ "$output" != *boot* ]]
}

# A process makes itself root of a new user namespace and mounts a new procfs and sysfs, which would not be masked. It
# prints "denied", or what it could write to. The directory is its own. The container has no other mount of that type.
FRESH='mkdir -p /tmp/new
	unshare -Urmpf sh -c "mount -t proc proc /tmp/new 2>/dev/null || { echo proc denied; exit; }
		(: >>/tmp/new/sys/kernel/core_pattern) 2>/dev/null && echo core_pattern is writable; ls /tmp/new/keys"
	unshare -Urmn sh -c "mount -t sysfs sysfs /tmp/new 2>/dev/null && ls /tmp/new || echo sysfs denied"; true'

# Runs a container on a host that has the mounts that the script makes.
run_on() { # script [option]
	run unshare -m --propagation private sh -c "$1"'; shift; exec "$@"' _ "$1" "$TARE" --root "$ROOT" run ${2:+"$2"} -b "$BUNDLE" "$ID"
}

@test "--no-pivot leaves no procfs or sysfs that would permit a new mount without masks" {
	script "$FRESH"
	config '.process.capabilities|=map_values(.+["CAP_SETFCAP"])'
	config '.linux.maskedPaths+=["/sys/firmware"]'
	mkdir -p "$WORK"/{a/b,"with space/é"} "$BUNDLE/rootfs/sys/firmware"
	denied=$'proc denied\nsysfs denied'
	# The same with pivot_root(2).
	run_on :
	[ "$output" = "$denied" ] || { echo "pivot: $output"; return 1; }
	for host in : \
		'mount -t proc proc /proc; mount -t proc proc /proc; mount --rbind /sys /sys' \
		"mount -t proc proc '$WORK/a/b'; mount -t tmpfs t '$WORK/a'; mount -t sysfs sysfs '$WORK/with space/é'" \
		"mount -t proc proc '$WORK/a'; mount -t tmpfs t '$WORK/a'; mount -t tmpfs t /proc/sys" \
		"mount --bind / /mnt; mount --rbind /proc /mnt/proc; mount --make-rshared /"; do
		run_on "$host" --no-pivot
		[ "$output" = "$denied" ] || { echo "$host: $output"; return 1; }
	done
}

@test "--no-pivot in a chroot also hides what is outside of it" {
	script "$FRESH"
	config '.process.capabilities|=map_values(.+["CAP_SETFCAP"])'
	mkdir -p "$WORK/jail"
	for root in 'mount --bind / "$JAIL"' 'mount --bind / "$JAIL"; JAIL=$JAIL/usr/..'; do
		run -0 env JAIL="$WORK/jail" unshare -m --propagation private sh -c "$root"'; mount --rbind /dev "$JAIL/dev"; mount --rbind /sys "$JAIL/sys"
			mount -t proc proc "$JAIL/proc"; exec chroot "$JAIL" "$@"' _ "$TARE" --root "$ROOT" run --no-pivot -b "$BUNDLE" "$ID"
		[ "$output" = $'proc denied\nsysfs denied' ] || { echo "$root: $output"; return 1; }
	done
}

@test "--no-pivot in a user namespace covers the host's locked mounts" {
	add_user_namespace
	script "$FRESH"
	config '.process.capabilities|=map_values(.+["CAP_SETFCAP"])'
	for host in : 'mount -t proc proc /proc; mount -t proc proc /proc'; do
		run_on "$host" --no-pivot
		[ "$output" = $'proc denied\nsysfs denied' ] || { echo "$host: $output"; return 1; }
	done
	# A mount that cannot be reached, because a locked mount covers it.
	mkdir -p "$WORK/a/b"
	run -1 unshare -m --propagation private sh -c 'mount -t proc proc "$0/a/b"; mount -t tmpfs t "$0/a"; exec "$@"' "$WORK" "$TARE" --root "$ROOT" run --no-pivot -b "$BUNDLE" "$ID"
	[[ "$output" == *": cannot unmount or cover the host's '$WORK/a/b' in the container's mount namespace: "*"(with --no-pivot it stays"* ]] || { echo "$output"; return 1; }
}

@test "overlay and cgroup2 as mounts" {
	mkdir -p "$WORK"/{lower,upper,work} && echo low >"$WORK/lower/f"
	own "$WORK/upper" "$WORK/work"
	config --arg o "lowerdir=$WORK/lower" --arg u "upperdir=$WORK/upper" --arg w "workdir=$WORK/work" \
		'.mounts+=[{"destination":"/o","type":"overlay","source":"overlay","options":[$o,$u,$w]}]'
	inside 'cat /o/f; echo high >/o/g; ls /sys/fs/cgroup/cgroup.procs; cat /proc/self/cgroup | grep ^0'
	[ "$output" = $'low\n/sys/fs/cgroup/cgroup.procs\n0::/' ]
	[ "$(cat "$WORK/upper/g")" = high ]
}

@test "hostile root file systems gain nothing" {
	canary=$WORK/canary
	mkdir "$canary" && echo untouched >"$canary/ptmx"
	sum=$(sha256sum "$TARE")
	for link in "$canary" ../../canary; do
		rm -rf "$BUNDLE/rootfs/proc" "$BUNDLE/rootfs/sys" "$BUNDLE/rootfs/dev"
		ln -s "$link" "$BUNDLE/rootfs/proc"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"not a real directory"* ]]
		rm "$BUNDLE/rootfs/proc" && ln -s "$link" "$BUNDLE/rootfs/dev"
		run tare run -b "$BUNDLE" "$ID"
		rm -rf "$BUNDLE"/rootfs/{dev,proc,sys} && ln -s "$link" "$BUNDLE/rootfs/sys"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"not a real directory"* ]]
		rm "$BUNDLE/rootfs/sys"
	done
	ln -s /../../../../../../../../"$canary" "$BUNDLE/rootfs/out"
	config --arg s "$WORK" '.mounts+=[{"destination":"/out/deep/er","type":"tmpfs","source":"t"}]'
	run tare run -b "$BUNDLE" "$ID"
	[ "$(ls "$canary")" = ptmx ] && [ "$(cat "$canary/ptmx")" = untouched ]
	config '.process.args=["/proc/self/exe"] | .mounts|=map(select(.destination!="/out/deep/er"))'
	run tare run -b "$BUNDLE" "$ID"
	[ "$(sha256sum "$TARE")" = "$sum" ]
}

@test "the waiting init runs from a sealed memfd and has nothing of the host open" {
	config '.process.args=["sleep","1000"]'
	create "$ID"
	pid=$(pid_of "$ID")
	[[ "$(readlink "/proc/$pid/exe")" == "/memfd:tare (deleted)" ]]
	for fd in /proc/$pid/fd/*; do
		case $(readlink "$fd") in
		/dev/null | "$WORK"/out | "$WORK"/err | socket:*) ;;
		*) readlink "$fd"; return 1 ;;
		esac
	done
	# A program that is executed cannot be written to. Nor can it later: F_SEAL_SEAL, _SHRINK, _GROW and _WRITE.
	run ! sh -c "echo x >/proc/$pid/exe"
	[ "$(python3 -c 'import fcntl, sys; print(fcntl.fcntl(open(sys.argv[1]), fcntl.F_GET_SEALS) & 15)' "/proc/$pid/exe")" = 15 ]
}

@test "tmpcopyup of a tree that is too deep reports it" {
	mkdir -p "$BUNDLE/rootfs/copy/$(printf 'd/%.0s' $(seq 32))"
	config '.mounts+=[{destination:"/copy",type:"tmpfs",source:"t",options:["tmpcopyup"]}]'
	inside 'find /copy -name d | wc -l'
	[ "$output" = 32 ]
	mkdir -p "$BUNDLE/rootfs/copy/$(printf 'd/%.0s' $(seq 33))"
	run_container "" 1
	[[ "$output" == *"/mounts/7: "*"(tmpcopyup): more than 32 directories are nested" ]] || { echo "$output"; return 1; }
}

@test "tmpcopyup in an unbindable mount is an error that says so, and copies the mounts below" {
	mkdir -p "$WORK/volume/sub" "$WORK/below" "$BUNDLE/rootfs/x" "$BUNDLE/rootfs/copy/below"
	echo text >"$WORK/below/file"
	own "$WORK/below"
	config --arg w "$WORK" '.mounts+=[{destination:"/copy/below",type:"bind",source:($w+"/below"),options:["bind"]},
		{destination:"/copy",type:"tmpfs",source:"t",options:["tmpcopyup"]}]'
	inside 'cat /copy/below/file; echo new >/copy/below/file'
	[ "$output $(<"$WORK/below/file")" = 'text text' ]
	config --arg w "$WORK" '.mounts+=[{destination:"/x",type:"bind",source:($w+"/volume"),options:["rbind","unbindable"]},
		{destination:"/x/sub",type:"tmpfs",source:"t",options:["tmpcopyup"]}]'
	run_container "" 1
	[[ "$output" == *"/mounts/10: "*"(tmpcopyup): invalid argument (the mount in which it lies must not be unbindable)" ]] || { echo "$output"; return 1; }
}

@test "tmpcopyup copies holes as holes, and data at its offset" {
	mkdir "$BUNDLE/rootfs/copy"
	truncate -s 200G "$BUNDLE/rootfs/copy/huge"
	printf end | dd of="$BUNDLE/rootfs/copy/huge" bs=1M seek=100000 conv=notrunc status=none
	printf start | dd of="$BUNDLE/rootfs/copy/huge" conv=notrunc status=none
	head -c 3000000 /dev/urandom >"$BUNDLE/rootfs/copy/full"
	: >"$BUNDLE/rootfs/copy/empty"
	config '.mounts+=[{destination:"/copy",type:"tmpfs",source:"t",options:["tmpcopyup","size=16m"]}]'
	script 'cd /copy; stat -c %s huge empty; head -c 5 huge; dd if=huge bs=1M skip=100000 count=1 2>/dev/null | head -c 3; echo
		[ $(stat -c %b huge) -lt 1000 ] && echo sparse; md5sum <full'
	run -0 timeout -k 1 "$HANGS" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "214748364800"$'\n'"0"$'\n'"startend"$'\n'"sparse"$'\n'"$(md5sum <"$BUNDLE/rootfs/copy/full")" ]
}

@test "tmpcopyup opens no device that another container puts in a file's place" {
	command -v strace >/dev/null || not_here "needs strace"
	mkdir "$BUNDLE/rootfs/copy"
	echo text >"$BUNDLE/rootfs/copy/replaced"
	config '.mounts+=[{destination:"/copy",type:"tmpfs",source:"t",options:["tmpcopyup"]}] | .process.args=["true"]'
	# The open is delayed after init has seen the file's type. On a busy machine the device can be too late.
	for attempt in 1 2 3; do
		ASAN_OPTIONS=detect_leaks=0 timeout -k 1 "$HANGS" strace -f -o "$WORK/trace.$attempt" -P replaced -e trace=newfstatat,openat \
			-e inject=openat:delay_enter=2000000 "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" \
			</dev/null >"$WORK/out" 2>&1 3>&- &
		job=$!
		wait_for 'grep -q "newfstatat.*replaced" "$WORK/trace.$attempt" 2>/dev/null'
		rm -f "$BUNDLE/rootfs/copy/replaced"
		mknod "$BUNDLE/rootfs/copy/replaced" c 1 3
		wait "$job" || break
		rm "$BUNDLE/rootfs/copy/replaced"
		echo text >"$BUNDLE/rootfs/copy/replaced"
	done
	[[ "$(<"$WORK/out")" == *"(tmpcopyup): permission denied" ]] || { cat "$WORK/out" "$WORK"/trace.*; return 1; }
}

@test "nothing is created in a volume of the host, whatever links lead into it" {
	local bind=bind
	mkdir -p "$WORK/vol/sub" "$WORK/inner" "$BUNDLE/rootfs/vol/sub"
	echo precious | tee "$WORK/vol/ptmx" >"$WORK/inner/ptmx"
	own "$WORK/vol" "$WORK/inner"
	# A volume with a mount in it, made in a private mount namespace.
	with_volume() {
		unshare -m --propagation private sh -c 'mount --bind "$0/inner" "$0/vol/sub" && exec "$@"' "$WORK" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID"
	}
	contents() { (cd "$WORK" && find vol inner -printf '%p %y %m %U:%G %T@\n' | sort); }
	before=$(contents)
	refused() { # a link of the image, where it leads to, a filter
		rm -rf "$BUNDLE/rootfs/dev"
		[ "$1" = dev ] || mkdir "$BUNDLE/rootfs/dev"
		ln -s "$2" "$BUNDLE/rootfs/$1"
		config --arg v "$WORK/vol" "$3"
		own_bundle
		run -1 with_volume
		[[ "$output" == *"its directory belongs to the host (a bind mount covers it, or a link"* ]] || { echo "$1 $2: $output"; return 1; }
		[ "$(contents)" = "$before" ]
		rm "$BUNDLE/rootfs/$1"
	}
	# /dev is a link to the volume, or to the mount in it; then the volume's path is a link to /dev.
	# Only root may leave out the mount in it.
	[ -z "${TARE_AS:-}" ] || bind=rbind
	for user in 0 1000; do
		refused dev /vol '.process.user={uid:'$user',gid:'$user'} | .mounts+=[{destination:"/vol",type:"bind",source:$v,options:["'$bind'"]}]'
	done
	refused dev /vol/sub '.mounts[-1].options=["rbind"]'
	refused other /dev '.mounts[-1].destination="/other"'
	refused dev /vol/new1 '.mounts[-1].destination="/vol" | .root.readonly=true'
	# Only root can make devices.
	[ -z "${TARE_AS:-}" ] || return 0
	refused other /dev/shm '.root.readonly=false | .mounts[-1].destination="/other" | .linux.devices=[{path:"/dev/shm/x",type:"c",major:1,minor:3}]'
	refused other /vol '.mounts[-1].destination="/vol" | .linux.devices[0].path="/other/x" | .root.readonly=true'
	# Missing directories on the path are not created either, also if a link leads to a missing one.
	refused other /vol '.linux.devices[0].path="/other/new1/new2/x"'
	refused other /vol/new1 '.linux.devices[0].path="/other/new2/x"'
	# The same if the path names the volume directly. An existing device there is accepted.
	config '.linux.devices=[{path:"/x",type:"c",major:1,minor:3}]'
	refused unused / '.linux.devices[0].path="/vol/sub/x"'
	mknod "$WORK/inner/x" c 1 3 || not_here "needs mknod"
	config '.mounts+=[{destination:"/own",type:"tmpfs",source:"tmpfs"}] | .linux.devices+=[{path:"/own/dir/y",type:"c",major:1,minor:3}]
		| .process.args=["stat","-c","%n %t:%T","/vol/sub/x","/own/dir/y"] | .root.readonly=false'
	run -0 with_volume
	[ "$output" = $'/vol/sub/x 1:3\n/own/dir/y 1:3' ]
}

@test "the root itself can be made read-only, but not covered" {
	ln -s / "$BUNDLE/rootfs/slash"
	mkdir -p "$BUNDLE/rootfs/slash-not"
	for path in / /tmp/.. /slash; do
		config --arg p "$path" '.root.readonly=false | .linux.maskedPaths=[] | .linux.readonlyPaths=[$p] | .mounts+=[{destination:"/tmp",type:"tmpfs",source:"tmpfs"}]'
		inside 'touch /here /tmp/here 2>&1; true'
		[ "$(grep -c "Read-only file system" <<<"$output")" = 2 ] || { echo "$path: $output"; return 1; }
		[ ! -e "$BUNDLE/rootfs/here" ]
		config --arg p "$path" '.linux.readonlyPaths=[] | .linux.maskedPaths=[$p]'
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/linux/maskedPaths/0: cannot mask '/"*"': it is the container's root"* ]] || { echo "$output"; return 1; }
	done
	config '.linux.maskedPaths=[] | .mounts+=[{destination:"/slash",type:"tmpfs",source:"tmpfs"}]'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot mount on '/slash': it is a link to the container's root"* ]]
	# A bind mount of the root's files at another path is not the root.
	config '.mounts[-1]={destination:"/slash-not",type:"bind",source:"rootfs",options:["bind"]} | .linux.maskedPaths=["/slash-not"] | .linux.readonlyPaths=[]'
	inside 'ls /slash-not | wc -l'
	[ "$output" = 0 ]
}
