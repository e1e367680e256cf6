# SPDX-License-Identifier: Apache-2.0
# SELinux: what the kernel reports for processes, mounts and keys, and what an enforced policy denies. The policy is
# Debian's (selinux-policy-default): container_t is for a container's program, container_file_t for its files, and
# unconfined_t may start containers. SELinux is permissive except where a case enforces it.
load helpers

LABEL=system_u:system_r:container_t:s0:c1,c2
FILES=system_u:object_r:container_file_t:s0:c1,c2

selinux() {
	[ -e /sys/fs/selinux/enforce ] || skip "SELinux is not enabled"
	command -v runcon >/dev/null || not_here "needs runcon"
}

teardown() {
	[ ! -e /sys/fs/selinux/enforce ] || echo 0 >/sys/fs/selinux/enforce
	end_case
}

labelled() {
	config --arg label "$LABEL" '.process.selinuxLabel=$label | .process.args=["sleep","1000"]'
}

# The output of a container, without the NUL that the kernel appends to a label.
print_inside() { # script
	script "$1"
	tare run -b "$BUNDLE" "$ID" >"$WORK/output" 2>"$WORK/err" || { cat "$WORK/output" "$WORK/err"; return 1; }
	run tr -d '\0' <"$WORK/output"
}

execed() { # arguments of exec...
	tare exec "$@" >"$WORK/output" 2>"$WORK/err" || { cat "$WORK/err"; return 1; }
	[ "$(tr -d '\0' <"$WORK/output")" = "$expected" ] || { cat "$WORK/output"; return 1; }
}

start_labelled() {
	tare run -d -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&- || { cat "$WORK/out"; return 1; }
}

# The label of a path in the container, as seen from the host.
label_of() { # PATH
	stat -c %C "/proc/$(pid_of "$ID")/root$1"
}

# keyctl_get_security(3) of the container's session keyring, which only its possessors may read.
keyring_label() { # ID
	local name
	name=$(sed -n 's/^keyring //p' "$ROOT/$1/record")
	[ -n "$name" ]
	python3 - "$name" <<'P'
import ctypes, os, sys
number = {'x86_64': 250, 'aarch64': 219}[os.uname().machine]
text = ctypes.create_string_buffer(4096)
if ctypes.CDLL(None).syscall(number, 1, sys.argv[1].encode()) < 0:
    sys.exit('no keyring')
# A keyring that this call has created would have the default permissions.
if ctypes.CDLL(None).syscall(number, 6, -3, text, 4096) < 0 or b';3f080000;' not in text.value:
    sys.exit('no keyring of that name')
if ctypes.CDLL(None).syscall(number, 17, -3, text, 4096) < 0:
    sys.exit('no label')
print(text.value.decode())
P
}

@test "selinuxLabel is the label of the program and its children" {
	selinux
	labelled
	print_inside 'cat /proc/self/attr/current; echo; sh -c "cat /proc/self/attr/current"; echo; cat /proc/1/attr/current'
	[ "$output" = "$LABEL"$'\n'"$LABEL"$'\n'"$LABEL" ]
	config '.process.noNewPrivileges=true | .process.user={uid:1000,gid:1000} | .process.capabilities={}'
	print_inside 'cat /proc/self/attr/current; echo; grep NoNewPrivs /proc/self/status'
	[ "$output" = "$LABEL"$'\n'"NoNewPrivs:	1" ]
}

@test "the session keyring has the label of the program" {
	selinux
	labelled
	start_labelled
	[ "$(keyring_label "$ID")" = "$LABEL" ]
	config 'del(.process.selinuxLabel)'
	tare run -d -b "$BUNDLE" "$ID.without" >"$WORK/out" 2>&1 3>&-
	[ "$(keyring_label "$ID.without")" = "$(tr -d '\0' </proc/self/attr/current)" ]
}

@test "a label is set through the runtime's own procfs, even if another mount covers /proc" {
	selinux
	labelled
	config '.mounts|=map(if .destination=="/proc" then {destination:"/proc",type:"bind",source:"decoy",options:["bind"]} else . end) | .linux.maskedPaths=[] | .linux.readonlyPaths=[]'
	mkdir -p "$BUNDLE/decoy/self/attr" "$BUNDLE/decoy/thread-self/attr"
	: >"$BUNDLE/decoy/self/attr/exec"
	: >"$BUNDLE/decoy/self/attr/keycreate"
	cp -a "$BUNDLE/decoy/self/attr/." "$BUNDLE/decoy/thread-self/attr/"
	start_labelled
	[ "$(tr -d '\0' <"/proc/$(pid_of "$ID")/attr/current")" = "$LABEL" ]
	[ "$(keyring_label "$ID")" = "$LABEL" ]
	expected=
	execed --process-label "${LABEL%:*}:c3" "$ID" cat /proc/self/attr/exec
	[ -z "$(find "$BUNDLE/decoy" -type f -size +0)" ]
}

