# SPDX-License-Identifier: Apache-2.0
# containerd as Kubernetes calls it: the Container Runtime Interface, with a runtime handler that calls $RUNTIME. The
# requests have what a kubelet sends.
load cri

@test "a pod sandbox: its handler, name, resolver and sysctls; stopped and removed" {
	pod '.linux.sysctls = {"kernel.shm_rmid_forced": "1", "net.ipv4.ping_group_range": "0 7"}'
	calls PodSandboxStatus --arg id "$POD" '{pod_sandbox_id: $id, verbose: true}' >"$CASE/status"
	[ "$(jq -r '.status.state, .status.runtime_handler' "$CASE/status")" = $'SANDBOX_READY\n'"$HANDLER" ]
	jq -e '.status.network.ip | startswith("10.231.0.")' "$CASE/status"
	# The runtime that has made it is the one that is checked.
	[ -e "$WORK/runtime/k8s.io/$POD" ]
	gives $'p'"$BATS_TEST_NUMBER"$'\nsearch example.com\nnameserver 192.0.2.53\n1\n0\t7' \
		'hostname; cat /etc/resolv.conf /proc/sys/kernel/shm_rmid_forced /proc/sys/net/ipv4/ping_group_range'
	calls StopPodSandbox --arg id "$POD" '{pod_sandbox_id: $id}'
	[ "$(calls PodSandboxStatus --arg id "$POD" '{pod_sandbox_id: $id}' | jq -r .status.state)" = SANDBOX_NOTREADY ]
	calls RemovePodSandbox --arg id "$POD" '{pod_sandbox_id: $id}'
	[ "$(calls ListPodSandbox | jq '.items | length')" = 0 ]
	[ ! -e "$WORK/runtime/k8s.io/$POD" ]
}

@test "containers of a pod share the network, ipc and uts namespaces and nothing else" {
	pod
	begin_idle one
	one=$C
	begin_idle two
	mapfile -t a < <(names_of "$one" net ipc uts mnt pid cgroup)
	mapfile -t b < <(names_of "$C" net ipc uts mnt pid cgroup)
	[ "${#a[@]}" = 6 ]
	[ "${a[*]:0:3}" = "${b[*]:0:3}" ]
	for i in 3 4 5; do [ "${a[i]}" != "${b[i]}" ]; done
	[ "${a[0]}" != "$(readlink /proc/self/ns/net)" ]
}

@test "a pod with one pid namespace, and a container that joins that of another" {
	pod '.linux.security_context.namespace_options.pid = "POD"'
	starts one 'exec sleep 1001' '.linux.security_context.namespace_options.pid = "POD"'
	gives 1 "ps | grep -c 'sleep 100[1]'" '.linux.security_context.namespace_options.pid = "POD"'
	begin_idle target
	gives yes '[ "$(tr "\0" " " </proc/1/cmdline | cut -c 1-15)" = "sh -c trap \"exi" ] && echo yes' \
		'.linux.security_context.namespace_options = {pid: "TARGET", target_id: "'"$C"'"}'
}

@test "a pod in the namespaces of the node" {
	# A kubelet gives a name only to a pod with a network namespace.
	pod 'del(.hostname) | .linux.security_context.namespace_options = {network: "NODE", pid: "NODE", ipc: "NODE"}'
	gives "$(readlink /proc/self/ns/net) $(readlink /proc/self/ns/pid) $(readlink /proc/self/ns/ipc)" \
		'cd /proc/self/ns; echo $(readlink net) $(readlink pid) $(readlink ipc)' \
		'.linux.security_context.namespace_options = {network: "NODE", pid: "NODE", ipc: "NODE"}'
}

@test "user, groups, directory, variables, capabilities, read-only root, no_new_privs, masked paths" {
	pod
	gives $'33 34 34 5 7\n/tmp\nb\nrefused\n0\nNoNewPrivs:\t1' \
		'echo $(id -u) $(id -g) $(id -G); pwd; echo $A; touch /x 2>/dev/null || echo refused; wc -c </proc/keys; grep NoNewPrivs /proc/self/status' \
		'.working_dir = "/tmp" | .envs = [{key: "A", value: "b"}] |
		 .linux.security_context += {run_as_user: {value: 33}, run_as_group: {value: 34}, supplemental_groups: [5, 7], readonly_rootfs: true, no_new_privs: true}'
	gives 1 'c=0x$(sed -n "s/^CapEff:\t//p" /proc/self/status); echo $(((c & 1) == 0 && (c >> 21 & 1) == 1))' \
		'.linux.security_context.capabilities = {add_capabilities: ["SYS_ADMIN"], drop_capabilities: ["CHOWN"]}'
}

