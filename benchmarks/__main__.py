"""`python -m benchmarks`: measures, and writes JSON, a Markdown report and plots."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.cell import CASES, TASKS
from benchmarks.journal import Journal
from benchmarks.machine import conditions, describe_machine, usable_cores
from benchmarks.measure import Bench
from benchmarks.peers import PEERS, SUBJECT, load
from benchmarks.profile import PARTS, Profile, chosen_cells, full, quick
from benchmarks.report import write_report
from benchmarks.run import run_profile
from qjax.engine import native
from qjax.engine.native.library import CURE
from qjax.errors import ArgumentError, QjaxError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def measure(
    is_quick: Annotated[bool, typer.Option("--quick", help="The README's table, in minutes.")] = False,
    parts: Annotated[str | None, typer.Option(help=f"Of {', '.join(PARTS)}; separated by commas.")] = None,
    cases: Annotated[list[str] | None, typer.Option(help='QUBITS,LAYERS,SAMPLES, such as "8,2,10".')] = None,
    tasks: Annotated[str | None, typer.Option(help=f"Of {', '.join(TASKS)}.")] = None,
    peers: Annotated[
        str | None, typer.Option(help=f"Of {', '.join(PEERS)} (all by default), or modules with a `PEER`.")
    ] = None,
    cores: Annotated[int, typer.Option(min=1, help="How many cores everybody gets.")] = 2,
    timeout: Annotated[float | None, typer.Option(min=0, help="Seconds for a first call.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the results.")] = Path(
        "benchmark-results"
    ),
) -> None:
    """Measures this project and its peers on the same cores, and compares their answers first.

    What is measured is kept: after Ctrl-C the same command goes on where it was.
    """
    profile = _profile(is_quick, parts, cases, tasks, timeout)
    names = PEERS if peers is None else tuple(_peer(name) for name in peers.split(","))
    _check_subject()
    used = usable_cores(cores)
    machine = describe_machine()
    output.mkdir(parents=True, exist_ok=True)
    journal = Journal(output / "results.jsonl", conditions(machine))
    bench = Bench(journal, used, profile.limits, lambda line: print(line, file=sys.stderr, flush=True))
    interrupted = False
    try:
        run_profile(bench, profile, tuple(dict.fromkeys((SUBJECT, *names))))
    except KeyboardInterrupt:
        interrupted = True
    print(write_report(output, journal.results, profile, names, machine, len(used)))
    if interrupted:
        print("Interrupted; the same command goes on from here.", file=sys.stderr)
        sys.exit(130)


def _profile(
    is_quick: bool, parts: str | None, cases: list[str] | None, tasks: str | None, timeout: float | None
) -> Profile:
    profile = quick() if is_quick else full()
    if parts is not None:
        profile = replace(profile, parts=_names("--parts", parts, PARTS))
    if cases or tasks:
        texts = cases or [",".join(map(str, case)) for case in CASES]
        profile = replace(profile, cells=chosen_cells(texts, (tasks or ",".join(TASKS)).split(",")))
        if parts is None:
            profile = replace(profile, parts=("cells",))
    if timeout is not None:
        profile = replace(
            profile,
            limits=replace(profile.limits, timeout=timeout),
            sweep_limits=replace(profile.sweep_limits, timeout=timeout),
        )
    return profile


def _peer(name: str) -> str:
    try:
        load(name)
    except (ImportError, AttributeError, ValueError):
        raise ArgumentError(
            "--peers",
            f"be of {', '.join(PEERS)}, or a module with a `PEER`",
            f"it is {name!r}",
            "Pick some of these.",
        ) from None
    return name


def _check_subject() -> None:
    if native.isa() is None:
        raise ArgumentError(
            "engine", "be native, which the benchmark measures", "it was not built with this install", CURE
        )


def _names(option: str, text: str | None, known: tuple[str, ...]) -> tuple[str, ...]:
    if text is None:
        return known
    for name in text.split(","):
        if name not in known:
            raise ArgumentError(option, f"be of {', '.join(known)}", f"it is {name!r}", "Pick some of these.")
    return tuple(text.split(","))


if __name__ == "__main__":
    try:
        app()
    except QjaxError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
