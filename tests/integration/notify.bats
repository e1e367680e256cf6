# SPDX-License-Identifier: Apache-2.0
load helpers

# A service manager: it writes each message to a line of $WORK/messages, and closes a barrier's descriptor after $1 seconds.
# Its address $HOST_SOCKET may be given as $2. With $3 its queue is full from the beginning, and it reads nothing until
# it gets USR1.
manager() {
	command -v python3 >/dev/null || not_here "needs python3"
	HOST_SOCKET=${2:-$WORK/host.sock}
	cat >"$WORK/manager.py" <<'P'
import array, os, signal, socket, sys, time
server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
server.bind(sys.argv[1].replace("@", "\0") if sys.argv[1][0] == "@" else sys.argv[1])
if sys.argv[3]:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    # A sender's own buffer fills up first. The queue is full when a sender that has sent nothing has to wait.
    clients, count, before = [], 0, -1
    while count != before:
        before = count
        clients.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        clients[-1].setblocking(False)
        try:
            while True:
                clients[-1].sendto(b"FILLED=1", sys.argv[1])
                count += 1
        except BlockingIOError:
            pass
    print("listening", flush=True)
    signal.sigwait([signal.SIGUSR1])
    for _ in range(count):
        server.recv(100)
print("listening", flush=True)
while True:
    data, ancillary, _, _ = server.recvmsg(4096, socket.CMSG_SPACE(64))
    fds = [fd for a in ancillary for fd in array.array("i", a[2])]
    print(data.decode().replace("\n", "|"), "fds=%d" % len(fds), flush=True)
    if fds:
        time.sleep(float(sys.argv[2]))
    for fd in fds:
        os.close(fd)
P
	python3 "$WORK/manager.py" "$HOST_SOCKET" "$1" "${3:-}" >"$WORK/messages" 2>&1 3>&- &
	MANAGER=$!
	wait_for 'grep -q listening "$WORK/messages"'
	[ "${HOST_SOCKET:0:1}" = @ ] || own "$HOST_SOCKET"
	cp "$TOOLS/notify" "$BUNDLE/rootfs/bin/notify"
}

messages() {
	grep -v listening "$WORK/messages" || true
}

end_manager() {
	kill "$MANAGER"
	wait "$MANAGER" 2>/dev/null || true
}

