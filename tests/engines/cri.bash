# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A containerd with the interface for Kubernetes, and requests like those of a kubelet. It is started once for a file,
# with storage of its own and the runtime $RUNTIME, which is tare if it is not set. A check must mean the same for every
# runtime. What calls jq has filters in single quotes.
# shellcheck disable=SC2016

bats_require_minimum_version 1.5.0
load ../integration/helpers
load ../integration/engines
RUNTIME=${RUNTIME:-$TARE}

setup_file() {
	[ "$EUID" = 0 ] && [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || return 0
	need_engine >/dev/null 2>&1 || return 0
	# For all cases of the file, which are children of this process.
	enable -f "$TOOLS/ownmounts.so" own_mounts
	own_mounts
	WORK=$(mktemp -d)
	export WORK
	chmod 755 "$WORK"
	mkdir -p "$WORK/rootfs/bin" "$WORK/rootfs/etc" "$WORK/rootfs/tmp"
	chmod 1777 "$WORK/rootfs/tmp"
	cp /bin/busybox "$TOOLS/probe" "$WORK/rootfs/bin/"
	/bin/busybox --list | grep -vx busybox | (cd "$WORK/rootfs/bin" && xargs -n 1 ln -s busybox)
	echo 'root:x:0:0::/:/bin/sh' >"$WORK/rootfs/etc/passwd"
	tar -C "$WORK/rootfs" -cf "$WORK/image.tar" .
	begin_engine
}

teardown_file() {
	[ -n "${WORK:-}" ] || return 0
	end_engine
	unmount_work
	rm -rf --one-file-system "$WORK"
}

setup() {
	[ "$EUID" = 0 ] || not_here "needs root"
	need_engine
	[ -n "${WORK:-}" ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	CASE=$WORK/$BATS_TEST_NUMBER
	mkdir "$CASE"
	chmod 755 "$CASE"
}

teardown() {
	[ ! -e "${CASE:-/none}/begun" ] || remove_all
}

cri() {
	python3 "$BATS_TEST_DIRNAME/cri.py" "$@" 3>&-
}

# Calls a method, with a request that jq makes.
calls() { # METHOD [FLAGS OF JQ... FILTER [--args -- WORDS...]]
	local method=$1 request status answer
	shift
	request=$(jq -nc "${@:-{\}}")
	printf '%s %s\n' "$method" "$request" >"$WORK/requests"
	read -r -t 280 status answer <"$WORK/answers"
	if [ "$status" != 0 ]; then
		echo "$answer" >&2
		return 1
	fi
	printf '%s\n' "$answer"
}

need_engine() {
	command -v containerd >/dev/null || host_lacks "no containerd"
	python3 -c 'import grpc, google.protobuf' || host_lacks "no python3-grpcio"
	[ -e /usr/lib/cni/ptp ] || host_lacks "no containernetworking-plugins"
}

begin_engine() {
	export HANDLER=checked CRI_CACHE=$WORK SYSTEMD=false LIMITS=true
	local bare=false
	[ ! -d /run/systemd/system ] || SYSTEMD=true
	[[ "$(</sys/fs/cgroup/cgroup.controllers)" == *cpu*memory* ]] || { LIMITS=false && bare=true; }
	mkdir "$WORK/cni" "$WORK/cdi" "$WORK/apparmor"
	cat >"$WORK/cni/net.conflist" <<-END
		{"cniVersion": "0.4.0", "name": "checks", "plugins": [{"type": "ptp", "ipam":
		  {"type": "host-local", "subnet": "10.231.0.0/24", "dataDir": "$WORK/ipam"}}]}
	END
	cat >"$WORK/containerd.toml" <<-END
		version = 2
		root = "$WORK/containerd"
		state = "$WORK/containerd.run"
		[grpc]
		  address = "$WORK/containerd.sock"
		[timeouts]
		  "io.containerd.timeout.shim.cleanup" = "60s"
		  "io.containerd.timeout.shim.load" = "60s"
		  "io.containerd.timeout.shim.shutdown" = "60s"
		  "io.containerd.timeout.task.state" = "60s"
		[plugins."io.containerd.grpc.v1.cri"]
		  sandbox_image = "localhost/pause:1"
		  enable_cdi = true
		  cdi_spec_dirs = ["$WORK/cdi"]
		  disable_cgroup = $bare
		  restrict_oom_score_adj = $bare
		  [plugins."io.containerd.grpc.v1.cri".cni]
		    bin_dir = "/usr/lib/cni"
		    conf_dir = "$WORK/cni"
		# containerd 1.7 knows no default runtime without the section of runc.
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
		  runtime_type = "io.containerd.runc.v2"
		[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$HANDLER]
		  runtime_type = "io.containerd.runc.v2"
		  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.$HANDLER.options]
		    BinaryName = "$RUNTIME"
		    Root = "$WORK/runtime"
		    SystemdCgroup = $SYSTEMD
		[plugins."io.containerd.internal.v1.opt"]
		  path = "$WORK/opt"
	END
	cri archive "$WORK/images.tar" "$WORK/image.tar" localhost/pause:1 'trap exit TERM; while :; do sleep 1000 & wait; done' \
		localhost/busybox:1 'echo the image'
	mkfifo "$WORK/requests" "$WORK/answers"
	begin_daemon client true python3 "$BATS_TEST_DIRNAME/cri.py" serve "$WORK/containerd.sock" "$WORK/requests" "$WORK/answers"
	begin_cri
	ctrs images import "$WORK/images.tar" >/dev/null
	for image in pause busybox; do
		wait_for "calls ImageStatus '{image: {image: \"localhost/$image:1\"}}' | jq -e .image.id"
	done
}

begin_cri() {
	begin_daemon containerd "calls Status | jq -e 'all(.status.conditions[]; .status)'" containerd -c "$WORK/containerd.toml"
}

ctrs() {
	timeout 300 ctr -a "$WORK/containerd.sock" -n k8s.io "$@" 3>&-
}

end_engine() {
	end_daemon client
	end_daemon containerd
}

remove_all() {
	calls ListPodSandbox | jq -r '.items[].id' | while read -r id; do
		calls StopPodSandbox --arg id "$id" '{pod_sandbox_id: $id}' >/dev/null
		calls RemovePodSandbox --arg id "$id" '{pod_sandbox_id: $id}' >/dev/null
	done
	if [ -n "${PARENT:-}" ]; then
		[ "$SYSTEMD" = true ] && systemctl stop "${PARENT##*/}" || rmdir "/sys/fs/cgroup$PARENT" 2>/dev/null || true
	fi
}

# Starts a pod. Leaves its id in $POD, and its configuration in a file. The filter changes the configuration.
pod() { # [FILTER]
	: >"$CASE/begun"
	PARENT=/checks-$BATS_TEST_NUMBER
	[ "$SYSTEMD" = false ] || PARENT=/checks$BATS_TEST_NUMBER.slice
	mkdir -p "$CASE/logs"
	jq -n --arg name "p$BATS_TEST_NUMBER" --arg uid "$(</proc/sys/kernel/random/uuid)" --arg logs "$CASE/logs" --arg parent "$PARENT" '
		{metadata: {name: $name, uid: $uid, namespace: "checks"}, hostname: $name, log_directory: $logs,
		 dns_config: {servers: ["192.0.2.53"], searches: ["example.com"]},
		 linux: {cgroup_parent: $parent, security_context: {namespace_options: {pid: "CONTAINER"}, seccomp: {}}}} | '"${1:-.}" >"$CASE/pod"
	POD=$(calls RunPodSandbox --slurpfile pod "$CASE/pod" --arg handler "$HANDLER" '{config: $pod[0], runtime_handler: $handler}' | jq -r .pod_sandbox_id)
	[ -n "$POD" ]
}

# Makes a container of the pod, with a shell script as its program. Leaves its id in $C.
made() { # NAME SCRIPT [FILTER]
	C=$(jq -n --arg name "$1" --arg script "$2" '
		{metadata: {name: $name}, image: {image: "localhost/busybox:1"}, command: ["sh", "-c", $script], log_path: ($name + ".log"),
		 linux: {resources: {oom_score_adj: 999}, security_context: {namespace_options: {pid: "CONTAINER"}, seccomp: {},
		   masked_paths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
		   readonly_paths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]}}} | '"${3:-.}" |
		jq --arg pod "$POD" --slurpfile sandbox "$CASE/pod" '{pod_sandbox_id: $pod, config: ., sandbox_config: $sandbox[0]}' >"$CASE/request" &&
		calls CreateContainer --slurpfile request "$CASE/request" '$request[0]' | jq -r .container_id)
	[ -n "$C" ]
}