@test "a privileged container" {
	pod '.linux.security_context.privileged = true'
	gives "$(all_capabilities)"$'\nwritable\nyes' \
		'grep CapEff /proc/self/status; [ -w /proc/sys/kernel/domainname ] && echo writable; [ -c /dev/kmsg ] && echo yes' \
		'.linux.security_context += {privileged: true, masked_paths: [], readonly_paths: []}'
}

@test "the exit code and the message of a program that ends, that is stopped, and that does not stop" {
	pod
	starts ends 'exit 7'
	ended
	[ "$(reported '.status.exit_code, .status.reason')" = $'7\nError' ]
	begin_idle stops
	calls StopContainer --arg id "$C" '{container_id: $id, timeout: 60}' >/dev/null
	[ "$(reported '.status.state, .status.exit_code')" = $'CONTAINER_EXITED\n3' ]
	starts stays 'trap "" TERM; while :; do sleep 0.1; done'
	calls StopContainer --arg id "$C" '{container_id: $id, timeout: 1}' >/dev/null
	[ "$(reported '.status.state, .status.exit_code')" = $'CONTAINER_EXITED\n137' ]
	made missing true '.command = ["/no/such/program"]'
	run ! calls StartContainer --arg id "$C" '{container_id: $id}'
	[[ "$output" == *"/no/such/program"*[Nn]"o such file or directory"* ]]
	[ "$(reported '.status.state, .status.reason')" = $'CONTAINER_EXITED\nStartError' ]
	calls RemoveContainer --arg id "$C" '{container_id: $id}' >/dev/null
	run ! calls ContainerStatus --arg id "$C" '{container_id: $id}'
}

@test "volumes: read-only, read-write, a missing mount point, and the propagation of later mounts" {
	pod '.linux.security_context.privileged = true'
	mkdir "$CASE/volume" "$CASE/shared"
	mount -t tmpfs t "$CASE/shared"
	mount --make-shared "$CASE/shared"
	echo kept >"$CASE/volume/file"
	begin_idle mounts '.mounts = [
		{host_path: "'"$CASE/volume"'", container_path: "/data/here", readonly: true},
		{host_path: "'"$CASE/volume"'", container_path: "/written"},
		{host_path: "'"$CASE/volume/file"'", container_path: "/etc/one-file"},
		{host_path: "'"$CASE/shared"'", container_path: "/follows", propagation: "PROPAGATION_HOST_TO_CONTAINER"}]'
	answers $'kept\nkept\nrefused\nwritten' sh -c 'cat /data/here/file /etc/one-file; echo x 2>/dev/null >/data/here/new || echo refused; echo written >/written/new; cat /data/here/new'
	mkdir "$CASE/shared/later"
	mount -t tmpfs t "$CASE/shared/later"
	: >"$CASE/shared/later/arrived"
	answers arrived ls /follows/later
	calls StopContainer --arg id "$C" '{container_id: $id}' >/dev/null
	begin_idle both '.mounts = [{host_path: "'"$CASE/shared"'", container_path: "/both", propagation: "PROPAGATION_BIDIRECTIONAL"}] |
		.linux.security_context += {privileged: true, masked_paths: [], readonly_paths: []}'
	answers '' sh -c 'mkdir /both/back && mount -t tmpfs t /both/back && : >/both/back/here'
	[ -e "$CASE/shared/back/here" ]
	calls StopContainer --arg id "$C" '{container_id: $id}' >/dev/null
	umount "$CASE/shared/back" "$CASE/shared/later"
	umount "$CASE/shared"
}

@test "devices of the node, and devices of a CDI file" {
	pod
	gives $'read\nrefused\nread\nrefused\nyes\nmounted' \
		'for f in given checked; do true </dev/$f && echo read; true 2>/dev/null >/dev/$f || echo refused; done; echo $CHECKED; cat /checked' \
		'.devices = [{host_path: "/dev/loop-control", container_path: "/dev/given", permissions: "r"}] | .CDI_devices = [{name: "example.com/check=one"}]'
	for hook in createRuntime createContainer; do jq -e '.id and .bundle' "$WORK/cdi-$hook"; done
}

