# SPDX-License-Identifier: Apache-2.0
# tare in a container of podman, with tare as the outer runtime, and of docker, with docker's own.
load helpers
load engines
ENGINE=engine

# A bundle without limits and device rules, which would need a cgroup.
nested_bundle() {
	chmod 755 "$WORK" "$BUNDLE"
	script 'id -u; ls -d /proc/[0-9]*'
	config '.linux.resources={}'
}

nested() { # flags of the engine's run --, flags of tare run
	local flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	run "$ENGINE" run --rm --network none -v "$TARE:/tare:ro" -v "$BUNDLE:/bundle" "${flags[@]}" busybox /tare --root /tmp/state run -b /bundle "${@:2}" inner
}

# The inner container's program prints its uid and the processes that it sees.
works() { # as of nested
	nested "$@"
	[ "$status $output" = $'0 0\n/proc/1' ] || { echo "$*: $status $output"; return 1; }
}

refused() { # error, flags as of nested
	nested "${@:2}"
	[ "$status" = 1 ] && [[ "$output" == *"$1"* ]] || { echo "${*:2}: $status $output"; return 1; }
}

USER_NAMESPACE='.linux.namespaces+=[{"type":"user"}] | .linux.uidMappings=[{"containerID":0,"hostID":0,"size":1}]
	| .linux.gidMappings=.linux.uidMappings'

@test "in a container of podman: privileged, or with all capabilities and without masks" {
	with_podman
	nested_bundle
	works --privileged --
	works --cap-add all --security-opt unmask=ALL --security-opt seccomp=unconfined --security-opt apparmor=unconfined --
	config "$USER_NAMESPACE"
	works --privileged --
	works --security-opt unmask=ALL --security-opt seccomp=unconfined --security-opt apparmor=unconfined --
}

@test "in a container of podman: the error names what prevents a start" {
	with_podman
	nested_bundle
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || skip "no AppArmor"
	refused "an unprivileged caller needs a user namespace (tare spec --rootless writes one)" --
	refused "/root/path: cannot attach root file system '/bundle/rootfs': permission denied (the AppArmor profile 'containers-default-" \
		--cap-add SYS_ADMIN --
	config "$USER_NAMESPACE"
	refused "cannot start init in its namespaces: permission denied (the AppArmor profile 'containers-default-" --
	refused " forbids a fresh one in a user namespace: --proc bind shows the caller's)" \
		--security-opt apparmor=unconfined --
}

# A sandbox in a container, with the flags of the engine up to "--".
sandboxed() { # STATUS flags of the engine's run -- arguments of sandbox
	local flags=() expected=$1
	shift
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	run "$ENGINE" run --rm --network none -v "$TARE:/tare:ro" "${flags[@]}" busybox /tare --root /dev/shm/state sandbox "${@:2}"
	[ "$status" = "$expected" ] || { echo "$*: $status $output"; return 1; }
}

@test "a sandbox in a container of podman: as root and as another user" {
	local confined=(--security-opt seccomp=unconfined --security-opt apparmor=unconfined)
	with_podman
	sandboxed 0 "${confined[@]}" --security-opt unmask=ALL -- -- sh -c 'id -u; ls -d /proc/[0-9]*; ls /bundle 2>&1 || true'
	[[ "$output" == $'65534\n/proc/1\n/proc/2\n'*"No such file"* ]] || { echo "$output"; return 1; }
	sandboxed 0 "${confined[@]}" --security-opt unmask=ALL --user 1000 -- -- id -u
	[ "$output" = 1000 ]
	sandboxed 125 "${confined[@]}" --user 1000 -- -- id -u
	[[ "$output" == *"--proc bind"*"--proc none"* ]] || { echo "$output"; return 1; }
	for user in 0 1000; do
		sandboxed 0 "${confined[@]}" --user $user -- --proc none --limits=best-effort --memory 64m --pids 10 -- id -u
		[ "$output" = "$((user == 0 ? 65534 : user))" ]
		sandboxed 0 "${confined[@]}" --user $user -- --proc bind -- sh -c 'cat /proc/self/comm'
		[ "$output" = cat ]
	done
}

OPEN=(--security-opt seccomp=unconfined --security-opt apparmor=unconfined)

@test "in a container of docker: privileged, or with all capabilities and without masks" {
	with_docker
	ENGINE=dockers
	nested_bundle
	works --privileged --
	works --cap-add ALL --security-opt systempaths=unconfined "${OPEN[@]}" --
	config "$USER_NAMESPACE"
	works --privileged --
	works --security-opt systempaths=unconfined "${OPEN[@]}" --
	# A sandbox, as root and as another user; without the unmasked /proc it gets none.
	sandboxed 0 --security-opt systempaths=unconfined "${OPEN[@]}" -- -- sh -c 'id -u; ls -d /proc/[0-9]*; ls /bundle 2>&1 || true'
	[[ "$output" == $'65534\n/proc/1\n/proc/2\n'*"No such file"* ]] || { echo "$output"; return 1; }
	run -0 dockers run --rm --network none -v "$TARE:/tare:ro" --user 1000 "${OPEN[@]}" busybox sh -c '/tare --root /dev/shm/state sandbox \
		--proc none --limits=best-effort --memory 256m --time-limit 30s --output-limit 1m --report-fd 3 \
		"--file=/code=id -u; ls /proc 2>/dev/null | wc -l" -- sh /code 3>/dev/shm/report; cat /dev/shm/report'
	[[ "$output" == $'1000\n0\n{'*'"cause":"exit"'* ]] || { echo "$output"; return 1; }
}

@test "in a container of docker: the error names what prevents a start" {
	with_docker
	ENGINE=dockers
	nested_bundle
	[ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || skip "no AppArmor"
	refused "an unprivileged caller needs a user namespace (tare spec --rootless writes one)" --
	refused "/root/path: cannot attach root file system '/bundle/rootfs': permission denied (the AppArmor profile 'docker-default" \
		--cap-add SYS_ADMIN --
	config "$USER_NAMESPACE"
	refused "cannot start init in its namespaces: operation not permitted (" --
	refused " forbids a fresh one in a user namespace: --proc bind shows the caller's)" \
		"${OPEN[@]}" --
}
