# SPDX-License-Identifier: Apache-2.0
# Processes that share a pid namespace with what the runtime starts, and have the same ids and capabilities.
load helpers

# $ID is the container of the thief. The other containers start in its pid namespace.
thief() {
	cp "$TOOLS/thief" "$BUNDLE/rootfs/bin/thief"
	config '.process.args=["thief","/tmp/seen"] | .process.noNewPrivileges=true'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ -e "$BUNDLE/rootfs/tmp/seen" ]'
}

caught_nothing() {
	: >"$BUNDLE/rootfs/tmp/stop"
	wait_for 'grep -q ^end "$BUNDLE/rootfs/tmp/seen"'
	grep -q ^met "$BUNDLE/rootfs/tmp/seen" || { echo "the thief met no process"; return 1; }
	! grep ^took "$BUNDLE/rootfs/tmp/seen"
}

@test "a container that starts in the pid namespace of another one discloses nothing of the host" {
	thief
	mkdir "$WORK/victim"
	ln -s "$BUNDLE/rootfs" "$WORK/victim/rootfs"
	jq --arg p "/proc/$(pid_of "$ID")/ns/pid" '.process.args=["true"] | .process.oomScoreAdj=100 |
		.linux.sysctl={"kernel.shmmax":"4096"} | (.linux.namespaces[]|select(.type=="pid")).path=$p' \
		"$BUNDLE/config.json" >"$WORK/victim/config.json"
	for _ in $(seq "$(rounds 150)"); do
		run -0 tare run -b "$WORK/victim" "$ID.victim"
	done
	caught_nothing
}

@test "also with its own user namespace" {
	chmod 711 "$WORK"
	thief
	mkdir "$WORK/victim"
	cp -a "$BUNDLE/rootfs" "$WORK/victim/rootfs"
	chown -R 100000:100000 "$WORK/victim/rootfs"
	jq --arg p "/proc/$(pid_of "$ID")/ns/pid" '.process.args=["true"] | .linux.namespaces+=[{type:"user"}] |
		.linux.uidMappings=[{containerID:0,hostID:100000,size:65536}] | .linux.gidMappings=.linux.uidMappings |
		.mounts|=map(select(.type!="proc" and .type!="sysfs")) | .linux.maskedPaths=[] | .linux.readonlyPaths=[] |
		(.linux.namespaces[]|select(.type=="pid")).path=$p' "$BUNDLE/config.json" >"$WORK/victim/config.json"
	for _ in $(seq "$(rounds 100)"); do
		run -0 tare run -b "$WORK/victim" "$ID.victim"
	done
	caught_nothing
}

@test "exec discloses nothing of the host, and believes no process but its own child" {
	thief
	for _ in $(seq "$(rounds 300)"); do
		run -0 tare exec "$ID" true
	done
	caught_nothing
}

# A startContainer hook that waits until another process has copied init's sockets.
held() { # ARGS of the program
	config '.process.args=$ARGS.positional | .hooks.startContainer=[{path:"/bin/sh",args:["sh","-c","touch /tmp/here; while [ ! -e /tmp/go ]; do sleep 0.05; done"]}]' --args "$@"
	create "$ID"
	timeout -k 1 "$HANGS" "$TARE" --root "$ROOT" start "$ID" </dev/null >"$WORK/start.out" 2>&1 3>&- &
	start=$!
	wait_for '[ -e "$BUNDLE/rootfs/tmp/here" ]'
	"$TOOLS/holder" "$(pid_of "$ID")" "$WORK/held" </dev/null >/dev/null 2>&1 3>&- &
	holder=$!
	wait_for '[ -s "$WORK/held" ]'
	[ "$(cat "$WORK/held")" -gt 0 ] || { kill "$holder"; not_here "pidfd_getfd is forbidden"; }
}

start_with_held_sockets() {
	rm -f "$BUNDLE/rootfs/tmp/go" "$BUNDLE/rootfs/tmp/here" "$WORK/held"
	held sleep 1
	touch "$BUNDLE/rootfs/tmp/go"
	status=0; wait "$start" || status=$?
	kill "$holder"
	[ "$status" -eq 0 ]
	tare delete --force "$ID"
}

@test "start returns when the program has run and exited, though another process keeps init's socket open" {
	# Less than start waits for a program that continues to run.
	sooner_than 8000 start_with_held_sockets
}

@test "start returns before the program exits, though another process keeps init's socket open" {
	held sleep 1000
	touch "$BUNDLE/rootfs/tmp/go"
	status=0; wait "$start" || status=$?
	kill "$holder"
	[ "$status" -eq 0 ]
	[ "$(status_of "$ID")" = running ]
}

@test "start fails if init is killed, though another process keeps its socket open" {
	held sleep 1000
	kill -KILL "$(pid_of "$ID")"
	status=0; wait "$start" || status=$?
	kill "$holder"
	[ "$status" -eq 1 ]
}
