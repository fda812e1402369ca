"""The models of a run store: listed, named and loaded."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from qjax.errors import StoreError
from qjax.models.exchange import read_model
from qjax.models.trained import TrainedModel
from qjax.store import ModelRecord, Promotion, RunStore
from qjax.store.models import (
    current_aliases,
    find_model,
    read_models,
    read_promotions,
    write_model,
    write_promotion,
)


class Listed(NamedTuple):
    """A model and the names that point to it.

    Attributes:
        record: the model.
        aliases: its names, sorted.
    """

    record: ModelRecord
    aliases: tuple[str, ...]


class Registry:
    """The models of an open run store.

    Args:
        store: the store.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder, RunStore.open(folder) as store:
        ...     Registry(store).models()
        []
    """

    def __init__(self, store: RunStore):
        self._store = store

    def models(self) -> list[Listed]:
        """Lists all models, the one kept last first.

        Returns:
            The models with their aliases.

        Raises:
            StoreError: it cannot be read.
        """
        with self._store.transaction("read") as connection:
            records = read_models(connection, self._store.path)
            aliases = current_aliases(read_promotions(connection, self._store.path))
        return [
            Listed(record, tuple(sorted(name for name, model in aliases.items() if model == record.id)))
            for record in records
        ]

    def find(self, wanted: str) -> ModelRecord:
        """Finds one model.

        Args:
            wanted: an alias, a model id or its beginning, the run it came from, or "latest".

        Returns:
            What is kept of it.

        Raises:
            StoreError: no model or several models fit.
        """
        with self._store.transaction("read") as connection:
            return find_model(connection, self._store.path, wanted)

    def save(self, record: ModelRecord) -> None:
        """Keeps a model; one that is there already stays as it is.

        Args:
            record: the model.

        Raises:
            StoreError: it cannot be written.
        """
        with self._store.transaction("write") as connection:
            write_model(connection, record)

    def promote(self, wanted: str, alias: str) -> ModelRecord:
        """Lets an alias point to a model from now on.

        Args:
            wanted: as for `find`.
            alias: the name, such as "staging" or "production".

        Returns:
            What is kept of the model.

        Raises:
            ArgumentError: the alias cannot be a name.
            StoreError: no model or several models fit, or it cannot be written.
        """
        with self._store.transaction("write") as connection:
            record = find_model(connection, self._store.path, wanted)
            write_promotion(connection, record.id, alias)
        return record

    def promotions(self) -> list[Promotion]:
        """Lists every move of every alias.

        Returns:
            The moves, in the order in which they were made.

        Raises:
            StoreError: it cannot be read.
        """
        with self._store.transaction("read") as connection:
            return read_promotions(connection, self._store.path)


def load(path_or_store: str | Path | RunStore, name: str | None = None) -> TrainedModel:
    """Loads a model, ready to predict.

    Args:
        path_or_store: an open run store, the folder of one, or a file that `qjax models export` wrote.
        name: an alias, a model id or its beginning, the run it came from, or "latest"; the last one of a
            store where left out. A file holds one model and takes no name.

    Returns:
        The model.

    Raises:
        StoreError: there is no such model, or it cannot be read.

    Example:
        >>> load("no-such-folder", "production")
        Traceback (most recent call last):
        ...
        qjax.errors.StoreError: There is no folder ...no-such-folder. Train once, or name another folder.
    """
    if isinstance(path_or_store, RunStore):
        return TrainedModel.from_record(Registry(path_or_store).find("latest" if name is None else name))
    path = Path(path_or_store)
    if path.is_file():
        if name is not None:
            raise StoreError(f"The file {path} holds one model, which has no name. Leave the name out.")
        return TrainedModel.from_record(read_model(path))
    with RunStore.open(path, create=False) as store:
        return load(store, name)
