# SPDX-License-Identifier: Apache-2.0
# exec into a container that attacks the host.
load helpers

hostile() {
	config '.process.args=["sleep","10000"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	sum=$(cksum <"$TARE")
}

# The runtime's own file must be unchanged.
untouched() {
	[ "$(cksum <"$TARE")" = "$sum" ]
}

@test "exec of a shell that is #!/proc/self/exe" {
	hostile
	rm "$BUNDLE/rootfs/bin/sh"
	printf '#!/proc/self/exe\n' >"$BUNDLE/rootfs/bin/sh"
	chmod 755 "$BUNDLE/rootfs/bin/sh"
	for args in "" "a" "a b" "3 init"; do
		# The shebang executes init as a program of the container, which fails by itself. With sanitizers init
		# is dynamic, and the container lacks its loader.
		status=0
		output=$(tare exec "$ID" sh $args 2>&1) || status=$?
		[ "$status" -eq 127 ] || [[ "$status $output" == 255*"no such file"* ]]
	done
	rm "$BUNDLE/rootfs/bin/sh"
	ln -s /proc/self/exe "$BUNDLE/rootfs/bin/sh"
	run -255 tare exec "$ID" sh
	run -255 tare exec "$ID" /proc/self/exe
	untouched
}

@test "exec ignores the container's LD_PRELOAD and loader files for its own part" {
	config '.process.env=["PATH=/bin","LD_PRELOAD=/evil.so","LD_LIBRARY_PATH=/"]'
	printf 'not a library' >"$BUNDLE/rootfs/evil.so"
	mkdir -p "$BUNDLE/rootfs/etc"
	echo /evil.so >"$BUNDLE/rootfs/etc/ld.so.preload"
	hostile
	run -0 tare exec "$ID" sh -c 'echo fine'
	[ "$output" = fine ]
	untouched
}

@test "exec with a passwd of very long lines" {
	{ head -c 10000000 /dev/zero | tr '\0' x; printf ':x:0:0::/evil:\nroot:x:0:0:root:/home/right:/bin/sh\n'; } >"$BUNDLE/rootfs/etc/passwd"
	hostile
	run -0 tare exec "$ID" sh -c 'echo $HOME'
	[ "$output" = / ] || [ "$output" = /home/right ]
	mkfifo "$BUNDLE/rootfs/etc/pipe"
	ln -sf pipe "$BUNDLE/rootfs/etc/passwd"
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" exec "$ID" sh -c 'echo $HOME'
	[ "$output" = / ]
}

@test "exec with a working directory that leads out" {
	hostile
	ln -s /proc/1/root/.. "$BUNDLE/rootfs/up"
	for n in $(seq 0 30); do
		for cwd in "/proc/self/fd/$n" "/proc/1/fd/$n"; do
			run tare exec --cwd "$cwd" "$ID" pwd
			[ "$status" -eq 255 ] || { echo "$cwd: $output"; return 1; }
		done
	done
	# What a process finds that is outside of the root: a file of the host, and a working directory that is not the
	# container's root.
	echo canary >"$WORK/canary"
	look='cat ".$0/canary" 2>/dev/null; [ "$(stat -c %d:%i .)" = "$(stat -c %d:%i /)" ] && echo "$(pwd -P) inside"'
	run -1 nsenter -t "$(pid_of "$ID")" -m -r --wd=/ /bin/sh -c "$look" "$WORK"
	[ "$output" = canary ]
	run -0 tare exec --cwd /up "$ID" sh -c "$look" "$WORK"
	[ "$output" = "/ inside" ]
	ln -s /proc/self/fd/7 "$BUNDLE/rootfs/fd"
	run -255 tare exec --cwd /fd "$ID" pwd
	untouched
}

@test "exec with another file system over the container's /proc" {
	config '.process.capabilities.bounding=["CAP_SYS_ADMIN"] | .process.capabilities.effective=["CAP_SYS_ADMIN"] | .process.capabilities.permitted=["CAP_SYS_ADMIN"]'
	hostile
	tare exec "$ID" mount -t tmpfs none /proc
	run -0 tare exec "$ID" sh -c 'ls /proc | wc -l'
	[ "$output" = 0 ]
	run -0 tare exec "$ID" grep -c . /bin/busybox
	untouched
}

@test "exec --tty with a false /dev/pts" {
	hostile
	pid=$(pid_of "$ID")
	config '.process.capabilities.bounding=["CAP_SYS_ADMIN","CAP_MKNOD"] | .process.capabilities.effective=["CAP_SYS_ADMIN","CAP_MKNOD"] | .process.capabilities.permitted=["CAP_SYS_ADMIN","CAP_MKNOD"] | .linux.resources.devices=[{"allow":true,"access":"rwm"}]'
	tare delete --force "$ID"
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	tare exec "$ID" sh -c 'umount /dev/pts; rm -f /dev/ptmx; ln -s /tmp/file /dev/ptmx; echo canary >/tmp/file'
	run -255 tare exec -t "$ID" true
	[[ "$output" == *terminal* ]]
	[ "$(cat "$BUNDLE/rootfs/tmp/file")" = canary ]
	# A multiplexer of the right device number that belongs to no devpts.
	tare exec "$ID" sh -c 'rm /dev/ptmx; mknod /dev/ptmx c 5 2; ls -l /dev/ptmx'
	run -255 tare exec -t "$ID" true
	# A device of another number at its path is not opened.
	tare exec "$ID" sh -c 'rm /dev/ptmx; mknod /dev/ptmx c 1 5'
	run -255 tare exec -t "$ID" true
}

