"""The native engine: batches of circuits in a compiled kernel on the CPU, as JAX primitives."""

from qjax.engine.native.library import is_available, load
from qjax.engine.native.primitives import expectations

__all__ = ["expectations", "is_available", "load"]
