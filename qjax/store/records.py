"""The records of the run store: what is written to it and what is read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, Literal

import numpy as np

from qjax.errors import ArgumentError

RunStatus = Literal["running", "interrupted", "finished", "failed"]
Split = Literal["train", "test"]

_INTEGER_COLUMNS = frozenset({"step", "epoch", "batch", "n_circuits", "n_jobs"})


@dataclass(frozen=True, eq=False)
class StepMetrics:
    """One row per training step, held as columns of equal length `n`.

    A float that was not measured (no accuracy in a regression, say) is NaN. SQLite has one NaN and
    one zero, so payload bits of a NaN and the sign of a zero are not kept.

    Args:
        step: int64 `(n,)`, steps counted from 0 at the start of the run.
        epoch: int64 `(n,)`, epoch of each step, from 0.
        batch: int64 `(n,)`, batch within the epoch, from 0.
        loss: float64 `(n,)`, loss estimated on the batch.
        gradient_norm: float64 `(n,)`, Euclidean norm of the gradient estimate.
        accuracy: float64 `(n,)`, accuracy on the batch in [0, 1].
        n_circuits: int64 `(n,)`, circuits evaluated for the gradient of this step.
        n_jobs: int64 `(n,)`, jobs these circuits were sent in.
        circuit_time_ms: float64 `(n,)`, time spent in the executor, in milliseconds.

    Raises:
        ArgumentError: a column is not one-dimensional, has another length than `step`, or cannot
            be held as int64 or float64.

    Example:
        >>> steps = StepMetrics.from_rows([(0, 0, 0, 0.7, 1.2, 0.5, 8, 1, 3.5)])
        >>> len(steps), float(steps.loss[0])
        (1, 0.7)
    """

    step: np.ndarray
    epoch: np.ndarray
    batch: np.ndarray
    loss: np.ndarray
    gradient_norm: np.ndarray
    accuracy: np.ndarray
    n_circuits: np.ndarray
    n_jobs: np.ndarray
    circuit_time_ms: np.ndarray

    def __post_init__(self) -> None:
        for name in STEP_COLUMNS:
            object.__setattr__(self, name, _column(name, getattr(self, name)))
            if len(getattr(self, name)) != len(self.step):
                raise ArgumentError(
                    name,
                    f"have {len(self.step)} entries like `step`",
                    f"it has {len(getattr(self, name))}",
                    "Pass one entry per step, NaN where a float was not measured.",
                )

    def __len__(self) -> int:
        return len(self.step)

    @classmethod
    def from_rows(cls, rows: list[tuple[Any, ...]]) -> StepMetrics:
        """Builds the columns from rows in the order of the fields; no rows give empty columns.

        Args:
            rows: one tuple per step with nine entries; None stands for NaN in a float column.

        Returns:
            The same numbers as columns.

        Example:
            >>> len(StepMetrics.from_rows([]))
            0
        """
        columns = zip(*rows, strict=True) if rows else [()] * len(STEP_COLUMNS)
        return cls(
            *(
                np.array(column, dtype=_dtype(name))
                for name, column in zip(STEP_COLUMNS, columns, strict=True)
            )
        )


STEP_COLUMNS = tuple(field.name for field in fields(StepMetrics))


def _dtype(name: str) -> type[np.generic]:
    return np.int64 if name in _INTEGER_COLUMNS else np.float64


def _column(name: str, values: Any) -> np.ndarray:
    array, dtype = np.asarray(values), _dtype(name)
    if array.ndim != 1 or not (array.size == 0 or np.can_cast(array.dtype, dtype, casting="same_kind")):
        raise ArgumentError(
            name,
            f"be a one-dimensional array that {np.dtype(dtype).name} can hold",
            f"its shape is {array.shape} and its dtype {array.dtype}",
            "Pass one number per step.",
        )
    return array.astype(dtype)


@dataclass(frozen=True)
class Evaluation:
    """Loss and accuracy of the model on one whole split, after `step` steps.

    Args:
        step: steps done before this evaluation; 0 is the untrained model.
        split: "train" or "test".
        loss: mean loss over the split.
        accuracy: accuracy in [0, 1], None where there is none (regression).
        n_circuits: circuits evaluated for it.

    Raises:
        ArgumentError: `split` is neither "train" nor "test".

    Example:
        >>> Evaluation(step=10, split="test", loss=0.3, accuracy=0.9, n_circuits=40).accuracy
        0.9
    """

    step: int
    split: Split
    loss: float
    accuracy: float | None
    n_circuits: int

    def __post_init__(self) -> None:
        if self.split not in ("train", "test"):
            raise ArgumentError(
                "split", 'be "train" or "test"', f"it is {self.split!r}", "Name the split that was evaluated."
            )


@dataclass(frozen=True)
class Checkpoint:
    """The state of training after `step` steps.

    Args:
        step: steps done; the next step has this number.
        payload: the state as `qjax.store.to_bytes` wrote it.

    Example:
        >>> Checkpoint(step=20, payload=b"...").step
        20
    """

    step: int
    payload: bytes


@dataclass(frozen=True)
class RunRecord:
    """One run as a reader sees it.

    Args:
        id: sortable and readable, `YYYYMMDD-HHMMSS-xxxx` in UTC.
        name: name of the run or of its preset.
        status: "running" only while the writing process lives; a run whose writer died without a
            word is "interrupted".
        created_at: start, in UTC.
        ended_at: end of the last attempt in UTC, None while running or after a sudden death.
        process_id: process that wrote last.
        steps: steps recorded, which is also the step of the newest checkpoint.
        config: configuration it was started with.
        circuit: circuit as JSON data.
        circuit_hash: hash of the circuit.
        environment: see `qjax.store.describe_environment`.
        summary: what `RunStore.finish_run` was given, None before the first end.

    Example:
        >>> import tempfile
        >>> from qjax.store import RunStore
        >>> with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        ...     _ = store.create_run({"seed": 1}, {"gates": []}, "c0ffee", {}, name="iris")
        ...     record = store.run("latest")
        >>> record.name, record.status, record.config
        ('iris', 'running', {'seed': 1})
    """

    id: str
    name: str
    status: RunStatus
    created_at: datetime
    ended_at: datetime | None
    process_id: int
    steps: int
    config: Mapping[str, Any]
    circuit: Mapping[str, Any]
    circuit_hash: str
    environment: Mapping[str, Any]
    summary: Mapping[str, Any] | None
