"""What can go wrong around the native engine ends in a clear error or in the right number."""

from __future__ import annotations

import os
import subprocess
import sys

import jax
import jax.numpy as jnp
import pytest
from jax.errors import JaxRuntimeError

from qjax import Angle, Circuit, Op, PauliSum, Repeat
from qjax.engine import native
from qjax.engine.native import library
from qjax.engine.native.lowering import MAX_GATES
from qjax.errors import ArgumentError

pytestmark = pytest.mark.skipif(not library.available(), reason="the native engine is not built")


def test_gradients_of_a_batch_on_two_devices():
    environment = os.environ | {"XLA_FLAGS": "--xla_force_host_platform_device_count=2"}
    command = [sys.executable, "-m", "tests.engine.sharded_gradients"]
    subprocess.run(command, env=environment, check=True, timeout=300)


def test_a_library_of_another_version_is_refused(monkeypatch):
    monkeypatch.setattr(library, "TABLE_VERSION", library.TABLE_VERSION + 1)
    library.load.cache_clear()
    try:
        with pytest.raises(ArgumentError, match=r"native library has version \d+ and this package needs \d+"):
            native.load()
    finally:
        library.load.cache_clear()


def test_a_state_larger_than_memory_is_an_error_before_it_is_allocated():
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    num_qubits = native.MAX_QUBITS
    if memory > 2 ** (num_qubits + 5):
        pytest.skip("this machine's memory holds the two largest states")
    circuit = Circuit(num_qubits, (Op("ry", (0,), Angle(param=0)), Op("cx", (0, 1))), 1)

    def energy(params):
        return native.expectations(circuit, (PauliSum("Z0"),), params, jnp.zeros((1, 0))).sum()

    with jax.enable_x64(True), pytest.raises(JaxRuntimeError, match=r"need .* GB and the machine has .* GB"):
        jax.jit(jax.grad(energy))(jnp.ones((1, 1)))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_another_dtype_is_an_error(dtype):
    circuit = Circuit(1, (Op("ry", (0,), Angle(param=0)),), 1)
    operands = jnp.ones((1, 1), dtype), jnp.zeros((1, 0), dtype)
    with pytest.raises(JaxRuntimeError, match="float32 or float64"):
        native.expectations(circuit, (PauliSum("Z0"),), *operands).block_until_ready()


def test_circuits_of_very_many_gates_are_left_to_the_plain_engine():
    body = (Op("ry", (0,), Angle(param=0)),)
    assert native.can_run(Circuit(1, (Repeat(body, 1000),), 1))
    circuit = Circuit(1, (Repeat(body, 2**30),), 1)
    assert MAX_GATES < 2**30
    assert not native.can_run(circuit)
    with pytest.raises(JaxRuntimeError, match="too many gates"):
        native.expectations(circuit, (PauliSum("Z0"),), jnp.ones((1, 1)), jnp.zeros((1, 0)))
