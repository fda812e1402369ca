"""The executor on IonQ: the circuits of a call in as few jobs as the service allows, each paid once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hw.backoff import Clock
from hw.batch import Grid, Measured, draw_shots, make_grid, to_estimate
from hw.client import Client, Secret, find_host, find_key
from hw.collection import Sent, collect
from hw.journal import Journal, MemoryJournal
from hw.limits import MAX_SHOTS, Limits, Load, split
from hw.payload import DEFAULT_SHOTS, Settings, make_work
from hw.planning import Plan, Price, count_gates, read_price
from hw.policy import Policy
from hw.polling import Durations
from hw.results import as_counted
from hw.service import Service
from hw.submission import ensure
from hw.targets import DEBIASING_SHOTS, NOISE_MODELS, SIMULATOR, check_target, num_qubits
from hw.template import basis_change, circuit_texts, translate
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate
from qjax.observables import PauliSum

_Index = tuple[tuple[int, ...], ...]


class Handle(NamedTuple):
    """Circuits that the service has, and what was asked of them.

    Attributes:
        grid: what was asked.
        sent: the jobs.
        serving: for each row of the grid and each measurement basis, which circuit serves it.
        shots: for each row, how many shots; None for exact results.
    """

    grid: Grid
    sent: tuple[Sent, ...]
    serving: tuple[tuple[int, ...], ...]
    shots: tuple[int, ...] | None

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The service's names of the jobs."""
        return tuple(one.submission.job_id for one in self.sent)


