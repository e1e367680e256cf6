# SPDX-License-Identifier: Apache-2.0
# podman of an ordinary user with subordinate ids, below the user's own systemd manager, with tare as its runtime. The
# engine's storage is that of the user: the images have names of their own.

load helpers

# The user's engine.
engine() {
	as-tester timeout 120 podman --runtime "$TARE" "$@" 3>&-
}

with_podman() {
	command -v as-tester >/dev/null || host_lacks "no user with a service manager"
	command -v podman >/dev/null || host_lacks "no podman"
	[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || host_lacks "engines need cgroup v2 on /sys/fs/cgroup"
	chmod 755 "$WORK"
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
	IMAGE=localhost/$BATS_TEST_NUMBER
	as-tester podman import -q "$WORK/image.tar" "$IMAGE" >/dev/null 3>&-
}

in_new() { # flags of podman run --, command...
	local flags=()
	while [ "$1" != -- ]; do flags+=("$1") && shift; done
	run -0 engine run --rm --network none "${flags[@]}" "$IMAGE" "${@:2}"
}

@test "podman of a user: run, exec, update, pause, and a pod with two containers" {
	with_podman
	engine pod create --name pod --network none >/dev/null
	engine run -d --pod pod --name one --memory 64m "$IMAGE" sleep 1000 >/dev/null
	run -0 engine run --rm --pod pod --ipc container:one "$IMAGE" sh -c 'hostname; id -u; exit 0'
	[ "$output" = $'pod\n0' ]
	run -5 engine exec -u 7 one sh -c 'id -u; cat /sys/fs/cgroup/memory.max; exit 5'
	[ "$output" = $'7\n67108864' ]
	engine update --memory 100m one >/dev/null
	engine pause one
	[ "$(engine inspect -f '{{.State.Status}}' one)" = paused ]
	engine unpause one
	run -0 engine exec one cat /sys/fs/cgroup/memory.max
	[ "$output" = 104857600 ]
	engine pod rm -f -t 0 pod >/dev/null
}

@test "podman of a user: --userns=keep-id, --group-add keep-groups" {
	with_podman
	in_new --userns=keep-id -- id
	[ "$output" = "uid=1000(tester) gid=1000(tester) groups=1000(tester)" ]
	in_new --userns=keep-id:uid=33,gid=34 -- sh -c 'id -u; id -g'
	[ "$output" = $'33\n34' ]
	in_new --group-add keep-groups -- id -G
	[ "$output" = 0 ]
	# Two groups more, which are not mapped: they give access to files.
	mkdir -m 770 "$WORK/data"
	chgrp 24 "$WORK/data"
	: >"$WORK/data/file"
	of_groups() { # flags of podman run
		run setpriv --reuid 1000 --regid 1000 --groups 1000,4,24 env HOME=/home/tester XDG_RUNTIME_DIR=/run/user/1000 sh -c 'cd / && exec "$@"' - \
			timeout 120 podman --cgroup-manager cgroupfs --runtime "$TARE" run --rm --network none "$@" -v "$WORK/data:/data" "$IMAGE" sh -c 'id -G; ls /data' 3>&-
	}
	of_groups --group-add keep-groups
	[ "$status $output" = $'0 0 65534 65534\nfile' ] || [ "$status $output" = $'0 65534 65534 0\nfile' ]
	of_groups
	[[ "$status" = 1 && "$output" == *"can't open '/data': Permission denied"* ]]
}

@test "podman of a user: idmapped volumes, of a file system of its user namespace, and of the host" {
	with_podman
	mkdir "$WORK/data"
	: >"$WORK/data/f"
	chown -R tester: "$WORK/data"
	# A container of the user's without a user namespace of its own maps nothing.
	in_new -v "$WORK/data:/data:idmap" -- stat -c %u:%g /data/f
	[ "$output" = 0:0 ]
	run -126 engine run --rm --network none --userns=keep-id -v "$WORK/data:/data:idmap" "$IMAGE" true
	[[ "$output" == *"cannot map the ids of mount source '$WORK/data': operation not permitted (its file system was mounted in another user namespace, where the caller has no rights)"* ]]
	# As the hint says: a tmpfs of the user namespace that podman runs in.
	cat >"$WORK/mapped" <<'SCRIPT'
mount -t tmpfs t "$1" && : >"$1/f" && chown 7:8 "$1/f" || exit
podman --runtime "$2" run --rm --network none --uidmap 0:100:50 --gidmap 0:200:50 -v "$1:/plain" -v "$1:/all:idmap" "$3" stat -c %u:%g /plain/f /all/f
SCRIPT
	run -0 as-tester podman unshare sh "$WORK/mapped" "$WORK/data" "$TARE" "$IMAGE" 3>&-
	[ "$output" = $'65534:65534\n7:8' ]
}
