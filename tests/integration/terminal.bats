# SPDX-License-Identifier: Apache-2.0
load helpers

@test "a terminal in the foreground" {
	config '.process.terminal=true | .process.consoleSize={"height":33,"width":77} | .process.args=["sh","-c","test -t 0 && test -t 1 && echo tty; stty size; tty; ls -l /dev/console | cut -c1"]'
	run -0 command script -qec "'$TARE' --root '$ROOT' run -b '$BUNDLE' '$ID'" /dev/null </dev/null
	output=$(tr -d '\r' <<<"$output")
	[[ "$output" == *tty* ]]
	[[ "$output" == */dev/pts/0* ]]
}

@test "--console-socket gets the master, and only once" {
	command -v python3 >/dev/null || not_here "needs python3"
	config '.process.terminal=true | .process.args=["sh","-c","echo from inside"]'
	cat >"$WORK/receive.py" <<'P'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
peer, _ = server.accept()
data, ancillary, _, _ = peer.recvmsg(100, socket.CMSG_SPACE(4))
fd = array.array("i", ancillary[0][2])[0]
assert len(data) >= 1 and peer.recv(1) == b""
text = b""
while True:
    try:
        block = os.read(fd, 1000)
    except OSError:
        break
    if not block:
        break
    text += block
print(text.decode())
P
	python3 "$WORK/receive.py" "$WORK/socket" >"$WORK/received" 3>&- &
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/socket"
	create --console-socket "$WORK/socket" "$ID"
	tare start "$ID"
	wait_for 'grep -q "from inside" "$WORK/received"'
}

@test "a terminal that has no destination, and a destination without a terminal" {
	config '.process.terminal=true'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot allocate tty"*"--console-socket"*"/process/terminal to false"* ]]
	config '.process.terminal=false'
	run -1 tare create -b "$BUNDLE" --console-socket "$WORK/x" "$ID"
	[[ "$output" == *"cannot use console socket"* ]]
}

@test "what an image has at the multiplexer's path is not opened" {
	mkdir -p "$WORK/dev/pts"
	mkfifo "$WORK/dev/ptmx" "$WORK/dev/pts/ptmx"
	config --arg d "$WORK/dev" '.process.terminal=true | .mounts|=map(select(.destination|startswith("/dev")|not)) | .mounts+=[{destination:"/dev",type:"bind",source:$d,options:["bind"]}]'
	# Each reader waits until another process opens the other end.
	for fifo in ptmx pts/ptmx; do
		(cat "$WORK/dev/$fifo"; : >"$WORK/opened") 3>&- &
		readers+=($!)
	done
	run timeout 20 script -qec "'$TARE' --root '$ROOT' run -b '$BUNDLE' '$ID'" /dev/null </dev/null
	sleep 0.2
	opened=$(ls "$WORK/opened" 2>/dev/null || true)
	for fifo in ptmx pts/ptmx; do : <>"$WORK/dev/$fifo"; done
	wait "${readers[@]}"
	[ -z "$opened" ]
	[[ "$output" == *"cannot open a terminal in the container"* ]] || { echo "$output"; return 1; }
}

# Runs tare with a terminal that a Python script emulates. The script is on standard input. It can call until() and
# send(), and has what it has read so far in text.
emulator() {
	command -v python3 >/dev/null || not_here "needs python3"
	cat >"$WORK/emulator.py" <<'P'
import fcntl, os, pty, select, signal, struct, sys, termios, time
def size(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
def until(word, seconds=10):
    global text
    end = time.time() + seconds
    while word not in text:
        if not select.select([master], [], [], max(0, end - time.time()))[0]:
            sys.exit("never: %r in %r" % (word, text))
        text += os.read(master, 1000)
def send(data):
    os.write(master, data)
text = b""
pid, master = pty.fork()
if pid == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 21, 71, 0, 0))
    if "plain" in os.environ:
        modes = termios.tcgetattr(0)
        modes[1] &= ~termios.ONLCR
        termios.tcsetattr(0, termios.TCSANOW, modes)
    os.execv(sys.argv[1], sys.argv[1:])
