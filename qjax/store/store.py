"""The run store: one method, one transaction."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from qjax.errors import ArgumentError, StoreError
from qjax.store import history
from qjax.store.batches import remove_batches_after
from qjax.store.database import FILE_NAME, check_sound, connect, transaction
from qjax.store.ending import EndStatus, RunEnd
from qjax.store.explanations import damaged
from qjax.store.models import ModelRecord, write_model
from qjax.store.process import Writer
from qjax.store.progress import (
    Progress,
    as_json,
    as_record,
    choose_run,
    free_id,
    read_progress,
    read_run,
    read_runs,
)
from qjax.store.reader import RecordReader
from qjax.store.records import Checkpoint, Evaluation, RunRecord, StepMetrics
from qjax.store.replicas import rewind
from qjax.store.rundata import RunData, write_run_data
from qjax.store.sealed import write_rows
from qjax.store.states import remove_states_after
from qjax.store.steprecord import StepRecord, write_step_record

BUSY_SECONDS = 10.0


class RunStore(RecordReader):
    """All runs of one folder. Get one from `RunStore.open`; use it in the thread that opened it.

    Any number of processes may read and write the same folder at once. A run has one writer: the
    process that created it or resumed it last. Steps, evaluations and the checkpoint of an `append`
    are kept together or not at all, and once `append` has returned they survive a killed process
    and a power cut. So the metrics of a run are always exactly the steps before its checkpoint.

    Example:
        >>> import tempfile
        >>> from qjax.store import StepMetrics
        >>> with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        ...     run_id = store.create_run({"seed": 1}, {"gates": []}, "c0ffee", {}, name="iris")
        ...     steps = StepMetrics.from_rows([(0, 0, 0, 0.7, 1.2, 0.5, 8, 1, 3.5)])
        ...     store.append(run_id, steps, checkpoint=b"state after one step", step=1)
        ...     store.finish_run(run_id, "finished", {"loss": 0.7})
        ...     store.run("latest").status, store.metrics(run_id).loss, store.latest_checkpoint(run_id)
        ('finished', array([0.7]), Checkpoint(step=1, payload=b'state after one step'))
    """

    @classmethod
    def open(
        cls, directory: str | Path, *, create: bool = True, busy_seconds: float = BUSY_SECONDS
    ) -> RunStore:
        """Opens the store of a folder.

        Args:
            directory: folder of the store; the database in it is `runs.sqlite`.
            create: make folder and database where there are none. Pass False to only look.
            busy_seconds: how long a write waits for another process that writes, in seconds.

        Returns:
            The store, to be closed by `close` or by a `with` block.

        Raises:
            StoreError: the folder is missing, read-only or a file, or the database is damaged,
                locked, foreign or of a newer version. A damaged file is left as it is.

        Example:
            >>> RunStore.open("no-such-folder", create=False)
            Traceback (most recent call last):
            ...
            qjax.errors.StoreError: There is no folder ...no-such-folder. Train once, or name another folder.
        """
        path = Path(directory).absolute()
        connection = connect(path, create=create, busy_seconds=busy_seconds)
        return cls(connection, path / FILE_NAME)

    def close(self) -> None:
        """Closes the store; a run that is not finished can be resumed later."""
        self._connection.close()

    def __enter__(self) -> RunStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def create_run(
        self,
        config: Mapping[str, Any],
        circuit: Mapping[str, Any],
        circuit_hash: str,
        environment: Mapping[str, Any],
        name: str,
        data: RunData | None = None,
    ) -> str:
        """Begins a run that this process writes.

        Args:
            config: JSON data that the run can be repeated from.
            circuit: JSON data of the circuit.
            circuit_hash: hash of the circuit.
            environment: see `describe_environment`.
            name: name of the run or of its preset.
            data: what it is trained on; None for a run that keeps no record of its batches.

        Returns:
            The run id, `YYYYMMDD-HHMMSS-xxxx` in UTC.

        Raises:
            ArgumentError: something has no JSON form, or the name is empty or not printable.
            StoreError: it cannot be written.
        """
        if not (name.strip() and name.isprintable()):
            raise ArgumentError("name", "be printable text", f"it is {name!r}", "Give the run a short name.")
        texts = as_json("config", config), as_json("circuit", circuit)
        description = as_json("environment", environment)
        now = datetime.now(UTC)
        with transaction(self._connection, self._path, "write") as connection:
            ids = [row[0] for row in connection.execute("SELECT id FROM runs")]
            run_id = free_id(now, ids)
            row = (len(ids) + 1, run_id, name, now.isoformat(), *texts, circuit_hash, description)
            write_rows(connection, "runs", [row])
            first = Progress(run_id, "running", None, *Writer.this_process(), None, 0, None)
            write_rows(connection, "progress", [first])
            if data is not None:
                write_run_data(connection, run_id, data)
        return run_id

    def append(
        self,
        run_id: str,
        steps: StepMetrics,
        checkpoint: bytes,
        step: int,
        evaluations: Sequence[Evaluation] = (),
        record: StepRecord | None = None,
        *,
        end: RunEnd | None = None,
        durable: bool = True,
        rehearsed: bool = False,
    ) -> None:
        """Adds the next steps, their evaluations and the checkpoint after them in one transaction.

        Steps before the newest checkpoint are final: steps that are there already are refused, not
        replaced. (`resume_run` removes what lies after the checkpoint it goes on from, so a resumed
        run never needs to replace any.) An evaluation at the newest checkpoint or later replaces an
        earlier one of the same step and split.

        Args:
            run_id: full run id.
            steps: all steps from the newest checkpoint to `step - 1`; none if `step` is unchanged.
            checkpoint: state after `step` steps; this one and the one before it are kept.
            step: steps done.
            evaluations: evaluations at the newest checkpoint or later, up to `step`.
            record: the samples of these steps, and what else is kept of them; needed where the run was
                created with its data.
            end: how the run ended, where these are its last steps.
            durable: False where `finish_run` follows at once and will wait for the disk; until then a power
                cut could take these steps away.
            rehearsed: True to take all of it back in the end. What is appended next does not wait any more
                for statements to be prepared, code to be loaded and pages to be read.

        Raises:
            ArgumentError: the summary of the end has no JSON form.
            StoreError: the steps do not continue the run, another process has resumed it, it is
                finished, or it cannot be written. Nothing has changed then.
        """
        with (
            suppress(_TakenBackError),
            transaction(self._connection, self._path, "write", durable=durable) as connection,
        ):
            progress = self._own(connection, run_id)
            history.check_continues(progress, steps, int(step), evaluations)
            history.write_metrics(connection, run_id, steps)
            gained = history.write_evaluations(connection, progress, evaluations)
            history.write_checkpoint(connection, progress, Checkpoint(int(step), checkpoint))
            write_step_record(connection, self._path, run_id, steps, int(step), record)
            after = progress._replace(steps=int(step), evaluations=progress.evaluations + gained)
            _write_progress(connection, after, end)
            if rehearsed:
                raise _TakenBackError

    def resume_run(self, run_id: str) -> Checkpoint | None:
        """Makes this process the writer of a run, whatever its status, and says where to go on.

        Where the newest checkpoint is damaged, the one before it is taken, and the metrics and
        evaluations after that one are removed, because they will be made again.

        Args:
            run_id: full run id.

        Returns:
            The checkpoint to go on from, None if the run has not got to its first.

        Raises:
            StoreError: another living process writes the run, there is no such run, all its
                checkpoints are damaged, or it cannot be written.
        """
        # Resuming removes rows, and in a damaged table those could be the rows of another run.
        check_sound(self._connection, self._path)
        with transaction(self._connection, self._path, "write") as connection:
            progress = read_progress(connection, self._path, run_id)
            if progress.is_being_written and progress.writer != Writer.this_process():
                raise StoreError(
                    f"Run {run_id} is being written by process {progress.process_id}. End that process, or "
                    "wait until it is done."
                )
            checkpoint = self._newest(connection, progress)
            steps = None if checkpoint is None else checkpoint.step
            removed = history.remove_after(connection, run_id, steps or 0)
            remove_batches_after(connection, run_id, steps or 0)
            remove_states_after(connection, self._path, run_id, steps or 0)
            rewind(connection, self._path, run_id)
            writer = Writer.this_process()
            after = Progress(
                run_id, "running", None, *writer, steps, progress.evaluations - removed, progress.summary
            )
            write_rows(connection, "progress", [after], replace=True)
        return checkpoint

    def finish_run(
        self,
        run_id: str,
        status: EndStatus,
        summary: Mapping[str, Any],
        model: ModelRecord | None = None,
    ) -> None:
        """Ends a run that this process writes.

        Args:
            run_id: full run id.
            status: how it ended.
            summary: JSON data, such as the last losses.
            model: the trained model, to be kept in the same transaction.

        Raises:
            ArgumentError: the status is none of the three, or the summary has no JSON form.
            StoreError: this process does not write the run, or it cannot be written.
        """
        end = RunEnd(status, summary, model)
        with transaction(self._connection, self._path, "write") as connection:
            _write_progress(connection, self._own(connection, run_id), end)

    def latest_checkpoint(self, run_id: str) -> Checkpoint | None:
        """Reads the newest checkpoint that is not damaged.

        Args:
            run_id: full run id.

        Returns:
            The checkpoint, None if the run has not got to its first.

        Raises:
            StoreError: there is no such run, all its checkpoints are damaged, or it cannot be read.
        """
        with transaction(self._connection, self._path, "read") as connection:
            return self._newest(connection, read_progress(connection, self._path, run_id))

    def runs(self) -> list[RunRecord]:
        """Lists all runs, the one created last first.

        Returns:
            Their records.

        Raises:
            StoreError: it cannot be read.
        """
        with transaction(self._connection, self._path, "read") as connection:
            found = read_runs(connection, self._path)
        return [as_record(*each) for each in found.values()]

    def run(self, wanted: str) -> RunRecord:
        """Finds one run.

        Args:
            wanted: a run id, the beginning of one, or "latest".

        Returns:
            Its record.

        Raises:
            StoreError: no run or several runs fit; the message names runs that there are.
        """
        with transaction(self._connection, self._path, "read") as connection:
            found = read_run(connection, self._path, wanted)
            if found is None:
                runs = read_runs(connection, self._path)
                found = runs[choose_run(self._path, runs, wanted)]
        return as_record(*found)

    def metrics(self, run_id: str) -> StepMetrics:
        """Reads all steps of a run.

        Args:
            run_id: full run id.

        Returns:
            Columns of the steps 0, 1, ..., `run(run_id).steps - 1`.

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with transaction(self._connection, self._path, "read") as connection:
            progress = read_progress(connection, self._path, run_id)
            return history.read_metrics(connection, self._path, progress)

    def evaluations(self, run_id: str) -> tuple[Evaluation, ...]:
        """Reads all evaluations of a run.

        Args:
            run_id: full run id.

        Returns:
            Evaluations by step, "test" before "train".

        Raises:
            StoreError: there is no such run, or it cannot be read.
        """
        with transaction(self._connection, self._path, "read") as connection:
            progress = read_progress(connection, self._path, run_id)
            return history.read_evaluations(connection, self._path, progress)

    def _own(self, connection: sqlite3.Connection, run_id: str) -> Progress:
        progress = read_progress(connection, self._path, run_id)
        if progress.status != "running" or progress.writer != Writer.this_process():
            raise StoreError(
                f"Run {run_id} is not written by this process: its status is {progress.status} and its last "
                f"writer was process {progress.process_id}. Resume the run first."
            )
        return progress

    def _newest(self, connection: sqlite3.Connection, progress: Progress) -> Checkpoint | None:
        checkpoint = history.read_checkpoint(connection, progress.run)
        # None would silently begin the run anew.
        if checkpoint is None and progress.steps is not None:
            raise damaged(self._path, f"no checkpoint of run {progress.run} is sound")
        return checkpoint


class _TakenBackError(Exception):
    """Ends a transaction of which nothing is to be kept."""


def _write_progress(connection: sqlite3.Connection, progress: Progress, end: RunEnd | None) -> None:
    if end is not None:
        ended_at, summary = datetime.now(UTC).isoformat(), as_json("summary", end.summary)
        progress = progress._replace(status=end.status, ended_at=ended_at, summary=summary)
        if end.model is not None:
            write_model(connection, end.model)
    write_rows(connection, "progress", [progress], replace=True)
