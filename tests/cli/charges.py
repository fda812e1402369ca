"""A checker that reads nothing but the local server's database: what was run, and what was charged for it."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path
from typing import NamedTuple


class Charges(NamedTuple):
    """What a server charged.

    Attributes:
        circuits: how often each circuit was completed and charged, by its gates in JSON.
        jobs: how many submissions were completed.
        cost: what they cost in all.
        undone: how many submissions are neither completed nor cancelled.
    """

    circuits: Counter[str]
    jobs: int
    cost: float
    undone: int

    @property
    def twice(self) -> int:
        """Circuits that were completed and charged more than once."""
        return sum(times > 1 for times in self.circuits.values())


def read_charges(database: Path) -> Charges:
    """Reads a server's database.

    Args:
        database: its file.

    Returns:
        What it charged.
    """
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    circuits: Counter[str] = Counter()
    jobs, cost, undone = 0, 0.0, 0
    for job in connection.execute("SELECT * FROM jobs WHERE parent_job_id IS NULL"):
        undone += job["state"] not in ("completed", "canceled", "failed")
        jobs += job["state"] == "completed"
        cost += job["charged_cost"] or 0.0
        children = connection.execute("SELECT * FROM jobs WHERE parent_job_id = ?", (job["id"],)).fetchall()
        sent = json.loads(job["payload"])["input"]["circuits"]
        assert sorted(child["position"] for child in children) == list(range(len(sent)))
        for child in children:
            if child["state"] == "completed":
                assert (child["charged_cost"] or 0.0) >= 0.0
                circuits[json.dumps(sent[child["position"]], sort_keys=True)] += 1
    connection.close()
    return Charges(circuits, jobs, cost, undone)
