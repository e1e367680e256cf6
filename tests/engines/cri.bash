# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# A containerd with the interface for Kubernetes, and requests like those of a kubelet. What calls jq has filters in
# single quotes.
# shellcheck disable=SC2016

load "${BASH_SOURCE[0]%/*}/common"

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

missing() {
	command -v containerd >/dev/null || echo "no containerd"
	python3 -c 'import grpc, google.protobuf' 2>/dev/null || echo "no python3-grpcio"
	command -v protoc >/dev/null || echo "no protobuf-compiler"
	[ -e "${CRI_SOURCES:-/usr/share/gocode/src}/k8s.io/cri-api" ] || echo "no golang-github-kubernetes-cri-api-dev"
	[ -e /usr/lib/cni/ptp ] || echo "no containernetworking-plugins"
}

begin_engine() {
	export HANDLER=checked CRI_CACHE=$WORK SYSTEMD=false LIMITS=true
	local bare=false
	[ ! -d /run/systemd/system ] || SYSTEMD=true
	[[ "$(</sys/fs/cgroup/cgroup.controllers)" == *cpu*memory* ]] || { LIMITS=false && bare=true; }
	mkdir "$WORK/cni"
	cdi_device "$WORK/cdi"
	cat >"$WORK/cni/net.conflist" <<-END
		{"cniVersion": "0.4.0", "name": "checks", "plugins": [{"type": "ptp", "ipam":
		  {"type": "host-local", "subnet": "10.231.0.0/24", "dataDir": "$WORK/ipam"}}]}
	END
	containerd_settings >"$WORK/containerd.toml"
	cat >>"$WORK/containerd.toml" <<-END
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
	python3 "$BATS_TEST_DIRNAME/archive.py" "$WORK/images.tar" "$WORK/image.tar" 0 localhost/pause:1 'trap exit TERM; while :; do sleep 1000 & wait; done' \
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

# A container that waits until it is stopped. The program sets its handler after the start has returned.
begin_idle() { # NAME [FILTER]
	local name=$1
	starts "$1" 'trap "exit 3" TERM; echo ready; while :; do sleep 0.1; done' "${2:-.}"
	wait_for '[ "$(logged "$name" stdout)" = ready ]'
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
