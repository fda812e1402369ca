"""The `qjax` command."""

from __future__ import annotations

import atexit
import gc
import sys

_ALLOCATIONS = 500_000
"""So many objects more before Python looks for cycles: a short command makes fewer."""


def main() -> None:
    """Runs the command; what a person can cause ends in one sentence and exit code 2."""
    _collect_garbage_seldom()
    from qjax.cli.app import app
    from qjax.errors import QjaxError

    try:
        app()
    except QjaxError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        # XLA has no class for it: its error says so in the text alone.
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in str(error):
            raise
        print("Error: The run needs more memory than there is. Use fewer qubits or samples.", file=sys.stderr)
        sys.exit(2)


def _collect_garbage_seldom() -> None:
    """Spares a short command what Python's collector of cycles costs it, a fifth of its time.

    Imports and traces make hundreds of thousands of objects that stay, through which the collector goes again
    and again, and once more at the end of the process, which frees all of them anyway.
    """
    gc.set_threshold(_ALLOCATIONS, *gc.get_threshold()[1:])
    atexit.register(gc.freeze)  # registered first, called last: after whatever else has to be put in order
