"""The executor on Cirq's own simulator: what the service is sent, run by somebody else. The oracle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cirq
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from hw.batch import Grid, Measured, make_grid, to_estimate
from hw.payload import MEASUREMENT_KEY
from hw.results import Distribution
from hw.template import translate
from hw.translate import build
from qjax.circuit import Circuit
from qjax.errors import ArgumentError
from qjax.executor import Estimate
from qjax.observables import MeasurementGroup, PauliSum


@dataclass(frozen=True)
class CirqSimulator:
    """Runs the translated circuits, one after another, on Cirq's state-vector simulator.

    It is slow, and independent of everything here but the translation: what it agrees with is right.

    Args:
        shots: None for exact results; else how often every circuit is measured.

    Raises:
        ArgumentError: if `shots` is neither None nor a positive integer.

    Example:
        >>> from qjax import Op
        >>> plus = Circuit(num_qubits=1, ops=(Op("h", (0,)),))
        >>> estimate = CirqSimulator().expectations(plus, np.zeros((1, 0)), None, PauliSum("X0"))
        >>> round(estimate.mean.item(), 5)
        1.0
    """

    shots: int | None = None

    def __post_init__(self):
        if self.shots is None:
            return
        if isinstance(self.shots, bool) or not isinstance(self.shots, int) or self.shots < 1:
            raise ArgumentError(
                "shots",
                "be None or a positive integer",
                f"it is {self.shots!r}",
                "Pass `shots=None` for exact results.",
            )

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        return self.shots is None

    @property
    def traceable(self) -> bool:
        """Whether calls may be traced by JAX: no, Cirq runs outside of it."""
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
        """Evaluates as `qjax.Executor.expectations` says.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.
            observables: one observable or a sequence of O.
            key: with shots, a PRNG key, or one for each circuit `[S, B]`.
            mask: `[B]` or `[S, B]`, bool: padding (False) is not run.
            covariance: whether to give the covariance of the means, `[S, B, O, O]`.

        Returns:
            The estimate; every measurement basis is a circuit.

        Raises:
            ArgumentError: if something does not fit.
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
        template = translate(circuit)
        angles = template.angles(grid.params, grid.features)
        angles = np.broadcast_to(angles, (*grid.shape, angles.shape[-1]))
        rows = [
            [self._run(grid, row, group, angles[s, b]) for group in range(len(grid.groups))]
            for row, (s, b) in enumerate(grid.rows)
        ]
        circuits = sum(map(len, rows))
        shots = None if self.shots is None else (self.shots,) * len(rows)
        return to_estimate(grid, Measured(rows, shots, circuits, min(circuits, 1)))

    def _run(self, grid: Grid, row: int, group: int, angles: np.ndarray) -> Distribution:
        template = translate(grid.circuit)
        members: MeasurementGroup = grid.groups[group]
        built = build(template.num_qubits, template.gates, angles, members, measure=self.shots is not None)
        if self.shots is None:
            order = cirq.LineQubit.range(template.num_qubits)
            state = cirq.Simulator(dtype=np.complex128).simulate(built, qubit_order=order)
            weights = np.abs(state.final_state_vector) ** 2
            return Distribution(np.arange(weights.size), weights / weights.sum())
        seed = np.random.SeedSequence([*grid.seeds[row], group]).generate_state(1)[0]
        measured = cirq.Simulator(dtype=np.complex128, seed=int(seed)).run(built, repetitions=self.shots)
        # Cirq's histogram has the first measured qubit as the most significant bit, as here.
        counts = sorted(measured.histogram(key=MEASUREMENT_KEY).items())
        states, numbers = (np.array(column) for column in zip(*counts, strict=True))
        return Distribution(states.astype(np.int64), numbers / self.shots)
