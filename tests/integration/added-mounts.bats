# SPDX-License-Identifier: Apache-2.0
# "tare mounts add" and "tare mounts remove": the mounts of a container that exists. Files that a mount shows are made
# by the case outside, so that only the mount can be their cause.
load helpers

# A container that waits, with a directory of the host beside its bundle.
begin() { # [create|chowned]
	script 'while [ ! -e /tmp/stop ]; do sleep 0.1; done'
	mkdir "$WORK/volume" && echo from the host >"$WORK/volume/file" && chmod 755 "$WORK/volume"
	own "$WORK/volume" "$BUNDLE"
	chmod 755 "$WORK"
	case ${1:-run} in
	create) create "$ID" ;;
	chowned)
		# To the container's root, as the host numbers it.
		[ "${TARE_AS:-}" = user ] || chown -hR "$((100000 + (${#TARE_AS} > 0 ? 1000 : 0)))" "$BUNDLE/rootfs"
		begin_detached ;;
	*) begin_detached ;;
	esac
}

begin_detached() {
	tare run --detach -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- || { cat "$WORK/err"; return 1; }
}

# document JQ-EXPRESSION: the file of mounts; $v is the volume.
document() {
	jq -n --arg v "$WORK/volume" "$1" >"$WORK/mounts.json"
}

bind() { # DESTINATION OPTIONS...
	jq -n --arg v "$WORK/volume" --arg d "$1" '[{destination:$d,type:"bind",source:$v,options:(["bind"]+$ARGS.positional)}]' \
		--args "${@:2}" >"$WORK/mounts.json"
}

add() { run "-${1:-0}" tare mounts add "$ID" "$WORK/mounts.json"; }
remove() { run "-${1:-0}" tare mounts remove "$ID" "$WORK/mounts.json"; }

in_container() { tare exec "$ID" "$@"; }

# The line of mountinfo of a mount point in the container.
line_of() { in_container cat /proc/self/mountinfo | awk -v p="$1" '$5 == p' | tail -n 1; }

@test "a bind of the host appears in a running container, its missing destination is made, and it can be removed" {
	begin
	bind /new/place
	add
	[ -z "$output" ]
	[ "$(in_container cat /new/place/file)" = "from the host" ]
	in_container touch /new/place/written
	[ -e "$WORK/volume/written" ]
	remove
	[ -z "$output" ]
	run -1 in_container cat /new/place/file
	[ -e "$WORK/volume/file" ]
	remove 1
	[[ "$output" == *": /0/destination: there is no mount on '/new/place'" ]] || { echo "$output"; return 1; }
	run -0 tare state "$ID"
	[ "$(jq -r .status <<<"$output")" = running ]
}

@test "options of an added bind: ro, rro with submounts, nosuid, nodev, noexec, propagation" {
	end_watch
	begin
	mkdir "$WORK/volume/sub" && mount -t tmpfs none "$WORK/volume/sub"
	document '[{destination:"/ro",type:"bind",source:$v,options:["rbind","ro","nosuid","nodev","noexec","private"]},
		{destination:"/rro",source:$v,options:["rbind","rro"]}]'
	add
	[[ "$(line_of /ro)" == *" ro,nosuid,nodev,noexec,"* ]] || { line_of /ro; false; }
	[[ "$(line_of /ro)" != *master:* ]]
	[[ "$(line_of /ro/sub)" == *" rw,"* ]]
	[[ "$(line_of /rro)" == *" ro,"* ]]
	[[ "$(line_of /rro/sub)" == *" ro,"* ]]
	remove
	[ -z "$(line_of /ro/sub)$(line_of /ro)$(line_of /rro/sub)$(line_of /rro)" ]
	umount "$WORK/volume/sub"
	watch_mounts
}

