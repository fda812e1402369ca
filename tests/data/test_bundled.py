"""Datasets that were kept are those that scikit-learn gives, whatever becomes of the file."""

from __future__ import annotations

import sys

import pytest

from qjax import data
from qjax.data.bundled import BUNDLED


@pytest.mark.parametrize("name", BUNDLED)
def test_a_kept_dataset_is_the_same_and_needs_no_scikit_learn(name, tmp_path, monkeypatch):
    first = data.load(name, cache=tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    for module in [m for m in sys.modules if m.split(".")[0] == "sklearn"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "sklearn", None)  # importing it fails
    again = data.load(name, cache=tmp_path)
    assert again.content_hash == first.content_hash
    assert (again.class_names, again.feature_names) == (first.class_names, first.feature_names)


@pytest.mark.parametrize("damage", ["flipped", "cut", "emptied"])
def test_a_damaged_file_is_replaced(damage, tmp_path):
    expected = data.load("wine", cache=tmp_path).content_hash
    (place,) = tmp_path.iterdir()
    content = bytearray(place.read_bytes())
    if damage == "flipped":
        content[len(content) // 3] ^= 1
    place.write_bytes(bytes(content[: {"flipped": None, "cut": 500, "emptied": 0}[damage]]))
    assert data.load("wine", cache=tmp_path).content_hash == expected
    assert data.load("wine", cache=tmp_path).content_hash == expected
    assert [path.suffix for path in tmp_path.iterdir()] == [".npz"]


def test_a_folder_that_cannot_be_made_costs_nothing_but_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    assert data.load("iris", cache=tmp_path / "file" / "folder").num_samples == 150
