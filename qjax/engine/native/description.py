"""What the kernel will do for a batch, asked of the kernel itself."""

from __future__ import annotations

import ctypes
from typing import NamedTuple

import numpy as np

from qjax.circuit import Circuit
from qjax.engine.native import library
from qjax.engine.native.lowering import lower_to_table
from qjax.observables import PauliSum


class Description(NamedTuple):
    """What the circuits of a batch take.

    Attributes:
        passes: passes over the state of one circuit.
        flops: floating-point operations of one circuit.
        bytes: bytes of its state that the passes read and write.
        working_set: bytes that one thread needs, whatever the batch.
        side_by_side: circuits that one thread runs at once, in the lanes of its registers.
        threads: threads that take part.
    """

    passes: int
    flops: float
    bytes: float
    working_set: int
    side_by_side: int
    threads: int


def describe(
    circuit: Circuit,
    observables: tuple[PauliSum, ...],
    num_sets: int,
    num_samples: int,
    *,
    double: bool,
    gradient: bool,
    threads: int,
) -> Description:
    """Asks the kernel how it would run a batch.

    Args:
        circuit: the circuit.
        observables: what is measured.
        num_sets: S parameter sets.
        num_samples: B samples of each.
        double: whether in double precision.
        gradient: whether gradients are asked for as well.
        threads: threads there are.

    Returns:
        The description.
    """
    table = lower_to_table(circuit, observables)
    numbers = np.zeros(len(Description._fields))
    words, constants = np.ascontiguousarray(table.words), np.ascontiguousarray(table.constants)
    failed = library.load().handle.qjax_describe(
        words.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_size_t(words.size),
        constants.ctypes.data_as(ctypes.c_void_p),
        ctypes.c_size_t(constants.size),
        ctypes.c_int(double),
        ctypes.c_int64(num_sets),
        ctypes.c_int64(num_samples),
        ctypes.c_int(gradient),
        ctypes.c_int(threads),
        numbers.ctypes.data_as(ctypes.c_void_p),
    )
    if failed:
        raise RuntimeError("the kernel does not take a table that this package wrote")
    passes, flops, moved, working_set, side_by_side, used = (float(number) for number in numbers)
    return Description(int(passes), flops, moved, int(working_set), int(side_by_side), int(used))
