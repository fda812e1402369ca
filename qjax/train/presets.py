"""Named starting points for a configuration."""

from __future__ import annotations

from typing import Any

from qjax.train.config import unknown_name

PRESETS: dict[str, dict[str, Any]] = {
    "fast": {
        "gradient_method": "spsa_subsampled",
        "gradient_subsample_size": 2,
        "epochs": 10,
        "shots_per_circuit": 100,
    },
    "balanced": {
        "gradient_method": "spsa_subsampled",
        "gradient_subsample_size": 5,
        "epochs": 5,
        "shots_per_circuit": 1000,
    },
    "accurate": {"gradient_method": "spsa_parallel", "epochs": 5, "shots_per_circuit": 1000},
    "exact": {"gradient_method": "adjoint", "epochs": 5},
    # The model whose training once took 3.3 hours: 125 samples, of which a fifth are for testing.
    "baseline": {
        "num_samples": 125,
        "num_qubits": 8,
        "num_layers": 2,
        "rotations": ["rx", "ry", "rz"],
        "entangler": "cx",
        "topology": "linear",
        "observables": ["Z7"],
        "head": "none",
        "loss": "squared_error",
        "schedule": "constant",
        "gradient_method": "parameter_shift",
        "epochs": 5,
        "batch_size": 10,
    },
}
"""Keys that each preset sets; all others keep their defaults."""


def preset(name: str) -> dict[str, Any]:
    """The keys that a preset sets.

    Args:
        name: one of `PRESETS`.

    Returns:
        A new mapping, for `TrainingConfig.from_mapping`.

    Raises:
        ArgumentError: if there is no such preset.

    Example:
        >>> preset("fast")["gradient_subsample_size"]
        2
    """
    if name not in PRESETS:
        raise unknown_name("preset", name, PRESETS)
    return dict(PRESETS[name])