@test "ExecSync: output, error output, exit code, and a time limit that ends the program" {
	pod
	begin_idle one
	calls ExecSync --arg id "$C" '{container_id: $id, cmd: ["sh", "-c", "echo out; echo err >&2; exit 5"]}' >"$CASE/answer"
	[ "$(jq -r '.exit_code, (.stdout | @base64d), (.stderr | @base64d)' "$CASE/answer")" = $'5\nout\n\nerr' ]
	run ! calls ExecSync --arg id "$C" '{container_id: $id, cmd: ["sleep", "1007"], timeout: 2}'
	[[ "$output" == *DEADLINE_EXCEEDED* ]]
	answers 0 sh -c 'ps | grep -c "sleep 100[7]" || true'
	run ! calls ExecSync --arg id "$C" '{container_id: $id, cmd: ["/no/such/program"]}'
	[[ "$output" == *"/no/such/program"*[Nn]"o such file or directory"* ]]
}

# Waits until the terminal has the size that the client gives it. Without one, stty fails.
until_sized='until [ "$(stty size 2>/dev/null)" = "33 77" ]; do sleep 0.1; done; stty size'

@test "Exec: streams of their own, input, the exit code, and a terminal with a size" {
	pod
	begin_idle one
	url=$(calls Exec --arg id "$C" '{container_id: $id, cmd: ["sh", "-c", "read a; echo out $a; echo err >&2; exit 6"], stdin: true, stdout: true, stderr: true}' | jq -r .url)
	status=0
	echo in | cri stream "$url" >"$CASE/out" 2>"$CASE/err" || status=$?
	[ "$status:$(<"$CASE/out"):$(<"$CASE/err")" = "6:out in:err" ]
	url=$(calls Exec --arg id "$C" --arg script "test -t 0 && test -t 1 && tty; $until_sized" '{container_id: $id, cmd: ["sh", "-c", $script], tty: true, stdin: true, stdout: true}' | jq -r .url)
	cri stream "$url" 77 33 >"$CASE/out" </dev/null
	[[ "$(tr -d '\r' <"$CASE/out")" =~ ^/dev/pts/[0-9]+$'\n33 77'$ ]] || { cat "$CASE/out"; return 1; }
}

@test "Attach, and the log: streams, long lines, and a log file that is opened again" {
	pod
	starts one 'echo begun; echo error >&2; while read -r line; do echo "got $line"; done' '.stdin = true'
	wait_for '[ "$(logged one stdout)" = begun ]'
	[ "$(logged one stderr)" = error ]
	url=$(calls Attach --arg id "$C" '{container_id: $id, stdin: true, stdout: true, stderr: true}' | jq -r .url)
	mkfifo "$CASE/input"
	cri stream "$url" <"$CASE/input" >"$CASE/attached" &
	attached=$!
	exec 8>"$CASE/input"
	echo first >&8
	wait_for '[ "$(cat "$CASE/attached")" = "got first" ]'
	mv "$CASE/logs/one.log" "$CASE/logs/old.log"
	calls ReopenContainerLog --arg id "$C" '{container_id: $id}' >/dev/null
	echo end >&8
	wait_for '[ "$(tail -n 1 "$CASE/attached")" = "got end" ]'
	calls StopContainer --arg id "$C" '{container_id: $id}' >/dev/null
	exec 8>&-
	wait $attached
	[ "$(logged old stdout)" = $'begun\ngot first' ]
	[ "$(logged one stdout)" = "got end" ]
	# Each line of a log has the time, the stream, and whether the line is complete.
	grep -qE '^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+) stdout F got end$' "$CASE/logs/one.log"
	starts long 'head -c 40000 /dev/zero | tr "\0" x; echo'
	ended
	[ "$(logged long stdout | tr -d '\n' | wc -c)" = 40000 ]
}

@test "Attach to a terminal, and a size that changes" {
	pod
	starts one "stty raw -echo; echo ready; read -r line; echo \"got \$line\"; tty; $until_sized" '.stdin = true | .tty = true'
	wait_for 'logged one stdout | grep -q ready'
	url=$(calls Attach --arg id "$C" '{container_id: $id, stdin: true, stdout: true, tty: true}' | jq -r .url)
	echo line | cri stream "$url" 77 33 >"$CASE/attached"
	ended
	[[ "$(tr -d '\r' <"$CASE/attached")" == *"got line"*/dev/pts/0*"33 77"* ]] || { cat "$CASE/attached" "$CASE/logs/one.log"; return 1; }
}

@test "PortForward" {
	pod
	starts one 'exec nc -l -p 7000 -e cat'
	wait_for 'answers 1 sh -c "netstat -ltn | grep -c :7000"'
	url=$(calls PortForward --arg id "$POD" '{pod_sandbox_id: $id, port: [7000]}' | jq -r .url)
	[ "$(echo through the port | cri forward "$url" 7000)" = "through the port" ]
}

