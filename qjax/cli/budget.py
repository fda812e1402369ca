"""A sum that a run must not pass: looked at whenever a job is about to be sent, and before it is."""

from __future__ import annotations

import math
import threading
from typing import TYPE_CHECKING, Literal

from qjax.errors import ArgumentError, BudgetError
from qjax.store.journal import JournalEntry, RunJournal

if TYPE_CHECKING:
    from hw.planning import Price


class BudgetedJournal:
    """A journal that refuses work for which a budget does not suffice.

    Whatever was ever sent of the run counts, each circuit at the price of the largest, so that the sum is
    never too small; work that is found again costs nothing anew.

    Args:
        journal: the journal.
        budget: the sum, in the price's unit.
        price: what a circuit costs.
    """

    def __init__(self, journal: RunJournal, budget: float, price: Price):
        self._journal = journal
        self._budget = budget
        self._price = price
        self._lock = threading.Lock()

    @property
    def scope(self) -> str:
        """Whose work it keeps."""
        return self._journal.scope

    @property
    def spent(self) -> float:
        """What the run's jobs cost so far, at most."""
        return self._price.cost * sum(each.circuits * each.attempt for each in self._journal.entries())

    def find(self, fingerprint: str) -> JournalEntry | None:
        """Looks a piece of work up."""
        return self._journal.find(fingerprint)

    def intend(self, fingerprint: str, *, target: str, circuits: int, shots: int | None) -> JournalEntry:
        """Writes that work is about to be sent, if the budget allows.

        Args:
            fingerprint: what identifies it.
            target: where it is to run.
            circuits: how many circuits it has.
            shots: how many shots each is measured with.

        Returns:
            The entry.

        Raises:
            BudgetError: if it does not.
        """
        with self._lock:
            spent, next_cost = self.spent, self._price.cost * circuits
            # A sum of many small prices may miss the budget by its rounding.
            if spent + next_cost > self._budget * (1 + 1e-9):
                left = f"{max(0.0, self._budget - spent):.6g}"
                unit = self._price.unit
                raise BudgetError(
                    f"The next job, of {circuits:,} circuit(s), costs {next_cost:.6g} {unit}, and of the "
                    f"budget of {self._budget:g} {unit} {left} are left, so the run stopped, checkpointed. "
                    "Go on with `qjax train --resume latest --budget SUM` and a larger sum."
                )
            return self._journal.intend(fingerprint, target=target, circuits=circuits, shots=shots)

    def accept(self, fingerprint: str, job_id: str) -> None:
        """Writes that the service has work that was intended."""
        self._journal.accept(fingerprint, job_id)

    def withdraw(self, fingerprint: str) -> None:
        """Takes the last attempt back."""
        self._journal.withdraw(fingerprint)

    def finish(self, fingerprint: str, state: Literal["completed", "canceled", "failed"]) -> None:
        """Writes how work ended."""
        self._journal.finish(fingerprint, state)


def check_budget(budget: float, executor: str) -> None:
    """Checks a budget before anything is reached.

    Args:
        budget: the sum.
        executor: name of the executor.

    Raises:
        ArgumentError: if nothing can be done with it.
    """
    if executor not in ("ionq-local", "ionq"):
        raise ArgumentError(
            "--budget",
            "be left out where circuits cost nothing",
            f"the executor is {executor}",
            "Leave it out, or set `executor` to ionq-local or ionq.",
        )
    if not 0 < budget < math.inf:
        raise ArgumentError(
            "--budget",
            "be a positive sum, in the unit of the service",
            f"it is {budget:g}, for which nothing can be sent",
            "See what the run costs with `qjax plan`.",
        )


def require_price(price: Price | None) -> Price:
    """The price, without which no budget can be kept.

    Args:
        price: what the service said.

    Returns:
        The price.

    Raises:
        BudgetError: if it said nothing.
    """
    if price is None:
        raise BudgetError(
            "The service gives no estimate of the cost, so a budget cannot be kept. Leave `--budget` out, or "
            "set a limit at the service."
        )
    return price
