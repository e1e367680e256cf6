# SPDX-License-Identifier: Apache-2.0
load helpers

# Renames directories of a root file system that another container shares, while this container starts. A createRuntime
# hook runs when everything is mounted, in the host's mount namespace, where the rename is possible.
renames() { # command in the root file system
	config --arg d "$BUNDLE/rootfs" --arg c "$1" '.hooks.createRuntime=[{path:"/bin/sh",args:["sh","-c","cd \"$0\" && "+$c,$d]}]'
}

# What a program of the container must not be able to read or write, in any procfs.
PROTECTED='for keys in /proc/keys /*/keys; do
		if [ -s $keys ]; then echo "$keys is readable"; fi
		file=${keys%/keys}/sys/kernel/core_pattern
		if [ -e $file ] && (: >>$file); then echo "$file is writable"; fi
	done 2>/dev/null; echo looked'

@test "a mount is not lost if its directory is renamed during the start: the start fails" {
	mkdir -p "$BUNDLE"/rootfs/{proc,sys,dev}
	script "$PROTECTED"
	for dir in proc sys dev; do
		renames "mv $dir moved && mkdir $dir"
		run -1 tare run -b "$BUNDLE" "$ID"
		[[ "$output" == *": /mounts/"*": cannot find the mount on '/$dir': the path leads elsewhere (its directory was renamed"* ]] || { echo "$dir: $output"; return 1; }
		rm -r "$BUNDLE/rootfs/$dir" && mv "$BUNDLE/rootfs/moved" "$BUNDLE/rootfs/$dir"
		# A symbolic link to the directory leads to the mount.
		renames "mv $dir moved && ln -s moved $dir"
		run -0 tare run -b "$BUNDLE" "$ID"
		[ "$output" = looked ] || { echo "$dir: $output"; return 1; }
		rm "$BUNDLE/rootfs/$dir" && mv "$BUNDLE/rootfs/moved" "$BUNDLE/rootfs/$dir"
	done
}

@test "a bind mount with masked and read-only paths is not lost either" {
	mkdir -p "$BUNDLE/rootfs/vol" "$WORK/vol/dir"
	echo secret >"$WORK/vol/secret"
	config --arg v "$WORK/vol" '.mounts+=[{destination:"/vol",type:"bind",source:$v,options:["bind"]}] | .linux.maskedPaths+=["/vol/secret"] | .linux.readonlyPaths+=["/vol/dir"]'
	script 'cat /vol/secret; touch /vol/dir/x 2>&1'
	run tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *"Read-only file system" ]]
	[[ "$output" != *secret* ]]
	renames 'mv vol moved && mkdir vol'
	run -1 tare run -b "$BUNDLE" "$ID"
	[[ "$output" == *": /mounts/7: cannot find the mount on '/vol'"* ]]
}

@test "if a mount covers another the upper one is used, also through a link of the image" {
	mkdir -p "$BUNDLE"/rootfs/{run,var} "$WORK/one" "$WORK/two"
	ln -s /run "$BUNDLE/rootfs/var/run"
	echo one >"$WORK/one/file"
	echo two | tee "$WORK/two/file" >"$WORK/two/masked"
	config --arg a "$WORK/one" --arg b "$WORK/two" '.mounts+=[{destination:"/var/run",type:"bind",source:$a,options:["bind"]},
		{destination:"/run",type:"bind",source:$b,options:["bind"]},{destination:"/var/run/inner",type:"tmpfs",source:"t"}] |
		.linux.maskedPaths+=["/var/run/masked"]'
	inside 'cat /run/file /var/run/masked; touch /run/inner/x; grep -c " /run/inner " /proc/self/mountinfo'
	[ "$output" = $'two\n1' ]
	[ -d "$WORK/two/inner" ] && [ ! -e "$WORK/one/inner" ]
}

@test "a racing neighbour that renames /proc cannot uncover masked paths" {
	mkdir -p "$BUNDLE"/rootfs/{proc,other}
	script "$PROTECTED"
	(cd "$BUNDLE/rootfs" && while :; do mv proc was; mv other proc; mv was other; done) 2>/dev/null 3>&- &
	racer=$!
	started=0
	for i in $(seq "$(rounds 100)"); do
		run tare run -b "$BUNDLE" "$ID"
		if [ "$status" -eq 0 ]; then started=$((started + 1)); fi
		[[ "$output" != *able* ]] || { kill $racer; echo "round $i: $output"; return 1; }
	done
	kill $racer
	wait $racer 2>/dev/null || true
	echo "$started started"
}
