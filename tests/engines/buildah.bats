# SPDX-License-Identifier: Apache-2.0
# Buildah with --isolation oci, called by root and by an ordinary user.
load common

engine() {
	timeout 300 buildah --root "$WORK/storage" --runroot "$WORK/run" "$@" 3>&-
}

user_engine() {
	as-tester timeout 300 buildah "$@" 3>&-
}

begin_engine() {
	export RUNTIME IMAGE=localhost/checked-by-buildah
	local of
	for of in engine user_engine; do
		new=$($of from scratch)
		$of add -q "$new" "$WORK/image.tar" >/dev/null
		$of config --env PATH=/bin "$new"
		$of commit -q "$new" "$IMAGE" >/dev/null
		$of rm "$new" >/dev/null
	done
}

end_engine() {
	remove_all
	user_engine rmi -f "$IMAGE" >/dev/null || true
}

remove_all() {
	engine rm --all >/dev/null
	user_engine rm --all >/dev/null
}

missing() {
	command -v buildah >/dev/null || echo "no buildah"
}

# A working container for each check, and a command in it.
gives() { # EXPECTED FLAGS... -- COMMAND...
	local flags words
	divide "${@:2}"
	: >"$CASE/begun"
	[ -e "$CASE/new" ] || ${ENGINE:-engine} from --name "$C" --pull-never "$IMAGE" >"$CASE/new"
	run ${ENGINE:-engine} run --isolation oci --runtime "$RUNTIME" --network none "${flags[@]}" "$C" -- "${words[@]}"
	printed "$1"
}

builds() { # EXPECTED FLAGS... < Containerfile: what the last step prints
	local expected=$1
	cat >"$CASE/Containerfile"
	run ${ENGINE:-engine} build -q --pull-never --isolation oci --runtime "$RUNTIME" --network none -t localhost/built "${@:2}" "$CASE"
	[ "$status" = 0 ] || { echo "$output"; return 1; }
	${ENGINE:-engine} from --name "$C" --pull-never localhost/built >"$CASE/new"
	gives "$expected" -- cat /made
}

@test "run: output and exit status" {
	gives hello -- echo hello
	run -7 engine run --isolation oci --runtime "$RUNTIME" --network none "$C" -- sh -c 'exit 7'
	run ! engine run --isolation oci --runtime "$RUNTIME" --network none "$C" -- /no/such/program
}

@test "run: --user, --env, --workingdir, --hostname" {
	gives $'33\n34\nb\n/tmp\nbox' --user 33:34 --env A=b --workingdir /tmp --hostname box -- sh -c 'id -u; id -g; echo $A; pwd; hostname'
}

@test "run: --terminal" {
	gives terminal --terminal -- sh -c 'test -t 0 && test -t 1 && echo terminal'
}

@test "run: --cap-drop, --cap-add" {
	gives 1 --cap-drop CAP_CHOWN --cap-add CAP_SYS_ADMIN -- \
		sh -c 'c=0x$(sed -n "s/^CapEff:\t//p" /proc/self/status); echo $(((c & 1) == 0 && (c >> 21 & 1) == 1))'
}

@test "run: --volume, --mount" {
	echo mounted >"$CASE/file"
	gives $'mounted\nrefused\n1024' --volume "$CASE:/data:ro" --mount type=tmpfs,target=/t,tmpfs-size=1m -- \
		sh -c 'cat /data/file; echo x 2>/dev/null >/data/file || echo refused; set -- $(df -k /t | tail -n 1); echo $2'
}

@test "build: steps, users, directories" {
	builds $'0\n33 /kept' <<-END
		FROM $IMAGE
		RUN id -u >/made && chmod 666 /made
		WORKDIR /kept
		USER 33
		RUN echo \$(id -u) \$(pwd) >>/made
	END
}

@test "build: --memory, --ulimit, --build-arg, --shm-size" {
	builds $'67108864\n99\nvalue\n2048' --memory 64m --ulimit nofile=99:100 --build-arg ARGUMENT=value --shm-size 2m <<-END
		FROM $IMAGE
		ARG ARGUMENT
		RUN cat /sys/fs/cgroup/memory.max >/made; ulimit -n >>/made; echo \$ARGUMENT >>/made; set -- \$(df -k /dev/shm | tail -n 1); echo \$2 >>/made
	END
}

@test "build: RUN --mount of a cache, a secret and a bind" {
	echo hidden >"$CASE/secret"
	echo shown >"$CASE/context"
	builds $'hidden\nshown\ncached' --secret "id=one,src=$CASE/secret" <<-END
		FROM $IMAGE
		RUN --mount=type=secret,id=one --mount=type=bind,source=context,target=/context --mount=type=cache,target=/cache \
			cat /run/secrets/one /context >/made; echo cached >/cache/f
		RUN --mount=type=cache,target=/cache cat /cache/f >>/made
	END
}

@test "build: a step that fails" {
	printf 'FROM %s\nRUN exit 7\n' "$IMAGE" >"$CASE/Containerfile"
	run ! engine build -q --pull-never --isolation oci --runtime "$RUNTIME" --network none "$CASE"
	[[ "$output" == *"exit status 7"* ]]
}

@test "run, by a user" {
	ENGINE=user_engine
	gives $'0\n/tmp' --workingdir /tmp -- sh -c 'id -u; pwd'
}

@test "build, by a user" {
	ENGINE=user_engine
	chown tester: "$CASE"
	builds $'0\n33' <<-END
		FROM $IMAGE
		RUN id -u >/made && chmod 666 /made
		USER 33
		RUN id -u >>/made
	END
}
