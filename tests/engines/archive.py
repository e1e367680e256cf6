#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: archive.py FILE LAYER MORE NAME COMMAND [NAME COMMAND...]

Makes an archive with images, as `docker save` does: each of the layer LAYER, a tar archive, and of MORE layers with one
file, and with a name and what /bin/sh runs for it. An empty COMMAND is an image without a program.
"""
import hashlib
import io
import json
import os
import sys
import tarfile


def add(archive, name, data=b""):
    entry = tarfile.TarInfo(name)
    entry.size = len(data)
    archive.addfile(entry, io.BytesIO(data))


def small_layer(name):
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as layer:
        add(layer, name)
    return data.getvalue()


def digest(data):
    return hashlib.sha256(data).hexdigest()


def main(path, layer, more, *images):
    with open(layer, "rb") as file:
        layers = [file.read(), *(small_layer(f"layer{i}") for i in range(int(more)))]
    manifest = []
    with tarfile.open(path, "w") as archive:
        for i, data in enumerate(layers):
            add(archive, f"{i}/layer.tar", data)
        for name, command in zip(images[::2], images[1::2]):
            config = json.dumps({
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine], "os": "linux",
                "config": {"Env": ["PATH=/bin"], **({"Entrypoint": ["/bin/sh", "-c", command]} if command else {})},
                "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(data) for data in layers]}}).encode()
            add(archive, digest(config) + ".json", config)
            manifest.append({"Config": digest(config) + ".json", "RepoTags": [name],
                             "Layers": [f"{i}/layer.tar" for i in range(len(layers))]})
        add(archive, "manifest.json", json.dumps(manifest).encode())


if __name__ == "__main__":
    if len(sys.argv) < 6:
        sys.exit(__doc__)
    main(*sys.argv[1:])
