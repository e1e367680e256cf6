#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""usage: table.py [--into DOCUMENT | --only EXPRESSION] RESULTS DIRECTORY FILE...

Prints the results of the engines' checks as tables, or puts them between the two markers of a document. The rows are
the checks of the files in that directory, in their order. A check without a result has failed: its file did not reach
it. Exits with 1 if a check passes with another runtime but not with tare.
"""
import datetime
import os
import re
import sys

BEGIN, END = "<!-- begin: made by tests/engines/table -->", "<!-- end: made by tests/engines/table -->"
RUNTIMES = ("tare", "crun", "runc")
ENGINES = {
    "buildah.bats": "Buildah",
    "containerd.bats": "containerd, by ctr",
    "cri.bats": "containerd, as Kubernetes calls it",
    "docker.bats": "Docker",
    "podman.bats": "Podman of root",
    "podman-user.bats": "Podman of a user",
}


def read_results(path):
    """Returns the versions, and what each (file, runtime, check) has given."""
    versions, results = {}, {}
    with open(path, encoding="utf-8") as file:
        for line in file:
            words = line.rstrip("\n").split(" ", 4)
            if words[0] == "version" and len(words) == 3:
                versions[words[1]] = words[2]
            elif words[0] == "result" and len(words) == 5:
                results[(words[1], words[2], words[4])] = words[3]
    return versions, results


def checks_of(path):
    with open(path, encoding="utf-8") as file:
        return re.findall(r'^@test "(.*)" \{$', file.read(), re.MULTILINE)


def make_table(versions, results, directory, files, only="."):
    """Returns the text, and the checks that tare alone does not pass."""
    lines, worse = [], []
    total = {runtime: 0 for runtime in RUNTIMES}
    count = 0
    for name in files:
        lines += ["", f"### {ENGINES.get(name, name)}", "", "| check | tare | crun | runc |", "|---|---|---|---|"]
        for check in checks_of(os.path.join(directory, name)):
            if not re.search(only, check):
                continue
            row = [results.get((name, runtime, check), "no") for runtime in RUNTIMES]
            count += 1
            for runtime, result in zip(RUNTIMES, row):
                total[runtime] += result == "yes"
            if row[0] != "yes" and "yes" in row[1:]:
                worse.append(f"{name}: {check}")
            lines.append("| " + " | ".join([check.replace("|", "\\|"), *row]) + " |")
    made_with = ", ".join(f"{name} {version}" for name, version in versions.items())
    day = datetime.date.today().isoformat()
    summary = ", ".join(f"{runtime} passes {total[runtime]}" for runtime in RUNTIMES)
    return [f"Of {count} checks {summary}. Run on {day} with {made_with}.", *lines], worse


def put_between(path, lines):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    before, rest = text.split(BEGIN + "\n")
    after = rest.split(END + "\n")[1]
    with open(path, "w", encoding="utf-8") as file:
        file.write(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + "\n" + after)


def main(arguments):
    options = {"--only": "."}
    while arguments[0] in ("--into", "--only"):
        options[arguments[0]] = arguments[1]
        arguments = arguments[2:]
    path, directory, *files = arguments
    lines, worse = make_table(*read_results(path), directory, files, options["--only"])
    if "--into" in options:
        put_between(options["--into"], lines)
        print(lines[0])
    else:
        print("\n".join(lines))
    for check in worse:
        print(f"passes with another runtime but not with tare: {check}", file=sys.stderr)
    return bool(worse)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
