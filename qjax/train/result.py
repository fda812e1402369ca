"""What a run comes to, added up while it goes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from qjax.errors import StoreError
from qjax.gradients import Params
from qjax.train.observers import Chunk, SplitEvaluation


@dataclass(frozen=True)
class Result:
    """What a run came to.

    Args:
        run: id of the run in the store, "" without one.
        loss: loss over the training part at the end; of the last step where nothing was evaluated.
        train_score: accuracy (R^2 in regression) on the training part; None where nothing was evaluated.
        test_score: the same on the test part.
        gradient_circuits: circuits executed for gradients, over the whole run.
        evaluation_circuits: circuits executed for evaluations, over the whole run.
        jobs: submissions for gradients, over the whole run.
        seconds_training: seconds of steps and evaluations in this process.
        seconds_to_first_step: seconds until the first step could run: data, model and compilation.
    """

    run: str
    loss: float
    train_score: float | None
    test_score: float | None
    gradient_circuits: int
    evaluation_circuits: int
    jobs: int
    seconds_training: float
    seconds_to_first_step: float


_RECORDED = tuple(field.name for field in fields(Result) if field.name not in ("train_score", "test_score"))


@dataclass
class Tally:
    """An observer that adds up circuits and jobs and keeps the last losses.

    Args:
        run: id of the run in the store, "" without one.
        gradient_circuits: circuits executed for gradients so far.
        evaluation_circuits: circuits executed for evaluations so far.
        jobs: submissions for gradients so far.
        last_loss: loss of the last step so far.
        evaluations: the last evaluations so far, by split.
        params: the parameters so far; None before the first step.
    """

    run: str = ""
    gradient_circuits: int = 0
    evaluation_circuits: int = 0
    jobs: int = 0
    last_loss: float = float("nan")
    evaluations: dict[str, SplitEvaluation] = field(default_factory=dict)
    params: Params | None = None

    def on_chunk(self, chunk: Chunk) -> None:
        """Adds a chunk."""
        self.gradient_circuits += int(chunk.infos.circuits.sum())
        self.jobs += int(chunk.infos.jobs.sum())
        self.last_loss = float(chunk.infos.loss[-1])
        self.params = chunk.state.params
        self.evaluations.update({evaluation.split: evaluation for evaluation in chunk.evaluations})
        self.evaluation_circuits += sum(evaluation.circuits for evaluation in chunk.evaluations)

    def result(self, seconds_training: float, seconds_to_first_step: float) -> Result:
        """The result as it stands."""
        train, test = self.evaluations.get("train"), self.evaluations.get("test")
        return Result(
            run=self.run,
            loss=train.loss if train else self.last_loss,
            train_score=train.score if train else None,
            test_score=test.score if test else None,
            gradient_circuits=self.gradient_circuits,
            evaluation_circuits=self.evaluation_circuits,
            jobs=self.jobs,
            seconds_training=seconds_training,
            seconds_to_first_step=seconds_to_first_step,
        )


def result_from(recorded: Mapping[str, Any], task: str) -> Result:
    """A result from the object that `summary` made of it.

    Args:
        recorded: the object.
        task: the model's task.

    Returns:
        The result.

    Raises:
        StoreError: if something is missing.
    """
    score = "r2" if task == "regression" else "accuracy"
    try:
        return Result(
            train_score=recorded[f"train_{score}"],
            test_score=recorded[f"test_{score}"],
            **{name: recorded[name] for name in _RECORDED},
        )
    except KeyError as error:
        raise StoreError(
            f"The result of the run was recorded without {error}, by another version. See what there is with "
            "`qjax runs show`."
        ) from None


def summary(result: Result, task: str) -> dict[str, Any]:
    """A result as the JSON object that the command line prints and the store keeps.

    Args:
        result: the result.
        task: the model's task.

    Returns:
        The object; scores are accuracies, or R^2 under names of their own in regression.
    """
    score = "r2" if task == "regression" else "accuracy"
    return {
        "run": result.run,
        "loss": result.loss,
        f"train_{score}": result.train_score,
        f"test_{score}": result.test_score,
        "circuits": result.gradient_circuits + result.evaluation_circuits,
        "gradient_circuits": result.gradient_circuits,
        "evaluation_circuits": result.evaluation_circuits,
        "jobs": result.jobs,
        "seconds_training": result.seconds_training,
        "seconds_to_first_step": result.seconds_to_first_step,
    }
