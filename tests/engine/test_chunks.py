"""The memory rule: chunks bound what a batch takes and change no number."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Circuit, Op, PauliSum, Simulator, simulator
from qjax.engine import chunks
from qjax.engine.program import lower
from qjax.errors import ArgumentError
from tests.engine.oracles import layered_circuit


@pytest.fixture
def set_budget(monkeypatch):
    """Sets the memory budget; programs traced under another one are forgotten."""
    traced: tuple[Any, ...] = (simulator._expectations, simulator._statevector, simulator._samples)

    def set_to(budget):
        monkeypatch.setattr(chunks, "MEMORY_BUDGET", budget)
        for function in traced:
            function.clear_cache()

    yield set_to
    for function in traced:
        function.clear_cache()


@given(
    num_sets=st.integers(1, 5),
    num_samples=st.integers(1, 5),
    chunk=st.integers(1, 30),
    seed=st.integers(0, 99),
)
@settings(max_examples=8, deadline=None, derandomize=True)
def test_a_chunked_grid_equals_the_whole_one(num_sets, num_samples, chunk, seed):
    rng = np.random.default_rng(seed)
    per_set, per_sample = rng.normal(size=(num_sets, 2)), rng.normal(size=(num_samples, 2))
    per_circuit = rng.normal(size=(num_sets, num_samples))

    def function(a, x, c):
        return {"product": a * x * c, "sum": jnp.sum(a + x) * c}

    def total(mapped, *arrays):
        results = mapped(*arrays)
        return jnp.sum(jnp.sin(results["product"])) + jnp.sum(results["sum"] ** 2)

    chunked = partial(chunks.map_grid, function, num_sets=num_sets, num_samples=num_samples, chunk=chunk)
    whole = jax.vmap(jax.vmap(function, (None, 0, 0)), (0, None, 0))
    arrays = (per_set, per_sample, per_circuit)
    with jax.enable_x64(True):
        jax.tree.map(np.testing.assert_array_equal, jax.jit(chunked)(*arrays), jax.jit(whole)(*arrays))
        gradients = (
            jax.jit(jax.grad(partial(total, m), argnums=(0, 1, 2)))(*arrays) for m in (chunked, whole)
        )
        for ours, expected in zip(*gradients, strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-12)


def results():
    """Everything the simulator computes for 3 x 4 circuits, with gradients in parameters and features."""
    circuit = layered_circuit(2, 1)
    rng = np.random.default_rng(0)
    exact, sampler = Simulator("xla", dtype="complex128"), Simulator(dtype="complex128", shots=50)
    params, features = rng.normal(size=(3, circuit.num_params)), rng.normal(size=(4, 2))
    own_features = rng.normal(size=(3, 4, 2))
    observable = PauliSum({"Z0": 1.0, "Z0 Z1": 0.5})

    def energy(params, features):
        return jnp.sum(weights * exact.expectations(circuit, params, features, observable).mean)

    weights = rng.normal(size=(3, 4, 1))

    def compute(params, features, own_features):
        gradients = [jax.grad(energy, argnums=(0, 1))(params, x) for x in (features, own_features)]
        shots = sampler.expectations(circuit, params, features, observable, key=jax.random.key(3))
        return gradients, exact.statevector(circuit, params, own_features), shots

    with jax.enable_x64(True):
        return jax.device_get(jax.jit(compute)(params, features, own_features))


def test_the_simulator_gives_the_same_numbers_in_chunks(set_budget):
    program = lower(layered_circuit(2, 1))
    bytes_per_circuit = chunks.MEMORY_BUDGET // chunks.states_per_chunk(program, 16)
    whole = results()
    # Chunks of part of a set (4 is no multiple of 3) and of two sets (nor is 3 of 2).
    for chunk in (3, 9):
        set_budget(chunk * bytes_per_circuit)
        assert chunks.states_per_chunk(program, 16) == chunk
        jax.tree.map(partial(np.testing.assert_allclose, atol=1e-12), results(), whole)


def compiled_bytes(function, *arguments) -> int:
    analysis: Any = jax.jit(function).lower(*arguments).compile().memory_analysis()
    return analysis.temp_size_in_bytes


@pytest.mark.parametrize("differentiate", [False, True])
@pytest.mark.parametrize(("num_sets", "num_samples"), [(64, 64), (1024, 1)])
def test_memory_is_bounded_whatever_the_size_of_the_batch(set_budget, differentiate, num_sets, num_samples):
    budget = 2**18
    set_budget(budget)
    circuit = layered_circuit(7, 3)

    def energy(params, features):
        return jnp.sum(Simulator("xla").expectations(circuit, params, features, PauliSum("Z0")).mean)

    function = jax.grad(energy, argnums=(0, 1)) if differentiate else energy
    params = jax.ShapeDtypeStruct((num_sets, circuit.num_params), jnp.float32)
    features = jax.ShapeDtypeStruct((num_samples, 7), jnp.float32)
    arrays = 4 * (params.size + features.size + num_sets * num_samples)
    states = num_sets * num_samples * 2**7 * 8
    # All states at once would not fit the bound, so it is the chunks that hold it.
    bound = 1.2 * budget + 4 * arrays
    assert states > bound
    assert compiled_bytes(function, params, features) < bound


def test_memory_of_shots_is_bounded(set_budget):
    budget = 2**22
    set_budget(budget)
    circuit, num_circuits, num_shots = layered_circuit(2, 1), 1000, 5000
    observables = [PauliSum("Z0"), PauliSum({"Z0 Z1": 1.0, "X0": 0.5})]
    sampler = Simulator(shots=num_shots)
    params = jax.ShapeDtypeStruct((num_circuits, circuit.num_params), jnp.float32)
    key = jax.random.key(0)

    def expectations(params, key):
        features = jnp.zeros((1, 2))
        return sampler.expectations(circuit, params, features, observables, key=key).mean

    assert num_circuits * num_shots * 4 > 4 * budget
    assert compiled_bytes(expectations, params, key) < 1.2 * budget

    def samples(params, key):
        return sampler.samples(circuit, params, jnp.zeros((1, 2)), key=key)

    output = num_circuits * num_shots * 2  # bits that were asked for; padding to whole chunks copies them
    assert compiled_bytes(samples, params, key) < 1.2 * budget + 2 * output


def test_chunks_shrink_with_stored_states_and_never_vanish():
    def size(circuit, **options):
        return chunks.states_per_chunk(lower(circuit), 8, **options)

    shallow, deep = layered_circuit(10, 1), layered_circuit(10, 100)
    assert size(shallow) > size(deep) >= 1
    assert size(shallow) > size(shallow, beside_states=2**20)
    assert size(Circuit(30, (Op("h", (0,)),))) == 1
    assert size(shallow, budget=1) == 1


@pytest.mark.parametrize("method", ["expectations", "statevector", "samples"])
def test_a_state_that_does_not_fit_is_refused_before_anything_is_allocated(monkeypatch, method):
    def call(num_qubits):
        circuit = Circuit(num_qubits, (Op("h", (0,)),))
        observable = (PauliSum("Z0"),) if method == "expectations" else ()
        getattr(Simulator(shots=5), method)(circuit, jnp.zeros((1, 0)), None, *observable)

    with pytest.raises(ArgumentError, match="at most 30 qubits, but it has 31"):
        call(31)
    monkeypatch.setattr(chunks.os, "sysconf", lambda name: {"SC_PAGE_SIZE": 4096}.get(name, 2**18))
    with pytest.raises(ArgumentError, match="two states of its 28 qubits take 4 GiB"):
        call(28)
