#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: engine_table.py TABLE.PY ENGINES_DIRECTORY DOCUMENT

Checks what the program of the engines' table makes of results, that the document has its markers, and that no two checks
of a file have the same name, because a result is found by its name.
"""
import os
import subprocess
import sys
import tempfile

program, directory, document = sys.argv[1:]
CHECKS = '@test "one" {\n}\n@test "two: a | b" {\n}\n@test "three" {\n}\n'
RESULTS = """version tare 1.2.3
version crun 4.5
# result x.bats tare yes three
result x.bats tare yes one
result x.bats crun no one
result x.bats runc - one
result x.bats tare {} two: a | b
result x.bats crun yes two: a | b
result x.bats runc yes two: a | b
result x.bats crun no three
"""

with tempfile.TemporaryDirectory() as work:
    results, page = f"{work}/results", f"{work}/page"
    with open(f"{work}/x.bats", "w", encoding="utf-8") as file:
        file.write(CHECKS)

    def run(result, *options):
        with open(results, "w", encoding="utf-8") as file:
            file.write(RESULTS.format(result))
        return subprocess.run([sys.executable, program, *options, results, work, "x.bats"], capture_output=True, text=True, check=False)

    good = run("yes")
    assert good.returncode == 0, good.stderr
    rows = good.stdout.splitlines()
    assert rows[0].startswith("Of 3 checks tare passes 2, crun passes 1, runc passes 1. Run on "), rows
    assert rows[0].endswith(" with tare 1.2.3, crun 4.5."), rows
    assert rows[-3:] == ["| one | yes | no | - |", "| two: a \\| b | yes | yes | yes |", "| three | no | no | no |"], rows
    bad = run("no")
    assert bad.returncode == 1 and bad.stderr == "passes with another runtime but not with tare: x.bats: two: a | b\n", bad
    # A check that tare skips and another runtime passes is not passed by tare.
    assert run("-").returncode == 1
    assert "three" not in run("yes", "--only", "^(one|two)").stdout

    with open(document, encoding="utf-8") as file:
        text = file.read()
    with open(page, "w", encoding="utf-8") as file:
        file.write(text)
    run("yes", "--into", page)
    with open(page, encoding="utf-8") as file:
        new = file.read()
    begin, end = "<!-- begin: made by tests/engines/table -->\n", "<!-- end: made by tests/engines/table -->\n"
    assert new == text.split(begin)[0] + begin + good.stdout + end + text.split(end)[1]

for name in os.listdir(directory):
    if name.endswith(".bats"):
        with open(os.path.join(directory, name), encoding="utf-8") as file:
            tests = [line for line in file if line.startswith("@test ")]
        assert tests and len(tests) == len(set(tests)), name
