"""Datasets, their splits, their preprocessing, and batches of them in a reproducible order."""

from __future__ import annotations

from qjax.data.dataset import Dataset, Task
from qjax.data.files import read_csv, read_npz
from qjax.data.loader import BatchChunk, BatchLoader
from qjax.data.preprocessing import Preprocessing
from qjax.data.registry import load, names
from qjax.data.splits import split, split_indices, subsample
from qjax.data.synthetic import hidden_manifold, parity, rings, two_curves

__all__ = [
    "BatchChunk",
    "BatchLoader",
    "Dataset",
    "Preprocessing",
    "Task",
    "hidden_manifold",
    "load",
    "names",
    "parity",
    "read_csv",
    "read_npz",
    "rings",
    "split",
    "split_indices",
    "subsample",
    "two_curves",
]