@test "a tmpfs with its options, a file on a file, and a mount in an earlier one of the array" {
	begin
	echo one >"$WORK/volume/one"
	document '[{destination:"/t",type:"tmpfs",source:"tmpfs",options:["size=64k","mode=711","nosuid"]},
		{destination:"/t/deep/one",type:"bind",source:($v+"/one"),options:["bind","ro"]},
		{destination:"/r",type:"tmpfs",source:"tmpfs",options:["ro"]},
		{destination:"/r/in",type:"tmpfs",source:"tmpfs"}]'
	add
	[[ "$(line_of /t)" == *"nosuid"*" - tmpfs tmpfs "*size=64k* ]]
	[ "$(in_container stat -c %a /t)" = 711 ]
	[ "$(in_container cat /t/deep/one)" = one ]
	run -1 in_container sh -c 'echo x >/t/deep/one'
	run -1 in_container touch /r/file
	in_container touch /r/in/file
	remove
	[ -z "$(line_of /t)$(line_of /t/deep/one)$(line_of /r)" ]
}

@test "a created and a paused container get mounts, a stopped one and an unknown one do not" {
	begin create
	bind /early
	add
	[ "$(in_container cat /early/file)" = "from the host" ]
	tare start "$ID"
	[ "$(in_container cat /early/file)" = "from the host" ]
	tare pause "$ID"
	bind /late
	add
	remove
	add
	[ "$(status_of "$ID")" = paused ]
	tare resume "$ID"
	[ "$(in_container cat /late/file)" = "from the host" ]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	add 1
	[[ "$output" == "tare: mounts $ID: cannot change the mounts of a stopped container" ]] || { echo "$output"; return 1; }
	remove 1
	tare delete "$ID"
	add 1
	[[ "$output" == *"container does not exist"* ]]
}

@test "a failed add leaves no mount: neither of the earlier items of the array, nor a record of them" {
	begin
	document '[{destination:"/a",type:"bind",source:$v,options:["bind"]},
		{destination:"/t",type:"tmpfs",source:"tmpfs"},
		{destination:"/b",type:"tmpfs",source:"tmpfs",options:["size=none"]}]'
	add 1
	[[ "$output" == "tare: mounts $ID: /2: cannot set option 'size=none'"* ]] || { echo "$output"; return 1; }
	[ "$(wc -l <<<"$output")" = 1 ]
	[ -z "$(line_of /a)$(line_of /t)$(line_of /b)" ]
	document '[{destination:"/a",type:"bind",source:$v,options:["bind"]},
		{destination:"/b",type:"bind",source:($v+"/missing"),options:["bind"]}]'
	add 1
	[[ "$output" == "tare: mounts $ID: /1: cannot open mount source '$WORK/volume/missing': no such file or directory" ]] || { echo "$output"; return 1; }
	[ -z "$(line_of /a)" ]
	[ ! -s "$ROOT/$ID/mounts" ]
}

@test "remove takes away only what add has made: not a mount of the configuration, of a mask, or of the container" {
	config '.mounts+=[{"destination":"/configured","type":"tmpfs","source":"tmpfs"}] | .linux.maskedPaths=["/proc/keys"]'
	begin
	for path in /configured /proc/keys /proc; do
		bind "$path"
		remove 1
		[[ "$output" == *": /0/destination: the mount on '$path' was not made by 'mounts add', so it stays" ]] || { echo "$output"; return 1; }
		[ -n "$(line_of "$path")" ]
	done
	# An added mount may cover one of the configuration, and only that is removed again.
	bind /configured
	add
	[ "$(in_container cat /configured/file)" = "from the host" ]
	remove
	run -1 in_container cat /configured/file
	[[ "$(line_of /configured)" == *" - tmpfs "* ]]
	remove 1
	# A destination that is no mount, or does not exist.
	bind /tmp
	remove 1
	[[ "$output" == *"there is no mount on '/tmp'" ]]
	bind /tmp/none/none
	remove 1
	[[ "$output" == *"there is no mount on '/tmp/none/none'" ]]
}

