"""`qjax sync`, `qjax verify`, `qjax sink`, and `--sink`: replicas of the runs elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from qjax.cli.garbage import end_startup
from qjax.errors import DamagedError
from qjax.sinks import (
    ReplicaThread,
    Replicator,
    Sink,
    SinkError,
    TooWideError,
    TransientError,
    WallClock,
    compare,
    ensure_index,
    open_sink,
    patiently,
)
from qjax.store import RunStore
from qjax.store.replicas import forget, read_status
from qjax.store.vectors import VectorReader
from qjax.train.prepare import Prepared


def sync_runs(
    runs_directory: Path, wanted: str | None, sink_name: str, again: bool, patience: float, json_output: bool
) -> None:
    """Sends what is recorded and not yet replicated.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest"; None for all runs that keep a record.
        sink_name: the sink.
        again: whether to forget what was sent.
        patience: seconds without an answer after which to give up.
        json_output: whether to print a JSON list.

    Raises:
        TooWideError: the vectors of some runs do not fit; all others were sent.
        DamagedError: the record of some runs is damaged; all others were sent.
        SinkError: the service cannot be used as it is, or does not answer.
    """
    end_startup()
    sink, console, report = open_sink(sink_name), Console(stderr=True), []
    kept_back: list[tuple[str, TooWideError | DamagedError]] = []
    clock = _TellingClock(console)
    with RunStore.open(runs_directory, create=False) as store:
        runs = [record.id for record in store.runs()] if wanted is None else [store.run(wanted).id]
        for run in runs:
            try:
                if wanted is None and not store.has_data(run):
                    continue
                if again:
                    with store.transaction("write") as connection:
                        forget(connection, sink.name, run)
                replicator = Replicator(store, run, sink.name, sink.service)
                if replicator.waiting():
                    width = VectorReader(store, run).width()
                    patiently(lambda width=width: _make_sure(sink, width, console), clock, patience)
                report.append({"run": run, "sink": sink.name, "sent": replicator.drain(clock, patience)})
            except (TooWideError, DamagedError) as error:
                # No reason to keep the other runs back.
                kept_back.append((run, error))
        status = _status(store)
    for line in report:
        of_run = [each for each in status if (each.run, each.sink) == (line["run"], sink.name)]
        line["refused"] = sum(each.refused for each in of_run)
        if not json_output:
            console.print(f"{line['run']}: {line['sent']:,} vectors sent to {sink.name}{_refused(line)}")
    if kept_back:
        run, error = kept_back[0]
        which = f"run {run}" if len(kept_back) == 1 else f"{len(kept_back):,} runs, such as {run},"
        sent = "Nothing" if isinstance(error, TooWideError) else "Not all"
        raise type(error)(f"{sent} of {which} was sent to {sink.name}. {error}")
    if json_output:
        print(json.dumps(report))


def verify_run(runs_directory: Path, wanted: str, sink_name: str, json_output: bool) -> None:
    """Compares the record of a run with its replica.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        sink_name: the sink.
        json_output: whether to print a JSON object.

    Raises:
        SinkError: they differ, or the service cannot be asked.
    """
    sink = open_sink(sink_name)
    with RunStore.open(runs_directory, create=False) as store:
        run = store.run(wanted).id
        try:
            sink.service.dimension()
            found = compare(store, run, sink.name, sink.service, WallClock())
        except TransientError as error:
            raise SinkError(f"The service does not answer now ({error}). Try again later.") from None
    if not found.agrees:
        kinds = {"missing": found.missing, "different": found.different, "extra": found.extra}
        parts = [f"{len(ids):,} {kind}" for kind, ids in kinds.items() if ids]
        first = next(ids[0] for ids in kinds.values() if ids)
        if found.missing or found.different:
            cure = f"Run `qjax sync {run}`, and with --again if that does not help."
        else:
            cure = "Another program wrote them: delete them there."
        raise SinkError(
            f"The replica of run {run} on {sink.name} does not agree with its record ({', '.join(parts)} of "
            f"{found.same + len(found.missing) + len(found.different):,} vectors, such as {first}). {cure}"
        )
    if json_output:
        print(json.dumps({"run": run, "sink": sink.name, "same": found.same, "refused": found.refused}))
    else:
        line = {"refused": found.refused}
        print(f"{run}: all {found.same:,} vectors on {sink.name} agree with the record{_refused(line)}")


def show_status(runs_directory: Path, json_output: bool) -> None:
    """Prints how far each run has been sent.

    Args:
        runs_directory: folder of the store.
        json_output: whether to print a JSON list.
    """
    with RunStore.open(runs_directory, create=False) as store:
        found = _status(store)
    if json_output:
        print(json.dumps([each._asdict() for each in found]))
        return
    table = Table(box=None, pad_edge=False)
    for heading in ("run", "sink", "kind", "sent", "waiting", "refused"):
        table.add_column(heading, no_wrap=True)
    for each in found:
        table.add_row(each.run, each.sink, each.kind, *(f"{number:,}" for number in each[3:]))
    Console().print(table)


def check_sink(sink: Sink, prepared: Prepared, console: Console) -> None:
    """Checks before training that the run's vectors will fit; a service that is away now holds nothing up.

    Args:
        sink: the sink.
        prepared: the run.
        console: where to say what was done.

    Raises:
        SinkError: they do not fit, or the service cannot be used as it is.
    """
    width = prepared.features.shape[1]
    if prepared.config.record_states != "never":
        width = max(width, 2 * 2**prepared.model.circuit.num_qubits)
    try:
        _make_sure(sink, width, console)
    except TransientError as error:
        console.print(f"The service does not answer now ({error}); the run waits in the store.", markup=False)


@contextmanager
def replicated(
    runs_directory: Path, sink: Sink | None, console: Console
) -> Iterator[Callable[[str], None] | None]:
    """Sends a run to a sink while it goes on, and says in the end what is still to be sent.

    Args:
        runs_directory: folder of the store.
        sink: the sink, or None.
        console: where to say it.

    Yields:
        What to call with the run's id once there is one.
    """
    if sink is None:
        yield None
        return
    with ReplicaThread(runs_directory, sink.name, sink.service) as thread:
        yield thread.start
    if thread.run_id is None:
        return
    if thread.problem is not None:
        console.print(thread.problem, highlight=False, markup=False)
    with RunStore.open(runs_directory, create=False) as store:
        if not store.has_data(thread.run_id):
            return
        waiting = Replicator(store, thread.run_id, sink.name, sink.service).waiting()
    if waiting:
        console.print(f"{waiting:,} vectors are still to be sent; `qjax sync` sends them.")


class _TellingClock(WallClock):
    """A clock that says so when it waits for the first time."""

    def __init__(self, console: Console):
        super().__init__()
        self._console: Console | None = console

    def wait(self, seconds: float) -> None:
        if self._console is not None:
            self._console.print("The service does not answer; trying again.")
            self._console = None
        super().wait(seconds)


def _make_sure(sink: Sink, width: int, console: Console) -> None:
    if ensure_index(sink, width):
        console.print(f"Made the index of {sink.name}, which did not exist.")


def _status(store: RunStore):
    with store.transaction("read") as connection:
        return read_status(connection, store.path)


def _refused(line: dict) -> str:
    return f"; {line['refused']:,} were refused" if line["refused"] else ""
