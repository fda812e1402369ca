"""The configuration: what can be written is read back, and what cannot work is refused by its key."""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import fields
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import example, given, settings

from qjax.errors import ArgumentError
from qjax.train import PRESETS, TrainingConfig, preset
from qjax.train.config import GRADIENT_METHODS, defaults

from ..messages import check_message

KEYS = [field.name for field in fields(TrainingConfig)]
WORDS = [
    *("adjoint", "spsa", "spsa_subsampled", "cross_entropy", "hinge", "linear", "none", "cosine", "end"),
    *("never", "minmax", "auto", "xla", "complex128", "classification", "regression"),
]

texts = st.text(max_size=8) | st.sampled_from(WORDS)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, 1, -1, 10**400, -(10**400), 2**31, 2**32, 2**64])
    | st.floats(allow_nan=True, allow_infinity=True)
    | texts
    | st.dates()
)
values = scalars | st.lists(scalars, max_size=3) | st.dictionaries(st.text(max_size=3), scalars, max_size=2)


def configuration_or_error(given: dict[str, Any]) -> TrainingConfig | ArgumentError:
    try:
        return TrainingConfig.from_mapping(given)
    except ArgumentError as error:
        return error


@settings(deadline=None, max_examples=600)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=8), values, max_size=4))
@example({"learning_rate": 10**400})
@example({"learning\nrate": 1})
@example({"seed": 2**64})
def test_whatever_is_given_the_answer_is_a_configuration_or_an_argument_error(given: dict[str, Any]) -> None:
    outcome = configuration_or_error(given)
    if isinstance(outcome, ArgumentError):
        # Without DOTALL, so on one line, whatever the key was.
        assert re.fullmatch(r"Argument `.*` must .+, but .+\. [A-Z].+[.?]", str(outcome)), str(outcome)
    else:
        assert TrainingConfig.from_mapping(outcome.to_mapping()) == outcome


def plausible(name: str) -> st.SearchStrategy[Any]:
    """Values that each key takes on its own."""
    names = {
        "gradient_method": GRADIENT_METHODS[:4],
        "scaling": ["minmax", "standard", "none", "unit_norm"],
        "head": ["linear", "none"],
        "loss": [None, "cross_entropy", "hinge", "squared_error", "huber"],
        "schedule": ["constant", "cosine", "linear", "spall"],
        "task": [None, "classification", "regression"],
        "engine": ["auto", "xla"],
        "dtype": ["complex64", "complex128"],
        "evaluate": [None, "epoch", "end", "never"],
        "executor": ["simulator", "cirq", "ionq-local", "ionq"],
        "debiasing": [None, True, False],
        "noise": [None, "ideal", "aria-1", "forte-1"],
        "pipeline_depth": [0, 1, 100],
        "record_states": ["never"],
    }
    match defaults()[name]:
        case _ if name in names:
            return st.sampled_from(names[name])
        case bool():
            return st.booleans()
        case int():
            return st.integers(1, 2**31)
        case float():
            return st.floats(0, 1, exclude_min=True, exclude_max=True)
        case str():
            return st.text(max_size=10)
        case _ if name in ("rotations", "observables"):
            return st.none() | st.lists(st.text(max_size=5), max_size=3)
        case _ if name in ("target", "entangler", "topology", "encoding"):
            return st.none() | st.text(max_size=5)
        case _:
            return st.none() | st.integers(1, 2**31 - 1)


configurations = st.fixed_dictionaries(
    {"gradient_method": st.just("spsa_parallel"), "gradient_subsample_size": st.none()},
    optional={
        name: plausible(name) for name in KEYS if name not in ("gradient_method", "gradient_subsample_size")
    },
)


@settings(deadline=None)
@given(configurations)
def test_a_configuration_survives_json(values: dict[str, Any]) -> None:
    config = TrainingConfig.from_mapping(values)
    mapping = config.to_mapping()
    assert list(mapping) == KEYS
    assert TrainingConfig.from_mapping(json.loads(json.dumps(mapping))) == config
    for name, value in values.items():
        assert mapping[name] == value


