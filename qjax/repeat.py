"""Sequences of operations as data: repeats that stay repeats, and how they are written out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from qjax.checks import integer, shown
from qjax.errors import ArgumentError
from qjax.op import Op


@dataclass(frozen=True)
class Repeat:
    """A sequence of operations done several times with moving parameters.

    In iteration `t`, parameter `i` of the body is parameter `i + t * param_stride` of the circuit, and
    feature `j` is feature `j + t * feature_stride`.

    Args:
        body: operations or further repeats.
        times: how often, 1 or more.
        param_stride: parameters that one iteration moves on by.
        feature_stride: features that one iteration moves on by.

    Raises:
        ArgumentError: if the body holds something else, or a number is not an integer or too small.

    Example:
        >>> from qjax import Angle
        >>> layer = Repeat((Op("ry", (0,), Angle(param=0)),), times=3, param_stride=1)
        >>> [op.angles[0].param for op in layer.unrolled()]
        [0, 1, 2]
    """

    body: tuple[Op | Repeat, ...]
    times: int
    param_stride: int = 0
    feature_stride: int = 0

    def __post_init__(self):
        set_field = object.__setattr__
        set_field(self, "body", operations("body", self.body))
        set_field(self, "times", integer("times", self.times, 1, "Leave out what is never done."))
        for name in ("param_stride", "feature_stride"):
            set_field(self, name, integer(name, getattr(self, name)))

    def unrolled(self) -> Iterator[Op]:
        """The operations, one after another."""
        for iteration in range(self.times):
            for op in unroll(self.body):
                yield op.shifted(iteration * self.param_stride, iteration * self.feature_stride)

    def inverse(self) -> Repeat:
        """The inverse, iterations in reverse order.

        Example:
            >>> from qjax import Angle
            >>> layer = Repeat((Op("ry", (0,), Angle(param=0)),), times=3, param_stride=1)
            >>> [op.angles[0].param for op in layer.inverse().unrolled()]
            [2, 1, 0]
        """
        last = self.times - 1
        end = self.shifted(last * self.param_stride, last * self.feature_stride)
        body = tuple(element.inverse() for element in reversed(end.body))
        return Repeat(body, self.times, -self.param_stride, -self.feature_stride)

    def shifted(self, params: int, features: int) -> Repeat:
        """The repeat with its parameter and feature indices moved, as in `Op.shifted`."""
        return replace(self, body=tuple(element.shifted(params, features) for element in self.body))


def unroll(ops: Iterable[Op | Repeat]) -> Iterator[Op]:
    """Operations one after another, repeats written out.

    Args:
        ops: operations and repeats.

    Yields:
        The operations in the order of execution.
    """
    for element in ops:
        if isinstance(element, Op):
            yield element
        else:
            yield from element.unrolled()


def operations(argument: str, ops: Any) -> tuple[Op | Repeat, ...]:
    """Checks that something is a sequence of operations and repeats.

    Args:
        argument: name of the argument, for the message.
        ops: what was passed.

    Returns:
        The sequence as a tuple.

    Raises:
        ArgumentError: if it is not.
    """
    cure = 'Write `(Op("ry", (0,), Angle(param=0)),)`.'
    if isinstance(ops, Op | Repeat) or not isinstance(ops, Iterable):
        raise ArgumentError(
            argument, "be a sequence of `Op` and `Repeat` values", f"it is {shown(ops)}", cure
        )
    elements = tuple(ops)
    for index, element in enumerate(elements):
        if not isinstance(element, Op | Repeat):
            but = f"item {index} is {shown(element)}"
            raise ArgumentError(argument, "hold `Op` and `Repeat` values only", but, cure)
    return elements