@dataclass(frozen=True)
class IonQ:
    """Runs circuits on IonQ's machines and simulators, or on any service that speaks their API.

    All circuits of a call, S parameter sets times B samples times the bases that the observables need, go out
    as one job, or as few as the service's limits allow. What is asked is written to the journal before it is
    asked, so that a call that is repeated with the same arguments, in this process or after it was killed in
    another with the same journal, finds its jobs and pays for nothing twice. A call is so a function of its
    arguments: pass a new `key` where new shots are wanted.

    The service's ideal simulator gives exact probabilities whatever the shots: with `shots` they are drawn
    here, by the key. There, equal circuits of a call are sent once. Machines and noisy simulators draw the
    shots themselves, and every circuit is sent.

    Args:
        target: "simulator" or a machine, such as "qpu.forte-1".
        shots: how often every circuit is measured, or a tuple with one number for each parameter set; None
            for exact results, which only the ideal simulator has.
        noise_model: of the simulator: the machine whose noise is simulated, such as "aria-1"; None for none.
        debiasing: whether a machine mitigates errors by debiasing, which takes 500 shots or more. It is
            always said to the service, whose own choice depends on the shots.
        sharpen: whether the variants of a debiased circuit are combined by the plurality of their votes.
        gateset: "qis", which the service compiles, or "native": compiled here to the machine's own gates.
        dry_run: whether the service only checks jobs and estimates their cost; there are no results then.
        session: id of a session of the service; None for none.
        on_unknown: what to do with a job of which it is not known whether the service has it, once it has
            not shown up for `lookup_seconds`: "stop", or "resubmit" at the risk that both run.
        on_canceled: what to do with circuits that somebody cancelled at the service: "stop" or "resubmit".
        lookup_seconds: how long such a job is looked for in the service's list.
        max_attempts: how often a circuit that fails for a cause of the service's is sent in all.
        timeout: how long a call waits for its results, in seconds.
        poll_seconds: the shortest time between two looks at a job; by default 0.25 s, and 0.01 s on this
            machine.
        remote_host: the service's address; by default `IONQ_REMOTE_HOST` of the environment, else IonQ's own.
        api_key: the key; by default `IONQ_API_KEY` of the environment, which is the better place.
        journal: what was asked of the service; by default one that ends with the process.

    Raises:
        ArgumentError: if an argument has no meaning.

    Example:
        >>> IonQ("simulator", shots=1000).exact
        False
    """

    target: str = SIMULATOR
    shots: int | tuple[int, ...] | None = None
    noise_model: str | None = None
    debiasing: bool = False
    sharpen: bool | None = None
    gateset: Literal["qis", "native"] = "qis"
    dry_run: bool = False
    session: str | None = None
    on_unknown: Literal["stop", "resubmit"] = "stop"
    on_canceled: Literal["stop", "resubmit"] = "stop"
    lookup_seconds: float = 60.0
    max_attempts: int = 3
    timeout: float = 7200.0
    poll_seconds: float | None = None
    remote_host: str | None = None
    api_key: str | Secret | None = field(default=None, repr=False, compare=False)
    journal: Journal | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        if isinstance(self.api_key, str):
            object.__setattr__(self, "api_key", Secret(self.api_key))
        _check(self)

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        return self.shots is None

    @property
    def traceable(self) -> bool:
        """Whether calls may be traced by JAX: no, they leave the machine."""
        return False

    def expectations(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None,
        observables: PauliSum | Sequence[PauliSum],
        *,
        key: Array | None = None,
        mask: Array | None = None,
        covariance: bool = False,
    ) -> Estimate:
        """Evaluates as `qjax.Executor.expectations` says, and waits for it.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]` or `[S, B, F]`, real; None for a circuit without features (then B = 1).
            observables: one observable or a sequence of O.
            key: with shots, a PRNG key, or one for each circuit `[S, B]`.
            mask: `[B]` or `[S, B]`, bool: padding (False) is not sent.
            covariance: whether to give the covariance of the means, `[S, B, O, O]`.

        Returns:
            The estimate; every measurement basis is a circuit.

        Raises:
            ArgumentError: if something does not fit; nothing is sent then.
            ServiceError: the service refuses, fails or cannot be reached.
        """
        handle = self.submit(
            circuit, params, features, observables, key=key, mask=mask, covariance=covariance
        )
        return self.collect(handle)

    def submit(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None,
        observables: PauliSum | Sequence[PauliSum],
        *,
        key: Array | None = None,
        mask: Array | None = None,
        covariance: bool = False,
    ) -> Handle:
        """Sends the circuits of a call and does not wait for them.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.
            observables: one observable or a sequence.
            key: with shots, a PRNG key, or one for each circuit `[S, B]`.
            mask: `[B]` or `[S, B]`, bool: padding (False) is not sent.
            covariance: whether to give covariances.

        Returns:
            What `collect` takes.

        Raises:
            ArgumentError: if something does not fit; nothing is sent then.
            ServiceError: the service refuses or cannot be reached.
        """
        grid = make_grid(
            circuit,
            params,
            features,
            observables,
            key=key,
            mask=mask,
            covariance=covariance,
            random=not self.exact,
        )
        shots = None if self.shots is None else self._shots_of_rows(grid)
        service = self._runtime.ready(self, circuit.num_qubits)
        circuits, index = _circuits(grid, merge=self._is_ideal)
        sent: list[Sent] = []
        for settings, positions in self._jobs(circuits, index, shots):
            draw = "" if self._is_ideal else _digest([circuits[each].seed for each in positions])
            work = make_work(
                settings if settings.noise is None else replace(settings, seed=int(draw[:7], 16)),
                circuit.num_qubits,
                [circuits[each].text for each in positions],
                scope=self._runtime.journal.scope,
                service=urlsplit(service.client.host).hostname or "",
                draw=draw,
            )
            began = service.clock.now()
            submission = ensure(service, self._runtime.journal, work, self._policy)
            sent.append(Sent(work, submission, tuple(positions), began))
        return Handle(grid, tuple(sent), index, shots)

    def collect(self, handle: Handle) -> Estimate:
        """Waits for circuits that were sent.

        Args:
            handle: what `submit` gave.

        Returns:
            The estimate.

        Raises:
            JobFailedError: a circuit cannot be run, has failed too often or was cancelled.
            JobTimeoutError: a job was not done in time; it goes on at the service.
            ServiceError: the service cannot be reached, or gave results of something else.
        """
        if self.dry_run:
            raise ArgumentError(
                "dry_run",
                "be False where results are read",
                "it is True, and the service only checks such jobs",
                "Send them with `submit`, and ask `cost` what they would cost.",
            )
        runtime = self._runtime
        found = collect(
            runtime.service,
            runtime.journal,
            self._policy,
            handle.sent,
            runtime.durations,
            shortest=runtime.shortest,
            sharpen=self.sharpen,
        )
        rows = [[found.distributions[each] for each in row] for row in handle.serving]
        shots = handle.shots
        if shots is not None:
            if self._is_ideal:
                rows = draw_shots(handle.grid, rows, shots)
            else:
                rows = [[as_counted(one, n) for one in row] for row, n in zip(rows, shots, strict=True)]
        return to_estimate(handle.grid, Measured(rows, shots, len(found.distributions), found.jobs))

    def check(self, num_qubits: int) -> None:
        """Asks whether the service can be reached, takes the key, and has the target for so many qubits.

        Args:
            num_qubits: qubits of the circuits to come.

        Raises:
            ArgumentError: if the circuits are too large for the target.
            ServiceError: if it does not, or cannot be reached.
        """
        self._runtime.ready(self, num_qubits)

    def plan(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None,
        observables: PauliSum | Sequence[PauliSum],
        *,
        mask: Array | None = None,
    ) -> Plan:
        """What a call would come to; nothing is sent.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.
            observables: one observable or a sequence.
            mask: `[B]` or `[S, B]`, bool: padding (False) is not counted.

        Returns:
            The plan.

        Raises:
            ArgumentError: if something does not fit, or cannot be run there.
        """
        grid = make_grid(
            circuit, params, features, observables, key=None, mask=mask, covariance=False, random=False
        )
        shots = None if self.shots is None else self._shots_of_rows(grid)
        circuits, index = _circuits(grid, merge=self._is_ideal)
        jobs = list(self._jobs(circuits, index, shots))
        per_circuit = count_gates(circuit, observables)
        two = len(circuits) * per_circuit.two
        return Plan(
            circuits=len(circuits),
            jobs=len(jobs),
            shots=sum((settings.shots or 0) * len(positions) for settings, positions in jobs),
            gates_1q=sum(each.load.gates for each in circuits) - two,
            gates_2q=two,
        )

    def price(self, circuit: Circuit, observables: PauliSum | Sequence[PauliSum]) -> Price | None:
        """What the service asks for the largest circuit of a call, by its own estimate; nothing is sent.

        Args:
            circuit: the circuit.
            observables: what is measured.

        Returns:
            The price; None if the service does not tell.

        Raises:
            ServiceError: if it does not take the key, or cannot be reached.
        """
        service = self._runtime.ready(self, circuit.num_qubits)
        gates = count_gates(circuit, observables)
        shots = max(self.shots) if isinstance(self.shots, tuple) else self.shots
        body = service.estimate(
            {
                "backend": self.target,
                "type": "ionq.circuit.v1",
                "qubits": circuit.num_qubits,
                "shots": DEFAULT_SHOTS if shots is None else shots,
                "1q_gates": gates.one,
                "2q_gates": gates.two,
                "error_mitigation": str(self.debiasing).lower(),
            }
        )
        return None if body is None else read_price(body)

    def cancel(self, handle: Handle) -> None:
        """Cancels circuits that were sent; what is done stays.

        Args:
            handle: what `submit` gave.
        """
        for one in handle.sent:
            self._runtime.service.cancel(one.submission.job_id)
            self._runtime.journal.finish(one.work.fingerprint, "canceled")

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        runtime = self.__dict__.pop("_runtime", None)
        if runtime is not None:
            runtime.service.client.close()

    @property
    def _is_ideal(self) -> bool:
        return self.target == SIMULATOR and self.noise_model is None

    @cached_property
    def _policy(self) -> Policy:
        return Policy(**{each.name: getattr(self, each.name) for each in fields(Policy)})

    @cached_property
    def _runtime(self) -> _Runtime:
        return _Runtime(self)

    def _shots_of_rows(self, grid: Grid) -> tuple[int, ...]:
        if not isinstance(self.shots, tuple):
            return (int(self.shots or 0),) * len(grid.rows)
        if len(self.shots) != grid.shape[0]:
            raise ArgumentError(
                "shots",
                f"hold one number for each of the {grid.shape[0]} parameter set(s)",
                f"it holds {len(self.shots)}",
                "Pass one integer to use it for all.",
            )
        return tuple(self.shots[s] for s, _ in grid.rows)

    def _jobs(
        self, circuits: Sequence[_Circuit], index: _Index, shots: tuple[int, ...] | None
    ) -> Iterator[tuple[Settings, list[int]]]:
        """The jobs of a call: their settings, and which circuits are in each."""
        by_shots: dict[int | None, list[int]] = {}
        if self._is_ideal:
            # Its results do not depend on the shots, so neither does what is sent.
            by_shots[self.shots if isinstance(self.shots, int) else None] = list(range(len(circuits)))
        else:
            for row, number in zip(index, shots or (), strict=True):
                by_shots.setdefault(number, []).extend(row)
        is_machine = self.target != SIMULATOR
        for number, members in by_shots.items():
            settings = Settings(
                target=self.target,
                gateset=self.gateset,
                shots=number,
                noise=self.noise_model,
                debiasing=self.debiasing if is_machine else None,
                dry_run=self.dry_run,
                session=self.session,
            )
            for part in split([circuits[each].load for each in members], Limits()):
                yield settings, [members[each] for each in part]


