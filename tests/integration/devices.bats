# SPDX-License-Identifier: Apache-2.0
# linux.devices and the default devices (runtime-spec config-linux.md, "Devices"). Type, number, mode and owner are what
# stat(2) returns inside the container.
load helpers

# described PATH...: prints "TYPE MODE UID:GID MAJOR:MINOR" of each path, inside the container.
described() {
	script 'for f; do echo "$(stat -c "%F" "$f" | cut -d" " -f1) $(stat -c "%a %u:%g %t:%T" "$f")"; done'
	config '.process.args+=["sh"]+$ARGS.positional' --args "$@"
	run_container
}

refused() {
	run_container "" 1
	[[ "$output" == *"/linux/devices/0: $1"* ]] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
}

user_ns() {
	config '.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}]
		| .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
}

@test "each type, at any path, with mode and owner" {
	# The program's umask must not affect the nodes.
	config '.process.user.umask=63 | .linux.devices=[
		{"path":"/dev/char","type":"c","major":1,"minor":5,"fileMode":384,"uid":3,"gid":4},
		{"path":"/dev/unbuffered","type":"u","major":1,"minor":3,"fileMode":438},
		{"path":"/dev/block","type":"b","major":7,"minor":1000,"fileMode":432,"gid":6},
		{"path":"/dev/fifo","type":"p","fileMode":420,"gid":5},
		{"path":"/top","type":"c","major":1,"minor":9},
		{"path":"/made/for/it","type":"c","major":4095,"minor":1048575,"fileMode":2501},
		{"path":"/dev/null","type":"c","major":1,"minor":3,"fileMode":400}]'
	described /dev/char /dev/unbuffered /dev/block /dev/fifo /top /made/for/it /dev/null /dev/zero
	[ "$output" = "character 600 3:4 1:5
character 666 0:0 1:3
block 660 0:6 7:3e8
fifo 644 0:5 0:0
character 666 0:0 1:9
character 4705 0:0 fff:fffff
character 620 0:0 1:3
character 666 0:0 1:5" ]
	inside 'echo x >/dev/unbuffered; head -c 2 /top | wc -c; (echo through >/dev/fifo &); timeout 5 cat /dev/fifo'
	[ "$output" = $'2\nthrough' ]
}

@test "an existing file at a device's path: the same device stays, everything else is an error" {
	cd "$BUNDLE/rootfs"
	config '.linux.devices=[{"path":"/place","type":"c","major":1,"minor":3}]'
	different="cannot make device '/place': a different file exists already"
	for other in "touch place" "mkdir place" "ln -s dev/null place" "mknod place c 1 5" "mknod place b 1 3" "mkfifo place"; do
		$other
		refused "$different"
		rm -r place
	done
	mknod -m 604 place c 1 3
	described /place
	[ "$output" = "character 604 0:0 1:3" ]
	rm place
	config '.linux.devices=[{"path":"/place","type":"p"}]'
	mknod place c 1 3
	refused "$different"
	rm place
	mkfifo -m 640 place
	described /place
	[ "$output" = "fifo 640 0:0 0:0" ]
}

@test "default devices, in a user namespace too" {
	wanted="character 666 0:0 1:3
character 666 0:0 1:5
character 666 0:0 1:7
character 666 0:0 1:8
character 666 0:0 1:9
character 666 0:0 5:0"
	described /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
	[ "$output" = "$wanted" ]
	user_ns
	# There they are bind mounts of the host's nodes. Their owner has no id in the container.
	described /dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty
	[ "$output" = "${wanted//0:0/65534:65534}" ]
	inside 'echo x >/dev/null && head -c 2 /dev/zero | wc -c; echo x >/dev/full || echo full; head -c 4 /dev/urandom | wc -c; readlink /dev/ptmx; (: </dev/ptmx) && echo terminal'
	[[ "$output" == $'2\n'*$'full\n4\npts/ptmx\nterminal' ]]
}

@test "devices of a user namespace have the configured mode and owner, and need not exist on the host" {
	user_ns
	mknod "$WORK/probe" c 1 3 || not_here "needs mknod"
	umask 077
	config '.linux.devices=[{"path":"/dev/full","type":"c","major":1,"minor":7,"fileMode":384,"uid":3},
		{"path":"/dev/plain","type":"c","major":1,"minor":5},{"path":"/lacks/it/","type":"b","major":7,"minor":1000,"fileMode":432,"gid":6},
		{"path":"/dev/set","type":"c","major":1,"minor":3,"fileMode":2501,"uid":65535,"gid":1},
		{"path":"/dev/zero","type":"c","major":1,"minor":5,"fileMode":438},{"path":"/dev/fifo","type":"p","fileMode":384,"uid":3,"gid":4}]
		| .process.user.umask=63'
	wanted="character 600 3:0 1:7
