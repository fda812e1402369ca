"""The executor on IonQ: the circuits of a call in as few jobs as the service allows, each paid once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from jax import Array
from jax.typing import ArrayLike

from hw.batch import Grid, Measured, draw_shots, make_grid, to_estimate
from hw.checks import check_settings
from hw.circuits import ServiceCircuit, Serving, plan_jobs, seed_digest, shots_of_rows, write_circuits
from hw.client import Secret
from hw.collection import Sent, collect
from hw.connection import Connection
from hw.journal import Journal
from hw.native import Entangler, entangler_of
from hw.payload import DEFAULT_SHOTS, Settings, content, make_work
from hw.planning import Plan, Price, count_gates, read_price
from hw.policy import Policy
from hw.results import Distribution, as_counted
from hw.service import Service
from hw.submission import ensure
from hw.targets import SIMULATOR
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate
from qjax.observables import PauliSum


class Handle(NamedTuple):
    """Circuits that the service has, and what was asked of them.

    Attributes:
        grid: what was asked.
        sent: the jobs.
        serving: for each row of the grid and each measurement basis, which circuit serves it.
        shots: for each row, how many shots; None for exact results.
        known: results that were known before, by circuit.
        contents: what the results depend on, by circuit, where they are to be used again.
    """

    grid: Grid
    sent: tuple[Sent, ...]
    serving: Serving
    shots: tuple[int, ...] | None
    known: Mapping[int, Distribution] = {}
    contents: Mapping[int, str] = {}

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
        on_unknown: what to do with a job of which it is not known whether the service has it, once it has not
            shown up for `lookup_seconds`, or that it had and does not know any more: "stop", or "resubmit" at
            the risk that both run.
        on_canceled: what to do with circuits that somebody cancelled at the service: "stop" or "resubmit".
        lookup_seconds: how long such a job is looked for in the service's list.
        max_attempts: how often a circuit that fails for a cause of the service's is sent in all.
        timeout: how long a call waits for its results, in seconds.
        reuse_results: whether a circuit is not sent again of which this executor has the result already: same
            circuit and numbers, shots and settings. On machines and noisy simulators that freezes the noise
            of the shots. What another process has, it does not know: a call that is repeated there sends, and
            pays for, what was left out here.
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
    reuse_results: bool = False
    poll_seconds: float | None = None
    remote_host: str | None = None
    api_key: str | Secret | None = field(default=None, repr=False, compare=False)
    journal: Journal | None = field(default=None, repr=False, compare=False)

    def __post_init__(self):
        if isinstance(self.api_key, str):
            object.__setattr__(self, "api_key", Secret(self.api_key))
        check_settings(vars(self))

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
        shots = None if self.shots is None else shots_of_rows(grid, self.shots)
        service = self._connection.ready(circuit.num_qubits)
        circuits, serving = write_circuits(grid, self._entangler, merge=self._is_ideal)
        contents = self._contents(circuits, serving, shots, circuit.num_qubits)
        remembered = {position: self._connection.results.get(each) for position, each in contents.items()}
        known = {position: result for position, result in remembered.items() if result is not None}
        sent: list[Sent] = []
        for part in plan_jobs(grid, circuits, serving, shots, merged=self._is_ideal, known=known):
            members = [circuits[position] for position in part.positions]
            draw = "" if self._is_ideal else seed_digest(members)
            work = make_work(
                self._settings(part.shots, draw),
                circuit.num_qubits,
                [each.text for each in members],
                scope=self._connection.journal.scope,
                service=urlsplit(service.client.host).hostname or "",
                draw=draw,
            )
            began = service.clock.now()
            submission = ensure(service, self._connection.journal, work, self._policy)
            sent.append(Sent(work, submission, part.positions, began))
        return Handle(grid, tuple(sent), serving, shots, known, contents)

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
        connection = self._connection
        found = collect(
            connection.service,
            connection.journal,
            self._policy,
            handle.sent,
            connection.durations,
            shortest=connection.shortest,
            sharpen=self.sharpen,
        )
        for position, result in found.distributions.items():
            if position in handle.contents:
                connection.results.put(handle.contents[position], result)
        results = {**handle.known, **found.distributions}
        rows = [[results[each] for each in row] for row in handle.serving]
        shots = handle.shots
        if shots is not None:
            if self._is_ideal:
                rows = draw_shots(handle.grid, rows, shots)
            else:
                rows = [[as_counted(one, n) for one in row] for row, n in zip(rows, shots, strict=True)]
        return to_estimate(handle.grid, Measured(rows, shots, len(found.distributions), found.jobs))

    def service(self, num_qubits: int) -> Service:
        """The service, checked: it can be reached, takes the key, and has the target for so many qubits.

        Args:
            num_qubits: qubits of the circuits to come.

        Returns:
            The service's requests.

        Raises:
            ArgumentError: if the circuits are too large for the target.
            ServiceError: if it does not, or cannot be reached.
        """
        return self._connection.ready(num_qubits)

    def check(self, num_qubits: int) -> None:
        """Asks whether the service can be reached, takes the key, and has the target for so many qubits.

        Args:
            num_qubits: qubits of the circuits to come.

        Raises:
            ArgumentError: if the circuits are too large for the target.
            ServiceError: if it does not, or cannot be reached.
        """
        self._connection.ready(num_qubits)

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
        shots = None if self.shots is None else shots_of_rows(grid, self.shots)
        circuits, serving = write_circuits(grid, self._entangler, merge=self._is_ideal)
        parts = list(plan_jobs(grid, circuits, serving, shots, merged=self._is_ideal))
        return Plan(
            circuits=len(circuits),
            jobs=len(parts),
            shots=sum((part.shots or 0) * len(part.positions) for part in parts),
            gates_1q=sum(each.gates_1q for each in circuits),
            gates_2q=sum(each.gates_2q for each in circuits),
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
        service = self._connection.ready(circuit.num_qubits)
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
            self._connection.service.cancel(one.submission.job_id)
            self._connection.journal.finish(one.work.fingerprint, "canceled")

    def close(self) -> None:
        """Closes the connections; a later call opens new ones."""
        connection = self.__dict__.pop("_connection", None)
        if connection is not None:
            connection.service.client.close()

    @property
    def _is_ideal(self) -> bool:
        return self.target == SIMULATOR and self.noise_model is None

    @property
    def _entangler(self) -> Entangler | None:
        return None if self.gateset == "qis" else entangler_of(self.noise_model or self.target)

    @cached_property
    def _policy(self) -> Policy:
        return Policy(**{each.name: getattr(self, each.name) for each in fields(Policy)})

    @cached_property
    def _connection(self) -> Connection:
        return Connection(self.target, self.remote_host, self.api_key, self.journal, self.poll_seconds)

    def _contents(
        self,
        circuits: Sequence[ServiceCircuit],
        serving: Serving,
        shots: tuple[int, ...] | None,
        num_qubits: int,
    ) -> dict[int, str]:
        """What the result of every circuit depends on, where results are to be used again."""
        if not self.reuse_results:
            return {}
        if self._is_ideal or shots is None:
            settings = self._settings(None, "")
            return {i: content(settings, num_qubits, each.text) for i, each in enumerate(circuits)}
        return {
            position: content(self._settings(number, "0" * 7), num_qubits, circuits[position].text)
            for row, number in zip(serving, shots, strict=True)
            for position in row
        }

    def _settings(self, shots: int | None, draw: str) -> Settings:
        return Settings(
            target=self.target,
            gateset=self.gateset,
            shots=shots,
            noise=self.noise_model,
            debiasing=self.debiasing if self.target != SIMULATOR else None,
            dry_run=self.dry_run,
            session=self.session,
            # The same key draws the same shots of a noisy simulator.
            seed=int(draw[:7], 16) if self.noise_model is not None else None,
        )
