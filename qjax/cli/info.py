"""`qjax info`: what runs here."""

from __future__ import annotations

import json

import jax
from rich.console import Console

from qjax.cli.settings import cache_directory
from qjax.engine import native
from qjax.engine.native.library import CURE
from qjax.store import describe_environment


def show_info(json_output: bool) -> None:
    """Prints versions, devices and the engine.

    Args:
        json_output: whether to print a JSON object.
    """
    report = {
        **describe_environment(),
        "devices": [f"{device.platform}: {device.device_kind}" for device in jax.devices()],
        "engine": _engine(),
        "compilation_cache": str(cache_directory()),
    }
    if json_output:
        print(json.dumps(report))
        return
    console = Console()
    for key, value in report.items():
        text = ", ".join(f"{k} {v}" for k, v in value.items()) if isinstance(value, dict) else value
        console.print(f"[bold]{key}[/]: {text}", highlight=False)


def _engine() -> str:
    isa = native.isa()
    if isa is None:
        return f"xla (the native engine is absent: {CURE})"
    return f"native ({isa}) on CPUs, xla elsewhere"
