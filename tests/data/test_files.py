from __future__ import annotations

import csv
import io
import zipfile
from typing import Any, cast

import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from qjax.data import load, read_csv, read_npz
from qjax.errors import ArgumentError, DataError

# One folder serves all examples of a test, because every example overwrites the one file in it.
shared_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])

finite = st.floats(allow_nan=False, allow_infinity=False)
tables = hnp.arrays(np.float64, st.tuples(st.integers(2, 8), st.integers(1, 5)), elements=finite)
words = st.text(st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=6).filter(
    lambda text: not _is_number(text)
)


def _is_number(text):
    try:
        float(text)
    except ValueError:
        return False
    return True


def dataset_or_message(reader, path):
    try:
        return reader(path)
    except DataError as error:
        return str(error)


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows(rows)
    return path


@shared_folder
@given(features=tables, data=st.data())
def test_csv_round_trip_of_classes(tmp_path, features, data):
    labels = data.draw(st.lists(words, min_size=len(features), max_size=len(features)))
    assume(len(set(labels)) > 1)
    names = [f"column, {i}" for i in range(features.shape[1])]
    position = data.draw(st.integers(0, len(names)))
    header = [*names[:position], "Target", *names[position:]]
    rows = [
        [*map(repr, row[:position].tolist()), label, *map(repr, row[position:].tolist())]
        for row, label in zip(features, labels, strict=True)
    ]
    dataset = read_csv(write(tmp_path / "some.csv", [header, *rows]))
    assert dataset.features.tobytes() == features.tobytes()
    assert [dataset.class_names[i] for i in dataset.targets] == labels
    assert dataset.class_names == tuple(sorted(set(labels)))
    assert (dataset.name, dataset.task, dataset.feature_names) == ("some", "classification", tuple(names))


@shared_folder
@given(features=tables, data=st.data())
def test_csv_round_trip_of_numbers(tmp_path, features, data):
    targets = data.draw(hnp.arrays(np.float64, len(features), elements=finite))
    rows = [[*map(repr, row.tolist()), repr(y)] for row, y in zip(features, targets.tolist(), strict=True)]
    header = [f"x{i}" for i in range(features.shape[1])] + ["price"]
    dataset = read_csv(write(tmp_path / "some.csv", [header, *rows]), task="regression")
    assert dataset.features.tobytes() == features.tobytes()
    assert dataset.targets.tobytes() == targets.tobytes()


@pytest.mark.parametrize(
    ("cells", "task", "class_names"),
    [
        (["0", "1", "1"], "classification", ("0", "1")),
        (["10", "9", "9.0"], "classification", ("9", "10")),
        (["a", "b", "a"], "classification", ("a", "b")),
        (["0.5", "1", "1"], "regression", ()),
        ([str(i) for i in range(20)], "classification", tuple(str(i) for i in range(20))),
        ([str(i) for i in range(21)], "regression", ()),
    ],
)
def test_task_is_inferred_from_the_targets(tmp_path, cells, task, class_names):
    dataset = read_csv(write(tmp_path / "some.csv", [["x", "y"], *([i, c] for i, c in enumerate(cells))]))
    assert (dataset.task, dataset.class_names) == (task, class_names)


def test_target_is_the_one_asked_for_or_named_or_last(tmp_path):
    path = write(tmp_path / "some.csv", [["a", "LABEL", "c"], [1, 0, 5], [2, 1, 6]])
    assert read_csv(path).feature_names == ("a", "c")
    assert read_csv(path, target="c").feature_names == ("a", "LABEL")
    path = write(tmp_path / "some.csv", [["a", "b", "c"], [1, 0, 5], [2, 1, 6]])
    assert load(path, task="regression").targets.tolist() == [5, 6]


def test_byte_order_mark_blank_lines_and_windows_newlines_do_no_harm(tmp_path):
    path = tmp_path / "some.csv"
    path.write_bytes("\ufeffa,label\r\n\r\n 1 , x\r\n2,y \r\n\r\n".encode())
    dataset = read_csv(path)
    assert dataset.feature_names == ("a",)
    assert dataset.features.tolist() == [[1], [2]]
    assert dataset.class_names == ("x", "y")


