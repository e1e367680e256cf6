#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A client of the Container Runtime Interface, for the tests of engines that Kubernetes calls.

usage: cri.py serve SOCKET REQUESTS ANSWERS
           Calls methods of RuntimeService and ImageService, as lines of the FIFO REQUESTS name them: "METHOD REQUEST".
           For each writes one line to the FIFO ANSWERS: "0 RESPONSE" or "1 MESSAGE". Request and response are JSON
           with the names of fields as in api.proto. One process for all, because starting one takes longer than most
           calls.
       cri.py stream URL [COLUMNS ROWS]
           Connects to what Exec or Attach has returned. Standard input goes to the program, and its output to
           standard output and standard error. The program's terminal gets that size. Exits with the status of a
           program that Exec started.
       cri.py forward URL PORT
           Connects to what PortForward has returned: standard input goes to the port, and what the port sends to
           standard output, until the port has sent as many bytes as standard input had.
       cri.py probes SOCKET CONTAINER RATE SECONDS COMMAND...
           Calls ExecSync RATE times in a second, and prints how many calls succeeded, how many failed, the first
           failure, and the median and the longest duration in milliseconds.

Needs the Debian packages python3-grpcio, python3-protobuf, protobuf-compiler and golang-github-kubernetes-cri-api-dev.
The streams are those of the WebSocket protocol v4.channel.k8s.io, of which the client has what it needs.
"""
import base64
import concurrent.futures
import json
import os
import queue
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

SOURCES = os.environ.get("CRI_SOURCES", "/usr/share/gocode/src")
API = "k8s.io/cri-api/pkg/apis/runtime/v1/api.proto"


def descriptors():
    """The interface, compiled from Debian's source of it, and kept in the directory CRI_CACHE if that is set."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    cache = os.path.join(os.environ.get("CRI_CACHE", "/nonexistent"), "cri.descriptors")
    if not os.path.exists(cache):
        with tempfile.NamedTemporaryFile(suffix=".descriptors") as made:
            subprocess.run(["protoc", "-I", SOURCES, "-I", os.path.join(SOURCES, "github.com/gogo/protobuf/protobuf"),
                            "--include_imports", "--descriptor_set_out=" + made.name, os.path.join(SOURCES, API)],
                           check=True, stderr=subprocess.DEVNULL)
            content = made.read()
        if "CRI_CACHE" in os.environ:
            with open(cache + str(os.getpid()), "wb") as file:
                file.write(content)
            os.rename(cache + str(os.getpid()), cache)
    else:
        with open(cache, "rb") as file:
            content = file.read()
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(content).file:
        pool.Add(file)
    return pool


class Client:
    """Calls methods by name. Requests are dictionaries, or texts of JSON."""

    def __init__(self, address):
        import grpc
        from google.protobuf import json_format, message_factory

        self.pool, self.grpc, self.format = descriptors(), grpc, json_format
        self.messages = message_factory.MessageFactory(self.pool)
        self.channel = grpc.insecure_channel("unix://" + address, [("grpc.max_reconnect_backoff_ms", 500)])

    def method(self, name):
        """The descriptor of a method, and its name in calls."""
        for service in ("RuntimeService", "ImageService"):
            described = self.pool.FindServiceByName("runtime.v1." + service).methods_by_name.get(name)
            if described:
                return described, f"/runtime.v1.{service}/{name}"
        raise KeyError(f"no method '{name}'")

    def request(self, name, content):
        """The request of a method, from a text of JSON."""
        described, _ = self.method(name)
        return self.format.Parse(content, self.messages.GetPrototype(described.input_type)())

    def caller(self, name):
        """A function that calls the method, and can be used by several threads."""
        described, path = self.method(name)
        answer = self.messages.GetPrototype(described.output_type)
        return self.channel.unary_unary(path, request_serializer=lambda message: message.SerializeToString(),
                                        response_deserializer=answer.FromString)


def serve(address, requests, answers):
    """Answers requests until it is killed."""
    client = Client(address)
    # Opened for reading and writing, a FIFO has no end, and opening it does not wait.
    requests = os.fdopen(os.open(requests, os.O_RDWR), "rb", buffering=0)
    answers = os.open(answers, os.O_RDWR)
    for line in requests:
        name, content = line.decode().split(" ", 1)
        try:
            answer = client.caller(name)(client.request(name, content), timeout=240)
            text = "0 " + client.format.MessageToJson(answer, preserving_proto_field_name=True, indent=None,
                                                      including_default_value_fields=True)
        except client.grpc.RpcError as error:
            text = f"1 {name}: {error.code().name}: {error.details()}"
        except (client.format.ParseError, KeyError) as error:
            text = f"1 {name}: {error}"
        os.write(answers, text.replace("\n", " ").encode() + b"\n")


