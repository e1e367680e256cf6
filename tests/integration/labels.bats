# SPDX-License-Identifier: Apache-2.0
# AppArmor profiles and SELinux labels: what the kernel reports for the process, and errors if a label cannot be set.
load helpers

has_apparmor() {
	[ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]
}

has_selinux() {
	[ -e /sys/fs/selinux/enforce ]
}

needs_parser() {
	command -v apparmor_parser >/dev/null || not_here "needs apparmor_parser"
}

# Loads a profile that allows everything but reading /secret.
profile() { # NAME
	has_apparmor || host_lacks "AppArmor is not enabled"
	needs_parser
	printf 'profile %s flags=(attach_disconnected,mediate_deleted) {\n file,\n capability,\n network,\n mount,\n umount,\n pivot_root,\n ptrace,\n signal,\n unix,\n deny /secret r,\n}\n' "$1" >"$WORK/$1"
	apparmor_parser -Kr "$WORK/$1"
	echo "$1" >>"$WORK/profiles"
}

teardown() {
	while read -r name; do
		for id in $(tare list -q); do tare delete --force "$id"; done
		apparmor_parser -R "$WORK/$name"
	done < <(cat "$WORK/profiles" 2>/dev/null)
	end_case
}

@test "apparmorProfile confines the program and its children" {
	profile "$ID"
	echo hidden >"$BUNDLE/rootfs/secret"
	config --arg p "$ID" '.process.apparmorProfile=$p'
	inside 'cat /proc/self/attr/current; sh -c "cat /proc/self/attr/current"; cat /secret || echo denied'
	[ "${lines[0]}" = "$ID (enforce)" ]
	[ "${lines[1]}" = "$ID (enforce)" ]
	[[ "$output" == *"cat: can't open '/secret': Permission denied"*denied ]]
}

@test "a profile with no_new_privs, and as another user without capabilities" {
	profile "$ID"
	config --arg p "$ID" '.process.apparmorProfile=$p | .process.noNewPrivileges=true | .process.user={uid:1000,gid:1000} | .process.capabilities={}'
	inside 'cat /proc/self/attr/current; grep NoNewPrivs /proc/self/status'
	[ "${lines[0]}" = "$ID (enforce)" ]
	[ "${lines[1]}" = "NoNewPrivs:	1" ]
}

@test "a profile is set through the runtime's own procfs, even if another mount covers /proc" {
	profile "$ID"
	config --arg p "$ID" '.process.apparmorProfile=$p | .mounts|=map(if .destination=="/proc" then {destination:"/proc",type:"tmpfs",source:"tmpfs"} else . end) | .linux.maskedPaths=[] | .linux.readonlyPaths=[] | .process.args=["sleep","1000"]'
	mkdir -p "$BUNDLE/rootfs/proc/self/attr/apparmor"
	: >"$BUNDLE/rootfs/proc/self/attr/apparmor/exec"
	tare run -d -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&-
	[ "$(cat "/proc/$(pid_of "$ID")/attr/current")" = "$ID (enforce)" ]
	[ ! -s "$BUNDLE/rootfs/proc/self/attr/apparmor/exec" ]
}

@test "hooks of the runtime are not confined, hooks of the container are" {
	profile "$ID"
	config --arg p "$ID" --arg w "$WORK" '.process.apparmorProfile=$p | .process.args=["true"] |
		.hooks={createRuntime:[{path:"/bin/sh",args:["sh","-c",("cat /proc/self/attr/current >"+$w+"/runtime")]}],
			startContainer:[{path:"/bin/sh",args:["sh","-c","cat /proc/self/attr/current >/container"]}]}'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$(cat "$WORK/runtime")" = "$(cat /proc/self/attr/current)" ]
	[ "$(cat "$BUNDLE/rootfs/container")" = "$ID (enforce)" ]
}

@test "exec has the container's profile, or the one that it requests" {
	profile "$ID"
	profile "$ID-other"
	config --arg p "$ID" '.process.apparmorProfile=$p | .process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&-
	run -0 tare exec "$ID" cat /proc/self/attr/current
	[ "$output" = "$ID (enforce)" ]
	run -0 tare exec --user 1000 --no-new-privs "$ID" cat /proc/self/attr/current
	[ "$output" = "$ID (enforce)" ]
	run -0 tare exec --apparmor "" --process-label "" "$ID" cat /proc/self/attr/current
	[ "$output" = "$ID (enforce)" ]
	run -0 tare exec --apparmor "$ID-other" "$ID" cat /proc/self/attr/current
	[ "$output" = "$ID-other (enforce)" ]
	run -0 tare exec --apparmor unconfined "$ID" cat /proc/self/attr/current
	[ "$output" = unconfined ]
	jq --arg p "$ID-other" '.process | .args=["cat","/proc/self/attr/current"] | .apparmorProfile=$p' "$BUNDLE/config.json" >"$WORK/process.json"
	run -0 tare exec --process "$WORK/process.json" "$ID"
	[ "$output" = "$ID-other (enforce)" ]
	jq '.process | .args=["cat","/proc/self/attr/current"] | del(.apparmorProfile)' "$BUNDLE/config.json" >"$WORK/process.json"
	run -0 tare exec --process "$WORK/process.json" "$ID"
	[ "$output" = "$ID (enforce)" ]
}

