"""From circuits to numbers: the lowering, the plain-JAX engine, sampling and chunking."""