@test "remove of several mounts is refused as a whole if one of them is none; equal destinations are refused" {
	begin
	bind /a
	add
	document '[{destination:"/a"},{destination:"/b"}]'
	remove 1
	[[ "$output" == *": /1/destination: there is no mount on '/b'" ]] || { echo "$output"; return 1; }
	[ -n "$(line_of /a)" ]
	document '[{destination:"/a"},{destination:"a/."}]'
	remove 1
	[[ "$output" == *": /1/destination: destination '/a' is given twice" ]] || { echo "$output"; return 1; }
	document '[{destination:"/a"}]'
	remove
	[ -z "$(line_of /a)" ]
}

@test "a destination that a link of the container leads to the host's path stays in the container" {
	mkdir "$WORK/outside" "$BUNDLE/rootfs/dir"
	own "$WORK/outside"
	ln -s "$WORK/outside" "$BUNDLE/rootfs/absolute"
	ln -s ../../../../../../../../.."$WORK/outside" "$BUNDLE/rootfs/relative"
	ln -s /proc/self/root "$BUNDLE/rootfs/magic"
	ln -s /proc/1/fd "$BUNDLE/rootfs/dir/fd"
	begin
	for name in absolute relative; do
		bind "/$name"
		add
		# The link is followed in the container, where its target was made.
		[ "$(in_container cat "$WORK/outside/file")" = "from the host" ]
		remove
	done
	[ -z "$(ls -A "$WORK/outside")" ]
	for path in /magic /magic/x /dir/fd/0; do
		bind "$path"
		add 1
	done
	[ -z "$(ls -A "$WORK/outside")" ]
}

@test "a destination in /proc, and the root, are refused, also by way of a link" {
	ln -s /proc/sys "$BUNDLE/rootfs/sys-link"
	ln -s / "$BUNDLE/rootfs/top"
	begin
	bind /proc/self
	add 1
	[[ "$output" == *": /0: '/proc/self' cannot be mounted because it is inside /proc" ]] || { echo "$output"; return 1; }
	bind /sys-link
	add 1
	[[ "$output" == *": /0: '/sys-link' cannot be mounted because it is inside /proc: operation not permitted" ]] || { echo "$output"; return 1; }
	bind /
	add 1
	[[ "$output" == *": /0: a mount cannot cover the root of the container" ]]
	bind /top
	add 1
	[[ "$output" == *"it is a link to the container's root" ]] || { echo "$output"; return 1; }
}

@test "a container that exchanges the destination and a link all the time gets no mount outside, and the host no file" {
	mkdir -p "$WORK/outside" "$BUNDLE/rootfs/r/dir"
	own "$WORK/outside"
	ln -s "$WORK/outside" "$BUNDLE/rootfs/r/link"
	begin
	(cd "$BUNDLE/rootfs/r" && while :; do mv dir swap; mv link dir; mv dir link; mv swap dir; done) 2>/dev/null 3>&- &
	racer=$!
	for _ in $(seq "$(rounds 40)"); do
		bind /r/dir/in
		tare mounts add "$ID" "$WORK/mounts.json" 2>"$WORK/add.err" && tare mounts remove "$ID" "$WORK/mounts.json" 2>"$WORK/remove.err" || true
	done
	kill "$racer"
	wait "$racer" 2>/dev/null || true
	[ -z "$(ls -A "$WORK/outside")" ]
	[ "$(status_of "$ID")" = running ]
}

