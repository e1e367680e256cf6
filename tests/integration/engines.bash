# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Engines that call tare, or have tare in their containers. Each has its storage and sockets in the case's directory.
# They mount file systems in the case's mount namespace, so mounts are compared only at the end.

# Makes an image of busybox as a tar archive, with the programs that the filters are checked with.
image() {
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	watch_mounts ends
	cp "$TOOLS/probe" "$TOOLS/calls" "$BUNDLE/rootfs/bin/"
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
}

engine() {
	timeout 120 podman --root "$WORK/storage" --runroot "$WORK/run" --runtime "$TARE" --network-cmd-path /bin/false "$@"
}

with_podman() { # flags of podman
	command -v podman >/dev/null || host_lacks "no podman"
	image
	engine import -q "$WORK/image.tar" localhost/busybox >/dev/null
}

# Starts an engine's daemon in the background and waits until it is ready. On a busy emulated machine this takes
# minutes. It has failed if its process has disappeared.
begin_daemon() { # name, what succeeds when it is up, command and arguments
	local name=$1 up=$2 last=$((SECONDS + 600))
	shift 2
	"$@" >"$WORK/$name.log" 2>&1 3>&- &
	echo $! >"$WORK/$name.pid"
	until eval "$up" >/dev/null 2>&1; do
		if [ $SECONDS -ge $last ] || ! kill -0 $!; then
			tail -n 20 "$WORK/$name.log"
			return 1
		fi
		sleep 0.5
	done
}

end_daemon() { # name
	[ -e "$WORK/$1.pid" ] || return 0
	kill "$(cat "$WORK/$1.pid")" || true
	while [ -e "/proc/$(cat "$WORK/$1.pid")" ]; do sleep 0.2; done
}

# containerd gives a shim two and five seconds, which is too short for a busy emulated machine.
containerd_settings() { # [KEY]
	cat <<-END
		version = 2
		${1:-}
		root = "$WORK/containerd"
		state = "$WORK/containerd.run"
		[grpc]
		  address = "$WORK/containerd.sock"
		[timeouts]
		  "io.containerd.timeout.shim.cleanup" = "60s"
		  "io.containerd.timeout.shim.load" = "60s"
		  "io.containerd.timeout.shim.shutdown" = "60s"
		  "io.containerd.timeout.task.state" = "60s"
	END
}

# dockerd gives a containerd that it starts itself 15 seconds, which is too short as well, so it is started here.
begin_containerd() {
	containerd_settings 'disabled_plugins = ["io.containerd.grpc.v1.cri"]' >"$WORK/containerd.toml"
	begin_daemon containerd 'timeout 20 ctr -a "$WORK/containerd.sock" version' containerd -c "$WORK/containerd.toml"
}

with_docker() { # flags of dockerd
	command -v dockerd >/dev/null || host_lacks "no docker"
	image
	begin_containerd
	begin_daemon dockerd 'dockers version' dockerd --containerd "$WORK/containerd.sock" --data-root "$WORK/docker" \
		--exec-root "$WORK/docker.run" -p "$WORK/docker.pid" -H "unix://$WORK/docker.sock" \
		--add-runtime tare="$TARE" --bridge none --iptables=false --ip6tables=false "$@"
	dockers import "$WORK/image.tar" busybox >/dev/null
}

dockers() {
	timeout 120 docker -H "unix://$WORK/docker.sock" "$@"
}

end_engines() {
	[ ! -d "$WORK/storage" ] || engine rm -f -t 0 --all >/dev/null
	if [ -e "$WORK/docker.pid" ]; then
		docker -H "unix://$WORK/docker.sock" ps -aq | xargs -r docker -H "unix://$WORK/docker.sock" rm -f >/dev/null
	fi
	end_daemon dockerd
	end_daemon containerd
	unmount_work
}

teardown() {
	end_engines
	end_case
}