class Stream:
    """A WebSocket (RFC 6455) with the channels of Kubernetes: the first byte of a message is the channel's number."""

    def __init__(self, url):
        parts = urllib.parse.urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=240)
        key = base64.b64encode(os.urandom(16)).decode()
        path = parts.path + ("?" + parts.query if parts.query else "")
        self.socket.sendall((f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\n"
                             f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
                             "Sec-WebSocket-Protocol: v4.channel.k8s.io\r\n\r\n").encode())
        self.input = self.socket.makefile("rb")
        status = self.input.readline()
        while self.input.readline().strip():
            pass
        if b" 101 " not in status:
            sys.exit(f"cri.py: the server answered '{status.decode().strip()}'")

    def send(self, channel, content, operation=2):
        """Sends one message. A client has to mask what it sends."""
        content = (b"" if channel is None else bytes([channel])) + content
        mask = os.urandom(4)
        size = len(content)
        head = struct.pack("!BB", 0x80 | operation, 0x80 | size) if size < 126 else struct.pack(
            "!BBH", 0x80 | operation, 0x80 | 126, size)
        self.socket.sendall(head + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(content)))

    def messages(self):
        """Yields the channel and the content of each message until the server closes the connection."""
        while True:
            head = self.input.read(2)
            if len(head) < 2 or head[0] & 15 == 8:
                return
            size = head[1] & 127
            if size == 126:
                size = struct.unpack("!H", self.input.read(2))[0]
            elif size == 127:
                size = struct.unpack("!Q", self.input.read(8))[0]
            content = self.input.read(size)
            if head[0] & 15 == 9:
                self.send(None, content, 10)
            elif content:
                yield content[0], content[1:]


def stream(url, *size):
    """Passes standard input and output until the program or the connection ends."""
    connection = Stream(url)
    if size:
        connection.send(4, json.dumps({"Width": int(size[0]), "Height": int(size[1])}).encode())

    def pass_input():
        while content := os.read(0, 4096):
            connection.send(0, content)

    threading.Thread(target=pass_input, daemon=True).start()
    for channel, content in connection.messages():
        if channel in (1, 2):
            os.write(channel, content)
        elif channel == 3:
            result = json.loads(content)
            if result["status"] == "Success":
                continue
            causes = result.get("details", {}).get("causes", [])
            codes = [cause["message"] for cause in causes if cause["reason"] == "ExitCode"]
            if not codes:
                sys.exit(f"cri.py: {result['message']}")
            os._exit(int(codes[0]))
    os._exit(0)


def forward(url, port):
    """Sends standard input to a port of the sandbox, and prints as many bytes from it."""
    connection = Stream(f"{url}?port={port}" if "?" not in url else f"{url}&port={port}")
    content = sys.stdin.buffer.read()
    connection.send(0, content)
    # The first message of each channel is the number of the port.
    begun, received = set(), 0
    for channel, answer in connection.messages():
        if channel not in begun:
            begun.add(channel)
        elif channel == 1:
            sys.exit(f"cri.py: {answer.decode()}")
        else:
            os.write(1, answer)
            received += len(answer)
            if received >= len(content):
                return


def probes(address, container, rate, seconds, *command):
    """Calls ExecSync at a rate that does not depend on how long the calls take."""
    client = Client(address)
    execute = client.caller("ExecSync")
    request = client.request("ExecSync", json.dumps({"container_id": container, "cmd": command, "timeout": 120}))
    results = queue.Queue()

    def probe():
        begun = time.monotonic()
        try:
            answer = execute(request, timeout=240)
            failure = answer.exit_code and f"exit code {answer.exit_code}: {answer.stderr.decode(errors='replace')}"
        except client.grpc.RpcError as error:
            failure = error.details()
        results.put((time.monotonic() - begun, failure))

    rate, seconds = float(rate), float(seconds)
    begun = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(max_workers=64) as pool:
        for number in range(int(rate * seconds)):
            time.sleep(max(0, begun + number / rate - time.monotonic()))
            pool.submit(probe)
    elapsed = time.monotonic() - begun
    done = [results.get() for _ in range(results.qsize())]
    durations = sorted(duration for duration, _ in done)
    failures = [failure for _, failure in done if failure]
    print(json.dumps({"succeeded": len(done) - len(failures), "failed": len(failures), "first": (failures or [None])[0],
                      "per_second": round(len(done) / elapsed, 1), "median_ms": round(statistics.median(durations) * 1000),
                      "longest_ms": round(durations[-1] * 1000)}))


if __name__ == "__main__":
    commands = {"serve": serve, "stream": stream, "forward": forward, "probes": probes}
    if len(sys.argv) < 3 or sys.argv[1] not in commands:
        sys.exit(__doc__)
    commands[sys.argv[1]](*sys.argv[2:])