@test "what is no mount, or what only a new container can have, is refused by the index in the array" {
	begin
	expect_refusal() { # JQ-EXPRESSION TEXT
		document "$1"
		add 1
		[[ "$output" == "tare: mounts $ID: $2"* ]] || { echo "$output"; return 1; }
	}
	expect_refusal '[{destination:"/x",type:"proc",source:"proc"}]' "/0: a procfs cannot be added"
	expect_refusal '[{destination:"/x",type:"symlink",source:"y"}]' "/0: type 'symlink' is no mount"
	expect_refusal '[{destination:"/x",type:"file",source:"data:,y"}]' "/0: type 'file' is no mount"
	expect_refusal '[{destination:"/x",source:$v,options:["bind","remount"]}]' "/0: option 'remount' is for"
	expect_refusal '[{destination:"/x",source:$v,options:["bind","copy-symlink"]}]' "/0: option 'copy-symlink' is for"
	expect_refusal '[{destination:"/x",type:"bind",options:["bind"]}]' "/0: a bind mount needs a source"
	expect_refusal '[{destination:"/x",type:"tmpfs"},{destination:"/y",type:"bind",source:3}]' "/1/source: must be a string, not a number"
	expect_refusal '[{type:"tmpfs"}]' "/0/destination: is required"
	expect_refusal '{mounts:[]}' "$WORK/mounts.json: must be an array of mounts, not a whole configuration (to extract it: jq .mounts config.json)"
	# The kernel would look up their sources in the container.
	for type in overlay ext4 nosuchfs; do
		expect_refusal "[{destination:\"/x\",type:\"$type\",source:\"/dev/sda\"}]" \
			"/0: file system '$type' cannot be added to an existing container: mount it on the host, and add a bind of it"
	done
	expect_refusal '[{destination:"/x",type:"tmpfs",source:"t",options:["tmpcopyup"]}]' "/0: option 'tmpcopyup' is for"
	expect_refusal '[{destination:"/x",type:"tmpfs",source:"t",options:["x="+("y"*300)]}]' \
		"/0: an existing container cannot get a mount with an option or source of more than 255 bytes"
	echo '[{' >"$WORK/mounts.json"
	add 1
	[[ "$output" == "tare: mounts $ID: $WORK/mounts.json: line "* ]] || { echo "$output"; return 1; }
	run -1 tare mounts change "$ID" "$WORK/mounts.json"
	[[ "$output" == *"unknown action 'change': must be add or remove"* ]]
	run -1 tare mounts add "$ID"
	[[ "$output" == *"usage: tare mounts [FLAGS] add|remove ID FILE"* ]]
	run -1 tare mounts add "$ID" "$WORK/none"
	[[ "$output" == *"cannot read mounts from '$WORK/none': no such file or directory" ]]
	[ -z "$(line_of /x)$(line_of /y)" ]
}

@test "the array may come from standard input; an empty one and unknown keys are accepted" {
	begin
	document '[{destination:"/x",type:"bind",source:$v,options:["bind"],unknown:1}]'
	run -0 tare --log "$WORK/log" mounts add "$ID" - <"$WORK/mounts.json"
	[ "$(in_container cat /x/file)" = "from the host" ]
	grep "standard input: /0/unknown: is an unknown key and has no effect" "$WORK/log"
	echo '[]' >"$WORK/mounts.json"
	add
	remove
}

