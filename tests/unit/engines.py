#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: engines.py DIRECTORY PROGRAM DOCUMENT

Checks that the files for the engines' configuration directories are well-formed and name the program, and that the
document shows the same files.
"""
import json
import sys

try:
    import tomllib
except ImportError:
    print("skipped: python3 before 3.11 has no tomllib")
    sys.exit(77)

directory, program, document = sys.argv[1:]


def toml(name):
    with open(f"{directory}/{name}", "rb") as file:
        return tomllib.load(file)


with open(f"{directory}/daemon.json", encoding="utf-8") as file:
    assert json.load(file) == {"runtimes": {"tare": {"path": program}}}
for name in ("containers.conf", "50-tare.conf"):
    assert toml(name) == {"engine": {"runtimes": {"tare": [program]}}}
containerd = toml("containerd.toml")
assert containerd["version"] == 2
runtime = containerd["plugins"]["io.containerd.grpc.v1.cri"]["containerd"]["runtimes"]["tare"]
assert runtime["runtime_type"] == "io.containerd.runc.v2"
assert runtime["options"] == {"BinaryName": program, "SystemdCgroup": True}
assert toml("crio.conf")["crio"]["runtime"]["runtimes"]["tare"]["runtime_path"] == program
with open(f"{directory}/runtimeclass.yaml", encoding="utf-8") as file:
    lines = file.read().splitlines()
assert lines[-3:] == ["metadata:", "  name: tare", "handler: tare"]
assert not any("\t" in line for line in lines)

# The document shows the files of the Debian package, without their comments at the beginning.
with open(document, encoding="utf-8") as file:
    text = file.read()
for name in ("daemon.json", "containerd.toml", "crio.conf", "runtimeclass.yaml", "oci.conf"):
    with open(f"{directory}/{name}", encoding="utf-8") as file:
        lines = file.read().replace(program, "/usr/sbin/tare").splitlines(keepends=True)
    while lines[0].startswith("#"):
        lines.pop(0)
    shown = "".join(line for line in lines if not line.lstrip().startswith("#"))
    assert "```\n" + shown + "```" in text.replace("```toml", "```").replace("```json", "```").replace("```yaml", "```"), name
