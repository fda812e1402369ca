"""The description of the machine is true, plain JSON, and cheap."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest

import qjax.store
from qjax.store import describe_environment


def test_it_tells_the_truth_as_json() -> None:
    environment = describe_environment()
    assert json.loads(json.dumps(environment)) == environment
    assert environment["python"] == platform.python_version()
    assert environment["packages"]["numpy"] == np.__version__
    assert environment["packages"]["jax"] == metadata.version("jax")
    assert environment["cpu"]
    assert platform.node() not in environment.values()


def test_cores_are_those_this_process_may_use() -> None:
    allowed = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(allowed)})
        assert describe_environment()["cores"] == 1
    finally:
        os.sched_setaffinity(0, allowed)


def test_a_missing_package_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qjax.store.environment._PACKAGES", ("numpy", "no-such-package-at-all"))
    assert describe_environment()["packages"] == {"numpy": np.__version__, "no-such-package-at-all": None}


def test_the_store_does_not_import_slow_packages() -> None:
    # A bare package in place of `qjax`, so that only what the store itself imports counts.
    script = (
        "import sys, tempfile, types\n"
        "package = sys.modules['qjax'] = types.ModuleType('qjax')\n"
        f"package.__path__ = [{str(Path(qjax.store.__file__).parents[1])!r}]\n"
        "from qjax.store import RunStore, describe_environment, to_bytes\n"
        "with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:\n"
        "    store.create_run({}, {}, '', describe_environment(), 'cheap')\n"
        "    store.runs(); to_bytes([])\n"
        "print(sorted({'jax', 'jaxlib', 'optax', 'sklearn', 'ml_dtypes'} & set(sys.modules)))"
    )
    output = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert output == "[]\n"