@test "hooks of the runtime have the runtime's label, hooks of the container have the container's" {
	selinux
	labelled
	config --arg w "$WORK" '.process.args=["true"] |
		.hooks={createRuntime:[{path:"/bin/sh",args:["sh","-c",("cat /proc/self/attr/current >"+$w+"/runtime")]}],
			startContainer:[{path:"/bin/sh",args:["sh","-c","cat /proc/self/attr/current >/container"]}]}'
	run -0 tare run -b "$BUNDLE" "$ID"
	cmp "$WORK/runtime" /proc/self/attr/current
	[ "$(tr -d '\0' <"$BUNDLE/rootfs/container")" = "$LABEL" ]
}

@test "exec has the container's label, or the one that it requests" {
	selinux
	labelled
	start_labelled
	expected=$LABEL
	execed "$ID" cat /proc/self/attr/current
	execed --user 1000 --no-new-privs "$ID" cat /proc/self/attr/current
	jq '.process | .args=["cat","/proc/self/attr/current"] | del(.selinuxLabel)' "$BUNDLE/config.json" >"$WORK/process.json"
	execed --process "$WORK/process.json" "$ID"
	expected=${LABEL%:*}:c3
	execed --process-label "$expected" "$ID" cat /proc/self/attr/current
	jq --arg label "$expected" '.process | .args=["cat","/proc/self/attr/current"] | .selinuxLabel=$label' "$BUNDLE/config.json" >"$WORK/process.json"
	execed --process "$WORK/process.json" "$ID"
}

@test "mountLabel is the label of mounts, and of files that are made there" {
	selinux
	labelled
	config --arg label "$FILES" '.linux.mountLabel=$label | .process.args=["sh","-c","touch /dev/shm/made && exec sleep 1000"]'
	start_labelled
	wait_for '[ -e "/proc/$(pid_of "$ID")/root/dev/shm/made" ]'
	for path in /dev /dev/shm /dev/shm/made /dev/pts /dev/mqueue /proc/acpi; do
		[ "$(label_of $path)" = "$FILES" ] || { echo "$path: $(label_of $path)"; return 1; }
	done
	[ "$(label_of /sys/fs/cgroup)" = system_u:object_r:cgroup_t:s0 ]
	[ "$(label_of /)" = "$(stat -c %C "$BUNDLE/rootfs")" ]
	[ "$(grep -cF "context=\"$FILES\"" "/proc/$(pid_of "$ID")/mountinfo")" -ge 4 ]
	tare delete --force "$ID"
	config '.annotations={"run.oci.mount_context_type":"rootcontext"}'
	start_labelled
	[ "$(label_of /dev/shm)" = "$FILES" ]
	run -0 grep -F " /dev/shm " "/proc/$(pid_of "$ID")/mountinfo"
	[[ "$output" == *",rootcontext=\"$FILES\""* ]]
}

@test "both labels in a user namespace" {
	selinux
	labelled
	chmod 711 "$WORK"
	chown -R 100000:100000 "$BUNDLE/rootfs"
	config --arg label "$FILES" '.linux.mountLabel=$label | .linux.namespaces+=[{type:"user"}] |
		.linux.uidMappings=[{containerID:0,hostID:100000,size:65536}] | .linux.gidMappings=.linux.uidMappings'
	start_labelled
	[ "$(tr -d '\0' <"/proc/$(pid_of "$ID")/attr/current")" = "$LABEL" ]
	[ "$(label_of /dev/shm)" = "$FILES" ]
	[ "$(label_of /dev/mqueue)" = "$FILES" ]
}

