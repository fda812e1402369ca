"""The recorded states and samples that are nearest to a given one.

`read_index` takes them from a run store once; `VectorIndex.nearest` then answers from memory, by exact
fidelity or cosine, with filters by metadata.
"""

from __future__ import annotations

from qjax.search.index import Found, Measure, VectorIndex
from qjax.search.reading import Kind, read_index, resolve

__all__ = ["Found", "Kind", "Measure", "VectorIndex", "read_index", "resolve"]
