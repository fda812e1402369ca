"""A model as one file: JSON text with a checksum, without pickle, safe to open from anywhere."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from qjax.errors import StoreError
from qjax.models.trained import TrainedModel
from qjax.store import ModelRecord

KIND = "qjax model"
VERSION = 1
MAX_BYTES = 2**30


def export_model(record: ModelRecord, path: Path) -> None:
    """Writes a model to a file; whatever happens, the file is whole or not there.

    Args:
        record: the model.
        path: the file; one that is there is replaced.

    Raises:
        StoreError: it cannot be written.
    """
    content = {
        "description": dict(record.description),
        "parameters": base64.b64encode(record.payload).decode("ascii"),
        "saved_at": record.saved_at.isoformat(),
    }
    envelope = {"kind": KIND, "version": VERSION, "sha256": _checksum(content), "model": content}
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            json.dump(envelope, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink()
        raise StoreError(
            f"The model cannot be written to {path} ({error.strerror}). Choose another path."
        ) from None


def read_model(path: Path) -> ModelRecord:
    """Reads what `export_model` wrote.

    Args:
        path: the file.

    Returns:
        The model.

    Raises:
        StoreError: the file is not there, is something else, was damaged, or is of a newer version.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _unreadable(path, "it is larger than any model")
        envelope = json.loads(path.read_bytes())
    except OSError as error:
        raise StoreError(f"The model {path} cannot be read ({error.strerror}). Check the path.") from None
    except (ValueError, RecursionError):
        raise _unreadable(path, "it is not the JSON of a model") from None
    if not isinstance(envelope, dict) or envelope.get("kind") != KIND:
        raise _unreadable(path, "it is not the JSON of a model")
    version = envelope.get("version")
    if not isinstance(version, int) or version > VERSION:
        raise StoreError(
            f"The model {path} has format version {version!r}, but this qjax reads versions up to {VERSION}. "
            "Update qjax."
        )
    content = envelope.get("model")
    if not isinstance(content, dict) or envelope.get("sha256") != _checksum(content):
        raise _unreadable(path, "its checksum does not match")
    # The checksum matched, so from here on it is what some `export_model` wrote, or was made to look so.
    try:
        return ModelRecord(
            description=_mapping(content["description"]),
            payload=base64.b64decode(content["parameters"], validate=True),
            saved_at=datetime.fromisoformat(content["saved_at"]),
        )
    except (KeyError, TypeError, ValueError, binascii.Error) as error:
        raise _unreadable(path, f"a part is missing or not what it should be: {error}") from None


def import_model(path: Path) -> TrainedModel:
    """Reads a model from a file and builds it, so that nothing that cannot predict enters a store.

    Args:
        path: the file.

    Returns:
        The model.

    Raises:
        StoreError: the file cannot be used.
    """
    return TrainedModel.from_record(read_model(path))


def _checksum(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict) or not isinstance(value.get("run"), str):
        raise TypeError("the description")
    return value


def _unreadable(path: Path, cause: str) -> StoreError:
    return StoreError(f"The model {path} cannot be read, because {cause}. Export it again.")
