"""The journal survives a write that was broken off at any byte."""

import pytest

from benchmarks.journal import Journal

RESULTS = {"row a": {"steady": 0.5}, "row b": {"steady": None}, "check c": [{"what": "é"}]}


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "results.jsonl"
    journal = Journal(path, "here")
    for name, result in RESULTS.items():
        journal.add(name, result)
    return path


def test_it_reads_what_it_wrote(path):
    assert Journal(path, "here").results == RESULTS


def test_results_of_other_conditions_do_not_count_and_are_kept(path):
    other = Journal(path, "elsewhere")
    assert other.results == {}
    other.add("row a", 1)
    assert Journal(path, "elsewhere").results == {"row a": 1}
    assert Journal(path, "here").results == RESULTS


def test_the_last_result_of_a_name_counts(path):
    Journal(path, "here").add("row a", 2)
    assert Journal(path, "here").results == RESULTS | {"row a": 2}


def test_a_broken_write_loses_no_other_result(path):
    whole = path.read_bytes()
    ends = [index + 1 for index, byte in enumerate(whole) if byte == ord("\n")]
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        journal = Journal(path, "here")
        complete = sum(end - 1 <= length for end in ends)
        kept = dict(list(RESULTS.items())[:complete])
        assert journal.results == kept
        journal.add("row d", 4)
        assert Journal(path, "here").results == kept | {"row d": 4}
