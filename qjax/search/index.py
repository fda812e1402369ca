"""Vectors in memory, and which of them are nearest to a given one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

from qjax.errors import ArgumentError

Measure = Literal["fidelity", "cosine"]

_BLOCK = 2**15


class Found(NamedTuple):
    """A vector near another.

    Attributes:
        id: what it is, as `VectorIndex.ids` has it.
        score: fidelity or cosine, computed in double precision.
        metadata: what is known of it.
    """

    id: str
    score: float
    metadata: Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class VectorIndex:
    r"""Vectors of one dimension with ids and metadata, searched exhaustively.

    The measures are

    .. math:: F(a, b) = \frac{|\langle a | b \rangle|^2}{\langle a | a \rangle \langle b | b \rangle},
        \qquad \cos(a, b) = \frac{\mathrm{Re} \langle a | b \rangle}{\|a\| \|b\|}

    so fidelity does not see a global phase, and the cosine does. A first pass in the precision of the vectors
    leaves out what cannot be among the nearest, and the rest is computed in double precision, so
    that ranks are exact.

    Args:
        ids: `[N]`.
        values: `[N, D]`, real or complex, finite.
        columns: metadata by name, arrays `[N]`.

    Raises:
        ArgumentError: the parts differ in length.

    Example:
        >>> values = np.array([[1.0, 0.0], [1.0, 1.0]])
        >>> index = VectorIndex(["zero", "plus"], values, {"label": np.array([0, 1])})
        >>> [(each.id, round(each.score, 3)) for each in index.nearest([1j, 0], 2)]
        [('zero', 1.0), ('plus', 0.5)]
    """

    ids: list[str]
    values: np.ndarray
    columns: Mapping[str, np.ndarray]

    def __post_init__(self):
        for name, column in {"ids": self.ids, **self.columns}.items():
            if self.values.ndim != 2 or len(column) != len(self.values):
                raise ArgumentError(
                    name,
                    "hold one entry for each row of `values`",
                    f"it has {len(column)} and `values` has the shape {list(self.values.shape)}",
                    "Pass a table of vectors with one id each.",
                )

    def nearest(
        self,
        query: npt.ArrayLike,
        count: int = 10,
        *,
        by: Measure = "fidelity",
        where: Mapping[str, Any] | None = None,
    ) -> list[Found]:
        """Finds the nearest vectors.

        Args:
            query: `[D]`, real or complex, not zero; it need not be normalised.
            count: how many are wanted.
            by: "fidelity" or "cosine".
            where: values that metadata must have, by name; a list allows each of its values.

        Returns:
            As many as there are, up to `count`, best first; equals in the order of the index.

        Raises:
            ArgumentError: the query has another dimension or no direction, `count` is below 1, the measure
                does not exist, or no vector has metadata of some name.
        """
        if by not in get_args(Measure):
            raise ArgumentError("by", 'be "fidelity" or "cosine"', f"it is {by!r}", "Pick one of them.")
        if count < 1:
            raise ArgumentError("count", "be 1 or more", f"it is {count}", "Ask for ten, for example.")
        wanted = self._direction(query)
        rows = self._rows(where or {})
        if not (len(self.values) if rows is None else len(rows)):
            return []
        products = self._products(wanted, rows)
        rough = np.abs(products) ** 2 if by == "fidelity" else np.real(products)
        places = np.arange(len(rough)) if rows is None else rows
        if len(rough) > count:
            bound = np.partition(rough, len(rough) - count)[len(rough) - count]
            # More than the rounding of the two numbers that are compared, so that none is left out wrongly.
            margin = 8 * len(wanted) * np.finfo(rough.dtype).eps
            places = places[rough >= bound - margin]
        # In blocks: where everything is equally near, nothing was left out.
        blocks = [places[first : first + _BLOCK] for first in range(0, len(places), _BLOCK)]
        scores = np.concatenate([_exact(self.values[block], wanted, by) for block in blocks])
        best = np.argsort(-scores, kind="stable")[:count]
        return [
            Found(self.ids[place], float(score), self._about(place))
            for place, score in zip(places[best].tolist(), scores[best].tolist(), strict=True)
        ]

    @cached_property
    def _norms(self) -> np.ndarray:
        # In blocks, because squares of all values at once would take as much memory again.
        blocks = [self.values[first : first + _BLOCK] for first in range(0, len(self.values), _BLOCK)]
        norms = [np.linalg.norm(block, axis=1) for block in blocks]
        found = np.concatenate(norms) if norms else np.zeros(0)
        return np.where(found > 0, found, 1.0).astype(found.dtype)

    def _products(self, wanted: np.ndarray, rows: np.ndarray | None) -> np.ndarray:
        # In the precision of the vectors: converting all of them would take longer than the search.
        is_double = self.values.dtype in (np.dtype(np.float64), np.dtype(np.complex128))
        if np.iscomplexobj(wanted):
            query = wanted.conj().astype(np.complex128 if is_double else np.complex64)
        else:
            query = wanted.astype(np.float64 if is_double else np.float32)
        if rows is None or 4 * len(rows) > len(self.values):
            products = _product(self.values, query) / self._norms
            return products if rows is None else products[rows]
        return _product(self.values[rows], query) / self._norms[rows]

    def _direction(self, query: npt.ArrayLike) -> np.ndarray:
        wanted = np.asarray(query)
        dimension = self.values.shape[1]
        if wanted.shape != (dimension,) or wanted.dtype.kind not in "iufc" or not np.isfinite(wanted).all():
            raise ArgumentError(
                "query",
                f"be a vector of {dimension} finite numbers like the recorded ones",
                f"its shape is {list(wanted.shape)} and its dtype {wanted.dtype}",
                "Pass a state or a sample of the same model.",
            )
        wanted = wanted.astype(np.complex128 if np.iscomplexobj(wanted) else np.float64)
        largest = np.abs(wanted).max(initial=0.0)
        if not largest:
            raise ArgumentError(
                "query", "not be zero", "all its numbers are", "Pass a vector with a direction."
            )
        wanted = wanted / largest
        return wanted / np.linalg.norm(wanted)

    def _rows(self, where: Mapping[str, Any]) -> np.ndarray | None:
        if not where:
            return None
        chosen = np.ones(len(self.values), bool)
        for name, value in where.items():
            if name not in self.columns:
                raise ArgumentError(
                    "where",
                    f"name metadata that is recorded: {', '.join(sorted(self.columns))}",
                    f"it names {name!r}",
                    "Pick one of them.",
                )
            allowed = value if isinstance(value, list | tuple) else [value]
            chosen &= np.isin(self.columns[name], np.asarray(allowed))
        return np.flatnonzero(chosen)

    def _about(self, place: int) -> dict[str, Any]:
        return {name: column[place].item() for name, column in self.columns.items()}


def _product(values: npt.NDArray[Any], query: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if np.iscomplexobj(values) == np.iscomplexobj(query):
        return values @ query
    if np.iscomplexobj(query):
        real, imaginary = (np.ascontiguousarray(part) for part in (np.real(query), np.imag(query)))
        return values @ real + 1j * (values @ imaginary)
    return values @ query.astype(values.dtype)


def _exact(values: np.ndarray, wanted: np.ndarray, by: Measure) -> np.ndarray:
    exact = values.astype(np.complex128 if np.iscomplexobj(values) else np.float64)
    norms = np.linalg.norm(exact, axis=1)
    products = exact @ wanted.conj() / np.where(norms > 0, norms, 1.0)
    return (
        np.minimum(np.abs(products) ** 2, 1.0) if by == "fidelity" else np.clip(np.real(products), -1.0, 1.0)
    )
