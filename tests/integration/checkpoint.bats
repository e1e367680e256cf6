# SPDX-License-Identifier: Apache-2.0
load helpers

# A program that adds a growing number to a file. A restored one continues the list; one that was started again would
# begin a new one.
start_counter() { # [flags of create]
	script 'i=0; while :; do i=$((i+1)); echo $i >>/count; usleep 20000; done'
	config --arg p "$(named_path "$ID")" '.linux.cgroupsPath=$p'
	create "$@" "$ID" || { cat "$WORK/err"; return 1; }
	tare start "$ID"
	wait_for '[ "$(count)" -gt 5 ]'
}

count() {
	local n
	n=$(tail -n 1 "$BUNDLE/rootfs/count" 2>/dev/null)
	echo "${n:-0}"
}

# Whether all numbers are in the file once, in their order.
has_continued() {
	cp "$BUNDLE/rootfs/count" "$WORK/counted"
	[ "$(cat "$WORK/counted")" = "$(seq "$(wc -l <"$WORK/counted")")" ] || { echo "not continued:"; cat "$WORK/counted"; return 1; }
}

needs_criu() {
	command -v criu >/dev/null || not_here "criu is not installed"
	unshare -m criu check >/dev/null 2>&1 || host_lacks "criu cannot work with this kernel"
}

