"""A CSV file as a checked table of text, where every cell knows its place."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from qjax.data.checks import did_you_mean, listed, shown
from qjax.data.dataset import Task
from qjax.errors import DataError

TARGET_NAMES = ("target", "label")
"""Column names (in any case) that are taken for the target where none is asked for."""


@dataclass(frozen=True)
class CsvTable:
    r"""A rectangular table of text with distinct column names, and at least one row.

    Args:
        path: where it was read, for messages.
        column_names: the header.
        lines: for each row the number of the line on which it ends.
        rows: for each row one cell for each column, without surrounding blanks.

    Example:
        >>> table = CsvTable(Path("pets.csv"), ["height", "label"], [2, 3], [["25", "cat"], ["60", "dog"]])
        >>> table.numbers(0), table.find_target(None), table.targets(1, None)
        (array([25., 60.]), 1, array(['cat', 'dog'], dtype='<U3'))
    """

    path: Path
    column_names: list[str]
    lines: list[int]
    rows: list[list[str]]

    def find_target(self, target: str | None) -> int:
        """Return the index of the target column.

        Args:
            target: its name; where None, the column with one of `TARGET_NAMES`, or else the last one.

        Raises:
            DataError: no column has this name, or more than one looks like the target.
        """
        names = self.column_names
        if target is not None:
            if target not in names:
                raise DataError(
                    f"{shown(self.path)} has no column {shown(target)} for the target, only {listed(names)}."
                    f"{did_you_mean(target, names) or ' Name one of them.'}"
                )
            return names.index(target)
        found = [i for i, name in enumerate(names) if name.lower() in TARGET_NAMES]
        if len(found) > 1:
            raise DataError(
                f"{shown(self.path)} has more than one column that looks like the target "
                f"({listed(names[i] for i in found)}). Name the right one with `target`, and drop the other."
            )
        return found[0] if found else len(names) - 1

    def numbers(self, column: int) -> npt.NDArray[np.float64]:
        """Return a column of finite numbers.

        Raises:
            DataError: a cell is blank, or holds anything else; the message names its line and column.
        """
        numbers = [_parse_number(cells[column]) for cells in self.rows]
        for row, number in enumerate(numbers):
            if number is None or not math.isfinite(number):
                self._refuse_cell(row, column)
        return np.array(numbers, dtype=np.float64)

    def targets(self, column: int, task: Task | None) -> np.ndarray:
        """Return a column as float64 where all of it is numbers, and as text otherwise.

        Args:
            column: index of the column.
            task: "regression" refuses text; "classification" allows a mixture of numbers and text, which
                is refused where the task is None, because it may well be a slip of the pen.

        Raises:
            DataError: a cell is blank, not finite, or does not fit the task.
        """
        numbers = [_parse_number(cells[column]) for cells in self.rows]
        for row, number in enumerate(numbers):
            if not self.rows[row][column] or (number is not None and not math.isfinite(number)):
                self._refuse_cell(row, column)
        text_rows = [row for row, number in enumerate(numbers) if number is None]
        if not text_rows or task == "regression":
            return self.numbers(column)
        if task is None and len(text_rows) < len(numbers):
            first = text_rows[0]
            raise DataError(
                f"The target column {shown(self.column_names[column])} of {shown(self.path)} mixes numbers "
                f"with text, such as {shown(self.rows[first][column])} on line {self.lines[first]}. Correct "
                'that cell, or pass the task "classification" to make every different value a class.'
            )
        return np.array([cells[column] for cells in self.rows])

    def _refuse_cell(self, row: int, column: int) -> NoReturn:
        text = self.rows[row][column]
        what = f"holds {shown(text)}, which is not a finite number" if text else "is blank"
        raise DataError(
            f"Line {self.lines[row]}, column {shown(self.column_names[column])} of {shown(self.path)} {what}."
            " Correct that cell, or remove its row."
        )


def read_csv_table(path: Path, *, min_columns: int = 2) -> CsvTable:
    """Read a comma-separated file with a header; blank lines are skipped.

    Args:
        path: the file, in UTF-8.
        min_columns: fewest columns: two for features and a target, one for features alone.

    Returns:
        The table.

    Raises:
        DataError: the file cannot be read, or is not a table with a header.

    Example:
        >>> read_csv_table(Path("no", "such.csv"))
        Traceback (most recent call last):
        ...
        qjax.errors.DataError: The file `no/such.csv` does not exist. Check the path.
    """
    records = _read_records(path)
    if not records:
        raise DataError(f"{shown(path)} is empty. Give a header of column names, and a row for each sample.")
    (_, header), *rows = records
    _check_header(path, header, min_columns)
    if not rows:
        raise DataError(f"{shown(path)} has a header, but no rows. Add one row for each sample.")
    for line, cells in rows:
        if len(cells) != len(header):
            raise DataError(
                f"Line {line} of {shown(path)} has {len(cells)} cells, but the header names {len(header)} "
                "columns. Give every row one cell for each column."
            )
    return CsvTable(path, header, [line for line, _ in rows], [cells for _, cells in rows])


def _read_records(path: Path) -> list[tuple[int, list[str]]]:
    """Return the cells of every line that is not blank, each with its line number."""
    try:
        # "utf-8-sig" also drops the byte-order mark that spreadsheets write.
        with path.open(newline="", encoding="utf-8-sig") as stream:
            reader = csv.reader(stream, strict=True)
            rows = ((reader.line_num, [cell.strip() for cell in cells]) for cells in reader)
            return [(line, cells) for line, cells in rows if cells not in ([], [""])]
    except csv.Error as error:
        raise DataError(
            f"{shown(path)} is not well-formed CSV: {error}. Save it again as comma-separated text."
        ) from None
    except FileNotFoundError:
        raise DataError(f"The file {shown(path)} does not exist. Check the path.") from None
    except UnicodeDecodeError:
        raise DataError(f"{shown(path)} is not UTF-8 text. Save it again as CSV in UTF-8.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError(f"{shown(path)} cannot be read: {reason}. Give a file that you may read.") from None


def _check_header(path: Path, header: list[str], min_columns: int) -> None:
    for i, name in enumerate(header):
        if not name:
            raise DataError(
                f"Column {i + 1} of {shown(path)} has no name. Name it in the header, or remove it "
                "(pandas leaves its row index out with `index=False`)."
            )
        if _parse_number(name) is not None:
            # Most likely a first sample, which would be lost without a word if it were taken for names.
            raise DataError(
                f"The first row of {shown(path)} must be a header of column names, but its column {i + 1} is "
                f"the number {shown(name)}. Add a header whose names are not numbers."
            )
        if name in header[:i]:
            raise DataError(f"{shown(path)} has two columns named {shown(name)}. Rename or remove one.")
    if len(header) < min_columns:
        raise DataError(
            f"{shown(path)} has one column only, {shown(header[0])}, which leaves no feature beside the "
            "target. Separate the columns with commas, and give at least two."
        )


def _parse_number(text: str) -> float | None:
    """Return the number that a cell holds, or None (also for `1_000`, which only Python reads)."""
    try:
        return None if "_" in text else float(text)
    except ValueError:
        return None
