"""The native engine: batches of circuits in a compiled kernel on the CPU, as JAX primitives."""

from qjax.engine.native.library import isa, load
from qjax.engine.native.lowering import MAX_QUBITS
from qjax.engine.native.primitives import can_run, expectations
from qjax.engine.native.states import probabilities, statevector

__all__ = ["MAX_QUBITS", "can_run", "expectations", "isa", "load", "probabilities", "statevector"]
