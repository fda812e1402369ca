"""What a suite file says, and what is said of one that cannot work."""

from __future__ import annotations

from typing import Any

import pytest

from qjax.errors import QjaxError
from qjax.suite import SuiteError, read_suite
from qjax.suite.suite import FROZEN, Latency, parse_suite

GOOD: dict[str, Any] = {
    "datasets": ["rings", {"name": "few", "dataset": "iris", "num_samples": 60}],
    "seeds": [3, 1],
    "defaults": {"num_qubits": 2, "num_features": 2, "learning_rate": 0.1, "epochs": 4},
    "models": [{"name": "one", "num_layers": 1}, {"name": "two", "num_layers": 2, "epochs": 3}],
    "methods": [
        {"name": "exact", "gradient_method": "adjoint"},
        {"name": "spsa", "gradient_method": "spsa_subsampled", "gradient_subsample_size": 2, "epochs": 2},
    ],
    "latency": {"seconds_per_job": 3},
}


def test_every_cell_has_its_configuration():
    suite = parse_suite(GOOD, "file")
    assert suite.name == "file"
    assert suite.seeds == (3, 1)
    assert suite.latency == Latency(3.0, 0.25)
    assert len(suite.cells) == 2 * 2 * 3 * 2
    by_name = {str(cell): cell.config for cell in suite.cells}
    config = by_name["few, two, spsa, seed 1"]
    # Of a key in several places the last one holds: defaults, dataset, model, method.
    assert (config.dataset, config.num_samples, config.num_layers, config.seed) == ("iris", 60, 2, 1)
    assert (config.epochs, config.learning_rate, config.gradient_subsample_size) == (2, 0.1, 2)
    assert by_name["few, two, exact, seed 1"].epochs == 3
    assert by_name["rings, one, exact, seed 3"].epochs == 4
    twin = by_name[f"rings, two, {FROZEN}, seed 3"]
    assert (twin.gradient_method, twin.gradient_subsample_size, twin.epochs) == ("frozen", None, 3)


def test_a_number_of_seeds_counts_from_zero():
    values = {key: value for key, value in GOOD.items() if key != "seeds"}
    assert parse_suite({**values, "num_seeds": 3}, "file").seeds == (0, 1, 2)


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in GOOD.items() if key not in keys}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (without("models"), ["`models`", "[[models]]"]),
        (without("methods"), ["`methods`", "[[methods]]"]),
        (without("datasets"), ["`datasets`", "breast_cancer"]),
        (without("seeds"), ["`seeds`", "num_seeds = 3"]),
        ({**GOOD, "num_seeds": 3}, ["`seeds`", "Leave one of them out"]),
        ({**without("seeds"), "num_seeds": 0}, ["`num_seeds`", "1 or more"]),
        ({**GOOD, "seeds": [1, 1]}, ["`seeds`", "different"]),
        ({**GOOD, "seeds": [-1]}, ["`seeds`", "different"]),
        ({**GOOD, "seeds": [True]}, ["`seeds`", "different"]),
        ({**GOOD, "seeds": 3}, ["`seeds`", "[0, 1, 2]"]),
        ({**GOOD, "model": []}, ["`model`", "models"]),
        ({**GOOD, "datasets": []}, ["`datasets`", "one entry or more"]),
        ({**GOOD, "datasets": [3]}, ["datasets, entry 1", "`dataset`"]),
        ({**GOOD, "datasets": ["rings", "rings"]}, ["datasets, entry 2", "name of its own"]),
        ({**GOOD, "models": [{"num_layers": 1}]}, ["models, entry 1", "`name`"]),
        (
            {**GOOD, "models": [{"name": "a", "num_layer": 1}]},
            ["models, entry 1", "Did you mean `num_layers`?"],
        ),
        ({**GOOD, "models": [{"name": "a", "seed": 1}]}, ["`seed`", "models, entry 1", "seeds = [...]"]),
        ({**GOOD, "models": [{"name": "a", "dataset": "iris"}]}, ["`dataset`", "datasets = [...]"]),
        ({**GOOD, "defaults": {"epoch": 1}}, ["[defaults]", "Did you mean `epochs`?"]),
        ({**GOOD, "defaults": 1}, ["`defaults`", "[defaults]"]),
        ({**GOOD, "methods": [{"name": "a", "epochs": 0}]}, ["rings, one, a", "`epochs`", "1 or more"]),
        ({**GOOD, "methods": [{"name": FROZEN}]}, ["methods, entry 1", "name of its own"]),
        ({**GOOD, "methods": [{"name": "a", "dtype": "complex128"}]}, ["`dtype`", "[defaults]"]),
        (
            {**GOOD, "methods": [{"name": "a", "executor": "ionq", "gradient_method": "parameter_shift"}]},
            ["`executor`", "qjax train"],
        ),
        ({**GOOD, "latency": {"seconds_per_job": -1}}, ["`seconds_per_job`", "0 or more"]),
        ({**GOOD, "latency": {"queue": 1}}, ["`queue`", "seconds_per_job"]),
        ({**GOOD, "name": "a/b"}, ["`name`", "slashes"]),
    ],
)
def test_bad_suites_are_refused_with_key_and_cure(content, words):
    with pytest.raises(QjaxError) as caught:
        parse_suite(content, "file")
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message
    assert message.endswith((".", "?"))


@pytest.mark.parametrize("content", [b"datasets = [", b"\xff\xfe", b"a = 1\na = 2"])
def test_files_that_are_not_toml_are_refused(tmp_path, content):
    path = tmp_path / "suite.toml"
    path.write_bytes(content)
    with pytest.raises(SuiteError, match=r"is not TOML .*Correct the line"):
        read_suite(path)
    with pytest.raises(SuiteError, match=r"cannot be read .*Check the path"):
        read_suite(tmp_path / "none.toml")
