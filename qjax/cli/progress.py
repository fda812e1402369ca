"""A live progress bar with loss and accuracy."""

from __future__ import annotations

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from qjax.train import Chunk


class LiveProgress:
    """An observer that shows a run on a terminal; elsewhere it prints a line for each evaluation.

    Args:
        console: where to show it.
        num_steps: steps of the whole run.
        score: what the score is called.
    """

    def __init__(self, console: Console, num_steps: int, score: str):
        self._console = console
        self._score = score
        self._is_live = console.is_terminal
        self._progress = Progress(
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not self._is_live,
        )
        self._task = self._progress.add_task("compiling", total=num_steps)
        self._test = ""

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_chunk(self, chunk: Chunk) -> None:
        """Shows a chunk."""
        for evaluation in chunk.evaluations:
            if evaluation.split == "test":
                self._test = f"  test {self._score} {evaluation.score:.3f}"
        text = f"loss {chunk.infos.loss[-1]:.4f}{self._test}"
        self._progress.update(self._task, completed=chunk.next_step, description=text)
        if not self._is_live and chunk.evaluations:
            self._console.print(f"epoch {chunk.next_step // chunk.steps_per_epoch}: {text}")