@test "a label that is unknown to the policy is an error that names the attribute, and leaves nothing" {
	selinux
	labelled
	config '.process.selinuxLabel="no_u:no_r:no_t:s0"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/selinuxLabel: cannot set SELinux label 'no_u:no_r:no_t:s0' by \`/proc/self/attr/exec\`: invalid argument"*"the loaded SELinux policy does not know the label"* ]]
	run -1 tare create --no-new-keyring -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/selinuxLabel: cannot set SELinux label 'no_u:no_r:no_t:s0' by \`/proc/self/attr/exec\`: invalid argument"* ]]
	config --arg label "$LABEL" '.process.selinuxLabel=$label | .linux.mountLabel="no_u:no_r:no_t:s0"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/mountLabel: cannot set option 'context=no_u:no_r:no_t:s0' of file system 'tmpfs': invalid argument"* ]]
	run -1 tare state "$ID"
	[ ! -e "$(cgroup_of "$ID")" ]
	[ -z "$(ls -A "$ROOT" | grep -F "$ID")" ]
	config 'del(.linux.mountLabel)'
	start_labelled
	run -255 tare exec --process-label no_u:no_r:no_t:s0 "$ID" true
	[[ "$output" == *"cannot set SELinux label 'no_u:no_r:no_t:s0' by \`/proc/self/attr/exec\`: invalid argument"* ]]
	[ "$(status_of "$ID")" = running ]
}

# The container's files get its label, except for one that containers may not read, and one with another container's
# label.
prepare_files() {
	labelled
	config --arg label "$FILES" '.linux.mountLabel=$label'
	script 'id; exec >/result 2>&1
		cat /proc/self/attr/current; echo; cat /own; cat /secret || echo denied; cat /foreign || echo denied; echo mine >/dev/shm/file && cat /dev/shm/file'
	echo own >"$BUNDLE/rootfs/own"
	echo secret >"$BUNDLE/rootfs/secret"
	echo foreign >"$BUNDLE/rootfs/foreign"
	: >"$BUNDLE/rootfs/result"
	chcon -R "$FILES" "$BUNDLE/rootfs"
	chcon system_u:object_r:shadow_t:s0 "$BUNDLE/rootfs/secret"
	chcon "${FILES%:*}:c3" "$BUNDLE/rootfs/foreign"
}

# Runs tare with a label that may start containers, while the policy is enforced.
enforced() { # arguments...
	echo 1 >/sys/fs/selinux/enforce
	status=0
	runcon unconfined_u:unconfined_r:unconfined_t:s0-s0:c0.c1023 "$TARE" --root "$ROOT" "$@" >"$WORK/out" 2>&1 </dev/null 3>&- || status=$?
	echo 0 >/sys/fs/selinux/enforce
	[ "$status" = 0 ] || { echo "status $status:"; cat "$WORK/out"; return 1; }
}

@test "the container cannot access what the policy denies to its label" {
	selinux
	prepare_files
	enforced run -b "$BUNDLE" "$ID"
	run -0 tr -d '\0' <"$BUNDLE/rootfs/result"
	[ "${lines[0]}" = "$LABEL" ]
	[ "${lines[1]}" = own ]
	[ "${lines[2]} ${lines[3]}" = "cat: can't open '/secret': Permission denied denied" ]
	[ "${lines[4]} ${lines[5]}" = "cat: can't open '/foreign': Permission denied denied" ]
	[ "${lines[6]}" = mine ]
	# The same for an exec.
	config '.process.args=["sleep","1000"]'
	enforced run -d -b "$BUNDLE" "$ID"
	enforced exec "$ID" sh -c 'exec >/result 2>&1; cat /own; cat /secret || echo denied; cat /foreign || echo denied'
	run -0 cat "$BUNDLE/rootfs/result"
	[ "$output" = $'own\ncat: can\'t open \'/secret\': Permission denied\ndenied\ncat: can\'t open \'/foreign\': Permission denied\ndenied' ]
	enforced delete --force "$ID"
	# If the policy is not enforced the files can be read.
	print_inside 'cat /secret /foreign; cat /proc/self/attr/current'
	[ "$output" = $'secret\nforeign\n'"$LABEL" ]
}

@test "a label that the caller is not permitted to set is an error, and nothing runs" {
	selinux
	prepare_files
	config '.process.args=["touch","/dev/shm/ran"]'
	create "$ID"
	echo 1 >/sys/fs/selinux/enforce
	run -1 tare start "$ID"
	[[ "$output" == *"/process/args: exec: \"touch\": permission denied"* ]]
	echo 0 >/sys/fs/selinux/enforce
	tare delete --force "$ID"
}

@test "podman gives a container labels of its own" {
	selinux
	command -v podman >/dev/null || not_here "needs podman"
	watch_mounts ends
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
	engine() {
		timeout 120 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$TARE" --network-cmd-path /bin/false "$@"
	}
	engine import -q "$WORK/image.tar" localhost/busybox >/dev/null
	engine run --rm --network none localhost/busybox cat /proc/self/attr/current >"$WORK/output"
	[[ "$(tr -d '\0' <"$WORK/output")" =~ ^system_u:system_r:container_t:s0:c[0-9]+,c[0-9]+$ ]] || { cat "$WORK/output"; return 1; }
	engine run --rm --network none localhost/busybox cat /proc/self/mountinfo >"$WORK/output"
	grep " /dev/shm " "$WORK/output" | grep -q 'context="system_u:object_r:container_file_t:s0:c[0-9]*,c[0-9]*"'
	unmount_work
}
