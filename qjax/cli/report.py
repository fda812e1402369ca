"""`qjax runs report`: a run as one HTML file."""

from __future__ import annotations

from pathlib import Path

from qjax.cli.settings import apply_settings
from qjax.report import read_report, write_report
from qjax.store import RunStore
from qjax.train.config import TrainingConfig


def report_run(runs_directory: Path, wanted: str, output: Path | None) -> None:
    """Writes the report of a run and prints where it is.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        output: the file; None for one beside the store.
    """
    with RunStore.open(runs_directory, create=False) as store:
        record = store.run(wanted)
        apply_settings(TrainingConfig.from_mapping(record.config))
        report = read_report(store, record.id)
    path = output or runs_directory / f"{record.id}.html"
    write_report(report, path)
    print(path)
