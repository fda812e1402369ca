"""Ansatz families by name: the same circuits as the functions, and errors that name the choices."""

import jax
import numpy as np
import pytest

from qjax import PauliSum, Simulator
from qjax.ansatz import (
    ANSATZ_FAMILIES,
    ENCODINGS,
    angle,
    build,
    data_reuploading,
    hardware_efficient,
    initial_params,
    strongly_entangling,
)
from qjax.errors import ArgumentError

PAIRS = [("data_reuploading", None)] + [
    (name, encoding) for name in ("hardware_efficient", "strongly_entangling") for encoding in ENCODINGS
]


def test_every_family_is_tried_here():
    assert {name for name, _ in PAIRS} == set(ANSATZ_FAMILIES)


@pytest.mark.parametrize(("name", "encoding"), PAIRS)
def test_encoded_samples_run_through_the_circuit_and_have_gradients(name, encoding):
    num_features = 0 if encoding == "none" else 2
    model = build(name, 2, 2, encoding=encoding, num_features=num_features)
    samples = np.random.default_rng(0).normal(size=(5, num_features))
    params = initial_params(model.circuit, jax.random.key(0))

    def value(params, samples):
        return (
            Simulator().expectations(model.circuit, params[None], model.encode(samples), PauliSum("Z0")).mean
        )

    assert model.encode(samples).shape == (5, model.circuit.num_features)
    assert value(params, samples).shape == (1, 5, 1)
    gradient = jax.jit(jax.grad(lambda *args: value(*args).sum()))(params, samples)
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


def test_circuits_are_those_of_the_functions():
    options = {"rotations": ["rx"], "entangler": "rzz", "topology": "ring"}
    assert build("hardware_efficient", 3, 2, num_features=3, **options).circuit == hardware_efficient(
        3, 2, **options
    )
    assert build("data_reuploading", 3, 2, encoding="none", num_features=5, **options).circuit == (
        data_reuploading(3, 2, num_features=5, **options)
    )
    assert build("strongly_entangling", 3, 2, num_features=1, ranges=(2, 1)).circuit == strongly_entangling(
        3, 2, ranges=(2, 1)
    )
    model = build("hardware_efficient", 2, 1, encoding=angle("rx"), num_features=2)
    assert model.circuit == hardware_efficient(2, 1, encoding=angle("rx"))
    assert model.encoding == angle("rx")


def test_built_ansaetze_are_values():
    one, other = (build("hardware_efficient", 2, 1, encoding="iqp", num_features=2) for _ in range(2))
    assert one == other
    assert hash(one) == hash(other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "hardware_eficient"}, r"`name` must be one of .*Did you mean `hardware_efficient`\?"),
        ({"encoding": "angel"}, r"`encoding` must be one of angle, .*Did you mean `angle`\?"),
        ({"encoding": 3}, "`encoding` must be one of angle"),
        ({"num_layer": 3}, "`options` must be one of entangler, rotations, topology, but it is 'num_layer'"),
        ({"entangeler": "cx"}, r"Did you mean `entangler`\?"),
        ({"num_features": 5}, "hold 2 feature.*there are 5.*`num_components=2`, or use 5 qubits"),
        ({"num_features": 0}, "hold one feature or more"),
        ({"encoding": "none"}, "hold 0 feature"),
        (
            {"name": "data_reuploading", "encoding": "iqp"},
            "`encoding` must be left out for `data_reuploading`",
        ),
        ({"name": "data_reuploading", "num_features": 0}, "`num_features` must be an integer of 1 or more"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        build(
            **{"name": "hardware_efficient", "num_qubits": 2, "num_layers": 1, "num_features": 2, **arguments}
        )


def test_samples_of_another_width_are_refused():
    model = build("hardware_efficient", 3, 1, num_features=2)
    with pytest.raises(ArgumentError, match=r"have shape \[\.\.\., 2\] .*its shape is \[5, 3\]"):
        model.encode(np.zeros((5, 3)))
