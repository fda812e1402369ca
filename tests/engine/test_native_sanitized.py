"""The native kernel under sanitizers: sound and mutated tables, and teams of threads."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import qjax
from qjax import ansatz
from qjax.engine.native.lowering import lower_to_table
from tests.circuits import random_circuit
from tests.engine.test_native import every_gate, observables

SOURCES = Path(qjax.__file__).parent / "engine/native/src"
FLAGS = ("-std=gnu++20", "-g1", "-Wno-psabi", "-pthread", "-fno-sanitize-recover=all")
ADDRESS = ("-O0", "-fsanitize=address,undefined")
THREAD = ("-O1", "-fsanitize=thread")


def build(folder, name, parts, flags):
    """Compile a program of this folder with some of the kernel's sources; skip where that cannot be done."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    (folder / "empty.cpp").write_text("int main() { return 0; }\n")
    probe = [[compiler, *FLAGS, *flags, "-o", folder / "empty", folder / "empty.cpp"], [folder / "empty"]]
    if compiler is None or any(
        subprocess.run(step, capture_output=True, check=False).returncode for step in probe
    ):
        pytest.skip("there is no C++ compiler with sanitizers that run here")
    levels = ["-march=x86-64-v2"] if platform.machine() in ("x86_64", "AMD64") else []
    sources = [Path(__file__).parent / f"{name}.cpp", *(SOURCES / f"{part}.cpp" for part in parts)]
    program = folder / name
    subprocess.run([compiler, *FLAGS, *flags, *levels, f"-I{SOURCES}", "-o", program, *sources], check=True)
    return program


@pytest.fixture(scope="session")
def fuzzer(tmp_path_factory):
    """The program that runs tables, built for this run."""
    parts = ("decode", "schedule", "lanes", "sweeps", "engine", "memory", "parallel")
    return build(tmp_path_factory.mktemp("sanitized"), "native_fuzz", parts, ADDRESS)


def run(program, path, circuits, mutations, seed):
    with path.open("wb") as file:
        for index, circuit in enumerate(circuits):
            every = observables(circuit.num_qubits)
            wanted = every if index % 2 == 0 else every[:1] if index % 4 == 1 else every[-1:]
            table = lower_to_table(circuit, wanted, keep_phase=index % 2 == 0)
            np.array([table.words.size, table.constants.size], np.int64).tofile(file)
            table.words.tofile(file)
            table.constants.tofile(file)
    done = subprocess.run(
        [program, path, str(mutations), str(seed)], capture_output=True, text=True, timeout=3000, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_sound_and_mutated_tables(fuzzer, tmp_path):
    circuits = [every_gate(3), every_gate(5), random_circuit(1, 4, 12), random_circuit(2, 1, 5)]
    circuits.append(ansatz.hardware_efficient(4, 5))
    run(fuzzer, tmp_path / "tables", circuits, mutations=300, seed=0)


@pytest.mark.long
def test_many_tables(fuzzer, tmp_path):
    circuits = [random_circuit(seed, 1 + seed % 8, 20) for seed in range(40)]
    circuits += [random_circuit(seed, 1 + seed % 8, 40, num_params=30) for seed in range(40, 60)]
    run(fuzzer, tmp_path / "tables", circuits, mutations=2000, seed=1)


@pytest.fixture(scope="session")
def teams(tmp_path_factory):
    """The program that begins and ends teams of threads, built for this run."""
    return build(tmp_path_factory.mktemp("teams"), "native_team", ("parallel",), THREAD)


@pytest.mark.parametrize("helpers", [1, 3])
def test_teams_end_whenever_their_helpers_begin(teams, helpers):
    done = subprocess.run(
        [teams, "20000", str(helpers)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