@test "a process with CAP_SYS_PTRACE sees no process with more rights than its own" {
	command -v python3 >/dev/null || not_here "needs python3"
	cp "$TOOLS/tracer" "$BUNDLE/rootfs/bin/tracer"
	config '.process.capabilities.bounding=["CAP_SYS_PTRACE","CAP_KILL"] | .process.capabilities.effective=["CAP_SYS_PTRACE","CAP_KILL"] | .process.capabilities.permitted=["CAP_SYS_PTRACE","CAP_KILL"] | .process.args=["tracer","/tmp/seen"]'
	tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	sum=$(cksum <"$TARE")
	wait_for '[ -e "$BUNDLE/rootfs/tmp/seen" ]'
	for i in $(seq "$(rounds 300)"); do
		timeout 10 "$TARE" --root "$ROOT" exec "$ID" true </dev/null >"$WORK/out" 2>&1 || true
	done
	# A receiver of the pidfd that is slow to accept keeps the exec in the container for longer, so that the tracer
	# can meet it.
	for i in 1 2 3 4 5; do
		python3 -c '
import os, socket, sys, time
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(0)
first = socket.socket(socket.AF_UNIX)
first.connect(sys.argv[1])
open(sys.argv[1] + ".ready", "w")
time.sleep(0.5)
for i in range(2):
    server.accept()[0].recv(4096)
    first.close()
' "$WORK/late$i" 3>&- &
		server=$!
		wait_for '[ -e "$WORK/late$i.ready" ]'
		timeout 10 "$TARE" --root "$ROOT" exec --pidfd-socket "$WORK/late$i" "$ID" true </dev/null >"$WORK/out" 2>&1 3>&- || true
		kill "$server" 2>/dev/null || true
	done
	tare exec "$ID" touch /tmp/stop || true
	# The tracer has caught some processes before their execve. It writes what it could see of them: capabilities
	# that the container does not have, and descriptors and programs of the host.
	wait_for 'grep -q ^end "$BUNDLE/rootfs/tmp/seen"'
	run cat "$BUNDLE/rootfs/tmp/seen"
	[[ "$output" != *excess* ]] || { echo "$output"; return 1; }
	[[ "$output" != *host* ]] || { echo "$output"; return 1; }
	[[ "$output" == *caught* ]] || { echo "nothing was caught: $output"; return 1; }
	untouched
}

# Creates a container with a filter that kills for a call. Nothing of create runs under the filter, so the container is
# complete.
killing() { # CALL
	[ "$(uname -m)" = x86_64 ] || not_here "needs seccomp"
	config --arg call "$1" '.process.args=["sleep","1000"] | .process.noNewPrivileges=true |
		.linux.seccomp={defaultAction:"SCMP_ACT_ALLOW",syscalls:[{names:[$call],action:"SCMP_ACT_KILL_PROCESS"}]}'
	create "$ID"
	echo '{"cwd":"/","args":["true"],"env":["PATH=/bin"],"user":{"uid":0,"gid":0}}' >"$WORK/process.json"
}

exec_process() { # flags
	run timeout "$HANGS" "$TARE" --root "$ROOT" exec "$@" --process "$WORK/process.json" "$ID"
}

@test "an exec that is killed early reports it at once, and leaves the container as it was" {
	killing chdir
	sooner_than 4500 exec_process
	[[ "$status $output" == "255 "*"signal 31"*seccomp* ]]
	[ "$(status_of "$ID")" = created ]
}

@test "an exec that its filter kills is a failure that names the filter, at any moment" {
	for call in setsid execve $(is_emulated || echo sendmsg recvmsg rt_sigprocmask); do
		killing "$call"
		for flags in "" "-d" "-d --pid-file $WORK/pid"; do
			# The exec fails at once, and writes no pid file.
			# shellcheck disable=SC2086
			sooner_than 4500 exec_process $flags
			# Not every way to execute a program makes every one of these calls.
			[ "$call$flags$status" != recvmsg0 ] && [ "$call$flags$status" != recvmsg-d0 ] || continue
			[[ "$status $output" == "255 "*"signal 31"*seccomp* ]] || { echo "$call $flags: $status $output"; return 1; }
			[ ! -e "$WORK/pid" ]
		done
		[ "$(tare ps --format json "$ID" | jq length)" = 1 ]
		tare delete --force "$ID"
	done
	# Also on a busy machine: exec waits for the status of the process that was killed.
	killing setsid
	busy=
	for _ in 1 2 3 4; do
		timeout 60 sh -c 'while :; do :; done' 3>&- &
		busy="$busy $!"
	done
	for _ in $(seq "$(rounds 40)"); do
		exec_process
		[[ "$status $output" == "255 "*"signal 31"*seccomp* ]] || break
	done
	# shellcheck disable=SC2086
	kill $busy
	[[ "$status $output" == "255 "*"signal 31"*seccomp* ]] || { echo "beside others: $status $output"; return 1; }
	tare delete --force "$ID"
	# If the filter kills the program for a call of its own, the program has been executed.
	killing mkdir
	jq '.args=["mkdir","/tmp/made"]' "$WORK/process.json" >"$WORK/mkdir.json"
	for _ in $(seq "$(rounds 10)"); do
		run -159 timeout "$HANGS" "$TARE" --root "$ROOT" exec --process "$WORK/mkdir.json" "$ID"
		run -0 timeout "$HANGS" "$TARE" --root "$ROOT" exec -d --process "$WORK/mkdir.json" "$ID"
	done
}
