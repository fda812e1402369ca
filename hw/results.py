"""What a measured circuit gave, and the means and variances of observables read from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hw.errors import ResultError
from qjax.observables import MeasurementGroup, PauliSum

SUM_TOLERANCE = 1e-3
"""How far a circuit's probabilities may be from adding up to one before they are no result."""

TABLE_QUBITS = 12


class Distribution(NamedTuple):
    """How often each basis state occurs.

    Attributes:
        states: `[K]`, int64, ascending: indices of basis states, qubit 0 the most significant bit.
        weights: `[K]`, float64: their probabilities or frequencies; they add up to one.
    """

    states: np.ndarray
    weights: np.ndarray


def read_distribution(probabilities: Mapping[str, float], num_qubits: int) -> Distribution:
    """Reads the service's answer for one circuit. The only place where its order of bits is known.

    Args:
        probabilities: from states to probabilities; states are decimal numbers in which qubit q is bit q,
            the least significant first.
        num_qubits: the circuit's number of qubits.

    Returns:
        The distribution.

    Raises:
        ResultError: if it is no distribution over the states of these qubits.

    Example:
        >>> read_distribution({"1": 0.25, "2": 0.75}, 2)
        Distribution(states=array([1, 2]), weights=array([0.75, 0.25]))
    """
    try:
        theirs = np.fromiter(map(int, probabilities), np.int64, len(probabilities))
        weights = np.fromiter(map(float, probabilities.values()), np.float64, len(probabilities))
    except (TypeError, ValueError, OverflowError, AttributeError):
        raise ResultError(_not_a_result("it is no table from states to probabilities")) from None
    if theirs.size == 0 or theirs.min() < 0 or theirs.max() >> num_qubits:
        raise ResultError(_not_a_result(f"it names states that {num_qubits} qubits do not have"))
    total = float(weights.sum())
    if not (abs(total - 1) <= SUM_TOLERANCE and weights.min() >= -SUM_TOLERANCE):
        raise ResultError(_not_a_result(f"its probabilities add up to {total:g}"))
    weights = np.maximum(weights, 0)
    states = _turn(theirs, num_qubits)
    order = np.argsort(states)
    return Distribution(states[order], weights[order] / weights.sum())


def as_counted(distribution: Distribution, shots: int) -> Distribution:
    """Frequencies as those of counts that add up to the shots.

    Frequencies of shots are multiples of one over their number, and stay as they are, but for what a service
    has rounded. Where it has mitigated errors they are not, and the largest remainders are rounded up.

    Args:
        distribution: the frequencies.
        shots: how many shots they are of.

    Returns:
        Frequencies that are such multiples.

    Example:
        >>> thirds = Distribution(np.arange(3), np.full(3, 1 / 3))
        >>> (as_counted(thirds, 100).weights * 100).tolist()
        [34.0, 33.0, 33.0]
    """
    expected = distribution.weights * shots
    counts = np.floor(expected + 1e-9 * shots)
    missing = shots - int(counts.sum())
    counts[np.argsort(counts - expected, kind="stable")[: max(0, missing)]] += 1
    return Distribution(distribution.states, counts / shots)


def sample(distribution: Distribution, shots: int, seed: Sequence[int]) -> Distribution:
    """Draws shots from a distribution.

    Args:
        distribution: the exact distribution.
        shots: how many to draw.
        seed: integers that fix the draw.

    Returns:
        The frequencies.
    """
    generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(list(seed))))
    drawn = generator.multinomial(shots, distribution.weights)
    seen = np.flatnonzero(drawn)
    return Distribution(distribution.states[seen], drawn[seen] / shots)


class Readout(NamedTuple):
    """How observables are read from the states that one measured circuit gave.

    Attributes:
        masks: `[T]`, int64: for each Pauli string of the group, the bits whose parity is its value.
        coefficients: `[O, T]`, float64: of each string in each observable.
    """

    masks: np.ndarray
    coefficients: np.ndarray


def readout(group: MeasurementGroup, observables: Sequence[PauliSum], num_qubits: int) -> Readout:
    """How observables are read from the circuits of a measurement group.

    Args:
        group: the group.
        observables: `O` observables.
        num_qubits: the circuits' number of qubits.

    Returns:
        The readout.
    """
    masks = [sum(1 << (num_qubits - 1 - qubit) for qubit, _ in string) for string in group.strings]
    terms = [dict(each.terms) for each in observables]
    coefficients = [[each.get(string, 0.0) for string in group.strings] for each in terms]
    return Readout(np.array(masks, np.int64), np.array(coefficients, np.float64))


def moments(distribution: Distribution, by: Readout) -> tuple[np.ndarray, np.ndarray]:
    """What one measured circuit contributes to the observables.

    Args:
        distribution: its frequencies.
        by: how they are read.

    Returns:
        Means `[O]` and covariances `[O, O]` of a single shot's value, float64.

    Example:
        >>> bell = Distribution(np.array([0, 3]), np.array([0.5, 0.5]))
        >>> from qjax.observables import measurement_groups
        >>> observables = [PauliSum("Z0 Z1"), PauliSum("Z0")]
        >>> moments(bell, readout(measurement_groups(observables)[0], observables, 2))[0].tolist()
        [1.0, 0.0]
    """
    parity = np.bitwise_count(distribution.states[None, :] & by.masks[:, None]) & 1
    values = by.coefficients @ (1.0 - 2.0 * parity)
    mean = values @ distribution.weights
    centred = values - mean[:, None]
    return mean, (centred * distribution.weights) @ centred.T


@lru_cache(maxsize=32)
def _turned(num_qubits: int) -> np.ndarray:
    """For every number of `num_qubits` bits, the one with its bits in the other order."""
    numbers = np.arange(2**num_qubits)
    turned = np.zeros_like(numbers)
    for qubit in range(num_qubits):
        turned |= ((numbers >> qubit) & 1) << (num_qubits - 1 - qubit)
    turned.setflags(write=False)
    return turned


def _turn(states: np.ndarray, num_qubits: int) -> np.ndarray:
    """Numbers with their bits in the other order."""
    if num_qubits <= TABLE_QUBITS:
        return _turned(num_qubits)[states]
    high, low = states >> TABLE_QUBITS, states & (2**TABLE_QUBITS - 1)
    return (_turned(TABLE_QUBITS)[low] << (num_qubits - TABLE_QUBITS)) | _turn(
        high, num_qubits - TABLE_QUBITS
    )


def _not_a_result(problem: str) -> str:
    return (
        f"The service's result of a circuit cannot be used: {problem}. Fetch it again later, or report it "
        "to the service."
    )