@test "limits: memory, cpu, cpus, pids, unified; UpdateContainerResources" {
	with_limits
	pod
	begin_idle one '.linux.resources += {memory_limit_in_bytes: 67108864, cpu_period: 100000, cpu_quota: 50000, cpu_shares: 512, cpuset_cpus: "0",
		unified: {"pids.max": "50", "memory.high": "60000000"}}'
	answers $'67108864\n50000 100000\n0\n50\n59998208\n999' sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max cpuset.cpus pids.max memory.high /proc/1/oom_score_adj'
	calls UpdateContainerResources --arg id "$C" '{container_id: $id, linux: {memory_limit_in_bytes: 134217728, cpu_quota: 150000, cpu_period: 100000,
		cpu_shares: 1024, cpuset_cpus: "0-1"}}' >/dev/null
	answers $'134217728\n150000 100000\n0-1\n50' sh -c 'cd /sys/fs/cgroup; cat memory.max cpu.max cpuset.cpus pids.max'
	[ "$(reported .status.resources.linux.memory_limit_in_bytes)" = 134217728 ]
	# The pod's cgroup is above the container's.
	run -0 find "/sys/fs/cgroup$PARENT" -mindepth 1 -maxdepth 1 -type d -name "*$C*"
	[ "${#lines[@]}" = 1 ]
}

@test "ContainerStats and ListPodSandboxStats" {
	with_limits
	pod
	begin_idle one '.linux.resources.memory_limit_in_bytes = 67108864'
	calls ContainerStats --arg id "$C" '{container_id: $id}' >"$CASE/stats"
	jq -e '.stats | (.memory.working_set_bytes.value | tonumber > 0) and (.cpu.usage_core_nano_seconds.value | tonumber > 0) and
		(.memory.available_bytes.value | tonumber | . > 0 and . < 67108864)' "$CASE/stats" || { cat "$CASE/stats"; return 1; }
	calls ListPodSandboxStats | jq -e --arg id "$POD" '.stats[] | select(.attributes.id == $id) | .linux.containers | length == 1'
}

@test "OOMKilled" {
	with_limits
	pod
	starts one 'tail /dev/zero' '.linux.resources += {memory_limit_in_bytes: 33554432, unified: {"memory.swap.max": "0"}}'
	ended
	[ "$(reported '.status.exit_code, .status.reason')" = $'137\nOOMKilled' ]
}

# The ids of the pod are those from 100000 on.
users='.linux.security_context.namespace_options.userns_options = {mode: "POD",
	uids: [{host_id: 100000, container_id: 0, length: 65536}], gids: [{host_id: 200000, container_id: 0, length: 65536}]}'

@test "a pod in a user namespace" {
	pod "$users"
	gives $'0 100000 65536\n0 200000 65536\n0:0\n0:0' \
		'for f in uid gid; do set -- $(cat /proc/self/${f}_map); echo $*; done; stat -c %u:%g /bin/busybox; : >/made; stat -c %u:%g /made' "$users"
	begin_idle one "$users"
	one=$C
	answers '0 100000 65536' sh -c 'set -- $(cat /proc/self/uid_map); echo $*'
	begin_idle two "$users"
	[[ "$(names_of "$one" user net)" = user:*net:* ]]
	[ "$(names_of "$one" user net)" = "$(names_of "$C" user net)" ]
	[ "$(names_of "$C" user)" != "$(readlink /proc/self/ns/user)" ]
}

@test "idmapped volumes of a pod in a user namespace" {
	newer_than_1
	pod "$users"
	mkdir "$CASE/volume"
	: >"$CASE/volume/f"
	chown 7:8 "$CASE/volume/f"
	idmapped='.mounts = [{host_path: "'"$CASE/volume"'", container_path: "/plain"}, {host_path: "'"$CASE/volume"'", container_path: "/mapped",
		uidMappings: [{host_id: 100000, container_id: 0, length: 65536}], gidMappings: [{host_id: 200000, container_id: 0, length: 65536}]}]'
	gives $'65534:65534\n7:8' 'stat -c %u:%g /plain/f /mapped/f; : >/mapped/new' "$users | $idmapped"
	[ "$(stat -c %u:%g "$CASE/volume/new")" = 0:0 ]
}

