"""What `import qjax` gives, and what it does not wait for."""

from __future__ import annotations

import subprocess
import sys

import pytest

import qjax


def printed(code: str) -> str:
    """What a new process prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", [*qjax.__all__, "data", "errors", "models", "store", "train"])
def test_everything_is_there_at_its_first_use(name: str) -> None:
    assert name in dir(qjax)
    owner = getattr(qjax, name)
    assert getattr(qjax, name) is owner
    assert owner.__name__ in (name, f"qjax.{name}")


def test_what_is_not_there_is_missed_by_name() -> None:
    with pytest.raises(AttributeError, match="module 'qjax' has no attribute 'Circus'"):
        getattr(qjax, "Circus")  # noqa: B009


@pytest.mark.parametrize("module", ["qjax", "qjax.cli.app", "qjax.errors"])
def test_whoever_needs_no_jax_does_not_wait_for_it(module: str) -> None:
    assert printed(f"import sys, {module}; print('jax' in sys.modules)") == "False\n"


def test_help_is_printed_without_jax() -> None:
    code = (
        "import sys\n"
        "from qjax.cli import main\n"
        "sys.argv = ['qjax', 'train', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit:\n"
        "    print('jax' in sys.modules)\n"
    )
    assert printed(code).splitlines()[-1] == "False"