checkpoint() {
	run tare checkpoint --image-path "$WORK/images" --work-path "$WORK" "$@" "$ID"
	[ "$status" = 0 ] && [ -z "$output" ] || { echo "$status $output"; cat "$WORK"/*.log; return 1; }
}

restore() { # [flags]
	tare restore --bundle "$BUNDLE" --image-path "$WORK/images" --work-path "$WORK" --detach "$@" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- ||
		{ cat "$WORK/err" "$WORK"/*.log; return 1; }
}

# What a process of the container has: its mounts, without the numbers of mounts and devices, and its rights.
surroundings() { # PID
	awk '{ o = $6; f = ""; for (i = 7; i <= NF; i++) if ($i == "-") f = $(i + 1); print $5, o, f }' "/proc/$1/mountinfo" | sort
	grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' "/proc/$1/status"
	grep -E 'open files|core file' "/proc/$1/limits"
	cat "/proc/$1/oom_score_adj" "/proc/$1/cgroup"
	# Namespaces that are not the host's.
	for ns in cgroup ipc mnt net pid user uts; do
		[ "$(readlink "/proc/$1/ns/$ns")" = "$(readlink "/proc/self/ns/$ns")" ] || echo "own $ns"
	done
}

# A criu that writes its arguments, one in a line, and then does what the script says.
fake_criu() { # SCRIPT
	mkdir -p "$WORK/bin"
	printf '#!/bin/sh\n[ "$1" != --version ] || { echo "Version: %s"; exit; }\nprintf "%%s\\n" "$@" >"%s/args"\n%s\n' \
		"${VERSION:-4.1}" "$WORK" "$1" >"$WORK/bin/criu"
	chmod +x "$WORK/bin/criu"
	export PATH=$WORK/bin:$PATH
}

has_args() { # ARGUMENT... (which follow each other)
	local all
	all=$'\n'$(cat "$WORK/args")$'\n'
	[[ "$all" == *$'\n'"$(printf '%s\n' "$@")"$'\n'* ]] || { printf 'no %s in:%s' "$*" "$all"; return 1; }
}

@test "a restored container continues, with the same mounts, rights, limits and namespaces" {
	needs_criu
	config '.process.rlimits=[{type:"RLIMIT_NOFILE",soft:100,hard:200}] | .process.noNewPrivileges=true |
		.process.capabilities.bounding=["CAP_KILL"] | .process.capabilities.effective=["CAP_KILL"] |
		.process.capabilities.permitted=["CAP_KILL"] | .process.oomScoreAdj=300 |
		.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",architectures:["SCMP_ARCH_X86_64","SCMP_ARCH_AARCH64"],syscalls:[{names:["mkdir"],action:"SCMP_ACT_ERRNO"}]}'
	mkdir "$WORK/data"
	config --arg d "$WORK/data" '.mounts+=[{destination:"/ro",source:$d,type:"bind",options:["bind","ro","nosuid"]},
		{destination:"/rw",source:$d,type:"bind",options:["bind","nodev"]}]'
	start_counter
	before=$(surroundings "$(pid_of "$ID")")
	first=$(pid_of "$ID")
	checkpoint
	# The container is gone, and its images exist.
	run -1 tare state "$ID"
	[[ "$output" == *"does not exist"* ]]
	[ ! -e "$(named_dir "$ID")" ]
	[ -s "$WORK/images/inventory.img" ]
	seen=$(count)
	restore --pid-file "$WORK/pid" "$ID"
	[ ! -s "$WORK/err" ] || { cat "$WORK/err"; return 1; }
	[ "$(status_of "$ID")" = running ]
	[ "$(cat "$WORK/pid")" = "$(pid_of "$ID")" ]
	wait_for '[ "$(count)" -gt "$((seen + 3))" ]'
	has_continued
	after=$(surroundings "$(pid_of "$ID")")
	[ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); return 1; }
	run -0 tare exec "$ID" sh -c 'echo $$ >/rw/from; cat /proc/1/comm; touch /ro/x; true'
	[[ "$output" == sh*"Read-only file system"* ]]
	[ -s "$WORK/data/from" ]
	tare kill "$ID" KILL
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	tare delete "$ID"
	[ ! -e "$(named_dir "$ID")" ]
}

@test "--leave-running: the container continues, and the images are restored twice, from another bundle path" {
	needs_criu
	start_counter
	checkpoint --leave-running
	[ "$(status_of "$ID")" = running ]
	now=$(count)
	wait_for '[ "$(count)" -gt "$now" ]'
	# A second checkpoint of the same container.
	run -0 tare checkpoint --leave-running --image-path "$WORK/second" "$ID"
	tare delete --force "$ID"
	mv "$BUNDLE" "$WORK/moved"
	BUNDLE=$WORK/moved
	for id in "$ID" "$ID.2"; do
		config --arg p "$(named_path "$id")" '.linux.cgroupsPath=$p'
		counted=$(wc -l <"$BUNDLE/rootfs/count")
		restore "$id"
		[ "$(status_of "$id")" = running ]
		wait_for '[ "$(wc -l <"$BUNDLE/rootfs/count")" -gt "$counted" ]'
		# It continues from the images, and not from the beginning.
		[ "$(sed -n "$((counted + 1))p" "$BUNDLE/rootfs/count")" -gt 5 ]
	done
	tare delete --force "$ID" && tare delete --force "$ID.2"
}

@test "--pre-dump and --parent-path" {
	needs_criu
	start_counter
	if ! unshare -m criu check --feature mem_dirty_track >/dev/null 2>&1; then host_lacks "the kernel does not track memory"; fi
	run -0 tare checkpoint --pre-dump --image-path "$WORK/pre" "$ID"
	[ "$(status_of "$ID")" = running ]
	checkpoint --parent-path ../pre
	[ "$(readlink "$WORK/images/parent")" = ../pre ]
	now=$(count)
	restore "$ID"
	wait_for '[ "$(count)" -gt "$now" ]'
}

@test "a paused container is written and restored" {
	needs_criu
	start_counter
	tare pause "$ID"
	checkpoint
	now=$(count)
	restore "$ID"
	wait_for '[ "$(count)" -gt "$now" ]'
}

@test "descriptors: files and pipes of the caller are replaced by those of the restore" {
	needs_criu
	script 'i=0; while :; do i=$((i+1)); echo out$i; echo err$i >&2; usleep 20000; done'
	mkfifo "$WORK/pipe"
	cat "$WORK/pipe" >"$WORK/first.out" 3>&- &
	reader=$!
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/pipe" 2>"$WORK/errors" 3>&-
	wait_for '[ -s "$WORK/first.out" ] && [ -s "$WORK/errors" ]'
	checkpoint
	wait $reader
	last=$(tail -n 1 "$WORK/first.out")
	cat "$WORK/pipe" >"$WORK/second.out" 3>&- &
	reader=$!
	tare restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID" </dev/null >"$WORK/pipe" 2>>"$WORK/errors" 3>&- ||
		{ cat "$WORK/errors" "$WORK"/images/restore.log; return 1; }
	lines=$(wc -l <"$WORK/errors")
	wait_for '[ -s "$WORK/second.out" ] && [ "$(wc -l <"$WORK/errors")" -gt "$lines" ]'
	tare delete --force "$ID"
	wait $reader
	[ "$(head -n 1 "$WORK/second.out")" = "out$((${last#out} + 1))" ]
	run ! grep -v '^out' "$WORK/second.out"
	# A file continues where it ended.
	run ! grep -v '^err' "$WORK/errors"
	[ "$(wc -l <"$WORK/errors")" = "$(sort -u "$WORK/errors" | wc -l)" ]
}

@test "in the foreground restore has the status of the program, and removes the container" {
	needs_criu
	script 'while [ ! -e /go ]; do usleep 20000; done; exit 7'
	tare create -b "$BUNDLE" "$ID" </dev/null 3>&- > >(cat >"$WORK/out") 2>&1
	tare start "$ID"
	checkpoint
	touch "$BUNDLE/rootfs/go"
	run tare restore -b "$BUNDLE" --image-path "$WORK/images" "$ID" </dev/null
	[ "$status" = 7 ] && [ -z "$output" ] || { echo "$status $output"; cat "$WORK"/images/restore.log; return 1; }
	run -1 tare state "$ID"
}

@test "a container in a user namespace with id maps" {
	needs_criu
	config '.linux.namespaces+=[{type:"user"}] | .linux.uidMappings=[{containerID:0,hostID:100000,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	chmod 755 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	# Only files that root of the container may open can be restored.
	script 'i=0; while :; do i=$((i+1)); echo $i >>/count; usleep 20000; done'
	config --arg p "$(named_path "$ID")" '.linux.cgroupsPath=$p'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >/dev/null 2>&1 3>&-
	wait_for '[ "$(count)" -gt 5 ]'
	before=$(surroundings "$(pid_of "$ID")")
	checkpoint
	now=$(count)
	tare restore -b "$BUNDLE" --image-path "$WORK/images" -d "$ID" </dev/null >/dev/null 2>&1 3>&- || { cat "$WORK/images/restore.log"; return 1; }
	wait_for '[ "$(count)" -gt "$now" ]'
	after=$(surroundings "$(pid_of "$ID")")
	[ "$before" = "$after" ] || { diff <(echo "$before") <(echo "$after"); return 1; }
	grep -q '^ *0 *100000 *65536$' "/proc/$(pid_of "$ID")/uid_map"
}

@test "a network namespace that the configuration names is joined again" {
	needs_criu
	unshare -n sleep 1000 3>&- &
	holder=$!
	wait_for '[ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]'
	config --arg p "/proc/$holder/ns/net" '(.linux.namespaces[]|select(.type=="network")).path=$p'
	start_counter
	checkpoint
	restore "$ID"
	joined=$(readlink "/proc/$(pid_of "$ID")/ns/net")
	held=$(readlink "/proc/$holder/ns/net")
	kill $holder
	[ "$joined" = "$held" ]
}

@test "a root file system without the mount points gets them" {
	needs_criu
	mkdir "$WORK/data"
	echo hello >"$WORK/file"
	config --arg d "$WORK/data" --arg f "$WORK/file" '.mounts+=[{destination:"/a/b",source:$d,type:"bind",options:["bind"]},
		{destination:"/etc/some/file",source:$f,type:"bind",options:["bind","ro"]}]'
	start_counter
	checkpoint
	rm -r "$BUNDLE/rootfs/a" "$BUNDLE/rootfs/etc/some" "$BUNDLE/rootfs/proc"
	restore "$ID"
	run -0 tare exec "$ID" cat /etc/some/file
	[ "$output" = hello ]
	[ -d "$BUNDLE/rootfs/a/b" ]
}

@test "hooks: createRuntime, poststart and poststop run; the state has the pid of the restored init" {
	needs_criu
	start_counter
	checkpoint
	printf '#!/bin/sh\njq -r "[.status,.pid]|@tsv" >>"%s/hooks.$1"\n' "$WORK" >"$WORK/hook"
	chmod +x "$WORK/hook"
	config --arg h "$WORK/hook" '.hooks={createRuntime:[{path:$h,args:["h","create"]}],poststart:[{path:$h,args:["h","start"]}],poststop:[{path:$h,args:["h","stop"]}]}'
	restore --pid-file "$WORK/pid" "$ID"
	pid=$(cat "$WORK/pid")
	tare delete --force "$ID"
	[ "$(cat "$WORK/hooks.create")" = $'creating\t'"$pid" ]
	[ "$(cat "$WORK/hooks.start")" = $'running\t'"$pid" ]
	[ "$(cut -f1 "$WORK/hooks.stop")" = stopped ]
}

@test "a terminal: --console-socket gets the master of the restored one" {
	needs_criu
	config '.process.terminal=true'
	script 'while read line; do echo "got $line"; done'
	# Receives the master of a terminal, writes a line to it, and copies what it reads.
	cat >"$WORK/console.py" <<'P'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
peer, _ = server.accept()
_, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
if len(sys.argv) > 3:
    os.write(fd, sys.argv[3].encode() + b"\n")
with open(sys.argv[2], "wb", buffering=0) as out:
    while True:
        try:
            block = os.read(fd, 1000)
        except OSError:
            break
        if not block:
            break
        out.write(block)
P
	python3 "$WORK/console.py" "$WORK/socket" "$WORK/first" 3>&- &
	reader=$!
	wait_for '[ -S "$WORK/socket" ]'
	create --console-socket "$WORK/socket" "$ID"
	tare start "$ID"
	checkpoint --shell-job
	wait $reader
	python3 "$WORK/console.py" "$WORK/socket2" "$WORK/second" hello 3>&- &
	reader=$!
	wait_for '[ -S "$WORK/socket2" ]'
	restore --console-socket "$WORK/socket2" --shell-job "$ID"
	wait_for 'grep -q "got hello" "$WORK/second"'
	tare delete --force "$ID"
	wait $reader
}

@test "what the configuration does not have any more is an error, and nothing is left" {
	needs_criu
	mkdir "$WORK/data"
	config --arg d "$WORK/data" '.mounts+=[{destination:"/data",source:$d,type:"bind",options:["bind"]}]'
	start_counter
	checkpoint
	config 'del(.mounts[]|select(.destination=="/data"))'
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: restore $ID: /mounts: cannot restore the mount at '/data': the configuration does not have it" ] || { echo "$output"; return 1; }
	run -1 tare state "$ID"
	[ ! -e "$(named_dir "$ID")" ]
}

@test "errors: status of the container, directories, images of others" {
	fake_criu 'exit 0'
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: container does not exist" ]
	config '.process.args=["true"]'
	create "$ID"
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot checkpoint a container in the created state" ]
	tare start "$ID"
	wait_for '[ "$(status_of "$ID")" = stopped ]'
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot checkpoint a container in the stopped state" ]
	tare delete "$ID"
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/absent" "$ID"
	[ "$output" = "tare: restore $ID: cannot open directory '$WORK/absent': no such file or directory" ] || { echo "$output"; return 1; }
	mkdir "$WORK/empty"
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/empty" "$ID"
	[ "$output" = "tare: restore $ID: cannot read '$WORK/empty/tare-externals': no such file or directory (only a checkpoint that tare has written can be restored)" ] || { echo "$output"; return 1; }
	echo 'version 1' >"$WORK/empty/tare-externals"
	echo 'mount' >>"$WORK/empty/tare-externals"
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/empty" "$ID"
	[ "$output" = "tare: restore $ID: '$WORK/empty/tare-externals' is damaged: bad message" ] || { echo "$output"; return 1; }
	run -1 tare state "$ID"
}

@test "a filter of which a recorder answers the calls is refused, since its answers would be lost" {
	fake_criu 'exit 0'
	config '.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:["mkdir"],action:"SCMP_ACT_ERRNO"}]}'
	cp "$BUNDLE/config.json" "$WORK/plain.json"
	config --arg f "$WORK/denied" '.annotations={"org.tare.denied":$f}'
	start_counter
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: /linux/seccomp: cannot checkpoint a container of which an agent or a recorder answers system calls: criu cannot (create it without SCMP_ACT_NOTIFY, org.tare.denied and a report)" ] || { echo "$output"; return 1; }
	[ "$(status_of "$ID")" = running ]
	[ ! -e "$WORK/images" ]
	tare delete --force "$ID"
	mkdir "$WORK/images"
	echo 'version 1' >"$WORK/images/tare-externals"
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: restore $ID: /linux/seccomp: cannot restore a container of which an agent or a recorder answers system calls: criu cannot" ] || { echo "$output"; return 1; }
	run -1 tare state "$ID"
	# A filter alone is no obstacle.
	cp "$WORK/plain.json" "$BUNDLE/config.json"
	start_counter
	checkpoint --leave-running
}

@test "a mount that was added is refused by its path, until it is removed or unmounted by the container" {
	fake_criu 'exit 0'
	start_counter
	mkdir "$WORK/volume"
	jq -n --arg v "$WORK/volume" '[{destination:"/added",type:"bind",source:$v,options:["bind"]},{destination:"/memory",type:"tmpfs",source:"tmpfs"}]' >"$WORK/mounts.json"
	tare mounts add "$ID" "$WORK/mounts.json"
	for path in /added /memory; do
		run -1 tare checkpoint --image-path "$WORK/images" "$ID"
		[ "$output" = "tare: checkpoint $ID: cannot checkpoint the mount that was added at '$path': a restored container has only those of its configuration (remove it before: tare mounts remove)" ] || { echo "$output"; return 1; }
		[ "$(status_of "$ID")" = running ]
		[ ! -e "$WORK/images/tare-externals" ]
		nsenter --mount="/proc/$(tare state "$ID" | jq .pid)/ns/mnt" umount "$path"
	done
	tare mounts add "$ID" "$WORK/mounts.json"
	tare mounts remove "$ID" "$WORK/mounts.json"
	checkpoint --leave-running
	! grep added "$WORK/args" || { cat "$WORK/args"; return 1; }
}

@test "a root in memory is refused" {
	fake_criu 'exit 0'
	config '.annotations={"org.tare.root":"overlay"}'
	config --arg p "$(named_path "$ID")" '.linux.cgroupsPath=$p | .process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: /annotations/org.tare.root: cannot checkpoint a container with a root in memory" ] || { echo "$output"; return 1; }
	tare delete --force "$ID"
	mkdir -p "$WORK/images"
	echo 'version 1' >"$WORK/images/tare-externals"
	for root in overlay tmpfs; do
		config --arg r $root '.annotations={"org.tare.root":$r} | if $r == "tmpfs" then .root.path="none" | .mounts|=map(select(.type!="bind")) else . end'
		run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID"
		[ "$output" = "tare: restore $ID: /annotations/org.tare.root: cannot restore a container with a root in memory" ] || { echo "$output"; return 1; }
	done
}

@test "errors: criu is absent, too old, or fails: its log is quoted, and the container continues" {
	start_counter
	mkdir "$WORK/without"
	run -1 env PATH="$WORK/without" "$TARE" --root "$ROOT" checkpoint "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot use criu: it is not installed (install criu 3.17 or newer, in a directory of PATH)" ] || { echo "$output"; return 1; }
	VERSION=3.16.1 fake_criu 'exit 0'
	run -1 tare checkpoint --image-path "$WORK/images" "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot use criu: its version is too old (install criu 3.17 or newer, in a directory of PATH)" ] || { echo "$output"; return 1; }
	fake_criu 'while [ "$1" != --work-dir ]; do shift; done; printf "(00.1) Error (criu/util.c:1): rlimit: Can'"'"'t setup RLIMIT_NOFILE for self\n(00.2) Error (criu/mount.c:7): mnt: the cause\n(00.3) Error (criu/cr-dump.c:9): Dumping FAILED.\n" >"$2/dump.log"; exit 1'
	run -1 tare checkpoint --image-path "$WORK/images" --work-path "$WORK" "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot checkpoint the container: criu: mnt: the cause (the whole log is $WORK/dump.log)" ] || { echo "$output"; return 1; }
	fake_criu 'echo "no such option" >&2; exit 1'
	run -1 tare checkpoint --image-path "$WORK/images" --work-path "$WORK" "$ID"
	[ "$output" = "tare: checkpoint $ID: cannot checkpoint the container: criu: no such option" ] || { echo "$output"; return 1; }
	[ "$(status_of "$ID")" = running ]
	now=$(count)
	wait_for '[ "$(count)" -gt "$now" ]'
	# A restore that fails leaves nothing.
	echo 'version 1' >"$WORK/images/tare-externals"
	config --arg p "$(named_path "$ID.2")" '.linux.cgroupsPath=$p'
	run -1 tare restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID.2"
	[ "$output" = "tare: restore $ID.2: cannot restore the container: criu: no such option" ] || { echo "$output"; return 1; }
	run -1 tare state "$ID.2"
	[ ! -e "$(named_dir "$ID.2")" ]
}

@test "each flag of checkpoint and restore reaches criu" {
	start_counter
	fake_criu 'exit 0'
	checkpoint --leave-running --tcp-established --tcp-skip-in-flight --tcp-close --ext-unix-sk --file-locks --shell-job --link-remap \
		--auto-dedup --parent-path ../pre --manage-cgroups-mode soft --network-lock nftables --empty-ns net --page-server 127.0.0.1:1234 \
		--lazy-pages --status-fd 1
	has_args dump --images-dir "$WORK/images" --work-dir "$WORK" --log-file dump.log
	for flag in --leave-running --tcp-established --skip-in-flight --tcp-close --ext-unix-sk --file-locks --shell-job --link-remap \
		--auto-dedup --track-mem --prev-images-dir=../pre --manage-cgroups=soft --lazy-pages --status-fd=1; do
		has_args "$flag"
	done
	has_args --network-lock nftables
	has_args --empty-ns net
	has_args --page-server --address 127.0.0.1 --port 1234
	has_args --tree "$(pid_of "$ID")"
	grep -qx 'mnt\[/proc/keys\]:tare-[0-9]*' "$WORK/args"
	# Engines pass long flags with one dash, too.
	config --arg p "$(named_path "$ID.2")" '.linux.cgroupsPath=$p'
	run tare restore --bundle "$BUNDLE" -image-path "$WORK/images" -work-path "$WORK" -no-subreaper -d --tcp-established --ext-unix-sk \
		--file-locks --shell-job --manage-cgroups-mode full --lsm-profile apparmor:x --lsm-mount-context c:d "$ID.2"
	[ "$status" = 1 ] || { echo "$status $output"; return 1; }
	has_args restore --images-dir "$WORK/images" || { echo "$output"; return 1; }
	for flag in --restore-detached --restore-sibling --tcp-established --ext-unix-sk --file-locks --shell-job --manage-cgroups=full \
		--lsm-profile=apparmor:x --lsm-mount-context=c:d; do
		has_args "$flag"
	done
	# It has made no process.
	[ "$output" = "tare: restore $ID.2: cannot read the pid of the restored process: no such file or directory" ] || { echo "$output"; return 1; }
	run -1 tare checkpoint --page-server nonsense "$ID"
	[[ "$output" == *"invalid value 'nonsense' for flag --page-server: must be ADDRESS:PORT"* ]]
}

@test "a configuration file of criu: by annotation" {
	config '.annotations={"org.criu.config":"/tmp/criu.conf"}'
	start_counter
	fake_criu 'exit 0'
	checkpoint --leave-running
	has_args --config /tmp/criu.conf
}

@test "engines probe the flags" {
	run -0 tare checkpoint --help
	[[ "$output" == *--leave-running* ]]
	run -1 tare restore --lsm-mount-context
	[[ "$output" == *"flag needs an argument"* ]]
}

@test "a checkpoint of a tare that is killed: delete --force removes the container" {
	start_counter
	fake_criu 'echo $$ >"'"$WORK"'/criu.pid"; exec sleep 1000'
	"$TARE" --root "$ROOT" checkpoint --image-path "$WORK/images" "$ID" 3>&- &
	tare=$!
	wait_for '[ -s "$WORK/criu.pid" ]'
	kill -KILL $tare
	wait $tare || true
	[ "$(status_of "$ID")" = running ]
	run -0 tare delete --force "$ID"
	kill "$(cat "$WORK/criu.pid")"
	[ ! -e "$(named_dir "$ID")" ]
}

@test "a restore of a tare that is killed: delete --force removes what there is" {
	start_counter
	fake_criu 'exit 0'
	checkpoint
	fake_criu 'echo $$ >"'"$WORK"'/criu.pid"; exec sleep 1000'
	"$TARE" --root "$ROOT" restore -d -b "$BUNDLE" --image-path "$WORK/images" "$ID" 3>&- &
	tare=$!
	wait_for '[ -s "$WORK/criu.pid" ]'
	kill -KILL $tare
	wait $tare || true
	run -0 tare delete --force "$ID"
	wait_for 'has_died "$(cat "$WORK/criu.pid")"'
	[ ! -e "$(named_dir "$ID")" ]
}
