"""What every peer's file gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

from benchmarks.cell import TASKS, Task
from benchmarks.problem import Problem

Call = Callable[[], Any]
"""Computes the task's answer once: losses `[2]`, a gradient `[P]`, or values `[S, B]`, ready as an array."""


@dataclass(frozen=True)
class Peer:
    """A simulator and how it is used.

    Args:
        title: its name for people.
        packages: its distributions.
        precision: "single" or "double": of the state.
        form: how it is used, in a few words.
        prepare: from the problem and the number of cores to the call. It is timed: building the circuit and
            compiling belong to the first call. Imports do not: `load` has done them.
        load: imports the packages and compiles something unrelated, so that no peer pays in its first call
            for what it pays once in a process.
        tasks: the tasks that it has a way for.
    """

    title: str
    packages: tuple[str, ...]
    precision: Literal["single", "double"]
    form: str
    prepare: Callable[[Problem, int], Call]
    load: Callable[[], None]
    tasks: tuple[Task, ...] = TASKS

    @property
    def versions(self) -> dict[str, str] | None:
        """Versions of its packages; None where one of them is absent."""
        try:
            return {package: version(package) for package in self.packages}
        except PackageNotFoundError:
            return None