@settings(deadline=None)
@given(configurations)
def test_a_configuration_survives_toml(values: dict[str, Any]) -> None:
    config = TrainingConfig.from_mapping(values)
    # TOML has no null: a key that is None is left out. Its strings and lists may be written as JSON's.
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}\n"
        for key, value in config.to_mapping().items()
        if value is not None
    ]
    read = tomllib.loads("".join(lines).replace("\x7f", "\\u007f"))
    without = {key: None for key, value in config.to_mapping().items() if value is None}
    assert TrainingConfig.from_mapping(read | without) == config


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_valid_and_differs_from_the_others(name: str) -> None:
    config = TrainingConfig.from_mapping(preset(name))
    for key, value in preset(name).items():
        assert config.to_mapping()[key] == value
    others = [TrainingConfig.from_mapping(preset(other)) for other in PRESETS if other != name]
    assert config not in others
    preset(name)["epochs"] = -1
    assert preset(name).get("epochs") != -1


@pytest.mark.parametrize(
    ("key", "cure"),
    [
        ("epoch", "Did you mean `epochs`?"),
        ("shots", "Did you mean `shots_per_circuit`?"),
        ("learning-rate", "Did you mean `learning_rate`?"),
        ("num_qubit", "Did you mean `num_qubits`?"),
        ("zzz", "The keys are dataset, target, task"),
    ],
)
def test_a_misspelt_key_is_corrected(key: str, cure: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        TrainingConfig.from_mapping({key: 1})
    assert caught.value.argument == key
    assert cure in str(caught.value)


def test_a_misspelt_preset_is_corrected() -> None:
    with pytest.raises(ArgumentError, match=r"Did you mean `balanced`\?"):
        preset("balancd")


@pytest.mark.parametrize(
    ("values", "argument"),
    [
        *[({name: 0}, name) for name in ("num_samples", "num_qubits", "num_layers", "epochs", "batch_size")],
        *[({name: -3}, name) for name in ("shots_per_circuit", "num_directions", "max_parallel_circuits")],
        *[({name: True}, name) for name in ("seed", "epochs", "learning_rate")],
        *[({name: 1.0}, name) for name in ("seed", "epochs", "shots_per_circuit")],
        *[({name: "3"}, name) for name in ("epochs", "learning_rate", "enable_circuit_batching")],
        *[({name: None}, name) for name in ("epochs", "dataset", "learning_rate", "seed", "head")],
        *[({"learning_rate": x}, "learning_rate") for x in (0.0, -1.0, float("nan"), float("inf"), 10**400)],
        *[({"perturbation": x}, "perturbation") for x in (0, float("inf"))],
        *[({"seed": seed}, "seed") for seed in (-1, 2**32)],
        *[({"test_fraction": x}, "test_fraction") for x in (0, 1, 1.5, float("nan"))],
        ({"rotations": "ry"}, "rotations"),
        ({"observables": [0]}, "observables"),
        ({"loss": "log_loss"}, "loss"),
        ({"dtype": "float32"}, "dtype"),
        ({"evaluate": "always"}, "evaluate"),
        ({"gradient_method": "spsa2"}, "gradient_method"),
        ({"gradient_method": "adjoint", "shots_per_circuit": 10}, "gradient_method"),
        ({"gradient_method": "spsa_subsampled"}, "gradient_subsample_size"),
        ({"gradient_method": "spsa_parallel", "gradient_subsample_size": 2}, "gradient_subsample_size"),
        (
            {"gradient_method": "spsa_subsampled", "gradient_subsample_size": 11, "batch_size": 10},
            "gradient_subsample_size",
        ),
        ({"gradient_method": "spsa_parallel", "shots_per_circuit": 2**31}, "shots_per_circuit"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence(values: dict[str, Any], argument: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        TrainingConfig.from_mapping(values)
    check_message(caught.value, argument)
