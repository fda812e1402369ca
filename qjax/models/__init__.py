"""Trained models: kept with every finished run, found by name, and used to predict.

`load` takes one from a run store or from an exported file; `TrainedModel.predict` gives the predictions of
the day it was saved.
"""

from __future__ import annotations

from qjax.models.exchange import export_model, import_model, read_model
from qjax.models.registry import Registry, load
from qjax.models.trained import TrainedModel

__all__ = ["Registry", "TrainedModel", "export_model", "import_model", "load", "read_model"]