character 666 0:0 1:5
block 660 0:6 7:3e8
character 4705 65535:1 1:3
character 666 0:0 1:5
fifo 600 3:4 0:0"
	paths="/dev/full /dev/plain /lacks/it /dev/set /dev/zero /dev/fifo"
	described $paths
	[ "$output" = "$wanted" ] || { echo "$output"; return 1; }
	run -0 "$TARE" --root "$ROOT" run --no-pivot -b "$BUNDLE" "$ID"
	[ "$output" = "$wanted" ]
	# They work as devices, and the mounts that helped to make them are gone.
	inside 'head -c 2 /dev/plain | wc -c; echo x >/dev/zero && echo written; chmod 640 /dev/plain; stat -c %a /dev/plain
		cat /proc/self/mountinfo'
	[[ "$output" == $'2\nwritten\n640\n'* ]] || { echo "$output"; return 1; }
	[ "$(awk '$5 ~ "^(/dev/(full|plain|set|zero)|/lacks/it)$" && $4 != "/" && $6 ~ "^rw,nosuid" && $0 !~ "shared|master"' <<<"$output" | wc -l)" = 5 ] || { echo "$output"; return 1; }
	[ "$(awk '$4 == "/" && $0 ~ " - tmpfs " && $5 !~ "^/(proc|sys)/" { print $5 }' <<<"$output" | sort | tr '\n' ' ')" = "/dev /dev/shm " ] || { echo "$output"; return 1; }
	# The same in a user namespace that is joined, with the mappings of that namespace.
	config '.process.args=["sleep","1000"]'
	create "$ID.a"
	tare start "$ID.a"
	config --arg p "/proc/$(pid_of "$ID.a")/ns/user" '(.linux.namespaces[]|select(.type=="user")).path=$p'
	described $paths
	[ "$output" = "$wanted" ] || { echo "$output"; return 1; }
	config 'del(.linux.uidMappings,.linux.gidMappings) | .linux.devices|=.[:1]'
	refused_path "needs the mappings of the joined user namespace" uid
	config 'del(.linux.devices[].uid)'
	described /dev/full
	[ "$output" = "character 600 65534:65534 1:7" ]
	tare delete --force "$ID.a"
}

@test "an owner of a device that is not mapped in the user namespace is refused" {
	user_ns
	config '.linux.devices=[{"path":"/dev/x","type":"c","major":1,"minor":3,"uid":65536}]'
	refused_path "65536 is not mapped in the container's user namespace" uid
	config '.linux.devices=[{"path":"/dev/x","type":"c","major":1,"minor":3,"gid":70000}]'
	refused_path "70000 is not mapped in the container's user namespace" gid
}

@test "an unprivileged caller's devices are the host's, and refused if they would have to differ" {
	chmod 755 "$WORK" "$BUNDLE"
	cp "$TARE" "$WORK/tare"
	mkdir "$ROOT" && chown 65534:65534 "$ROOT"
	chown -R 65534:65534 "$BUNDLE"
	rm "$BUNDLE/config.json"
	as() { as_nobody "$WORK/tare" "$@"; }
	as spec --rootless -b "$BUNDLE"
	mode=$(printf %d "0$(stat -c %a /dev/full)")
	config --argjson m "$mode" '.process.terminal=false | .process.args=["stat","-c","%a %u:%g %t:%T","/dev/full"]
		| .linux.devices=[{"path":"/dev/full","type":"c","major":1,"minor":7,"fileMode":$m,"uid":65534,"gid":65534}]'
	run -0 as --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$(stat -c %a /dev/full) 65534:65534 1:7" ]
	for other in '{"fileMode":1}' '{"uid":0}' '{"gid":0}'; do
		config --argjson o "$other" '.linux.devices[0]+=$o'
		run -1 as --root "$ROOT" run -b "$BUNDLE" "$ID"
		[[ "$output" == *"/linux/devices/0: cannot make device '/dev/full' with "*": the host's has "* ]] || { echo "$output"; return 1; }
		config --argjson m "$mode" '.linux.devices[0]+={"fileMode":$m,"uid":65534,"gid":65534}'
	done
	# The host's node at the same path is used, so it must be that device.
	config '.linux.devices=[{"path":"/dev/full","type":"c","major":1,"minor":5}]'
	run -1 as --root "$ROOT" run -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/devices/0: '/dev/full' is not the device 1:5 on this host"* ]] || { echo "$output"; return 1; }
}

@test "the default devices of a user namespace cover an empty file, or the device" {
	config '.mounts|=map(select(.destination|startswith("/dev")|not))'
	mkdir -p "$BUNDLE/rootfs/dev"
	: >"$BUNDLE/rootfs/dev/null"
	user_ns
	described /dev/null
	[ "$output" = "character 666 65534:65534 1:3" ]
	echo text >"$BUNDLE/rootfs/dev/null"
	run_container "" 1
	[[ "$output" == *"cannot make device '/dev/null': a different file exists already"* ]]
	[ "$(cat "$BUNDLE/rootfs/dev/null")" = text ]
}