class _Circuit(NamedTuple):
    """A circuit in the service's form, what it takes of a job, and what its shots are drawn by."""

    text: str
    load: Load
    seed: tuple[int, ...]


class _Runtime:
    """What an executor keeps between calls: connections, the journal, and how long jobs took."""

    def __init__(self, executor: IonQ):
        host = find_host(executor.remote_host)
        client = Client(host, find_key(executor.api_key))
        is_here = urlsplit(host).hostname in ("127.0.0.1", "localhost", "::1")
        self.service = Service(client, clock=Clock())
        self.journal: Journal = executor.journal if executor.journal is not None else MemoryJournal()
        self.durations = Durations()
        self.shortest = executor.poll_seconds or (0.01 if is_here else 0.25)
        self._num_qubits: int | None = None
        self._is_checked = False

    def ready(self, executor: IonQ, wanted: int) -> Service:
        """Checks once that the service takes the key and has the target, and always that the circuit fits."""
        if not self._is_checked:
            self.service.check_key()
            self._num_qubits = num_qubits(executor.target, self.service.backends())
            self._is_checked = True
        if self._num_qubits is not None and wanted > self._num_qubits:
            raise ArgumentError(
                "circuit",
                f"have {self._num_qubits} qubits or fewer on `{executor.target}`",
                f"it has {wanted}",
                "Use fewer qubits or another target.",
            )
        return self.service