@test "a profile in a user namespace" {
	profile "$ID"
	add_user_namespace
	config --arg p "$ID" '.process.apparmorProfile=$p'
	inside 'cat /proc/self/attr/current; cat /proc/self/uid_map'
	[ "${lines[0]}" = "$ID (enforce)" ]
	[[ "${lines[1]}" == *" $([ -n "${TARE_AS:-}" ] && echo 1000 || echo 100000) "* ]]
}

@test "the error for a profile that is not loaded names the command that loads it" {
	has_apparmor || host_lacks "AppArmor is not enabled"
	config '.process.apparmorProfile="there-is-no-such-profile"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/apparmorProfile: cannot set AppArmor profile 'there-is-no-such-profile' by \`/proc/self/attr/"*"exec\`: no such file or directory"*apparmor_parser* ]]
	run -1 tare state "$ID"
	config '.process.apparmorProfile=null | .process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&-
	run -255 tare exec --apparmor there-is-no-such-profile "$ID" true
	[[ "$output" == *"cannot set AppArmor profile 'there-is-no-such-profile'"* ]]
}

@test "without AppArmor a profile is an error, and unconfined is not" {
	! has_apparmor || skip "AppArmor is enabled"
	config '.process.apparmorProfile="some-profile"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/apparmorProfile: cannot set AppArmor profile 'some-profile' by \`/proc/self/attr/"*"AppArmor is not enabled on this host"* ]]
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/process/apparmorProfile: AppArmor is not enabled on this host"* ]]
	config '.process.apparmorProfile="unconfined" | .process.args=["echo","fine"]'
	run -0 tare run -b "$BUNDLE" "$ID"
	[ "$output" = fine ]
	run -0 tare check -b "$BUNDLE"
}

@test "without SELinux a label is an error" {
	! has_selinux || skip "SELinux is enabled"
	config '.process.selinuxLabel="system_u:system_r:container_t:s0"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/process/selinuxLabel: cannot set SELinux label 'system_u:system_r:container_t:s0' by \`/proc/self/attr/exec\`: "*" (SELinux is not enabled on this host)" ]]
	run -1 tare create --no-new-keyring -b "$BUNDLE" "$ID"
	[[ "$output" == *"by \`/proc/self/attr/exec\`: "* ]]
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/process/selinuxLabel: SELinux is not enabled on this host"* ]] || { echo "$output"; return 1; }
	config 'del(.process.selinuxLabel) | .process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	run -255 tare exec --process-label system_u:system_r:container_t:s0 "$ID" true
	[[ "$output" == *"/process/selinuxLabel: cannot set SELinux label 'system_u:system_r:container_t:s0' by \`/proc/self/attr/exec\`: "* ]]
	tare delete --force "$ID"
	config 'del(.process.selinuxLabel) | .linux.mountLabel="system_u:object_r:container_file_t:s0:c1,c2"'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/linux/mountLabel: cannot set option 'context=system_u:object_r:container_file_t:s0:c1,c2' of file system 'tmpfs'"* ]]
	run -1 tare check -b "$BUNDLE"
	[[ "$output" == *"/linux/mountLabel: SELinux is not enabled on this host"* ]]
	config 'del(.linux.mountLabel) | .process.args=["sleep","1000"]'
	tare run -d -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&-
	run -255 tare exec --process-label system_u:system_r:container_t:s0 "$ID" true
	[[ "$output" == *"cannot set SELinux label"* ]]
}

@test "run.oci.mount_context_type selects the option, and other values are refused" {
	config '.linux.mountLabel="a:b:c:s0" | .annotations={"run.oci.mount_context_type":"rootcontext"}'
	run -0 tare plan -b "$BUNDLE"
	[[ "$output" == *"rootcontext=a:b:c:s0"* ]]
	config '.annotations={"run.oci.mount_context_type":"bind"}'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"/annotations/run.oci.mount_context_type: 'bind' is none of context, fscontext, defcontext, rootcontext"* ]]
}

@test "the installed profile is in force for tare, and permits it user namespaces" {
	has_apparmor || host_lacks "AppArmor is not enabled"
	needs_parser
	[ -e /etc/apparmor.d/abi/4.0 ] || not_here "needs AppArmor 4"
	installed=$TOOLS/apparmor-profile
	[ -e "$installed" ] || installed=$TOOLS/../apparmor/tare
	apparmor_parser -Q -S "$installed" >/dev/null
	cp "${TARE_PROGRAM:-$TARE}" "$WORK/tare"
	sed "s|^profile tare [^ ]*|profile $ID $WORK/tare|" "$installed" >"$WORK/$ID"
	apparmor_parser -Kr "$WORK/$ID"
	echo "$ID" >>"$WORK/profiles"
	grep -qxF "$ID (unconfined)" /sys/kernel/security/apparmor/profiles
	chmod 755 "$WORK" "$BUNDLE"
	mkdir "$ROOT"
	rm "$BUNDLE/config.json"
	chown -R 65534:65534 "$ROOT" "$BUNDLE"
	as_nobody "$WORK/tare" spec --rootless -b "$BUNDLE"
	chmod 644 "$BUNDLE/config.json"
	config '.process.terminal=false | .process.args=["cat","/proc/self/attr/current"]'
	run -0 as_nobody "$WORK/tare" --root "$ROOT" run -b "$BUNDLE" "$ID"
	[ "$output" = "$ID (unconfined)" ] || { echo "$output"; return 1; }
}
