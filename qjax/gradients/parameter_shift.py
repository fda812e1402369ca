"""Exact gradients from shifted circuits: what hardware can do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from qjax import gates
from qjax.errors import ArgumentError
from qjax.executor import Estimate, circuit_keys
from qjax.gradients.method import (
    Batch,
    GradientInfo,
    GradientMethod,
    Measured,
    Objective,
    Params,
    Parts,
    Request,
    flag,
    from_parts,
    head_gradient,
    stateless,
)
from qjax.gradients.occurrences import free_occurrences


def shift_rule(spectrum: gates.Spectrum) -> tuple[np.ndarray, np.ndarray]:
    r"""Shifts and coefficients that give an exact derivative.

    A function with frequencies `w, 2w, ..., Rw` has the derivative

    .. math:: f'(0) = \sum_{\mu=1}^{2R} f\Big(\frac{x_\mu}{w}\Big)
        \frac{w (-1)^{\mu-1}}{4 R \sin^2(x_\mu / 2)}, \qquad x_\mu = \frac{(2\mu - 1)\pi}{2R}.

    Args:
        spectrum: eigenvalues of the generator.

    Returns:
        Shifts in radians and coefficients, `[2R]` each, float64; shifts come in pairs of opposite sign.

    Raises:
        ArgumentError: if the frequencies are not the multiples of one.

    Example:
        >>> shifts, coefficients = shift_rule((-0.5, 0.5))
        >>> shifts.round(4).tolist(), coefficients.round(4).tolist()
        ([1.5708, -1.5708], [0.5, -0.5])
        >>> shift_rule((-0.5, 0.0, 0.5))[1].round(7).tolist()
        [0.4267767, -0.4267767, -0.0732233, 0.0732233]

    Reference:
        Wierichs, Izaac, Wang, Lin, Quantum 6, 677 (2022), eq. (20).
    """
    found = gates.frequencies(spectrum)
    base, count = found[0], len(found)
    if not np.allclose(found, base * np.arange(1, count + 1)):
        raise ArgumentError(
            "spectrum",
            "have frequencies that are multiples of the smallest",
            f"they are {found}",
            "Decompose the gate, or use `adjoint` or `spsa`.",
        )
    points = (2 * np.arange(1, count + 1) - 1) * math.pi / (2 * count)
    signs = (-1.0) ** np.arange(count)
    positive = base * signs / (4 * count * np.sin(points / 2) ** 2)
    shifts = np.stack([points, -points], axis=1).ravel() / base
    return shifts, np.stack([positive, -positive], axis=1).ravel()


def parameter_shift() -> GradientMethod:
    r"""The exact gradient from circuits in which one gate's angle is shifted at a time.

    Every occurrence of a parameter is shifted by itself and the results are pulled back by the chain rule, so
    parameters that several gates share, or that multiply features, are right. All shifted circuits of a batch
    are one submission; a loss that is not linear in the outputs needs the unshifted ones too, which go with
    them. Gates with two frequencies, as controlled rotations, take four terms.

    Returns:
        The method; its state is `()`.

    Example:
        >>> import jax
        >>> from qjax import Angle, Circuit, Op, PauliSum, Simulator
        >>> shared = Angle(param=0)
        >>> circuit = Circuit(num_qubits=1, ops=(Op("rx", (0,), shared), Op("rx", (0,), shared)))
        >>> energy = Objective(
        ...     Simulator(), circuit, (PauliSum("Z0"),), lambda head, e, y, w: e.mean(), is_linear=True)
        >>> batch = Batch(jnp.zeros((1, 0)), jnp.zeros(1), jnp.ones(1))
        >>> params = Params(jnp.array([0.5]))
        >>> gradient, _, info = parameter_shift().estimate((), energy, params, batch, jax.random.key(0))
        >>> round(gradient.circuit[0].item(), 4), info.circuits.item()
        (-1.6829, 4)

    Reference:
        Schuld, Bergholm, Gogolin, Izaac, Killoran, Phys. Rev. A 99, 032331 (2019), eq. (9).
    """

    def ask(
        state: tuple[()], objective: Objective, params: Params, batch: Batch, key: Array
    ) -> tuple[Request, tuple[()]]:
        freed = free_occurrences(objective.circuit)
        plan = _plan(freed.spectra)
        num_unshifted = _num_unshifted(objective, params)
        theta = freed.free_params(params.circuit)
        features = freed.free_features(params.circuit, batch.features)
        is_feature = freed.in_features[plan.occurrence]
        slots, rows = freed.slots[plan.occurrence], np.arange(len(plan.shifts)) + num_unshifted
        num_sets = num_unshifted + len(plan.shifts)
        shifts = jnp.asarray(plan.shifts, theta.dtype)
        sets = jnp.broadcast_to(theta, (num_sets, theta.size))
        sets = sets.at[rows[~is_feature], slots[~is_feature]].add(shifts[~is_feature])
        if np.any(is_feature):
            features = jnp.broadcast_to(features, (num_sets, *features.shape))
            features = features.at[rows[is_feature], :, slots[is_feature]].add(shifts[is_feature][:, None])
        keys = circuit_keys(key, num_sets, batch.weights.shape[0])
        return Request(sets, features, keys, batch.weights > 0), state

    def combine(
        objective: Objective, params: Params, batch: Batch, request: Request, result: Estimate
    ) -> tuple[Params, GradientInfo]:
        del request
        freed = free_occurrences(objective.circuit)
        plan = _plan(freed.spectra)
        num_unshifted = _num_unshifted(objective, params)
        shifted = result.mean[num_unshifted:]
        # A linear loss has the same derivative everywhere, so the mean of the shifted outputs serves as well.
        outputs = result.mean[0] if num_unshifted else jnp.mean(shifted, axis=0)
        measured = Measured(outputs, batch.targets, batch.weights)
        loss, head_part, cotangent = head_gradient(objective, params.head, measured)
        terms = (
            jnp.einsum("sbo,bo->sb", shifted, cotangent)
            * jnp.asarray(plan.coefficients, params.circuit.dtype)[:, None]
        )
        by_term = jnp.sum(terms * freed.slopes(batch.features)[:, plan.occurrence].T, axis=1)
        gradient = (
            jnp.zeros_like(params.circuit)
            .at[freed.params[plan.occurrence]]
            .add(by_term.astype(params.circuit.dtype))
        )
        info = GradientInfo(loss, flag(num_unshifted == 1), measured, result.circuits, result.jobs)
        return Params(gradient, head_part), info

    return from_parts(
        stateless, Parts(lambda objective: free_occurrences(objective.circuit).circuit, ask, combine)
    )


def _num_unshifted(objective: Objective, params: Params) -> int:
    """How many parameter sets stand before the shifted ones: the unshifted one, or none."""
    # A head's gradient is taken at the outputs themselves: it needs them even for a linear loss.
    has_head = bool(jax.tree.leaves(params.head))
    has_shifts = bool(free_occurrences(objective.circuit).trainable)
    return 0 if objective.is_linear and has_shifts and not has_head else 1


@dataclass(frozen=True, eq=False)
class _Plan:
    """Terms of all occurrences, one after another: which occurrence, which shift, which coefficient."""

    occurrence: np.ndarray
    shifts: np.ndarray
    coefficients: np.ndarray


def _plan(spectra: tuple[gates.Spectrum, ...]) -> _Plan:
    rules = [shift_rule(spectrum) for spectrum in spectra]
    sizes = [len(shifts) for shifts, _ in rules]
    return _Plan(
        occurrence=np.repeat(np.arange(len(rules)), sizes),
        shifts=np.concatenate([np.zeros(0), *(shifts for shifts, _ in rules)]),
        coefficients=np.concatenate([np.zeros(0), *(coefficients for _, coefficients in rules)]),
    )
