"""Commands for the tests: small runs, real processes, and what a complaint looks like."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

TINY = {
    "dataset": "rings",
    "num_samples": 28,
    "num_features": 2,
    "num_qubits": 2,
    "num_layers": 1,
    "gradient_method": "adjoint",
    "epochs": 2,
    "batch_size": 8,
    "evaluate": "end",
}


def settings(*left_out: str, **changes: Any) -> list[str]:
    """`--set` for each key of a tiny run, but for those that are left out."""
    chosen = {key: value for key, value in {**TINY, **changes}.items() if key not in left_out}
    return [word for key, value in chosen.items() for word in ("--set", f"{key}={as_text(value)}")]


def as_text(value: Any) -> str:
    """A value as a person would write it."""
    return value if isinstance(value, str) else "none" if value is None else json.dumps(value)


class Outcome(NamedTuple):
    """What a command came to."""

    code: int
    output: str
    errors: str

    @property
    def json(self) -> Any:
        """The one JSON value on standard output, of a command that succeeded."""
        assert self.code == 0, self.errors
        assert self.output.count("\n") == 1, self.output
        return json.loads(self.output, parse_constant=lambda name: 1 / 0)

    @property
    def complaint(self) -> str:
        """The one line that says what was wrong, and nothing beside it."""
        assert (self.code, self.output) == (2, ""), self
        assert self.errors.startswith("Error: "), self.errors
        assert self.errors.endswith((".\n", "?\n")), self.errors
        assert self.errors.count("\n") == 1, self.errors
        assert "Traceback" not in self.errors
        return self.errors


def start(*arguments: str) -> subprocess.Popen[str]:
    """Starts the command in a process of its own."""
    command = [sys.executable, "-m", "qjax", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def end(process: subprocess.Popen[str]) -> Outcome:
    """Waits for a started command."""
    output, errors = process.communicate()
    return Outcome(process.returncode, output, errors)


def write_table(path: Path, num_features: int = 2, num_rows: int = 28, **replaced: str) -> None:
    """Writes a CSV file of numbers x0, x1, ... and a label; cells are replaced by name, such as x1_4."""
    random = np.random.default_rng(0)
    names = [f"x{i}" for i in range(num_features)]
    lines = [",".join([*names, "label"])]
    for row, point in enumerate(random.normal(size=(num_rows, num_features))):
        cells = [replaced.get(f"{n}_{row}", f"{x:.3f}") for n, x in zip(names, point, strict=True)]
        lines.append(",".join([*cells, "yes" if point[0] > 0 else "no"]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
