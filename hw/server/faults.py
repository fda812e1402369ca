"""What can go wrong on purpose: faults by kind, and the seeded schedule that says when they happen."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, NamedTuple

from qjax.errors import ArgumentError

REQUEST_KINDS = {
    "rate_limit": "answers 429 with `Retry-After: seconds`",
    "error_before": "answers `status` before anything is done",
    "error_after": "does what was asked and then answers `status`",
    "drop_before": "drops the connection before anything is done",
    "drop_after": "does what was asked and drops the connection",
    "slow": "answers `seconds` later",
}
"""Faults of a request."""

JOB_KINDS = {
    "late_listing": "leaves a job out of lists for `seconds`",
    "fail_children": "lets `count` circuits of a job fail with `code`",
    "cancel": "cancels a job when it would be completed",
    "reorder": "gives the results of a job's circuits in another order",
}
"""Faults of a job, decided when it is accepted."""

LIST_KINDS = {"next_null": 'ends lists with `"next": null`'}
"""Faults of a list."""

KINDS = {**REQUEST_KINDS, **JOB_KINDS, **LIST_KINDS}
"""Every kind of fault, and what it does."""

OPERATIONS = ("submit", "get", "results", "list", "cancel", "other")
"""What a request can be about."""

FAILURE_CODES = frozenset((
    "InvalidInput", "CompilationError", "ContractExpiredError", "DebiasingError", "InternalError",
    "NotEnoughQubits", "OptimizationError", "PreflightError", "QuantumCircuitComplexityError",
    "QuantumComputerError", "QuotaExhaustedError", "SimulationError", "SimulationTimeout", "SystemCancel",
    "TooLongPredictedExecutionTime", "TooManyControls", "TooManyGates", "TooManyShots", "UnknownBillingError",
    "UnsupportedGate",
))  # fmt: skip
"""The codes of failures that the service documents."""


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong from time to time.

    Args:
        kind: a key of `KINDS`.
        probability: how likely it is at each opportunity.
        skip: how many opportunities pass first.
        times: how often it happens at most; None for any number.
        on: the operation it is confined to, one of `OPERATIONS`; None for all that its kind knows.
        seconds: of `rate_limit`, `slow` and `late_listing`.
        status: of `error_before` and `error_after`.
        count: of `fail_children`.
        code: of `fail_children`.

    Raises:
        ArgumentError: if a value has no meaning.

    Example:
        >>> Fault.parse("error_after:probability=0.5,times=2,on=submit").status
        503
    """

    kind: str
    probability: float = 1.0
    skip: int = 0
    times: int | None = None
    on: str | None = None
    seconds: float = 1.0
    status: int = 503
    count: int = 1
    code: str = "SimulationError"

    def __post_init__(self):
        self._check("kind", self.kind in KINDS, f"be one of {', '.join(KINDS)}")
        self._check("probability", _is_number(self.probability) and 0 <= self.probability <= 1, "be 0 to 1")
        self._check("skip", _is_whole(self.skip) and self.skip >= 0, "be 0 or more")
        self._check(
            "times", self.times is None or (_is_whole(self.times) and self.times >= 0), "be 0 or more"
        )
        self._check("on", self.on is None or self.on in OPERATIONS, f"be one of {', '.join(OPERATIONS)}")
        self._check("seconds", _is_number(self.seconds) and 0 <= self.seconds < 1e6, "be 0 to a million")
        self._check("status", _is_whole(self.status) and 500 <= self.status <= 599, "be 500 to 599")
        self._check("count", _is_whole(self.count) and self.count >= 1, "be 1 or more")
        self._check("code", self.code in FAILURE_CODES, "be a failure code of the service")

    def _check(self, name: str, holds: bool, must: str) -> None:
        if not holds:
            raise ArgumentError(f"fault.{name}", must, f"it is {getattr(self, name)!r}", "Change it.")

    @staticmethod
    def parse(text: str) -> Fault:
        """Reads `kind` or `kind:key=value,key=value`.

        Args:
            text: what was written on the command line.

        Returns:
            The fault.

        Raises:
            ArgumentError: if it is not of that form.
        """
        kind, _, rest = text.partition(":")
        values: dict[str, Any] = {}
        for part in filter(None, rest.split(",")):
            key, _, value = part.partition("=")
            values[key.strip()] = _value(value.strip())
        return Fault.from_json({"kind": kind.strip(), **values})

    @staticmethod
    def from_json(value: Any) -> Fault:
        """Reads a fault from a JSON object.

        Args:
            value: the parsed object.

        Returns:
            The fault.

        Raises:
            ArgumentError: if it is no fault.
        """
        known = [field.name for field in fields(Fault)]
        cure = f"Known are {', '.join(known)}."
        if not isinstance(value, Mapping) or "kind" not in value:
            raise ArgumentError("fault", "be an object with a `kind`", f"it is {value!r}", cure)
        for key in value:
            if key not in known:
                raise ArgumentError("fault", "have keys that are known", f"one has {key!r}", cure)
        for key in ("kind", "on", "code"):
            if not isinstance(value.get(key, ""), str | None):
                raise ArgumentError(f"fault.{key}", "be a string", f"it is {value[key]!r}", "Change it.")
        return Fault(**value)


