"""What watches a run: observers that the loop calls between chunks; nothing of them is traced."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from qjax.store import Split
from qjax.train.step import StepInfo, TrainState


@dataclass(frozen=True, eq=False)
class SplitEvaluation:
    """Loss and score on all samples of a part of the data.

    Args:
        split: "train" or "test".
        loss: mean loss.
        score: accuracy, or R^2 in regression.
        circuits: circuits executed for it.
    """

    split: Split
    loss: float
    score: float
    circuits: int


@dataclass(frozen=True, eq=False)
class Chunk:
    """Steps that were done together.

    Args:
        first_step: index of the first.
        steps_per_epoch: steps of an epoch.
        infos: one entry for each step, NumPy arrays `[n]`.
        seconds: time they took, all together.
        state: the state after them.
        indices: `[n, B]`, the place of each sample that they used in the prepared data; -1 is padding.
        evaluations: evaluations after them, if any.
    """

    first_step: int
    steps_per_epoch: int
    infos: StepInfo
    seconds: float
    state: TrainState
    indices: np.ndarray
    evaluations: tuple[SplitEvaluation, ...] = ()

    @property
    def num_steps(self) -> int:
        """How many steps the chunk has."""
        return len(np.asarray(self.infos.loss))

    @property
    def next_step(self) -> int:
        """Index of the step after the chunk."""
        return self.first_step + self.num_steps


class Observer(Protocol):
    """Watches a run."""

    def on_chunk(self, chunk: Chunk) -> None:
        """Called after each chunk; what it raises ends the run."""
        ...