P
	cat >>"$WORK/emulator.py"
	run timeout "$HANGS" python3 "$WORK/emulator.py" "$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" 3>&-
	[ "$status" -eq 0 ] || { echo "status $status: $output"; return 1; }
}

@test "the terminal has the caller's size and follows its changes" {
	script 'stty size; trap "stty size" WINCH; echo ready; i=0; while [ $i -lt 100 ]; do sleep 0.1; i=$((i + 1)); done'
	config '.process.terminal=true'
	emulator <<'P'
until(b"ready")
assert b"21 71\r\n" in text, text
size(44, 144)
until(b"44 144\r\n")
os.kill(pid, signal.SIGWINCH)
os.kill(pid, signal.SIGTERM)
time.sleep(0.1)
os.kill(pid, signal.SIGKILL)
P
}

@test "keys are passed raw, signals of the terminal go to the container, and the caller's modes are restored" {
	script 'trap "echo interrupted; exit 5" INT; stty -a | tr " ;" "\n\n" | grep -x isig; echo ready; read line; echo "got $line"; while :; do sleep 0.1; done'
	config '.process.terminal=true'
	emulator <<'P'
before = termios.tcgetattr(master)
until(b"ready")
assert not termios.tcgetattr(master)[3] & termios.ICANON
send(b"a word\r")
until(b"got a word")
send(b"\x03")
until(b"interrupted")
_, status = os.waitpid(pid, 0)
assert os.waitstatus_to_exitcode(status) == 5, status
P
}

@test "/dev/console, owner, controlling terminal, and all three descriptors" {
	script 'for fd in 0 1 2; do readlink /proc/self/fd/$fd; done; stat -c "%u %a" /dev/pts/0; stat -c %t:%T /dev/console /dev/pts/0 | uniq | wc -l; cut -d" " -f7 /proc/self/stat; echo x >/dev/tty && echo end'
	config '.process.terminal=true | .process.user={"uid":1234,"gid":5}'
	emulator <<'P'
until(b"end\r\n")
lines = text.decode().split("\r\n")
assert lines[:3] == ["/dev/pts/0"] * 3, lines
assert lines[3:6] == ["1234 620", "1", str(136 << 8)], lines
P
}

@test "consoleSize sets the size of a terminal that is handed over, and is ignored without one" {
	config '.process.consoleSize={"height":33,"width":77} | .process.args=["sh","-c","test -t 0 || echo none"]'
	run -0 tare run -b "$BUNDLE" "$ID" </dev/null
	[ "$output" = none ]
	command -v python3 >/dev/null || not_here "needs python3"
	config '.process.terminal=true | .process.args=["stty","size"]'
	cat >"$WORK/receive.py" <<'P'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
peer, _ = server.accept()
fd = array.array("i", peer.recvmsg(100, socket.CMSG_SPACE(4))[1][0][2])[0]
print(os.read(fd, 100).decode(), flush=True)
P
	python3 "$WORK/receive.py" "$WORK/socket" >"$WORK/received" 3>&- &
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/socket"
	tare run -d --console-socket "$WORK/socket" -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for 'grep -q "33 77" "$WORK/received"'
}

@test "a standard output without a reader delays neither signals nor the exit" {
	config '.process.terminal=true'
	script 'trap "exit 7" TERM; touch /tmp/here; yes & while :; do sleep 0.1; done'
	mkfifo "$WORK/pipe"
	sleep 1000 <>"$WORK/pipe" 3>&- &
	reader=$!
	"$TARE" --root "$ROOT" run -b "$BUNDLE" "$ID" </dev/null >"$WORK/pipe" 2>"$WORK/err" 3>&- &
	tare=$!
	wait_for '[ -e "$BUNDLE/rootfs/tmp/here" ]'
	# Usually enough time to fill the pipe.
	sleep 0.5
	kill -TERM "$tare"
	wait_for '! kill -0 "$tare" 2>/dev/null'
	status=0
	wait "$tare" || status=$?
	[ "$status" -eq 7 ]
	kill "$reader"
	run -1 tare state "$ID"
}