GOOD = "height,age,label\n1.5,30,cat\n2.5,40,dog\n3.5,50,cat\n"
FAULTS = {
    "nothing": ("", "is empty"),
    "blank lines only": ("\n\n", "is empty"),
    "header only": ("height,label\n", "has a header, but no rows"),
    "no header": ("1.5,30,cat\n2.5,40,dog\n", "column 1 is the number `1.5`"),
    "short row": (GOOD + "1,2\n", "Line 5 of"),
    "long row": (GOOD + "1,2,cat,4\n", "has 4 cells, but the header names 3"),
    "blank cell": (GOOD.replace("40", " "), "Line 3, column `age` of"),
    "nan": (GOOD.replace("2.5", "NaN"), "Line 3, column `height` of"),
    "infinite": (GOOD.replace("50", "1e999"), "`1e999`, which is not a finite number"),
    "text": (GOOD.replace("30", "thirty"), "Line 2, column `age` of"),
    "text with a newline": (GOOD.replace("30", '"thir\nty\u2028"'), "Line 3, column `age` of"),
    "digits that only Python reads": (GOOD.replace("30", "3_0"), "`3_0`"),
    "blank target": (GOOD.replace("dog", ""), "Line 3, column `label` of"),
    "missing target": (GOOD.replace("dog", "nan"), "Line 3, column `label` of"),
    "mixed target": (GOOD.replace("cat", "7"), "such as `dog` on line 3"),
    "one class": (GOOD.replace("dog", "cat"), "one class only (`cat`)"),
    "semicolons": (GOOD.replace(",", ";"), "Separate the columns with commas"),
    "same names": (GOOD.replace("age", "height"), "two columns named `height`"),
    "no name": (GOOD.replace("height", ""), "Column 1 of"),
    "two targets": (GOOD.replace("age", "Target"), "more than one column that looks like the target"),
    "open quote": (GOOD + '1,"2', "not well-formed"),
    "letters after a quote": (GOOD + '1,"2"x,cat\n', "not well-formed"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_csv_fault_is_named_on_one_line(tmp_path, fault):
    text, words = FAULTS[fault]
    path = tmp_path / "some.csv"
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.raises(DataError) as caught:
        read_csv(path)
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    assert caught.value.__cause__ is None


@shared_folder
@given(
    data=st.data(),
    junk=st.sampled_from(["", "nan", "inf", "x", "1,2", '"', "\n", "\0", "\u2028", "é", "1__0"]),
)
def test_fuzzed_csv_is_read_or_refused_on_one_line(tmp_path, data, junk):
    start = data.draw(st.integers(0, len(GOOD)))
    stop = data.draw(st.integers(start, len(GOOD)))
    path = tmp_path / "some.csv"
    path.write_bytes(
        (GOOD[:start] + junk + GOOD[stop:]).encode(data.draw(st.sampled_from(["utf-8", "utf-16"])))
    )
    result = dataset_or_message(read_csv, path)
    if isinstance(result, str):
        assert len(result.splitlines()) == 1
        assert path.name in result or "`some`" in result
    else:
        assert np.isfinite(result.features).all()


@pytest.mark.parametrize("reader", [read_csv, read_npz])
def test_file_that_cannot_be_read_is_one_error(tmp_path, reader):
    folder = tmp_path / "folder.npz"
    folder.mkdir()
    latin = tmp_path / "latin.csv"
    latin.write_bytes("größe,label\n1,a\n2,b\n".encode("latin-1"))
    for path in (tmp_path / "absent", folder, latin, "nul\0byte", "line\nbreak"):
        with pytest.raises(DataError) as caught:
            reader(path)
        assert len(str(caught.value).splitlines()) == 1


def test_target_that_is_not_there_lists_the_columns(tmp_path):
    path = write(tmp_path / "some.csv", [["height", "age", "species"], [1, 2, "a"], [2, 3, "b"]])
    with pytest.raises(DataError, match=r"only `height`, `age`, `species`\. Did you mean `species`"):
        read_csv(path, target="Specie")
    with pytest.raises(DataError, match=r"only `height`, `age`, `species`\. Name one of them"):
        read_csv(path, target="zzz")


def test_task_must_fit_the_targets(tmp_path):
    path = tmp_path / "some.csv"
    path.write_text(GOOD)
    with pytest.raises(DataError, match="Line 2, column `label`"):
        read_csv(path, task="regression")
    with pytest.raises(ArgumentError, match="`task`"):
        load(path, task=cast(Any, "guess"))
    path.write_text(GOOD.replace("cat", "7"))
    assert read_csv(path, task="classification").class_names == ("7", "dog")


@shared_folder
@given(features=tables, data=st.data())
def test_npz_round_trip(tmp_path, features, data):
    kinds = st.sampled_from([st.integers(-5, 5), st.booleans(), words])
    labels = data.draw(kinds.flatmap(lambda k: st.lists(k, min_size=len(features), max_size=len(features))))
    assume(len(set(labels)) > 1)
    keys = data.draw(st.sampled_from([("features", "targets"), ("X", "y"), ("features", "y")]))
    path = tmp_path / "some.npz"
    arrays: dict[str, Any] = {keys[0]: features, keys[1]: np.array(labels)}
    np.savez(path, **arrays)
    dataset = load(path, task="classification")
    assert dataset.features.tobytes() == features.tobytes()
    assert [dataset.class_names[i] for i in dataset.targets] == [str(label) for label in labels]


def test_npz_text_as_bytes_is_text(tmp_path):
    np.savez(tmp_path / "some.npz", X=np.eye(2), y=np.array([b"no", b"yes"]))
    assert read_npz(tmp_path / "some.npz").class_names == ("no", "yes")


X, y = np.eye(3), np.array([0, 1, 0])
ARCHIVES: dict[str, dict[str, Any]] = {
    "holds no array `targets` or `y`, only `X`": {"X": X},
    "nothing at all": {},
    "holds both `features` and `X`": {"X": X, "features": X, "y": y},
    "plain arrays": {"X": X, "y": np.array([0, "a", None], dtype=object)},
    "must be numbers or text": {"X": X, "y": y.astype(complex)},
    "of shape [N]": {"X": X, "y": y[:, None]},
    "at index 1": {"X": X, "y": np.array([0, np.nan, 1])},
    "targets have the shape (2,)": {"X": X, "y": y[:2]},
    "not a table. Reshape": {"X": X[0], "y": y},
    "not a table of real numbers": {"X": X.astype(str), "y": y},
    "nan in sample 2": {"X": np.array([[0], [1], [np.nan]]), "y": y},
    "no samples": {"X": X[:0], "y": y[:0]},
    "one class only": {"X": X, "y": y * 0},
}


@pytest.mark.parametrize("words", ARCHIVES)
def test_npz_fault_is_named_on_one_line(tmp_path, words):
    np.savez(tmp_path / "some.npz", **ARCHIVES[words])
    with pytest.raises(DataError) as caught:
        read_npz(tmp_path / "some.npz")
    assert words in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_pickled_objects_are_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    np.savez(tmp_path / "some.npz", X=X, y=np.array([Trap()] * 3, dtype=object))
    with pytest.raises(DataError):
        read_npz(tmp_path / "some.npz")
    assert not (tmp_path / "sprung").exists()


@shared_folder
@given(data=st.data())
def test_damaged_npz_is_read_or_refused_on_one_line(tmp_path, data):
    stream = io.BytesIO()
    np.savez_compressed(stream, X=X, y=y)
    content = bytearray(stream.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, 2 * len(content))) :]
    (tmp_path / "some.npz").write_bytes(content)
    result = dataset_or_message(read_npz, tmp_path / "some.npz")
    if isinstance(result, str):
        assert len(result.splitlines()) == 1
    else:
        assert np.isfinite(result.features).all()


def test_archive_of_other_files_and_bare_array_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "some.npz", "w") as archive:
        archive.writestr("X.npy", b"no array")
    with pytest.raises(DataError, match="plain arrays"):
        read_npz(tmp_path / "some.npz")
    with (tmp_path / "bare.npz").open("wb") as stream:
        np.save(stream, X)
    with pytest.raises(DataError, match="one array without a name"):
        read_npz(tmp_path / "bare.npz")
