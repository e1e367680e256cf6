# SPDX-License-Identifier: Apache-2.0
# Runs each block of shell commands in README.md, verbatim. The case names the block by its first line.
load helpers

README=$BATS_TEST_DIRNAME/../../README.md

# First lines that are hard to quote in shell.
read -r in_steps <<'END'
jq '.process.terminal = false | .process.args = ["busybox", "sleep", "1000"]' config.json > new && mv new config.json
END
read -r with_limits <<'END'
jq '.linux.resources.memory.limit = 67108864' config.json > new && mv new config.json
END
read -r id_in_profile <<'END'
jq '.process.terminal = false | .process.args = ["busybox", "id"]' config.json > new && mv new config.json
END

# Print all first lines, or the block that begins with this one.
first_lines() {
	awk 'is_first { print } { is_first = /^```sh$/ }' "$README"
}

block() { # first line
	first=$1 awk '/^```$/ { in_block = 0 } is_first && $0 == ENVIRON["first"] { in_block = found = 1 }
		in_block { print } { is_first = /^```sh$/ } END { exit !found }' "$README"
}

# Writes a block to the script $WORK/block. The command tare in it is the test's, with the test's state root.
prepare() { # first line
	mkdir -p "$WORK/path"
	printf '#!/bin/sh\nexec "%s" --root "%s" "$@"\n' "$TARE" "$ROOT" >"$WORK/path/tare"
	chmod 755 "$WORK/path/tare"
	block "$1" >"$WORK/block"
}

# Runs a block in the directory $WHERE.
run_block() { # first line
	prepare "$1"
	(cd "$WHERE" && PATH=$WORK/path:$PATH ${AS:-} sh -e "$WORK/block") 3>&-
}

# Runs a block that makes a bundle and changes to it.
begin_bundle() { # first line
	WHERE=$WORK/somewhere
	mkdir "$WHERE"
	[ -z "${AS:-}" ] || chown "$USER_ID:$USER_ID" "$WHERE"
	run_block "$1"
	WHERE=$WHERE/${1##* }
}

teardown() {
	[ ! -d "$WORK/storage" ] || unmount_work
	end_case
}

@test "each block of shell in README.md is run by a case" {
	run -0 first_lines
	[ "${#lines[@]}" -ge 10 ]
	for line in "${lines[@]}"; do
		grep -qF "$line" "$BATS_TEST_FILENAME" || { echo "no case for: $line"; return 1; }
	done
	# An indented block would be missed.
	run -1 grep -nE '^    [a-z]' "$README"
}

@test "README: build, install, and the demonstration" {
	command -v meson >/dev/null || skip "no meson here"
	! grep -q __asan_init "$TARE" || skip "with the ordinary build"
	WHERE=$WORK/source
	mkdir "$WHERE"
	for name in apparmor completion docs engines include man meson.build meson_options.txt share src tests config.json.example; do
		cp -a "$BATS_TEST_DIRNAME/../../$name" "$WHERE/"
	done
	DESTDIR=$WORK/installed run_block 'sh tests/install-dependencies build'
	"$WORK/installed/usr/local/sbin/tare" --version
	run -0 run_block 'sh tests/demo.sh'
	[[ "$output" == *"I am process 1 on host tare, uid=0 gid=0"* ]] || { echo "$output"; return 1; }
}

@test "README: a seccomp profile that is made from a run" {
	begin_bundle 'mkdir -p bundle/rootfs/bin && cd bundle'
	run -0 --separate-stderr run_block "$id_in_profile"
	[[ "${lines[0]}" == "uid=0"* && "${lines[1]}" == "${lines[0]}" ]]
	[ "$(jq -c .calls <<<"$stderr")" = "[]" ]
	jq -e '.syscalls[0].names | index("getuid")' "$WHERE/profile.json"
}

# tests/package builds them.
@test "README: Debian packages" {
	control=$BATS_TEST_DIRNAME/../../debian/control
	[ -e "$control" ] || skip "without the sources of the packages"
	run -0 block 'apt-get install debhelper dh-apparmor dpkg-dev'
	packages=$(grep -o '[a-z-]*_\*' <<<"${lines[1]}" | tr -d '_*' | sort)
	[ "$packages" = "$(sed -n 's/^Package: //p' "$control" | sort)" ]
	for tool in debhelper dh-apparmor; do grep -q "$tool" "$control"; done
}

@test "README: the command that runs the tests exists" {
	[ "$(block 'sh .ci/run')" = 'sh .ci/run' ]
	[ ! -e "$BATS_TEST_DIRNAME/../../.ci" ] || [ -x "$BATS_TEST_DIRNAME/../../.ci/run" ]
}

@test "README: two minutes by hand" {
	begin_bundle 'mkdir -p bundle/rootfs/bin && cd bundle'
	# A terminal, in which "exit" is typed.
	prepare 'tare run first'
	cd "$WHERE"
	PATH=$WORK/path:$PATH run -0 command script -qec "sh -e '$WORK/block'" /dev/null <<<'exit'
	run -0 tare list -q
	[ "$output" = "" ]
	run -0 run_block "$in_steps"
	[[ "$output" == *'"status": "created"'* ]]
	[[ "$output" == *second*running* ]]
	[[ "$output" == *"process "*" of the container"* ]]
	run -0 tare list -q
	[ "$output" = "" ]
	run -0 run_block 'tare check'
	[[ "$output" == *"exec"* ]]
	run -0 run_block 'tare doctor'
	[[ "$output" == *" 0 broken" ]]
}

@test "README: without root" {
	[ "$(cat /proc/sys/user/max_user_namespaces)" -gt 0 ] || not_here "no user namespaces"
	USER_ID=65534
	AS="setpriv --reuid $USER_ID --regid $USER_ID --clear-groups"
	chmod 755 "$WORK"
	mkdir "$ROOT" && chown "$USER_ID:$USER_ID" "$ROOT"
	cp "$TARE" "$WORK/tare" && TARE=$WORK/tare
	run -0 begin_bundle 'mkdir -p mine/rootfs/bin && cd mine'
	[[ "$output" == *"uid=0 gid=0"* ]] || { echo "$output"; return 1; }
}

@test "README: limits without root" {
	command -v as-tester >/dev/null || skip "no user with a manager of systemd"
	USER_ID=$(id -u tester) AS=
	chmod 755 "$WORK"
	mkdir "$ROOT" && chown tester: "$ROOT"
	AS="setpriv --reuid $USER_ID --regid $USER_ID --clear-groups" begin_bundle 'mkdir -p mine/rootfs/bin && cd mine'
	chown -R tester: "$WHERE"
	cat >"$WORK/enter" <<END
#!/bin/sh
cd "$WHERE" && PATH=$WORK/path:\$PATH exec "\$@"
END
	AS="as-tester sh $WORK/enter"
	run -0 run_block "$with_limits"
	[[ "$output" == *"uid=0 gid=0"* ]] || { echo "$output"; return 1; }
}

@test "README: with Podman" {
	command -v podman >/dev/null && [ "$TARE" = /usr/local/sbin/tare ] || skip "no podman, or tare is not installed"
	watch_mounts ends
	cp "$TOOLS/probe" "$BUNDLE/rootfs/bin/"
	tar -C "$BUNDLE/rootfs" -cf "$WORK/image.tar" .
	mkdir -p "$WORK/path"
	cat >"$WORK/path/podman" <<END
#!/bin/sh
exec $(command -v podman) --root "$WORK/storage" --runroot "$WORK/run" --network-cmd-path /bin/false "\$@"
END
	chmod 755 "$WORK/path/podman"
	"$WORK/path/podman" import -q "$WORK/image.tar" docker.io/library/busybox >/dev/null
	WHERE=$WORK
	run -0 run_block 'podman --runtime /usr/local/sbin/tare run --rm --network none docker.io/library/busybox echo hello'
	[ "$output" = hello ]
}
