"""`qjax bench`: a suite from the command line, watched live."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.table import Table

from qjax.cli.settings import apply_settings
from qjax.errors import StoreError
from qjax.store import RunStore
from qjax.suite import Cell, CellResult, Report, Suite, make_report, read_suite, run_suite
from qjax.suite.plot import save_plot
from qjax.suite.run import CLASSICAL
from qjax.suite.run import Progress as SuiteProgress
from qjax.suite.suite import FROZEN
from qjax.train import Chunk, Observer

_WIDEST = 1000


def run_bench(path: Path, *, json_output: bool, runs_directory: Path) -> None:
    """Runs what is left of a suite, and prints and writes what came of it.

    Args:
        path: the suite, a TOML file.
        json_output: whether to print JSON.
        runs_directory: folder of the run store; table and plot are written beside it.

    Raises:
        QjaxError: if anything a person gave cannot work.
    """
    # A service manager stops a process by SIGTERM: end as by Ctrl-C, with the run marked and resumable.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(stderr=True)
    suite = read_suite(path)
    apply_settings(suite.cells[0].config)
    with RunStore.open(runs_directory) as store, LiveSuite(console, suite) as progress:
        try:
            results = run_suite(suite, store, progress)
        except KeyboardInterrupt:
            console.print("Interrupted. The same command goes on where it was.")
            sys.exit(130)
    report = make_report(suite, results)
    content = json.dumps(report.to_json())
    plot = runs_directory / f"{suite.name}.png"
    _write(runs_directory / f"{suite.name}.json", content)
    save_plot(report, plot)
    if json_output:
        print(content)
        return
    _print_table(report)
    console.print(f"plot: {plot}", soft_wrap=True)
    console.print(f"numbers: {plot.with_suffix('.json')}", soft_wrap=True)


class LiveSuite(SuiteProgress):
    """Shows a suite on a terminal; elsewhere it prints a line for each cell that is trained.

    Args:
        console: where to show it.
        suite: the suite.
    """

    def __init__(self, console: Console, suite: Suite):
        self._console = console
        self._is_live = console.is_terminal
        self._bar = Progress(
            TextColumn("cell"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}"),
            console=console,
            disable=not self._is_live,
        )
        twins = sum(cell.method == FROZEN for cell in suite.cells)
        self._total = len(suite.cells) + twins * len(CLASSICAL)
        self._task = self._bar.add_task("", total=self._total)
        self._done = 0
        self._started: Cell | None = None

    def __enter__(self) -> LiveSuite:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def on_start(self, cell: Cell, num_steps: int) -> Sequence[Observer]:
        """Shows which cell is trained."""
        self._started = cell
        self._bar.update(self._task, description=f"{cell}: compiling")
        return (_Steps(self._bar, self._task, str(cell), num_steps),)

    def on_result(self, result: CellResult) -> None:
        """Counts a cell that is done."""
        self._done += 1
        self._bar.update(self._task, completed=self._done)
        if result.failure is not None:
            self._console.print(f"{result.cell} failed: {result.failure}", soft_wrap=True)
        elif not self._is_live and self._started is result.cell:
            score = "-" if result.test_score is None else f"{result.test_score:.3f}"
            place = f"{self._done}/{self._total}"
            self._console.print(f"{place} {result.cell}: test {result.score_name} {score}", soft_wrap=True)


class _Steps:
    """An observer that shows how far one training is."""

    def __init__(self, bar: Progress, task: TaskID, name: str, num_steps: int):
        self._bar, self._task, self._name, self._num_steps = bar, task, name, num_steps

    def on_chunk(self, chunk: Chunk) -> None:
        """Shows a chunk."""
        description = f"{self._name}: step {chunk.next_step}/{self._num_steps}"
        self._bar.update(self._task, description=description)


def _print_table(report: Report) -> None:
    console = Console()
    table = Table(
        caption=report.caption, caption_justify="left", box=None, pad_edge=False, header_style="bold"
    )
    for heading in ("dataset", "model", "method"):
        table.add_column(heading, no_wrap=True)
    for heading in ("test", "train", "circuits", "jobs", "here", "on hardware"):
        table.add_column(heading, justify="right", no_wrap=True)
    before = ("", "")
    for row in report.rows:
        names = (
            "" if row.dataset == before[0] else row.dataset,
            "" if (row.dataset, row.model) == before else row.model,
        )
        failed = f" ({len(row.failures)} failed)" if row.failures else ""
        table.add_row(
            *names,
            row.method + failed,
            "-" if row.test is None else str(row.test),
            "-" if row.train is None else str(row.train),
            _count(row.circuits),
            _count(row.jobs),
            _duration(row.seconds),
            _duration(row.hardware_seconds),
        )
        before = (row.dataset, row.model)
    # Wider than a narrow terminal rather than cut: the table is there to be read and kept.
    needed = console.measure(table, options=console.options.update(width=_WIDEST)).maximum
    Console(width=max(console.width, needed)).print(table)


def _count(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _write(path: Path, content: str) -> None:
    try:
        path.write_text(content + "\n", encoding="utf-8")
    except OSError as error:
        raise StoreError(
            f"The report cannot be written to {path} ({error.strerror}). Choose another `--runs-dir`."
        ) from None