starts() { # NAME SCRIPT [FILTER]
	made "$@"
	calls StartContainer --arg id "$C" '{container_id: $id}' >/dev/null
}

begin_idle() { # NAME [FILTER]
	starts "$1" 'trap "exit 3" TERM; while :; do sleep 0.1; done' "${2:-.}"
}

# What CRI reports of the container.
reported() { # FILTER
	calls ContainerStatus --arg id "$C" '{container_id: $id, verbose: true}' | jq -r "$1"
}

ended() {
	wait_for '[ "$(reported .status.state)" = CONTAINER_EXITED ]'
}

# What a container has printed on one of its streams, from its log.
logged() { # NAME STREAM
	sed -nE "s/^[^ ]+ $2 [FP] //p" "$CASE/logs/$1.log"
}

# A new container with this script prints exactly this, and exits with 0.
gives() { # EXPECTED SCRIPT [FILTER]
	local name=n$RANDOM
	starts "$name" "$2" "${3:-.}"
	ended
	[ "$(reported .status.exit_code):$(logged "$name" stdout)" = "0:$1" ] || { reported .status; cat "$CASE/logs/$name.log"; return 1; }
}

# A command in the container $C prints exactly this.
answers() { # EXPECTED COMMAND...
	local expected=$1
	shift
	calls ExecSync --arg id "$C" '{container_id: $id, cmd: $ARGS.positional, timeout: 100}' --args -- "$@" >"$CASE/answer"
	[ "$(jq -r '.exit_code, (.stdout | @base64d)' "$CASE/answer")" = "$(printf '0\n%s' "$expected")" ] || { cat "$CASE/answer"; return 1; }
}

