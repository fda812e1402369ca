"""`python -m qjax` is the `qjax` command."""

from qjax.cli import main

main()
