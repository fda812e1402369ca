"""The errors a person can cause, each one sentence with its cause and its cure."""

from __future__ import annotations


class QjaxError(Exception):
    """Base of every error that bad input, bad data or a bad file can raise.

    The command line prints the message of a `QjaxError` and exits with code 2. Anything else that
    escapes is a defect of this project and keeps its traceback.
    """


class ArgumentError(QjaxError, ValueError):
    """An argument (or a key of the configuration) has a value that cannot work.

    The message has one form: "Argument `x` must ..., but .... <what to do>".

    Args:
        argument: name of the argument, as the caller wrote it.
        must: what holds for a good value, continuing "must".
        but: what was given instead, continuing "but".
        cure: a full sentence that says what to do.

    Example:
        >>> raise ArgumentError("shots", "be positive", "it is -1", "Pass `shots=None` for exact results.")
        Traceback (most recent call last):
        ...
        qjax.errors.ArgumentError: Argument `shots` must be positive, but it is -1. Pass `shots=None` for...
    """

    def __init__(self, argument: str, must: str, but: str, cure: str):
        super().__init__(f"Argument `{argument}` must {must}, but {but}. {cure}")
        self.argument = argument


class DataError(QjaxError, ValueError):
    """A dataset cannot be read or cannot be used as asked."""


class StoreError(QjaxError, RuntimeError):
    """The run store cannot be opened, read or written."""


class DamagedError(StoreError):
    """Something in the run store is not what was written; the rest of it may well be."""


class StoppedError(QjaxError, RuntimeError):
    """A run was stopped on purpose before its end; what was done is checkpointed and can be gone on with."""


class BudgetError(StoppedError):
    """What is to be sent next would cost more than is left of the budget; it was not sent."""


class MissingExtraError(QjaxError, ImportError):
    """A package that belongs to an optional extra is not installed.

    Example:
        >>> str(MissingExtraError("cirq", "hw"))
        "Package `cirq` is not installed, and this needs it. Run `pip install 'qjax[hw]'`."
    """

    def __init__(self, package: str, extra: str):
        super().__init__(
            f"Package `{package}` is not installed, and this needs it. Run `pip install 'qjax[{extra}]'`."
        )