# As podman does for a privileged container of a user.
@test "a mount on the path of a default device stays in a user namespace, with its options" {
	user_ns
	config '.mounts+=[{"destination":"/dev/random","source":"/dev/random","type":"bind","options":["slave","nosuid","noexec","rw","rbind"]}]'
	inside 'head -c 4 /dev/random | wc -c; grep -c " /dev/random " /proc/self/mountinfo
		grep " /dev/random " /proc/self/mountinfo | grep -o noexec; stat -c %t:%T /dev/random'
	[ "$output" = $'4\n1\nnoexec\n1:8' ] || { echo "$output"; return 1; }
	# Another file on such a path is no device.
	echo text >"$WORK/file"
	chmod 644 "$WORK/file"
	config --arg f "$WORK/file" '.mounts[-1].source=$f'
	run_container "" 1
	[[ "$output" == *"cannot make device '/dev/random': a different file exists already"* ]]
}

@test "in a /dev from the host devices are looked up and not made; at other places they are made" {
	mkdir "$WORK/dev"
	mknod -m 622 "$WORK/dev/null" c 1 3
	ln -s null "$WORK/dev/void"
	config --arg d "$WORK/dev" '(.mounts[]|select(.destination=="/dev"))|={"destination":"/dev","type":"bind","source":$d,"options":["rbind"]}
		| .mounts|=map(select(.destination|startswith("/dev/")|not))
		| .linux.devices=[{"path":"/elsewhere","type":"c","major":1,"minor":5},
			{"path":"/dev/null","type":"c","major":1,"minor":3},{"path":"/dev/void","type":"c","major":1,"minor":3}]'
	described /elsewhere /dev/null
	[ "$output" = "character 666 0:0 1:5"$'\n'"character 622 0:0 1:3" ]
	config '.linux.devices=[{"path":"/etc/../dev/zero","type":"c","major":1,"minor":5}]'
	refused "cannot find device '/etc/../dev/zero': no such file or directory (/dev is mounted from the host"
	config '.linux.devices=[{"path":"/dev/void","type":"c","major":1,"minor":5}]'
	refused "cannot find device '/dev/void': the path leads to a different file: file exists (/dev is mounted from the host"
	[ "$(cd "$WORK/dev" && echo *)" = "null void" ]
}

@test "/dev/fd, stdin, stdout and stderr are links if their targets exist" {
	inside 'for l in fd stdin stdout stderr; do readlink /dev/$l; done; echo heard >/dev/stdout'
	[ "$output" = $'/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\nheard' ]
	config '.mounts|=map(select(.type!="proc")) | .linux.maskedPaths=[] | .linux.readonlyPaths=[]'
	inside 'for l in fd stdin stdout stderr; do [ ! -L /dev/$l ] && echo "no $l"; done; readlink /dev/ptmx'
	[ "$output" = $'no fd\nno stdin\nno stdout\nno stderr\npts/ptmx' ]
}

@test "a device's path may have slashes at its end, and dots in it" {
	config '.linux.devices=[{"path":"/dev/one/","type":"c","major":1,"minor":3},{"path":"//made/./two//","type":"p","fileMode":384},
		{"path":"/dev/null/","type":"c","major":1,"minor":3,"fileMode":400},{"path":"/made/three/.","type":"c","major":1,"minor":5}]'
	described /dev/one /made/two /dev/null /made/three
	[ "$output" = "character 666 0:0 1:3
fifo 600 0:0 0:0
character 620 0:0 1:3
character 666 0:0 1:5" ]
	for path in / /./ /dev/.. /dev/../; do
		config --arg p "$path" '.linux.devices=[{"path":$p,"type":"p"}]'
		refused_path "must be the path of a file"
	done
}

refused_path() { # what, and of which property
	run_container "" 1
	[[ "$output" == *"/linux/devices/"*"/${2:-path}: "*"$1"* ]] || { echo "$output"; return 1; }
	[ ! -e "$ROOT/$ID" ]
}

@test "a device that is listed twice is one device, unless the entries differ" {
	config '.linux.devices=[{"path":"/dev/a","type":"c","major":1,"minor":3},{"path":"/dev/a","type":"c","major":1,"minor":3},
		{"path":"/dev/a/","type":"c","major":1,"minor":3,"fileMode":384,"gid":4},{"path":"/dev/a","type":"c","major":1,"minor":3,"uid":3}]'
	described /dev/a
	[ "$output" = "character 600 3:4 1:3" ]
	user_ns
	config '.linux.devices=[{"path":"/dev/full","type":"c","major":1,"minor":7},{"path":"/dev/full","type":"c","major":1,"minor":7}]'
	inside 'stat -c %t:%T /dev/full; grep -c " /dev/full " /proc/self/mountinfo'
	[ "$output" = $'1:7\n1' ]
	for other in '{"minor":5}' '{"type":"b"}' '{"path":"/dev/full/","fileMode":1}' '{"gid":1}'; do
		config --argjson o "$other" '.linux.devices=[{"path":"/dev/full","type":"c","major":1,"minor":7,"fileMode":0,"gid":0}]
			| .linux.devices+=[.linux.devices[0]+$o]'
		refused_path "device '/dev/full' given twice, with different properties"
	done
}
