"""How a run ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from qjax.errors import ArgumentError
from qjax.store.models import ModelRecord

EndStatus = Literal["finished", "failed", "interrupted"]


@dataclass(frozen=True)
class RunEnd:
    """The end of a run.

    Args:
        status: how it ended.
        summary: JSON data, such as the last losses.
        model: the trained model, if there is one.

    Raises:
        ArgumentError: the status is none of the three.

    Example:
        >>> RunEnd("finished", {"loss": 0.7}).status
        'finished'
    """

    status: EndStatus
    summary: Mapping[str, Any]
    model: ModelRecord | None = None

    def __post_init__(self) -> None:
        if self.status not in get_args(EndStatus):
            raise ArgumentError(
                "status",
                'be "finished", "failed" or "interrupted"',
                f"it is {self.status!r}",
                "Say how the run ended.",
            )