@test "what it has mounted is neither in the configuration nor in the state, and the directory of the state goes with the container" {
	begin
	before=$(tare state "$ID")
	bind /x
	add
	[ "$(tare state "$ID")" = "$before" ]
	[ -e "$ROOT/$ID/mounts" ]
	tare delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "no process of the container sees the one that mounts" {
	document '[range(60)|{destination:("/m/"+tostring),type:"tmpfs",source:"tmpfs"}]'
	script 'while [ ! -e /tmp/stop ]; do cat /proc/[0-9]*/comm >>/tmp/seen 2>/dev/null; echo >>/tmp/rounds; done'
	own "$BUNDLE"
	tare run --detach -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&-
	wait_for '[ -s "$BUNDLE/rootfs/tmp/rounds" ]'
	: >"$BUNDLE/rootfs/tmp/seen"
	before=$(wc -l <"$BUNDLE/rootfs/tmp/rounds")
	add
	remove
	wait_for '[ "$(wc -l <"$BUNDLE/rootfs/tmp/rounds")" -gt $((before + 1)) ]'
	# The shell has the name of the program that it was before, until it has executed one.
	run sort -u "$BUNDLE/rootfs/tmp/seen"
	[[ "$output" == *sh* ]]
	[[ "$output" != *tare* ]] || { echo "$output"; return 1; }
}

@test "few descriptors are enough, and with too few the error is one line" {
	begin
	bind /x
	for fd in 256 64 20; do
		(ulimit -n "$fd" && tare mounts add "$ID" "$WORK/mounts.json" && tare mounts remove "$ID" "$WORK/mounts.json")
	done
	run -1 bash -c 'ulimit -n 6; "$@"' bash "${TARE_PROGRAM:-$TARE}" --root "$ROOT" mounts add "$ID" "$WORK/mounts.json"
	[ "$(wc -l <<<"$output")" = 1 ]
	[ -z "$(line_of /x)" ]
}

@test "an added mount has the ids of the container's user namespace, and its root cannot clear the flags of the source" {
	end_watch
	first=100000
	[ "${TARE_AS:-}" != userns ] || first=1000
	config --argjson first "$first" 'if .linux.uidMappings then . else .linux.namespaces+=[{"type":"user"}]
		| .linux.uidMappings=[{"containerID":0,"hostID":$first,"size":1000}] | .linux.gidMappings=.linux.uidMappings end'
	begin chowned
	mkdir "$WORK/volume/read-only" && mount -t tmpfs -o ro none "$WORK/volume/read-only"
	document '[{destination:"/x",type:"bind",source:($v+"/read-only"),options:["bind"]},
		{destination:"/t",type:"tmpfs",source:"tmpfs"}]'
	add
	[ "$(in_container stat -c %u /t)" = 0 ]
	in_container touch /t/file
	tare exec --cap CAP_SYS_ADMIN "$ID" mount -o remount,bind,ro /t
	run ! tare exec --cap CAP_SYS_ADMIN "$ID" mount -o remount,bind,rw /x
	[[ "$(line_of /x)" == *" ro,"* ]]
	remove
	[ -z "$(line_of /x)$(line_of /t)" ]
	umount "$WORK/volume/read-only"
	watch_mounts
}

@test "idmapped mounts are added with their own mapping or with that of the configuration" {
	config '.linux.namespaces+=[{"type":"user"}]
		| .linux.uidMappings=[{"containerID":0,"hostID":100000,"size":65536}] | .linux.gidMappings=.linux.uidMappings'
	begin chowned
	document '[{destination:"/i",type:"bind",source:$v,options:["bind","idmap"]},
		{destination:"/j",type:"bind",source:$v,options:["bind","idmap=uids=0-100007-1;gids=0-100007-1"]}]'
	run tare mounts add "$ID" "$WORK/mounts.json"
	[[ "$output" != *"does not support"* ]] || host_lacks "idmapped mounts of this file system"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	[ "$(in_container stat -c %u /i/file)" = 0 ]
	[ "$(in_container stat -c %u /j/file)" = 7 ]
}

@test "an add that a signal interrupts has made all mounts or none" {
	begin
	document '[range(60)|{destination:("/m/"+tostring),type:"tmpfs",source:"tmpfs"}]'
	for delay in 0.02 0.05 0.1 0.15 0.2 0.3 0.5 1; do
		"$TARE" --root "$ROOT" mounts add "$ID" "$WORK/mounts.json" 2>"$WORK/add.err" 3>&- &
		adder=$!
		sleep "$delay"
		kill -TERM "$adder" 2>/dev/null || true
		status=0
		wait "$adder" || status=$?
		count=$(in_container grep -c " /m/" /proc/self/mountinfo || true)
		[ "$count" = $((status == 0 ? 60 : 0)) ] || { echo "status $status, $count mounts: $(cat "$WORK/add.err")"; return 1; }
		[ "$status" != 0 ] || remove
	done
}