# The namespaces of a process in a container.
names_of() { # ID NAMESPACE...
	calls ExecSync --arg id "$1" '{container_id: $id, cmd: (["sh", "-c", "for n; do readlink /proc/self/ns/$n; done", "-"] + $ARGS.positional)}' --args -- "${@:2}" | jq -r '.stdout | @base64d | rtrimstr("\n")'
}

with_limits() {
	[ "$LIMITS" = true ] || host_lacks "no controllers for limits"
}

newer_than_1() {
	[[ "$(calls Version | jq -r .runtime_version)" != ?(v)1.* ]] || host_lacks "containerd before 2"
}

# The memory of the shim and of the container, and what the runtime keeps on disk, in KiB, and the number of processes
# that the shim has not waited for.
kept() {
	local shim container=0
	shim=$(pgrep -f "containerd-shim-runc-v2.* -id $POD")
	[ "$LIMITS" = false ] || container=$(($(cat "/sys/fs/cgroup$PARENT"/*"$C"*/memory.current) / 1024))
	echo "$(awk '/^VmRSS/ { print $2 }' "/proc/$shim/status") $container $(du -sk "$WORK/runtime" | cut -f 1) $(pgrep -c -P "$shim" . || true)"
}

# A file of the Container Device Interface with one device, example.com/check=one: a node, a mount, a variable, and
# hooks, each of which copies its input to a file.
cdi_file() {
	echo mounted >"$WORK/cdi-mount"
	cat >"$WORK/cdi/check.json" <<-END
		{"cdiVersion": "0.5.0", "kind": "example.com/check", "devices": [{"name": "one", "containerEdits": {
		  "deviceNodes": [{"path": "/dev/checked", "hostPath": "/dev/loop-control", "permissions": "r"}],
		  "env": ["CHECKED=yes"],
		  "mounts": [{"hostPath": "$WORK/cdi-mount", "containerPath": "/checked", "options": ["ro", "nosuid", "nodev", "bind"]}],
		  "hooks": [
		    {"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createRuntime"]},
		    {"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createContainer"]}]}}]}
	END
}