@test "start forwards READY=1, then sends the pid, and waits for the manager" {
	manager 1
	script 'sleep 1; notify "STATUS=no
READY=1
MAINPID=1" "READY=1"; exec sleep 1000'
	export NOTIFY_SOCKET=$HOST_SOCKET
	create "$ID"
	pid=$(pid_of "$ID")
	[ -d "$ROOT/$ID/notify" ]
	[ ! -e "$ROOT/$ID/notify/notify.sock" ]
	begin=$(date +%s%N)
	run -0 tare start "$ID"
	[ -z "$output" ]
	[ $((($(date +%s%N) - begin) / 1000000)) -ge 1900 ]
	[ "$(messages)" = "READY=1 fds=0
MAINPID=$pid fds=0
BARRIER=1 fds=1" ]
	[ "$(status_of "$ID")" = running ]
	end_manager
	tare delete --force "$ID"
	[ ! -e "$ROOT/$ID" ]
}

@test "run --detach also waits; for any user, and with a read-only root that lacks the directory" {
	manager 0
	config '.process.user={"uid":1000,"gid":1000} | .root.readonly=true | .process.env+=["NOTIFY_SOCKET=/wrong"]'
	script 'grep " /run/notify " /proc/self/mountinfo; echo $NOTIFY_SOCKET; notify READY=1; exec sleep 1000'
	NOTIFY_SOCKET=$HOST_SOCKET tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&-
	[ "$(messages)" = "READY=1 fds=0
MAINPID=$(pid_of "$ID") fds=0
BARRIER=1 fds=1" ]
	for option in ro nosuid nodev noexec; do
		head -n 1 "$WORK/out" | cut -d' ' -f6 | grep -qw $option
	done
	[ "$(tail -n 1 "$WORK/out")" = /run/notify/notify.sock ]
	[ ! -s "$WORK/err" ]
	# Only the container's program gets the variable.
	run -0 tare exec "$ID" sh -c 'echo "${NOTIFY_SOCKET-none}"'
	[ "$output" = none ]
	end_manager
}

@test "a manager's socket has a path of any length" {
	manager 0
	script 'echo $NOTIFY_SOCKET; notify READY=1; exec sleep 1000'
	count=0
	for bytes in 107 108 109 1500; do
		long_path "$HOST_SOCKET" $bytes
		NOTIFY_SOCKET=$LONG tare run -d -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&-
		count=$((count + 1))
		[ "$(cat "$WORK/out")" = /run/notify/notify.sock ] || { echo "$bytes: $(cat "$WORK/out")"; return 1; }
		[ "$(messages | grep -cx 'READY=1 fds=0')" = $count ]
		[ "$(messages | tail -n 1)" = "BARRIER=1 fds=1" ]
		[ ! -s "$WORK/err" ]
		tare delete --force "$ID"
	done
	end_manager
}

@test "a run in the foreground forwards while it waits, and is the main process itself" {
	manager 0 @tare-test-$ID
	script 'sleep 0.3; notify READY=1; cat; exit 9'
	mkfifo "$WORK/in"
	NOTIFY_SOCKET=$HOST_SOCKET "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" <"$WORK/in" >"$WORK/out" 2>&1 3>&- &
	pid=$!
	exec 7>"$WORK/in"
	wait_for 'messages | grep -q BARRIER'
	[ "$(messages)" = "READY=1 fds=0
MAINPID=$pid fds=0
BARRIER=1 fds=1" ]
	echo still here >&7
	exec 7>&-
	status=0
	wait $pid || status=$?
	[ "$status" -eq 9 ]
	[ "$(cat "$WORK/out")" = "still here" ]
	end_manager
}

@test "the wait ends when the program exits, with READY=1 as its last message or without" {
	manager 0
	export NOTIFY_SOCKET=$HOST_SOCKET
	config '.process.args=["notify","READY=1"]'
	run -0 tare run -d -b "$BUNDLE" "$ID" 3>&-
	[ "$(messages | wc -l)" -eq 3 ]
	config '.process.args=["notify","READY=0","XREADY=1","READY=11"]'
	run -0 tare run -d -b "$BUNDLE" "$ID.2" 3>&-
	config '.process.args=["sh","-c","sleep 0.3"]'
	create "$ID.3"
	run -0 tare start "$ID.3"
	run -0 tare run -b "$BUNDLE" "$ID.4"
	[ "$(messages | wc -l)" -eq 3 ]
	end_manager
}

@test "other commands work on a container that is not ready" {
	manager 0
	config '.process.args=["sleep","1000"]'
	export NOTIFY_SOCKET=$HOST_SOCKET
	create "$ID"
	tare start "$ID" 3>&- &
	pid=$!
	wait_for '[ "$(status_of "$ID")" = running ]'
	# While it waits, start does not hold the lock that other commands wait for.
	wait_for 'flock -n "$ROOT/$ID" true'
	run -0 timeout "$HANGS" "$TARE" --root "$ROOT" delete --force "$ID"
	wait $pid
	[ -z "$(messages)" ]
	end_manager
}

@test "a missing service manager is a warning, and without NOTIFY_SOCKET there is no socket" {
	inside 'test ! -e /run/notify && test -z "${NOTIFY_SOCKET+set}"'
	cp "$TOOLS/notify" "$BUNDLE/rootfs/bin/notify"
	config '.process.args=["notify","READY=1"]'
	NOTIFY_SOCKET=$WORK/missing run -0 tare --log "$WORK/log" run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	grep -q "cannot notify the service manager: no such file" "$WORK/log"
	for address in relative vsock:1:2 /; do
		NOTIFY_SOCKET=$address run -1 tare run -b "$BUNDLE" "$ID"
		[ "$output" = "no NOTIFY_SOCKET" ]
	done
}

@test "in a user namespace" {
	manager 0
	add_user_namespace
	config '.process.args=["notify","READY=1"]'
	NOTIFY_SOCKET=$HOST_SOCKET run -0 tare run -b "$BUNDLE" "$ID"
	[ -z "$output" ]
	[ "$(messages | wc -l)" -eq 3 ]
	end_manager
}

# Runs the container in the foreground. Its pid is in $pid.
foreground() {
	NOTIFY_SOCKET=$HOST_SOCKET "$TARE" --root "$ROOT" --log "$WORK/log" run -b "$BUNDLE" "$ID" >"$WORK/out" 2>&1 3>&- &
	pid=$!
}

# Terminates it with a signal, and stores its exit status in $status. If it does not react, it is killed.
terminate() {
	kill "$pid"
	wait_for '! kill -0 "$pid" 2>/dev/null' || kill -KILL "$pid"
	status=0
	wait $pid || status=$?
}

@test "a manager with a full queue does not keep signals from the container" {
	manager 0 "" full
	script 'trap "exit 7" TERM; notify READY=1; echo said; while true; do sleep 0.1; done'
	foreground
	wait_for 'grep -q said "$WORK/out"'
	sleep 0.2
	terminate
	[ "$status" -eq 7 ]
	grep -q "cannot notify the service manager: it did not read its messages" "$WORK/log"
	[ -z "$(messages)" ]
	end_manager
}

@test "messages that found the queue full are sent when it has room" {
	manager 0 "" full
	config '.process.args=["sh","-c","notify READY=1; exec sleep 1000"]'
	foreground
	wait_for '[ "$(status_of "$ID" 2>/dev/null)" = running ]'
	NOTIFY_SOCKET=$HOST_SOCKET "$TARE" --root "$ROOT" run -d -b "$BUNDLE" "$ID.2" </dev/null >"$WORK/out2" 2>&1 3>&- &
	detached=$!
	sleep 0.5
	kill -0 "$detached"
	[ -z "$(messages)" ]
	kill -USR1 "$MANAGER"
	wait "$detached"
	wait_for '[ "$(messages | wc -l)" -eq 6 ]'
	for main in "$pid" "$(pid_of "$ID.2")"; do
		messages | grep -qx "MAINPID=$main fds=0"
	done
	[ "$(messages | sed 's/=.*//' | sort | uniq -c | tr -s ' \n' ' ')" = " 2 BARRIER 2 MAINPID 2 READY " ]
	[ ! -s "$WORK/out2" ]
	tare delete --force "$ID"
	wait $pid || true
	[ ! -s "$WORK/log" ]
	end_manager
}

@test "a signal ends the wait for a manager that never answers a barrier" {
	manager 1000
	config '.process.args=["sh","-c","notify READY=1; exit 5"]'
	foreground
	wait_for 'messages | grep -q BARRIER && [ "$(status_of "$ID")" = stopped ]'
	terminate
	[ "$status" -eq 5 ]
	[ ! -e "$ROOT/$ID" ]
	end_manager
}
