#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A small judge: runs programs that are not trusted in sandboxes of tare, and prints a table of their verdicts.

usage: judge.py [--tare PROGRAM] [--root DIR] [--count N | --rounds N] [--jobs N] [--all] [KIND...]

Verdicts: AC accepted, WA wrong answer, RE runtime error, TL time limit, ML memory limit, OL output limit, PL limit of
processes, SV a forbidden system call, IE the sandbox could not be started. They are derived from tare's report alone:
its member "cause" states why a program ended, so that nothing has to be guessed from exit statuses and messages.

The programs are of 14 kinds, honest and hostile. Those that only a limit of memory or of processes stops are not run
where these limits cannot be enforced; the table names them. The exit status is 1 if a program gets another verdict than
it should, or if something is left, and with --all if a kind is not judged. Needs Python 3.7 or later, and no modules.
"""

import argparse
import collections
import concurrent.futures
import json
import os
import subprocess
import sys
import tempfile

Kind = collections.namedtuple("Kind", "verdict source answer flags needs")


def kind(verdict, source, answer="", flags=(), needs=()):
    return Kind(verdict, source, answer, list(flags), set(needs))


VICTIM = "not to be changed\n"

KINDS = {
    "honest": kind("AC", "a, b = map(int, input().split())\nprint(a + b)", "5\n"),
    "wrong": kind("WA", "a, b = map(int, input().split())\nprint(a - b)", "5\n"),
    "fork-bomb": kind("PL", "import os, time\nwhile True:\n if os.fork() == 0: time.sleep(1000)", needs=["pids"]),
    "memory-bomb": kind("ML", "kept = []\nwhile True: kept.append(bytearray(1 << 20))", needs=["memory"]),
    "endless-loop": kind("TL", "while True: pass"),
    "sleep": kind("TL", "import time\ntime.sleep(1000)", flags=["--time-limit", "1s"]),
    "output-flood": kind("OL", "while True: print('x' * 1000)"),
    "shm-fill": kind("ML", "with open('/dev/shm/file', 'wb') as f:\n while True: f.write(bytes(1 << 20))",
                     needs=["memory"]),
    "core-dump": kind("RE", "import os\nos.abort()"),
    "kill-1": kind("AC", "import os, signal\nos.kill(1, signal.SIGKILL)\nos.kill(1, signal.SIGSTOP)\nprint('alive')",
                   "alive\n"),
    "ptrace": kind("AC", "import ctypes, errno\nlibc = ctypes.CDLL(None, use_errno=True)\nlibc.ptrace(16, 1, 0, 0)\n"
                         "print(errno.errorcode[ctypes.get_errno()])", "EPERM\n"),
    "network": kind("RE", "import socket\nsocket.create_connection(('192.0.2.1', 80), 5)"),
    "symlink": kind("AC", "import os, sys\nfor i in range(1000):\n for name in os.listdir('/work'):\n"
                          "  os.rename('/work/' + name, '/work/.gone')\n"
                          "  os.symlink(sys.argv[1], '/work/' + name)\n  os.unlink('/work/.gone')\n"
                          "os.symlink(sys.argv[1], '/work/report.json') if not os.listdir('/work') else 0\nprint('done')",
                    "done\n"),
    "close-stdin": kind("AC", "import os\nos.close(0)\nprint('closed')", "closed\n"),
}

BY_CAUSE = {"signal": "RE", "oom": "ML", "time": "TL", "cpu-time": "TL", "output": "OL", "pids": "PL",
            "seccomp": "SV", "killed": "IE", "unknown": "IE", "setup": "IE"}
MEMORY = "64m"
PIDS = "32"


def cpu_time(report):
    """Microseconds of the container or, without a cgroup, of the program alone."""
    program = report.get("program", {})
    return report["time"].get("cpu", program.get("user", 0) + program.get("system", 0))


class Judge:
    def __init__(self, options):
        self.tare = [options.tare] + (["--root", options.root] if options.root else [])
        self.cpu_seconds = 1.0
        self.limits = ["--memory", MEMORY, "--pids", PIDS]
        self.enforced = {"memory", "pids"}
        self.probe()

    def probe(self):
        """Finds out whether the limits can be enforced here, and how long a program needs that does nothing."""
        tried = subprocess.run(self.tare + ["sandbox"] + self.limits + ["--", "true"], stderr=subprocess.PIPE)
        if tried.returncode != 0:
            sys.stderr.write("judge: limits of memory and processes are not enforced here: %s\n" %
                             tried.stderr.decode().strip())
            self.limits = ["--limits=best-effort"] + self.limits
            self.enforced = set()
        _, report = self.execute(KINDS["honest"], ["--time-limit", "60s"])
        self.cpu_seconds = max(1.0, 20 * cpu_time(report) / 1e6)

    def execute(self, program, flags):
        """Runs one program. Returns its output and the report."""
        with tempfile.TemporaryDirectory() as base:
            work = os.path.join(base, "work")
            victim = os.path.join(base, "victim")
            os.mkdir(work)
            os.chmod(base, 0o755)
            os.chmod(work, 0o777)
            with open(victim, "w") as f:
                f.write(VICTIM)
            report = os.path.join(work, "report.json")
            command = self.tare + ["sandbox", "--report", report, "--output-limit", "64k", "--grace", "0",
                                   "--file", "/program.py=" + program.source, "--rw", work + ":/work"]
            done = subprocess.run(command + self.limits + flags + ["--", "python3", "-IS", "/program.py", victim],
                                  input=b"2 3\n", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with open(victim) as f:
                if f.read() != VICTIM or os.path.islink(report):
                    raise RuntimeError("the report was redirected")
            try:
                with open(report) as f:
                    return done.stdout.decode(errors="replace"), json.load(f)
            except (OSError, ValueError) as e:
                raise RuntimeError("no report (%s): %s" % (e, done.stderr.decode(errors="replace")))

    def judge(self, name):
        program = KINDS[name]
        limits = ["--cpu-time-limit", "%.3fs" % self.cpu_seconds, "--time-limit", "%.3fs" % (60 * self.cpu_seconds)]
        output, report = self.execute(program, limits + program.flags)
        cause = report["cause"]
        if cause != "exit":
            return BY_CAUSE[cause], report
        if report["exitCode"] != 0:
            return "RE", report
        return "AC" if output == program.answer else "WA", report

    def left(self):
        return subprocess.run(self.tare + ["list", "-q"], stdout=subprocess.PIPE).stdout.decode().split()


def print_row(name, expected, results):
    verdicts = collections.Counter(verdict for verdict, _ in results)
    reports = [report for _, report in results]
    wall = max(report["time"].get("wall", 0) for report in reports) / 1e6
    cpu = max(cpu_time(report) for report in reports) / 1e6
    peak = max(report["memory"].get("peak", 0) for report in reports) >> 20
    text = " ".join("%s*%d" % item for item in sorted(verdicts.items()))
    print("%-14s %-8s %-18s %8.3f %8.3f %6d" % (name, expected, text, wall, cpu, peak))
    return set(verdicts) == {expected}


def choose(options, enforced):
    """Returns the kinds of the programs in their order, and why each of the other kinds is not judged."""
    wanted = options.kinds or list(KINDS)
    missing = {name: "no limit of %s here" % ", ".join(sorted(KINDS[name].needs - enforced))
               for name in wanted if not KINDS[name].needs <= enforced}
    names = [name for name in wanted if name not in missing]
    count = options.count if options.rounds is None else options.rounds * len(names)
    queue = [names[i % len(names)] for i in range(count)] if names else []
    missing.update((name, "more kinds than programs") for name in names if name not in queue)
    return queue, missing


def main():
    parser = argparse.ArgumentParser(description="Judge programs of 14 kinds in sandboxes of tare.")
    parser.add_argument("--tare", default="tare", help="the program (default: that of PATH)")
    parser.add_argument("--root", help="tare's directory for state")
    parser.add_argument("--count", type=int, default=200, help="programs in all (default: 200)")
    parser.add_argument("--rounds", type=int, help="in place of --count: programs of each kind")
    parser.add_argument("--all", action="store_true", help="fail if a kind is not judged")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="programs at a time (default: one for each CPU)")
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="default: all")
    options = parser.parse_args()
    judge = Judge(options)
    queue, missing = choose(options, judge.enforced)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        results = list(zip(queue, pool.map(judge.judge, queue)))
    print("%-14s %-8s %-18s %8s %8s %6s" % ("kind", "expected", "verdicts", "wall s", "cpu s", "MiB"))
    is_right = True
    for name in dict.fromkeys(queue):
        is_right &= print_row(name, KINDS[name].verdict, [result for other, result in results if other == name])
    for name, reason in missing.items():
        print("%-14s %-8s not judged: %s" % (name, KINDS[name].verdict, reason))
    left = judge.left()
    if left:
        print("left: %s" % " ".join(left))
    return 0 if is_right and not left and not (options.all and missing) else 1


if __name__ == "__main__":
    sys.exit(main())
