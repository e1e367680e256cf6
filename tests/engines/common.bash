# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the checks of all engines share. The engine of a file calls the runtime $RUNTIME, which is tare if it is not set,
# in a directory and with storage of its own. It is started once for a file, because an emulated machine needs longer for
# that than for most checks. A file defines begin_engine and end_engine, need_engine, which
# skips a check if the engine is not installed, and `engine`, the engine's command.
#
# A check must mean the same for every runtime: no messages of a runtime, and no flags or annotations that only one has.

bats_require_minimum_version 1.5.0
load "${BASH_SOURCE[0]%/*}/../integration/helpers"
load "${BASH_SOURCE[0]%/*}/../integration/engines"
RUNTIME=${RUNTIME:-$TARE}

setup_file() {
	[ "$EUID" = 0 ] && [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || return 0
	# For all cases of the file, which are children of this process.
	enable -f "$TOOLS/ownmounts.so" own_mounts
	own_mounts
	WORK=$(mktemp -d)
	export WORK
	chmod 755 "$WORK"
	mkdir -p "$WORK/rootfs/bin" "$WORK/rootfs/etc" "$WORK/rootfs/tmp" "$WORK/rootfs/kept"
	: >"$WORK/rootfs/kept/file"
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
	[ -n "${WORK:-}" ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	[ "$(type -t need_engine)" != function ] || need_engine
	CASE=$WORK/$BATS_TEST_NUMBER
	mkdir "$CASE"
	chmod 755 "$CASE"
	C=c$BATS_TEST_NUMBER
}

# A container that a check has left. Looking for one would be a third of what a check costs.
teardown() {
	[ ! -e "${CASE:-/none}/begun" ] || remove_all
	cd /
}

remove_all() {
	engine ps -aq | xargs -r "$BASH" -c 'engine rm -f "$@"' - >/dev/null
}

# Runs a container and leaves its output and status. Flags and arguments are those of the engine's run.
created() { # FLAGS... IMAGE COMMAND...
	engine run --rm --network none "$@"
}

# A container that runs until the end of the check, named $C.
begin() { # FLAGS... IMAGE COMMAND...
	: >"$CASE/begun"
	engine run -d --name "$C" --network none "$@" >/dev/null
}

# The same, without anything to do.
begin_idle() { # FLAGS...
	begin "$@" "$IMAGE" sh -c 'trap "exit 3" TERM; sleep 1000 & wait'
}

# A new container prints exactly this, and exits with 0. Without the carriage returns that a terminal adds.
gives() { # EXPECTED FLAGS... -- COMMAND...
	local flags=() expected=$1
	shift
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	run created "${flags[@]}" "$IMAGE" "${@:2}"
	[ "$status:${output//$'\r'/}" = "0:$expected" ] || { printf '%s: %s\n' "$status" "$output"; return 1; }
}

# The same of a command in the container $C.
answers() { # EXPECTED FLAGS... -- COMMAND...
	local flags=() expected=$1
	shift
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	run engine exec "${flags[@]}" "$C" "${@:2}"
	[ "$status:${output//$'\r'/}" = "0:$expected" ] || { printf '%s: %s\n' "$status" "$output"; return 1; }
}

# A command succeeds on the host and prints exactly this.
prints() { # EXPECTED COMMAND...
	run "${@:2}"
	[ "$status:$output" = "0:$1" ] || { printf '%s: %s\n' "$status" "$output"; return 1; }
}

# A file of the Container Device Interface with one device, example.com/check=one: a node, a mount, a variable, and
# hooks, each of which copies its input to a file.
cdi_device() { # DIRECTORY
	mkdir -p "$1"
	echo mounted >"$WORK/cdi-mount"
	cat >"$1/check.json" <<-END
		{"cdiVersion": "0.5.0", "kind": "example.com/check", "devices": [{"name": "one", "containerEdits": {
		  "deviceNodes": [{"path": "/dev/checked", "hostPath": "/dev/loop-control", "permissions": "r"}],
		  "env": ["CHECKED=yes"],
		  "mounts": [{"hostPath": "$WORK/cdi-mount", "containerPath": "/checked", "options": ["ro", "nosuid", "nodev", "bind"]}],
		  "hooks": [
		    {"hookName": "createRuntime", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createRuntime"]},
		    {"hookName": "createContainer", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-createContainer"]},
		    {"hookName": "poststop", "path": "/bin/sh", "args": ["sh", "-c", "cat >$WORK/cdi-poststop"]}]}}]}
	END
}

# A script that shows whether a device can be opened for reading, and the error of doing so for writing.
opens() { # DEVICE
	echo "(: <$1) && echo opened; (: >$1) 2>&1 | grep -o 'not permitted'"
}

# What a container with that device shows.
cdi_works() {
	rm -f "$WORK"/cdi-[cp]*[rep]
	gives $'yes\nmounted\nopened\nnot permitted' --device example.com/check=one -- sh -c "echo \$CHECKED; cat /checked; $(opens /dev/checked)"
	for hook in createRuntime createContainer poststop; do jq -e '.id and .bundle' "$WORK/cdi-$hook" >/dev/null; done
}

# A profile that allows everything but making directories.
seccomp_profile() { # FILE
	echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO","errnoRet":38}]}' >"$1"
}

# An image of 101 layers, each with one file, as an archive that docker and podman load.
many_layers() { # FILE NAME
	python3 - "$1" "$2" "$WORK/image.tar" <<'P'
import hashlib, io, json, sys, tarfile
path, name, base = sys.argv[1:]
layers = [open(base, 'rb').read()]
for i in range(100):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode='w') as layer:
        entry = tarfile.TarInfo(f'layer{i}')
        layer.addfile(entry, io.BytesIO())
    layers.append(data.getvalue())
config = json.dumps({'architecture': 'amd64', 'os': 'linux', 'config': {'Env': ['PATH=/bin']}, 'rootfs': {
    'type': 'layers', 'diff_ids': ['sha256:' + hashlib.sha256(layer).hexdigest() for layer in layers]}}).encode()
config_name = hashlib.sha256(config).hexdigest() + '.json'
manifest = [{'Config': config_name, 'RepoTags': [name], 'Layers': [f'{i}/layer.tar' for i in range(len(layers))]}]
with tarfile.open(path, 'w') as archive:
    def add(name, data):
        entry = tarfile.TarInfo(name)
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    add(config_name, config)
    for i, layer in enumerate(layers):
        add(f'{i}/layer.tar', layer)
    add('manifest.json', json.dumps(manifest).encode())
P
}

# A root file system in $1 that starts systemd: the programs are those of this machine.
systemd_root() { # DIRECTORY
	mkdir -p "$1/usr" "$1/proc" "$1/sys" "$1/dev" "$1/run" "$1/tmp" "$1/var" "$1/root"
	for link in bin sbin lib lib64; do ln -s "usr/$link" "$1/$link"; done
	cp -a /etc "$1/etc"
	rm -rf "$1/etc/systemd" "$1/etc/fstab"
}
