"""Executors by one word of the configuration: the edge where `hw` is imported, and a service reached."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from qjax.cli.budget import BudgetedJournal, require_price
from qjax.errors import ArgumentError, MissingExtraError
from qjax.executor import Executor
from qjax.store.journal import RunJournal
from qjax.train import TrainingConfig
from qjax.train.config import SERVICES
from qjax.train.loop import StepTimeoutError
from qjax.train.prepare import Prepared, make_executor

if TYPE_CHECKING:
    from hw import IonQ
    from hw.journal import Journal

LOCAL_DATABASE = "ionq-local.sqlite"
"""Where the local server keeps its jobs, in the folder of the runs."""

_HERE = "http://127.0.0.1"
_DEBIASING_SHOTS = 500
_KEYS = {"target": "backend", "noise_model": "noise", "shots": "shots_per_circuit"}


@contextmanager
def extra(name: str) -> Iterator[None]:
    """Turns the lack of a package into the sentence that names its extra.

    Args:
        name: the extra.

    Raises:
        MissingExtraError: if a package is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(error.name or name, name) from None


def described(config: TrainingConfig) -> Executor:
    """The executor of a configuration as far as it goes without reaching anything.

    Args:
        config: the configuration.

    Returns:
        The executor; one of a service must not be called.

    Raises:
        ArgumentError: if a key does not fit the executor.
        MissingExtraError: if the packages for it are not installed.
    """
    if config.executor not in SERVICES:
        for key in ("backend", "debiasing"):
            if getattr(config, key) != getattr(TrainingConfig, key):
                raise ArgumentError(
                    key,
                    "be left out where no service runs the circuits",
                    f"it is {getattr(config, key)!r} with the executor {config.executor}",
                    "Leave it out, or set `executor` to ionq-local or ionq.",
                )
    if config.executor == "simulator":
        return make_executor(config)
    if config.executor == "cirq":
        if config.noise is not None:
            raise ArgumentError(
                "noise",
                "be left out with the executor cirq, which runs ideal circuits",
                f"it is {config.noise!r}",
                "Leave it out, or set `executor` to simulator or ionq-local.",
            )
        with extra("hw"):
            from hw import CirqSimulator
        return CirqSimulator(shots=config.shots_per_circuit)
    return _ionq(config)


@contextmanager
def _by_key() -> Iterator[None]:
    """Names an argument of the executor in a complaint as the configuration names it."""
    try:
        yield
    except ArgumentError as error:
        key = _KEYS.get(error.argument, error.argument)
        error.args = (str(error).replace(f"`{error.argument}`", f"`{key}`", 1),)
        error.argument = key
        raise


def _ionq(config: TrainingConfig) -> IonQ:
    with extra("hw"):
        from hw import IonQ

    is_machine = config.backend != "simulator"
    is_noisy = is_machine or config.noise not in (None, "ideal")
    if is_noisy and config.shots_per_circuit is None:
        raise ArgumentError(
            "shots_per_circuit",
            "be set where a machine, or the service's noisy simulator, runs the circuits",
            "it is not",
            "Set it, for example to 1000.",
        )
    # The service's own choice, but said: it would depend on the shots otherwise.
    usual = is_machine and (config.shots_per_circuit or 0) >= _DEBIASING_SHOTS
    with _by_key():
        executor = IonQ(
            config.backend,
            shots=config.shots_per_circuit,
            noise_model=None if config.noise == "ideal" else config.noise,
            debiasing=usual if config.debiasing is None else config.debiasing,
            # Who lets a step wait for a machine's queue means its jobs.
            timeout=max(IonQ.timeout, config.batch_submission_timeout),
        )
    return replace(executor, remote_host=_HERE) if config.executor == "ionq-local" else executor


@contextmanager
def reached(config: TrainingConfig, directory: Path) -> Iterator[IonQ]:
    """Reaches the service of a configuration; the one of this machine runs for as long as the block.

    Args:
        config: the configuration, whose executor is a service.
        directory: folder where the local server keeps its jobs.

    Yields:
        The executor, with a key that the service takes.

    Raises:
        QjaxError: if the service cannot be reached, does not take the key, or has no such target.
    """
    executor = _ionq(config)
    with ExitStack() as stack:
        if config.executor == "ionq-local":
            with extra("hw"):
                from hw.server import LocalServer, ServerConfig
            server = stack.enter_context(LocalServer(ServerConfig(directory.absolute() / LOCAL_DATABASE)))
            # It shows at once whatever it has, so what it does not show was never sent.
            executor = replace(
                executor,
                remote_host=server.url,
                api_key=server.api_key,
                on_unknown="resubmit",
                lookup_seconds=0.0,
            )
        stack.callback(executor.close)
        executor.check(config.num_qubits)
        yield executor


@contextmanager
def _told_how_to_go_on(runs: list[str], budget: float | None) -> Iterator[None]:
    """Adds to an error of the service how the run goes on: the same command anew would pay anew."""
    with extra("hw"):
        from hw import ServiceError
    again = "" if budget is None else " --budget SUM"
    try:
        yield
    except ServiceError as error:
        if runs:
            error.args = (
                f"{error} Go on with `qjax train --resume {runs[-1]}{again}`, which finds what was sent: a "
                "new run would pay for it again.",
            )
        raise
    except StepTimeoutError as error:
        if again:
            error.args = (f"{error} A budget holds for one command: add `{again.strip()}`.",)
        raise


@contextmanager
def connected(
    prepared: Prepared, directory: Path, budget: float | None = None, resubmit: bool = False
) -> Iterator[Callable[[str], Executor] | None]:
    """Reaches the service of a run, for as long as the block runs.

    Args:
        prepared: the run.
        directory: folder of the run store, where the journal lies and the local server keeps its jobs.
        budget: what the run may cost, in the service's unit; None for no bound.
        resubmit: whether a job is sent again of which it cannot be found out whether the service has it.

    Yields:
        What makes the run's executor from its id; None where no service is needed.

    Raises:
        QjaxError: if the service cannot be reached, does not take the key, or has no such target, or names no
            price to keep the budget by.
    """
    if prepared.config.executor not in SERVICES:
        yield None
        return
    runs: list[str] = []
    with (
        _told_how_to_go_on(runs, budget),
        reached(prepared.config, directory) as executor,
        ExitStack() as stack,
    ):
        price = None
        if budget is not None:
            model = prepared.model
            price = require_price(executor.price(model.circuit, model.observables))

        def for_run(run: str) -> Executor:
            runs.append(run)
            journal: Journal = stack.enter_context(RunJournal(directory, run))
            if budget is not None and price is not None:
                journal = BudgetedJournal(journal, budget, price)
            bound = replace(executor, journal=journal)
            if resubmit:
                bound = replace(bound, on_unknown="resubmit")
            stack.callback(bound.close)
            # Its connections are opened here, before steps in several threads ask for them at once.
            bound.check(prepared.config.num_qubits)
            return bound

        yield for_run
