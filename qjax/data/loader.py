"""Batches in an order that depends on the seed and the epoch alone, so that any step can be found again."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from qjax.data.checks import check_integer
from qjax.errors import ArgumentError, DataError


class BatchChunk(NamedTuple):
    """The batches of L consecutive steps, of B samples each.

    Padding has weight 0 and index -1. Its features and targets repeat a real sample, so that whatever
    is computed from them is finite and vanishes with the weight.

    Attributes:
        features: shape [L, B, F], dtype of the loader's features.
        targets: shape [L, B], dtype of the loader's targets.
        weights: shape [L, B], 1 for a sample and 0 for padding; dtype of the features where that is a
            floating one, else float64.
        indices: shape [L, B], int32 index of each sample in the loader's features, -1 for padding.

    Example:
        >>> loader = BatchLoader([[0.0], [1.0], [2.0]], [0, 1, 0], batch_size=2, num_epochs=1, seed=0)
        >>> loader.chunk(0, 2).weights
        array([[1., 1.],
               [1., 0.]])
    """

    features: npt.NDArray[Any]
    targets: npt.NDArray[Any]
    weights: npt.NDArray[Any]
    indices: npt.NDArray[np.int32]


class BatchLoader:
    """Cuts samples into batches, each a pure function of the step.

    Epoch e visits the samples in the order `default_rng(SeedSequence([seed, e])).permutation(N)`, so a
    run that resumes at any step sees what it would have seen without the break (under one version of
    numpy, which may change its streams between versions).

    Use it from one thread at a time. The thread of `prefetch` starts on its first use; `close` or the end
    of a `with` block ends it.

    Args:
        features: shape [N, F]; not copied, so do not change it while the loader is in use.
        targets: shape [N]; not copied.
        batch_size: samples in a batch, B, at most N.
        num_epochs: how many times every sample is visited.
        seed: a non-negative integer.
        shuffle: visit the samples in a new random order in each epoch; in the given order otherwise.
        drop_last: leave out the last batch of an epoch where it has fewer than B samples; pad it
            otherwise.

    Raises:
        ArgumentError: an argument is out of range, or the arrays do not fit together.

    Example:
        >>> X, y = np.arange(10.0).reshape(5, 2), np.arange(5)
        >>> with BatchLoader(X, y, batch_size=2, num_epochs=3, seed=7) as loader:
        ...     loader.prefetch(0, 3)
        ...     sorted(loader.chunk(0, 3).indices.ravel().tolist()), loader.num_steps
        ([-1, 0, 1, 2, 3, 4], 9)
    """

    def __init__(
        self,
        features: npt.ArrayLike,
        targets: npt.ArrayLike,
        *,
        batch_size: int,
        num_epochs: int,
        seed: int,
        shuffle: bool = True,
        drop_last: bool = False,
    ):
        self._features, self._targets = np.asarray(features), np.asarray(targets)
        if self._features.ndim != 2 or self._targets.shape != self._features.shape[:1]:
            raise ArgumentError(
                "features",
                "have the shape [N, F] and `targets` the shape [N]",
                f"the shapes are {self._features.shape} and {self._targets.shape}",
                "Give one row of features and one target for each sample.",
            )
        self._batch_size = check_integer("batch_size", batch_size, minimum=1)
        self._num_epochs = check_integer("num_epochs", num_epochs, minimum=1)
        self._seed = check_integer("seed", seed, minimum=0)
        self._shuffle, self._drop_last = shuffle, drop_last
        if self._batch_size > len(self._features):
            raise ArgumentError(
                "batch_size",
                f"be at most {len(self._features)}, the number of samples",
                f"it is {self._batch_size}",
                "Make the batches smaller, or give more samples.",
            )
        floating = np.issubdtype(self._features.dtype, np.floating)
        self._weight_dtype = self._features.dtype if floating else np.dtype(np.float64)
        # Chunks are asked for in order, and often many from one epoch: keep the orders at hand.
        self._epoch_rows = lru_cache(maxsize=2)(self._make_epoch_rows)
        self._executor: ThreadPoolExecutor | None = None
        self._pending: tuple[tuple[int, int], Future[BatchChunk]] | None = None
        self._closed = False

    @property
    def steps_per_epoch(self) -> int:
        """Number of batches in one epoch."""
        full, rest = divmod(len(self._features), self._batch_size)
        return full + (1 if rest and not self._drop_last else 0)

    @property
    def num_steps(self) -> int:
        """Number of batches in all epochs."""
        return self.steps_per_epoch * self._num_epochs

    def chunk(self, start_step: int, length: int) -> BatchChunk:
        """Return the batches of the steps `start_step ... start_step + length - 1`.

        Args:
            start_step: the first step, at least 0.
            length: the number of steps L, at least 1.

        Returns:
            Exactly L batches of B samples: the last batch of an epoch is filled up with padding, and
            steps from `num_steps` on are padding altogether.

        Raises:
            ArgumentError: an argument is out of range.
            Exception: whatever went wrong in the thread that prefetched this chunk.

        Example:
            >>> loader = BatchLoader([[0.0]], [1], batch_size=1, num_epochs=2, seed=0)
            >>> loader.chunk(1, 2).indices
            array([[ 0],
                   [-1]], dtype=int32)
        """
        steps = _check_steps(start_step, length)
        pending, self._pending = self._pending, None
        if pending is not None:
            if pending[0] == steps:
                return pending[1].result()
            pending[1].cancel()
        return self._make_chunk(*steps)

    def indices(self, start_step: int, length: int) -> npt.NDArray[np.int32]:
        """Return which samples the batches of steps hold, without the samples.

        Args:
            start_step: as for `chunk`.
            length: as for `chunk`.

        Returns:
            Shape [L, B], -1 for padding.

        Raises:
            ArgumentError: an argument is out of range.

        Example:
            >>> BatchLoader([[0.0]], [1], batch_size=1, num_epochs=2, seed=0).indices(0, 2).ravel()
            array([0, 0], dtype=int32)
        """
        return self._make_indices(*_check_steps(start_step, length))

    def prefetch(self, start_step: int, length: int) -> None:
        """Start to prepare a chunk in the background, for `chunk` with the same arguments to take.

        A later `prefetch`, or a `chunk` with other arguments, discards what was prepared.

        Args:
            start_step: as for `chunk`.
            length: as for `chunk`.

        Raises:
            ArgumentError: an argument is out of range.
            DataError: the loader is closed.
        """
        steps = _check_steps(start_step, length)
        if self._closed:
            raise DataError("A closed loader cannot prefetch. Call `chunk`, or make a new loader.")
        if self._executor is None:
            self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qjax-prefetch")
        if self._pending is not None:
            self._pending[1].cancel()
        self._pending = steps, self._executor.submit(self._make_chunk, *steps)

    def close(self) -> None:
        """End the background thread and discard what it prepared; `chunk` keeps working."""
        self._closed, self._pending = True, None
        if self._executor is not None:
            self._executor.shutdown(wait=True, cancel_futures=True)
            self._executor = None

    def __enter__(self) -> BatchLoader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _make_epoch_rows(self, epoch: int) -> npt.NDArray[np.int32]:
        """Return the sample indices of one epoch, shape [steps_per_epoch, B], padded with -1."""
        num_samples = len(self._features)
        if self._shuffle:
            order = np.random.default_rng(np.random.SeedSequence([self._seed, epoch])).permutation(
                num_samples
            )
        else:
            order = np.arange(num_samples)
        rows = np.full(self.steps_per_epoch * self._batch_size, -1, dtype=np.int32)
        taken = min(num_samples, len(rows))
        rows[:taken] = order[:taken]
        return rows.reshape(self.steps_per_epoch, self._batch_size)

    def _make_indices(self, start_step: int, length: int) -> npt.NDArray[np.int32]:
        indices = np.full((length, self._batch_size), -1, dtype=np.int32)
        step, stop_step = start_step, min(start_step + length, self.num_steps)
        while step < stop_step:
            epoch, first = divmod(step, self.steps_per_epoch)
            rows = self._epoch_rows(epoch)[first : first + stop_step - step]
            indices[step - start_step : step - start_step + len(rows)] = rows
            step += len(rows)
        return indices

    def _make_chunk(self, start_step: int, length: int) -> BatchChunk:
        indices = self._make_indices(start_step, length)
        # Padding gathers sample 0, which is real and therefore as finite as all others.
        gathered = np.maximum(indices, 0)
        return BatchChunk(
            features=self._features[gathered],
            targets=self._targets[gathered],
            weights=(indices >= 0).astype(self._weight_dtype),
            indices=indices,
        )


def _check_steps(start_step: int, length: int) -> tuple[int, int]:
    return check_integer("start_step", start_step, minimum=0), check_integer("length", length, minimum=1)
