"""One contract for every gradient method."""

from __future__ import annotations

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qjax import Simulator
from qjax.errors import ArgumentError
from qjax.gradients import adjoint, frozen, parameter_shift, spsa
from tests.gradients import problems

METHODS = {
    "adjoint": adjoint(),
    "frozen": frozen(),
    "parameter_shift": parameter_shift(),
    "spsa": spsa(),
    "spsa_directions": spsa(num_directions=3),
    "spsa_subsample": spsa(num_directions=2, subsample_size=2),
}
# Circuits for n real samples, before measurement bases are counted.
CIRCUITS = {
    "adjoint": lambda n: n,
    "frozen": lambda n: n,
    "parameter_shift": lambda n: (1 + 3 * 2 + 4) * n,
    "spsa": lambda n: 2 * n,
    "spsa_directions": lambda n: 6 * n,
    "spsa_subsample": lambda n: 4 * min(n, 2),
}
every_method = pytest.mark.parametrize("name", METHODS)
KEY = jax.random.key(5)


@lru_cache
def compiled(name, shots=None):
    """A method as one program for all tests, and a list with an entry for each time it was traced."""
    traces = []
    objective = problems.objective(problems.Careless(Simulator(shots=shots)))

    @jax.jit
    def function(state, params, batch, key):
        traces.append(batch.weights.shape)
        return METHODS[name].estimate(state, objective, params, batch, key)

    return function, traces


def run(name, params=None, batch=None, key=KEY, shots=None):
    params = problems.params() if params is None else params
    batch = problems.batch(4, 1) if batch is None else batch
    return compiled(name, shots)[0](METHODS[name].init(params), params, batch, key)


def check_equal(ours, expected, atol=2e-6):
    jax.tree.map(partial(np.testing.assert_allclose, atol=atol, rtol=1e-5), ours, expected)


@every_method
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_the_gradient_is_like_the_parameters_and_the_state_keeps_its_type(name, dtype):
    with jax.enable_x64(True):
        objective = problems.objective(Simulator(dtype=dtype))
        for real in (jnp.float32, jnp.float64):
            params = problems.params(real)
            state = METHODS[name].init(params)
            gradient, next_state, info = jax.eval_shape(
                lambda *arguments: METHODS[name].estimate(arguments[0], objective, *arguments[1:]),
                state,
                params,
                problems.batch(dtype=real),
                KEY,
            )
            assert jax.tree.structure(gradient) == jax.tree.structure(params)
            like = jax.tree.map(lambda g, p: (g.shape, g.dtype) == (p.shape, p.dtype), gradient, params)
            assert jax.tree.all(like)
            assert jax.tree.map(jnp.shape, next_state) == jax.tree.map(jnp.shape, state)
            assert jax.tree.map(lambda a: a.dtype, next_state) == jax.tree.map(lambda a: a.dtype, state)
            assert info.loss.shape == info.at_params.shape == info.circuits.shape == info.jobs.shape == ()
            assert info.at_params.dtype == bool
            assert info.circuits.dtype == info.jobs.dtype == jnp.int32
            assert info.measured.outputs.shape == (len(info.measured.weights), 2)


@every_method
def test_randomness_comes_from_the_key_and_one_program_serves_all(name):
    first = run(name)
    check_equal(run(name), first, atol=0)
    others = [run(name, key=jax.random.key(seed))[0].circuit for seed in range(5)]
    assert np.any(np.asarray(others) != others[0]) == name.startswith("spsa")
    run(name, params=jax.tree.map(lambda a: a + 0.1, problems.params()))
    _, traces = compiled(name)
    assert len(traces) == len(set(traces))  # once for each shape of a batch


