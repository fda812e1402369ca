"""Gradients over two devices against one; run in a process of its own, where there are two."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, PartitionSpec

from qjax.engine import grid, native
from tests.circuits import random_circuit
from tests.engine.test_native import WANTED

CIRCUIT = random_circuit(3, 4, 14)


def total(engine, wanted, params, features):
    return jnp.sum(jnp.sin(engine.expectations(CIRCUIT, wanted, params, features)))


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    assert jax.device_count() == 2
    mesh = jax.make_mesh((2,), ("batch",), axis_types=(AxisType.Auto,))
    shared, split = PartitionSpec(), PartitionSpec("batch")
    on_devices = partial(jax.shard_map, mesh=mesh, in_specs=(shared, split))
    rng = np.random.default_rng(0)
    params = jnp.asarray(rng.normal(size=(1, CIRCUIT.num_params)))
    features = jnp.asarray(rng.normal(size=(6, CIRCUIT.num_features)))

    for wanted in (WANTED, WANTED[1:]):

        def summed(params, features, wanted=wanted):
            return jax.lax.psum(total(native, wanted, params, features), "batch")

        expected = jax.grad(partial(total, grid, wanted), (0, 1))(params, features)
        for gradient in (
            jax.grad(on_devices(summed, out_specs=shared), (0, 1)),
            on_devices(jax.grad(partial(total, native, wanted), (0, 1)), out_specs=(shared, split)),
        ):
            found = jax.jit(gradient)(params, features)
            jax.tree.map(partial(np.testing.assert_allclose, rtol=0, atol=1e-10), found, expected)


if __name__ == "__main__":
    main()
