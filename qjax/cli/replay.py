"""`qjax replay`: a run trained again from its record."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qjax.cli.settings import apply_settings
from qjax.store import RunStore, describe_environment
from qjax.train.config import TrainingConfig
from qjax.train.replay import replay


def replay_run(runs_directory: Path, wanted: str, json_output: bool) -> None:
    """Trains a run again, says whether it agrees to the bit, and exits with code 1 where it does not.

    Args:
        runs_directory: folder of the store.
        wanted: id, beginning of an id, or "latest".
        json_output: whether to print a JSON object.
    """
    with RunStore.open(runs_directory, create=False) as store:
        record = store.run(wanted)
        apply_settings(TrainingConfig.from_mapping(record.config))
        found = replay(store, record.id)
    if json_output:
        print(json.dumps(found.to_json()))
    elif found.agrees:
        evaluated = f" and {found.evaluations:,} evaluations" if found.evaluations else ""
        print(f"{found.run}: the losses of all {found.steps:,} steps{evaluated} agree to the bit")
    else:
        now, then = describe_environment(), record.environment
        changed = [key for key in now if key in then and then[key] != now[key]]
        print(f"{found.run}: {found.difference}; {found.steps:,} steps before it agree")
        if changed:
            print(f"It ran elsewhere: {', '.join(changed)} differ (`qjax runs show {found.run} --json`).")
    sys.exit(0 if found.agrees else 1)