class JobPlan(NamedTuple):
    """What will go wrong with one job.

    Args:
        listed_after: seconds until lists show it.
        canceled: whether it will be canceled.
        failing: which of its circuits will fail, and with which code.
        order_seed: seed of the order in which its results are given; None for the right one.
    """

    listed_after: float = 0.0
    canceled: bool = False
    failing: Mapping[int, str] = {}
    order_seed: int | None = None


class _Rule:
    def __init__(self, fault: Fault, seed: str):
        self.fault = fault
        self.random = random.Random(seed)
        self.opportunities = 0
        self.happened = 0

    def decide(self) -> bool:
        fault = self.fault
        self.opportunities += 1
        # A number is drawn at every opportunity, so that the sequence does not depend on the limits.
        drawn = self.random.random() < fault.probability
        if not drawn or self.opportunities <= fault.skip:
            return False
        if fault.times is not None and self.happened >= fault.times:
            return False
        self.happened += 1
        return True


class FaultSchedule:
    """Says when faults happen: the same for the same seed and the same sequence of requests.

    Args:
        faults: the faults.
        seed: the seed.

    Example:
        >>> schedule = FaultSchedule([Fault("rate_limit", skip=1, times=1)])
        >>> [schedule.happens("rate_limit", "submit") is not None for _ in range(3)]
        [False, True, False]
    """

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0):
        self._lock = threading.Lock()
        self.replace(list(faults), seed)

    def replace(self, faults: Sequence[Fault], seed: int) -> None:
        """Starts over with other faults.

        Args:
            faults: the faults.
            seed: the seed.
        """
        rules = [_Rule(fault, f"{seed} {index}") for index, fault in enumerate(faults)]
        with self._lock:
            self.seed = seed
            self._rules = rules

    def happens(self, kind: str, operation: str) -> Fault | None:
        """Whether a fault of a kind happens now.

        Args:
            kind: a key of `KINDS`.
            operation: one of `OPERATIONS`.

        Returns:
            The fault, or None.
        """
        with self._lock:
            matching = [r for r in self._rules if r.fault.kind == kind and r.fault.on in (None, operation)]
            happening = [rule.fault for rule in matching if rule.decide()]
            return happening[0] if happening else None

    def plan(self, circuits: int) -> JobPlan:
        """What will go wrong with a job that is being accepted.

        Args:
            circuits: how many circuits it has.

        Returns:
            The plan.
        """
        late = self.happens("late_listing", "submit")
        canceled = self.happens("cancel", "submit")
        failing = self.happens("fail_children", "submit")
        reordered = self.happens("reorder", "submit")
        with self._lock:
            chooser = random.Random(f"{self.seed} {sum(rule.opportunities for rule in self._rules)}")
        chosen = chooser.sample(range(circuits), min(failing.count, circuits)) if failing else []
        return JobPlan(
            listed_after=late.seconds if late else 0.0,
            canceled=canceled is not None,
            failing=dict.fromkeys(chosen, failing.code) if failing else {},
            order_seed=chooser.randrange(2**31) if reordered else None,
        )

    def to_json(self) -> dict[str, Any]:
        """The faults and how often each happened.

        Returns:
            JSON-ready values.
        """
        with self._lock:
            rules = [
                asdict(rule.fault) | {"opportunities": rule.opportunities, "happened": rule.happened}
                for rule in self._rules
            ]
            return {"seed": self.seed, "faults": rules}


def _value(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