@every_method
def test_it_runs_inside_scan(name):
    method, batch = METHODS[name], problems.batch(4, 1)
    keys = jax.random.split(KEY, 3)

    def step(estimate, carry, key):
        params, state = carry
        gradient, state, info = estimate(state, params, batch, key)
        return (jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), state), info.loss

    def traced(state, params, batch, key):
        return method.estimate(state, problems.objective(), params, batch, key)

    start = problems.params(), method.init(problems.params())
    scanned, losses = jax.jit(lambda: jax.lax.scan(partial(step, traced), start, keys))()
    carry = start
    for key, loss in zip(keys, losses, strict=True):
        carry, expected = step(compiled(name)[0], carry, key)
        np.testing.assert_allclose(loss, expected, atol=1e-5)
    check_equal(scanned, carry, atol=1e-5)


@every_method
def test_padding_changes_nothing_and_is_not_counted(name):
    """Neither what padding holds, nor what an executor answers for it, nor whether it is there."""
    padded = [run(name, batch=problems.batch(4, 1, filler)) for filler in (0.0, 7.7)]
    check_equal(padded[1][0], padded[0][0])
    for gradient, _, info in padded:
        assert int(info.circuits) == CIRCUITS[name](4)
        if "subsample" not in name:  # a draw from a padded batch is another draw
            alone = run(name, batch=problems.batch(4))
            check_equal(gradient, alone[0])
            np.testing.assert_allclose(info.loss, alone[2].loss, atol=1e-5)
    few = [run(name, batch=problems.batch(1, 4, filler)) for filler in (0.0, 7.7)]
    assert int(few[0][2].circuits) == CIRCUITS[name](1)
    check_equal(few[1][0], few[0][0])


@every_method
def test_circuits_are_counted_in_every_basis(name):
    if name == "adjoint":
        with pytest.raises(ArgumentError, match=r"^Argument `executor` must .+ `adjoint`, but .+\. .+\."):
            run(name, shots=8)
        return
    first = run(name, shots=8)
    assert int(first[2].circuits) == 2 * CIRCUITS[name](4)
    assert int(first[2].jobs) == 1
    assert all(np.all(np.isfinite(leaf)) for leaf in jax.tree.leaves(first[0]))
    # Shot noise comes from the key and nothing else.
    check_equal(run(name, shots=8), first, atol=0)
    other = run(name, key=jax.random.key(6), shots=8)
    assert np.any(other[0].head["weights"] != first[0].head["weights"])


@pytest.mark.parametrize(
    ("name", "shots"),
    [*((name, None) for name in METHODS), *((name, 8) for name in METHODS if name != "adjoint")],
)
def test_the_head_learns_by_the_chain_rule_at_the_measured_outputs(name, shots):
    params, batch = problems.params(), problems.batch(4, 1)
    gradient, _, info = run(name, shots=shots)
    # The measured samples of each perturbed parameter set, one after another.
    num_sets = {"spsa": 2, "spsa_directions": 6, "spsa_subsample": 4}.get(name, 1)
    sets = jax.tree.map(lambda a: a.reshape(num_sets, -1, *a.shape[1:]), info.measured)
    losses, parts = jax.vmap(jax.value_and_grad(problems.squared_loss), (None, 0, 0, 0))(params.head, *sets)
    check_equal(gradient.head, jax.tree.map(lambda part: part.mean(axis=0), parts))
    np.testing.assert_allclose(info.loss, losses.mean(), rtol=1e-5)
    assert bool(info.at_params) == (num_sets == 1)
    if bool(info.at_params) and shots is None:
        exact = Simulator().expectations(
            problems.CIRCUIT, params.circuit[None], batch.features, problems.OBSERVABLES
        )
        np.testing.assert_allclose(info.measured.outputs[:4], exact.mean[0, :4], atol=1e-6)


def test_exact_methods_agree_and_frozen_is_their_head():
    adjoint_gradient, shifted, fixed = (run(name)[0] for name in ("adjoint", "parameter_shift", "frozen"))
    check_equal(shifted, adjoint_gradient, atol=1e-5)
    check_equal(fixed.head, adjoint_gradient.head)
    assert not np.any(fixed.circuit)
    assert np.all(adjoint_gradient.circuit)
