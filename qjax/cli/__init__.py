"""The `qjax` command."""

from __future__ import annotations

import sys

from qjax.cli.garbage import begin_startup


def main() -> None:
    """Runs the command; what a person can cause ends in one sentence and exit code 2."""
    begin_startup()
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
