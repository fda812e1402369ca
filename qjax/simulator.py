"""The executor that runs on this machine: exact or with finite shots, ideal or noisy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.typing import ArrayLike

from qjax.checks import integer, shown
from qjax.circuit import Circuit
from qjax.engine import native
from qjax.engine.chunks import check_fits
from qjax.engine.density import MAX_QUBITS as MAX_DENSITY_QUBITS
from qjax.engine.ideal import IdealEngine
from qjax.engine.noisy import NoisyEngine
from qjax.errors import ArgumentError
from qjax.executor import Estimate, check_batch, check_mask, circuit_keys
from qjax.noise import NoiseModel
from qjax.observables import PauliSum, as_observables, measurement_groups

ENGINES = ("auto", "native", "xla")
DTYPES = ("complex64", "complex128")
Engine = IdealEngine | NoisyEngine
NOISE_METHODS = ("density", "trajectories")
DEFAULT_TRAJECTORIES = 100


@dataclass(frozen=True)
class Simulator:
    """A state-vector simulator for batches of circuits.

    Its methods are pure functions of their arguments: they work inside `jax.jit`, `jax.vmap`, `jax.lax.scan`
    and, without shots, under `jax.grad` and `jax.jacfwd`. Outside of `jit` they compile once for each circuit
    and shape. Memory is bounded: large batches are simulated in chunks.

    Args:
        engine: what simulates circuits. "native" is a compiled kernel for CPUs; "xla" is plain JAX, for every
            device; "auto" is the kernel where a program is compiled for a CPU and the kernel was built, and
            plain JAX elsewhere. Shots are drawn by the same code from what either gives.
        shots: None for exact results; else how often every circuit is measured, or a tuple with one number
            for each parameter set.
        dtype: "complex64", or "complex128", which needs JAX's 64-bit mode.
        noise: a `NoiseModel`, or the name of one of IonQ's, "aria-1", "aria-2" or "forte-1"; None or "ideal"
            for none. Noisy circuits run in plain JAX.
        noise_method: "density" computes density matrices, for circuits of up to 10 qubits: means are exact
            and have derivatives. "trajectories" draws a branch of every channel at random, for circuits of
            any size: every shot is measured on a trajectory of its own, and without shots a mean is the
            average over trajectories, which needs a key and has a variance.
        num_trajectories: trajectories of each circuit (and with shots of each measurement basis); None for
            one for each shot, or 100 without shots. Shots are spread evenly over fewer, which is faster;
            then shots of one trajectory depend on each other, and the variance says so.

    Raises:
        ArgumentError: if an argument has no meaning.

    Example:
        >>> from qjax import Angle, Circuit, Op, PauliSum
        >>> circuit = Circuit(num_qubits=1, ops=(Op("ry", (0,), Angle(param=0)),))
        >>> estimate = Simulator().expectations(circuit, jnp.array([[0.0], [jnp.pi]]), None, PauliSum("Z0"))
        >>> estimate.mean.shape, estimate.mean.ravel().tolist()
        ((2, 1, 1), [1.0, -1.0])
        >>> noisy = Simulator(noise=NoiseModel(depolarizing_1q=0.15))
        >>> round(noisy.expectations(circuit, jnp.array([[0.0]]), None, PauliSum("Z0")).mean.item(), 5)
        0.8
    """

    engine: Literal["auto", "native", "xla"] = "auto"
    shots: int | tuple[int, ...] | None = None
    dtype: Literal["complex64", "complex128"] = "complex64"
    noise: NoiseModel | str | None = None
    noise_method: Literal["density", "trajectories"] = "density"
    num_trajectories: int | None = None

    def __post_init__(self):
        for name, known in (("engine", ENGINES), ("dtype", DTYPES), ("noise_method", NOISE_METHODS)):
            value = getattr(self, name)
            if value not in known:
                raise ArgumentError(name, f"be one of {', '.join(known)}", f"it is {value!r}", "Pick one.")
        self._check_noise()
        if self.engine == "native":
            native.load()
        if self.shots is None:
            return
        numbers = self.shots if isinstance(self.shots, tuple) else (self.shots,)
        for number in numbers or (0,):
            if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
                raise ArgumentError(
                    "shots",
                    "be None or a positive integer (or a tuple of these, one for each parameter set)",
                    f"it is {self.shots!r}",
                    "Pass `shots=None` for exact results.",
                )
        plain = tuple(int(number) for number in numbers)
        object.__setattr__(self, "shots", plain if isinstance(self.shots, tuple) else plain[0])

    def _check_noise(self) -> None:
        noise = NoiseModel.named(self.noise) if isinstance(self.noise, str) else self.noise
        if noise is not None and not isinstance(noise, NoiseModel):
            must, cure = "be a `NoiseModel`, a name or None", 'Write `NoiseModel(bit_flip=0.01)` or "aria-1".'
            raise ArgumentError("noise", must, f"it is {shown(noise)}", cure)
        # A model in which nothing happens is no model, so that nothing is paid for it.
        noise = noise if noise is not None and (noise.acts_on_gates or noise.acts_on_readout) else None
        object.__setattr__(self, "noise", noise)
        if noise is not None and self.engine == "native":
            must, cure = 'be "auto" or "xla" with noise', "Leave it out: noisy circuits run in plain JAX."
            raise ArgumentError("engine", must, 'it is "native"', cure)
        if self.num_trajectories is None:
            return
        cure = "Leave it out for one trajectory for each shot."
        object.__setattr__(
            self, "num_trajectories", integer("num_trajectories", self.num_trajectories, 1, cure)
        )
        if self.noise_method != "trajectories":
            raise ArgumentError(
                "num_trajectories",
                'be None unless `noise_method` is "trajectories"',
                f"it is {self.num_trajectories}",
                "Leave it out, or set `noise_method`.",
            )

    @property
    def exact(self) -> bool:
        """Whether means are exact."""
        return self.shots is None and not self._uses_trajectories

    @property
    def _uses_trajectories(self) -> bool:
        return self.noise is not None and self.noise_method == "trajectories"

    @property
    def traceable(self) -> bool:
        """Whether calls may be traced by JAX: always."""
        return True

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
        r"""Expectation values for S parameter sets times B samples.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]` or `[S, B, F]`, real; None for a circuit without features (then B = 1).
            observables: one observable or a sequence of O.
            key: with shots or trajectories, a PRNG key, or one for each circuit `[S, B]`.
            mask: `[B]` or `[S, B]`, bool: padding (False) is not counted.
            covariance: whether to give the covariance of the means, `[S, B, O, O]`.

        Returns:
            The estimate. Without shots each of the S x B circuits counts once; with shots once for each
            measurement basis.

        Raises:
            ArgumentError: if shapes do not fit, a key is missing, or the circuit is too large for this
                machine or for a density matrix.

        Example:
            >>> from qjax import Circuit, Op, PauliSum
            >>> plus = Circuit(num_qubits=1, ops=(Op("h", (0,)),))
            >>> simulator = Simulator(shots=1000)
            >>> estimate = simulator.expectations(
            ...     plus, jnp.zeros((1, 0)), None, [PauliSum("Z0"), PauliSum("X0")], key=jax.random.key(0))
            >>> estimate.mean[0, 0, 1].item(), int(estimate.circuits)
            (1.0, 2)
        """
        observables = as_observables(observables, circuit.num_qubits)
        params, features, (num_sets, num_samples) = check_batch(circuit, params, features)
        self._check_machine(circuit)
        keys = self._keys(key, num_sets, num_samples)
        mean, variance, matrix = _expectations(
            self._engine(), circuit, params, features, observables, keys, self.shots, covariance
        )
        bases = 1 if self.shots is None else len(measurement_groups(observables))
        circuits = bases * jnp.sum(check_mask(mask, num_sets, num_samples), dtype=jnp.int32)
        return Estimate(mean, variance, circuits, jnp.minimum(circuits, 1), matrix)

    def statevector(self, circuit: Circuit, params: ArrayLike, features: ArrayLike | None = None) -> Array:
        """State vectors, whatever `shots` is; without noise.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.

        Returns:
            Amplitudes `[S, B, 2**n]`, complex; qubit 0 is the most significant bit.

        Raises:
            ArgumentError: if shapes do not fit, or there is noise.

        Example:
            >>> from qjax import Circuit, Op
            >>> bell = Circuit(num_qubits=2, ops=(Op("h", (0,)), Op("cx", (0, 1))))
            >>> abs(Simulator().statevector(bell, jnp.zeros((1, 0))))[0, 0].round(3).tolist()
            [0.7070000171661377, 0.0, 0.0, 0.7070000171661377]
        """
        if self.noise is not None:
            raise ArgumentError(
                "noise",
                "be None where state vectors are asked for",
                f"it is {self.noise!r}, which leaves no pure state",
                "Ask for `density_matrix` or `probabilities`.",
            )
        params, features, _ = check_batch(circuit, params, features)
        self._check_machine(circuit)
        return _statevector(IdealEngine(self.engine, self.dtype), circuit, params, features)

    def density_matrix(self, circuit: Circuit, params: ArrayLike, features: ArrayLike | None = None) -> Array:
        """Density matrices after the last gate, before any readout error, whatever `shots` is.

        Args:
            circuit: the circuit, of up to 10 qubits.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.

        Returns:
            Matrices `[S, B, 2**n, 2**n]`, complex; qubit 0 is the most significant bit.

        Raises:
            ArgumentError: if shapes do not fit, or the circuit is too large.

        Example:
            >>> from qjax import Circuit, Op
            >>> simulator = Simulator(noise=NoiseModel(bit_flip=0.25))
            >>> simulator.density_matrix(Circuit(1, (Op("x", (0,)),)), jnp.zeros((1, 0)))[0, 0].real.tolist()
            [[0.25, 0.0], [0.0, 0.75]]
        """
        params, features, _ = check_batch(circuit, params, features)
        _check_density_size(circuit)
        self._check_machine(circuit)
        return _density_matrix(NoisyEngine(self._noise, self.dtype), circuit, params, features)

    def probabilities(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None = None,
        *,
        key: Array | None = None,
    ) -> Array:
        """Probabilities of the basis states, whatever `shots` is; with noise, of what is read.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.
            key: with trajectories, a PRNG key, or one for each circuit `[S, B]`.

        Returns:
            Probabilities `[S, B, 2**n]`, real.

        Raises:
            ArgumentError: if shapes do not fit, a key is missing, or a density matrix is asked for and the
                circuit is too large.

        Example:
            >>> from qjax import Circuit, Op
            >>> Simulator().probabilities(Circuit(1, (Op("x", (0,)),)), jnp.zeros((1, 0))).tolist()
            [[[0.0, 1.0]]]
        """
        params, features, (num_sets, num_samples) = check_batch(circuit, params, features)
        self._check_machine(circuit)
        exact = replace(self, shots=None)
        keys = exact._keys(key, num_sets, num_samples)
        return _probabilities(exact._engine(), circuit, params, features, keys)

    def samples(
        self,
        circuit: Circuit,
        params: ArrayLike,
        features: ArrayLike | None = None,
        *,
        key: Array | None = None,
    ) -> Array:
        """Measurements of all qubits in the computational basis.

        Args:
            circuit: the circuit.
            params: `[S, P]`, real, radians.
            features: `[B, F]`, `[S, B, F]` or None.
            key: a PRNG key, or one for each circuit `[S, B]`.

        Returns:
            Bits `[S, B, shots, n]`, uint8, qubit 0 first.

        Raises:
            ArgumentError: if the simulator has no shots, or a different number for each parameter set.

        Example:
            >>> from qjax import Circuit, Op
            >>> one = Circuit(num_qubits=2, ops=(Op("x", (1,)),))
            >>> Simulator(shots=2).samples(one, jnp.zeros((1, 0)), key=jax.random.key(0)).tolist()
            [[[[0, 1], [0, 1]]]]
        """
        if not isinstance(self.shots, int):
            raise ArgumentError(
                "shots",
                "be one number where samples are drawn",
                f"it is {self.shots}",
                "Make a simulator with `Simulator(shots=1000)`.",
            )
        params, features, (num_sets, num_samples) = check_batch(circuit, params, features)
        self._check_machine(circuit)
        keys = self._keys(key, num_sets, num_samples)
        return _samples(self._engine(), circuit, params, features, keys, self.shots)

    def _keys(self, key: Array | None, num_sets: int, num_samples: int) -> Array | None:
        if self.exact:
            return None
        if isinstance(self.shots, tuple) and len(self.shots) != num_sets:
            raise ArgumentError(
                "shots",
                f"hold one number for each of the {num_sets} parameter set(s)",
                f"it holds {len(self.shots)}",
                "Pass one integer to use it for all.",
            )
        if key is None:
            raise ArgumentError(
                "key",
                "be a PRNG key where shots or trajectories are drawn",
                "it is None",
                "Pass `key=jax.random.key(seed)`, a new one for every call.",
            )
        return circuit_keys(key, num_sets, num_samples)

    def _engine(self) -> Engine:
        if self.noise is None:
            return IdealEngine(self.engine, self.dtype)
        if not self._uses_trajectories:
            return NoisyEngine(self._noise, self.dtype)
        most = self.shots if isinstance(self.shots, int) else max(self.shots or (DEFAULT_TRAJECTORIES,))
        return NoisyEngine(self._noise, self.dtype, self.num_trajectories or most)

    @property
    def _noise(self) -> NoiseModel:
        return self.noise if isinstance(self.noise, NoiseModel) else NoiseModel()

    def _check_machine(self, circuit: Circuit) -> None:
        if self.noise is not None and self.noise_method == "density":
            _check_density_size(circuit)
        check_fits(circuit.num_qubits, np.dtype(self.dtype).itemsize)
        if self.dtype == "complex128" and not jax.config.read("jax_enable_x64"):
            raise ArgumentError(
                "dtype",
                "be complex64 while JAX's 64-bit mode is off",
                "it is complex128",
                'Turn the mode on first: `jax.config.update("jax_enable_x64", True)`.',
            )


def _check_density_size(circuit: Circuit) -> None:
    if circuit.num_qubits > MAX_DENSITY_QUBITS:
        raise ArgumentError(
            "noise_method",
            f'be "trajectories" for circuits of more than {MAX_DENSITY_QUBITS} qubits',
            f"density matrices were asked for, and the circuit has {circuit.num_qubits}",
            'Make a simulator with `Simulator(noise=..., noise_method="trajectories")`.',
        )


@partial(jax.jit, static_argnums=(0, 1, 4, 6, 7))
def _expectations(
    engine: Engine,
    circuit: Circuit,
    params: Array,
    features: Array,
    observables: tuple[PauliSum, ...],
    keys: Array | None,
    shots: int | tuple[int, ...] | None,
    covariance: bool,
) -> tuple[Array, Array, Array | None]:
    num_shots = None
    if shots is not None:
        num_shots = np.broadcast_to(np.asarray(shots, np.int32), params.shape[:1])
    mean, matrix = engine.expectations(circuit, params, features, observables, keys, num_shots)
    if matrix is not None:
        return mean, jnp.diagonal(matrix, axis1=-2, axis2=-1), matrix if covariance else None
    zeros = jnp.zeros((*mean.shape, mean.shape[-1]), mean.dtype) if covariance else None
    return mean, jnp.zeros_like(mean), zeros


@partial(jax.jit, static_argnums=(0, 1))
def _statevector(engine: IdealEngine, circuit: Circuit, params: Array, features: Array) -> Array:
    return engine.statevectors(circuit, params, features)


@partial(jax.jit, static_argnums=(0, 1))
def _density_matrix(engine: NoisyEngine, circuit: Circuit, params: Array, features: Array) -> Array:
    return engine.density_matrices(circuit, params, features)


@partial(jax.jit, static_argnums=(0, 1))
def _probabilities(
    engine: Engine, circuit: Circuit, params: Array, features: Array, keys: Array | None
) -> Array:
    return engine.probabilities(circuit, params, features, keys)


@partial(jax.jit, static_argnums=(0, 1, 5))
def _samples(
    engine: Engine, circuit: Circuit, params: Array, features: Array, keys: Array | None, num_shots: int
) -> Array:
    assert keys is not None  # checked by the caller
    states = engine.samples(circuit, params, features, keys, num_shots)
    shifts = np.arange(circuit.num_qubits)[::-1].astype(np.int32)
    return ((states[..., None] >> shifts) & 1).astype(jnp.uint8)
