# SPDX-License-Identifier: Apache-2.0
load helpers

@test "a terminal in the foreground" {
	config '.process.terminal=true | .process.consoleSize={"height":33,"width":77} | .process.args=["sh","-c","test -t 0 && test -t 1 && echo tty; stty size; tty; ls -l /dev/console | cut -c1"]'
	run -0 command script -qec "'$TARE' --root '$ROOT' run -b '$BUNDLE' '$ID'" /dev/null </dev/null
	output=$(tr -d '\r' <<<"$output")
	[[ "$output" == *tty* ]]
	[[ "$output" == */dev/pts/0* ]]
}

@test "--console-socket gets the master, once" {
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
	create --console-socket "$WORK/socket" "$ID"
	tare start "$ID"
	wait_for 'grep -q "from inside" "$WORK/received"'
}

@test "a terminal without a place for it, and the reverse" {
	config '.process.terminal=true'
	run -1 tare create -b "$BUNDLE" "$ID"
	[[ "$output" == *"cannot allocate tty"* ]]
	config '.process.terminal=false'
	run -1 tare create -b "$BUNDLE" --console-socket "$WORK/x" "$ID"
	[[ "$output" == *"cannot use console socket"* ]]
}