def _circuits(grid: Grid, *, merge: bool) -> tuple[list[_Circuit], _Index]:
    """The circuits that serve a grid, and which one serves each row and measurement group."""
    template = translate(grid.circuit)
    angles = template.angles(grid.params, grid.features)
    angles = np.broadcast_to(angles, (*grid.shape, angles.shape[-1]))[grid.rows[:, 0], grid.rows[:, 1]]
    prefixes = template.texts(angles)
    columns = [circuit_texts(prefixes, basis_change(group)) for group in grid.groups]
    sizes = [max(1, len(template.gates) + len(basis_change(group))) for group in grid.groups]
    circuits: list[_Circuit] = []
    known: dict[str, int] = {}
    index: list[tuple[int, ...]] = []
    number_size = len(str(grid.circuit.num_qubits)) + 1
    for row in range(len(grid.rows)):
        serves: list[int] = []
        for group, (column, size) in enumerate(zip(columns, sizes, strict=True)):
            text = column[row]
            position = known.get(text) if merge else None
            if position is None:
                position = known[text] = len(circuits)
                seed = (*grid.seeds[row], group) if grid.seeds else ()
                load = Load(size, len(text) + 1 + number_size, number_size)
                circuits.append(_Circuit(text, load, seed))
            serves.append(position)
        index.append(tuple(serves))
    return circuits, tuple(index)


def _digest(seeds: Sequence[tuple[int, ...]]) -> str:
    return hashlib.sha256(repr(list(seeds)).encode("ascii")).hexdigest()


def _check(executor: IonQ) -> None:
    check_target(executor.target)
    is_simulator = executor.target == SIMULATOR
    for name, known in (
        ("gateset", ("qis", "native")),
        ("on_unknown", ("stop", "resubmit")),
        ("on_canceled", ("stop", "resubmit")),
        ("noise_model", (None, *NOISE_MODELS)),
    ):
        value = getattr(executor, name)
        if value not in known:
            raise ArgumentError(
                name, f"be one of {', '.join(map(str, known))}", f"it is {value!r}", "Pick one."
            )
    if executor.noise_model is not None and not is_simulator:
        raise ArgumentError(
            "noise_model",
            "be None on a machine",
            f"the target is `{executor.target}`",
            'Simulate noise on the target "simulator".',
        )
    for name in ("lookup_seconds", "timeout"):
        value = getattr(executor, name)
        if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
            raise ArgumentError(
                name, "be a number of seconds, 0 or more", f"it is {value!r}", "Pass a number."
            )
    attempts = executor.max_attempts
    if isinstance(attempts, bool) or not isinstance(attempts, int) or attempts < 1:
        raise ArgumentError("max_attempts", "be a positive integer", f"it is {attempts!r}", "Pass 3.")
    find_host(executor.remote_host)
    _check_shots(executor, is_simulator)


def _check_shots(executor: IonQ, is_simulator: bool) -> None:
    shots = executor.shots
    if shots is None:
        if is_simulator and executor.noise_model is None:
            return
        raise ArgumentError(
            "shots",
            "be given on machines and noisy simulators",
            "it is None",
            "Pass `shots=1000`, or use the ideal simulator.",
        )
    numbers = shots if isinstance(shots, tuple) else (shots,)
    for number in numbers or (0,):
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MAX_SHOTS:
            raise ArgumentError(
                "shots",
                f"be None, an integer from 1 to {MAX_SHOTS:,}, or a tuple with one for each parameter set",
                f"it is {shots!r}",
                "Pass `shots=None` for exact results.",
            )
    if executor.debiasing and min(numbers) < DEBIASING_SHOTS:
        raise ArgumentError(
            "debiasing",
            f"be False for fewer than {DEBIASING_SHOTS} shots",
            f"there are {min(numbers)}",
            "Take more shots.",
        )