@test "in the foreground a line of the program ends with only a line feed: run and exec, into a file and a pipe" {
	config '.process.terminal=true'
	script 'stty -a 2>&1 | grep -ow -- "-\?onlcr"; printf "one\ntwo\n"'
	tare run -b "$BUNDLE" "$ID" </dev/null >"$WORK/file"
	[ "$(od -An -c "$WORK/file" | tr -d ' \n')" = '-onlcr\none\ntwo\n' ] || { od -c "$WORK/file"; return 1; }
	tare run -b "$BUNDLE" "$ID" </dev/null | cat >"$WORK/pipe"
	cmp "$WORK/file" "$WORK/pipe"
	config '.process.terminal=false | .process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	tare exec -t "$ID" sh -c 'stty -a 2>&1 | grep -ow -- "-\?onlcr"; printf "one\ntwo\n"' </dev/null >"$WORK/exec"
	cmp "$WORK/file" "$WORK/exec"
	tare exec -t "$ID" sh -c 'stty -a 2>&1 | grep -ow -- "-\?onlcr"; printf "one\ntwo\n"' </dev/null | cat >"$WORK/pipe"
	cmp "$WORK/file" "$WORK/pipe"
}

@test "the caller's terminal keeps translating the program's output" {
	script 'printf "one\ntwo\n"; echo ready; read line; printf "three\nend\n"'
	config '.process.terminal=true'
	emulator <<'P'
before = termios.tcgetattr(master)
until(b"ready\r\n")
assert text == b"one\r\ntwo\r\nready\r\n", text
assert termios.tcgetattr(master)[1] == before[1], (before, termios.tcgetattr(master))
send(b"\r")
until(b"end\r\n")
assert text.endswith(b"three\r\nend\r\n"), text
P
	# If the caller has disabled the translation, it stays disabled.
	plain=1 emulator <<'P'
until(b"ready")
assert text == b"one\ntwo\nready\n", text
P
}

@test "a terminal that is handed over translates, like every new one" {
	command -v python3 >/dev/null || not_here "needs python3"
	config '.process.terminal=true'
	script 'stty -a 2>&1 | grep -ow -- "-\?onlcr"'
	cat >"$WORK/receive.py" <<'P'
import array, os, socket, sys
server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1])
server.listen(1)
print("ready", flush=True)
for _ in range(2):
    peer, _ = server.accept()
    fd = array.array("i", peer.recvmsg(100, socket.CMSG_SPACE(4))[1][0][2])[0]
    text = b""
    while not text.endswith(b"\n"):
        text += os.read(fd, 100)
    print(repr(text), flush=True)
P
	python3 "$WORK/receive.py" "$WORK/socket" >"$WORK/received" 3>&- &
	wait_for 'grep -q ready "$WORK/received"'
	own "$WORK/socket"
	tare run -d --console-socket "$WORK/socket" -b "$BUNDLE" "$ID" </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ "$(grep -cF "onlcr\r\n" "$WORK/received")" = 1 ]'
	tare delete --force "$ID"
	config '.process.terminal=false | .process.args=["sleep","1000"]'
	create "$ID"
	tare start "$ID"
	tare exec -d -t --console-socket "$WORK/socket" "$ID" sh -c 'stty -a 2>&1 | grep -ow -- "-\?onlcr"' </dev/null >"$WORK/out" 2>&1 3>&-
	wait_for '[ "$(grep -cFx "b'"'"'onlcr\r\n'"'"'" "$WORK/received")" = 2 ]'
}