@test "recursive read-only mounts" {
	newer_than_1
	pod
	mkdir "$CASE/volume"
	mount -t tmpfs t "$CASE/volume"
	mkdir "$CASE/volume/below"
	mount -t tmpfs t "$CASE/volume/below"
	status=0
	gives $'refused\nwritten\nrefused\nrefused' \
		'for f in ro ro/below rro rro/below; do true 2>/dev/null >/$f/x && echo written || echo refused; done' '.mounts = [
		{host_path: "'"$CASE/volume"'", container_path: "/ro", readonly: true, propagation: "PROPAGATION_PRIVATE"},
		{host_path: "'"$CASE/volume"'", container_path: "/rro", readonly: true, recursive_read_only: true, propagation: "PROPAGATION_PRIVATE"}]' || status=1
	umount "$CASE/volume/below"
	umount "$CASE/volume"
	[ $status = 0 ]
}

@test "containerd finds that the handler supports user namespaces and recursive read-only mounts" {
	newer_than_1
	calls Status >"$CASE/status"
	jq -e --arg name "$HANDLER" '.runtime_handlers[] | select(.name == $name) | .features | .user_namespaces and .recursive_read_only_mounts' "$CASE/status"
}

@test "seccomp: the engine's profile, a profile of the node, none" {
	[ "$(uname -m)" = x86_64 ] || not_here "numbers of x86-64"
	pod
	gives $'298 -1 1\n600 -1 38\nSeccomp:\t2' 'probe 298:0:0:0:0:0 600; grep Seccomp: /proc/self/status' \
		'.linux.security_context.seccomp = {profile_type: "RuntimeDefault"}'
	seccomp_profile "$CASE/profile"
	gives $'refused\nSeccomp:\t2' 'mkdir /tmp/x 2>/dev/null || echo refused; grep Seccomp: /proc/self/status' \
		'.linux.security_context.seccomp = {profile_type: "Localhost", localhost_ref: "'"$CASE/profile"'"}'
	gives $'298 -1 14\nSeccomp:\t0' 'probe 298:0:0:0:0:0; grep Seccomp: /proc/self/status' '.linux.security_context.seccomp = {profile_type: "Unconfined"}'
}

@test "AppArmor: the engine's profile, a profile of the node, none" {
	[ -d /sys/kernel/security/apparmor ] || host_lacks "no AppArmor"
	cat >"$CASE/profile" <<-'END'
		profile checks-cri flags=(attach_disconnected) {
		  file,
		  deny /etc/passwd r,
		}
	END
	apparmor_parser -r -K "$CASE/profile"
	pod
	gives $'cri-containerd.apparmor.d (enforce)' 'cat /proc/self/attr/apparmor/current' '.linux.security_context.apparmor = {profile_type: "RuntimeDefault"}'
	begin_idle one '.linux.security_context.apparmor = {profile_type: "Localhost", localhost_ref: "checks-cri"}'
	answers $'checks-cri (enforce)\nrefused' sh -c 'cat /proc/self/attr/apparmor/current; cat /etc/passwd 2>/dev/null || echo refused'
	gives unconfined 'cat /proc/self/attr/apparmor/current' '.linux.security_context.apparmor = {profile_type: "Unconfined"}'
	apparmor_parser -R "$CASE/profile"
}

@test "containerd is started again: the containers go on, and are found, signalled and removed" {
	pod
	begin_idle one
	end_daemon containerd
	begin_cri
	[ "$(reported .status.state)" = CONTAINER_RUNNING ]
	answers sh cat /proc/1/comm
	calls StopContainer --arg id "$C" '{container_id: $id, timeout: 60}' >/dev/null
	[ "$(reported .status.exit_code)" = 3 ]
}

@test "probes: a minute of ExecSync, at most 100 in a second, and memory that does not grow" {
	pod
	begin_idle one
	# The first tenth is for what grows once.
	seconds=${PROBE_SECONDS:-60} rate=${PROBE_RATE:-100}
	run -0 cri probes "$WORK/containerd.sock" "$C" "$rate" $((seconds / 6)) true
	before=($(kept))
	run -0 cri probes "$WORK/containerd.sock" "$C" "$rate" "$seconds" true
	after=($(kept))
	echo "# $HANDLER: $output; shim, container, runtime's files in KiB, and processes: ${before[*]}, then ${after[*]}" >&3
	jq -e --argjson all $((rate * seconds)) '.succeeded == $all and .failed == 0' <<<"$output"
	# An eighth of a MiB for each thousand probes would be noticed within a minute.
	((after[0] < before[0] + 8192 && after[1] < before[1] + 1024 && after[2] == before[2] && after[3] == before[3]))
	answers '' true
}
