"""`qjax train` from the process's start to its end, with an empty compilation cache and with a full one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time

from benchmarks.findings import Finding
from benchmarks.measure import Bench
from benchmarks.process import pinned, worker_environment
from benchmarks.table import duration

_ARGUMENTS = ("train", "--preset", "baseline", "--set", "gradient_method=spsa_parallel", "--json")
GOALS = (("first", 3.0), ("second", 1.5))


def check(bench: Bench) -> list[Finding]:
    """Two runs of the command in whole processes."""
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        environment = worker_environment(len(bench.cores)) | {"XDG_CACHE_HOME": folder}
        del environment["JAX_ENABLE_COMPILATION_CACHE"]
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # a package that is installed has its bytecode
        command = [sys.executable, "-m", "qjax", *_ARGUMENTS, "--runs-dir", f"{folder}/runs"]
        for which, goal in GOALS:
            bench.say(f"command: {which} time")
            start = time.perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True, **pinned(bench.cores))
            seconds = time.perf_counter() - start
            what = f"`qjax {' '.join(_ARGUMENTS[:-1])}`, {which} time"
            findings.append(Finding(what, f"< {duration(goal)}", duration(seconds), seconds < goal))
    return findings
