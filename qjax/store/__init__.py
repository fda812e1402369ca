"""The run store: every run, its metrics and its checkpoints in one embedded SQLite database.

Start with `RunStore.open`. The database lies in one folder (file `runs.sqlite`), is safe to read
and to write from several processes at once, and survives a killed writer without losing anything
that `RunStore.append` had returned from.
"""

from __future__ import annotations

from qjax.store.batches import Batches
from qjax.store.ending import EndStatus, RunEnd
from qjax.store.environment import describe_environment
from qjax.store.journal import JournalEntry, RunJournal
from qjax.store.models import ModelRecord, Promotion
from qjax.store.records import Checkpoint, Evaluation, RunRecord, RunStatus, Split, StepMetrics
from qjax.store.rundata import RunData
from qjax.store.serialization import from_bytes, to_bytes
from qjax.store.states import EncodedStates, Snapshot
from qjax.store.steprecord import StepRecord
from qjax.store.store import RunStore

__all__ = [
    "Batches",
    "Checkpoint",
    "EncodedStates",
    "EndStatus",
    "Evaluation",
    "JournalEntry",
    "ModelRecord",
    "Promotion",
    "RunData",
    "RunEnd",
    "RunJournal",
    "RunRecord",
    "RunStatus",
    "RunStore",
    "Snapshot",
    "Split",
    "StepMetrics",
    "StepRecord",
    "describe_environment",
    "from_bytes",
    "to_bytes",
]
