"""The adapter: what the service says comes out as what to do about it, and the key comes out nowhere."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from qjax.errors import ArgumentError
from qjax.sinks import (
    NoIndexError,
    RefusedError,
    SinkError,
    TransientError,
    WallClock,
    compare,
    ensure_index,
    open_sink,
)
from qjax.sinks.errors import TooLargeError
from qjax.sinks.requests import next_request
from qjax.store import RunStore
from qjax.store.vectors import Vector

from ..pinecone_server import KEY, Index, Service
from . import example
from .test_replication import FakeClock, sync

SENTENCE = re.compile(r"[A-Z].+[.]")


def check_message(message: str) -> None:
    """On one line, and not too long for it."""
    assert SENTENCE.fullmatch(message), message
    assert len(message) < 400, message


RECORD = {"id": "a", "values": [1.0] * 16, "metadata": {"n": 1}}


@pytest.fixture(autouse=True)
def _key_in_no_log(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    yield
    assert KEY not in caplog.text


@pytest.mark.parametrize(
    ("fault", "error", "seconds"),
    [
        ("429", TransientError, None),
        ("429 wait", TransientError, 2.0),
        ("500", TransientError, None),
        ("503", TransientError, None),
        ("408", TransientError, None),
        ("drop", TransientError, None),
        ("drop after", TransientError, None),
        ("garbage", TransientError, None),
        ("400", RefusedError, None),
        ("413", TooLargeError, None),
        ("401", SinkError, None),
        ("403", SinkError, None),
        ("404", NoIndexError, None),
    ],
)
def test_every_answer_has_its_meaning(
    pinecone: Service, fault: str, error: type[Exception], seconds: float | None
) -> None:
    pinecone.indexes["qjax"] = Index(16)
    service = open_sink("pinecone").service
    # Once: how often to try, and when, is not for the SDK to decide.
    pinecone.set_faults([fault])
    with pytest.raises(error) as caught:
        service.upsert("samples", [RECORD])
    assert [path for path, _ in pinecone.requests].count("/vectors/upsert") == 1
    assert type(caught.value) is error
    assert KEY not in str(caught.value)
    if isinstance(caught.value, TransientError):
        assert caught.value.retry_after == seconds
    if isinstance(caught.value, SinkError):
        check_message(str(caught.value))
    pinecone.set_faults(())
    service.upsert("samples", [RECORD])
    assert list(pinecone.vectors()) == [("samples", "a")]


def test_what_is_wrong_before_anything_is_sent_is_one_sentence(
    pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said(kind: type[Exception], *words: str) -> None:
        with pytest.raises(kind) as caught:
            ensure_index(open_sink("pinecone:some-index"), 20)
        check_message(str(caught.value))
        assert all(word in str(caught.value) for word in words), str(caught.value)
        assert "wrong-key" not in str(caught.value)
        assert KEY not in str(caught.value)

    pinecone.indexes["some-index"] = Index(16)
    said(SinkError, "dimension 20", "have 16", "nothing is cut off")
    monkeypatch.setenv("PINECONE_API_KEY", "wrong-key")
    said(SinkError, "does not accept the key", "PINECONE_API_KEY")
    monkeypatch.setenv("PINECONE_API_KEY", "wrong-\nkey")
    said(SinkError, "characters that no key has", "PINECONE_API_KEY")
    for empty in ("", "  "):
        monkeypatch.setenv("PINECONE_API_KEY", empty)
        said(SinkError, "There is no key", "PINECONE_API_KEY")
    assert pinecone.upserts == 0
    with pytest.raises(ArgumentError, match="`--sink`"):
        open_sink("pinecone:Not_A_Name")


def test_an_index_is_made_where_there_is_none(pinecone: Service) -> None:
    sink = open_sink("pinecone:made")
    with pytest.raises(NoIndexError) as caught:
        sink.service.dimension()
    check_message(str(caught.value))
    assert ensure_index(sink, 20)
    assert pinecone.indexes["made"].dimension == 768
    assert not ensure_index(sink, 768)
    assert ensure_index(open_sink("pinecone:wide"), 1000)
    assert pinecone.indexes["wide"].dimension == 1000
    with pytest.raises(SinkError, match="20001"):
        ensure_index(open_sink("pinecone:widest"), 20_001)


def test_a_service_that_cannot_be_reached_is_not_an_error_of_the_caller(
    pinecone: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PINECONE_CONTROLLER_HOST", "http://127.0.0.1:9")
    with pytest.raises(TransientError):
        ensure_index(open_sink("pinecone"), 2)


def test_a_vector_arrives_to_the_bit_or_is_refused_with_a_reason(pinecone: Service) -> None:
    service = open_sink("pinecone").service

    @settings(max_examples=60, deadline=None)
    @given(
        st_numpy.arrays(np.float32, st.integers(1, 16), elements=st.floats(width=32)),
        st.dictionaries(st.text(max_size=5), st.text(max_size=20) | st.integers(-(2**50), 2**50), max_size=3),
    )
    def holds(values: np.ndarray, metadata: dict[str, str | int]) -> None:
        pinecone.indexes = {"qjax": Index(16)}
        request = next_request([Vector("r#0", values, metadata)], 16)
        assert request.num_vectors == 1
        if not np.isfinite(values).all() or not values.any():
            (refusal,) = request.refusals
            assert (refusal.id, request.records) == ("r#0", [])
            check_message(refusal.reason)
            return
        service.upsert("samples", request.records)
        stored = service.fetch("samples", ["r#0", "r#1"])
        assert set(stored) == {"r#0"}
        assert stored["r#0"].values[: len(values)].tobytes() == values.tobytes()
        assert not stored["r#0"].values[len(values) :].any()
        assert dict(stored["r#0"].metadata) == metadata

    holds()


def test_metadata_too_large_are_set_aside_before_they_are_sent() -> None:
    vectors = [
        Vector(name, np.ones(2, np.float32), {"text": "x" * size})
        for name, size in (("small", 40_000), ("large", 41_000))
    ]
    request = next_request(vectors, 2)
    assert [record["id"] for record in request.records] == ["small"]
    assert [refusal.id for refusal in request.refusals] == ["large"]


def test_a_comparison_finds_what_differs(store: RunStore, pinecone: Service) -> None:
    pinecone.indexes["qjax"] = Index(16)
    run, other, clock = example.begin(store), example.begin(store), FakeClock()
    for each in (run, other):
        example.write_all(store, each, 0, 6)
        sync(store, each, clock)
    sink = open_sink("pinecone")

    def found():
        return compare(store, run, sink.name, sink.service, clock)

    whole = found()
    assert whole.agrees
    assert whole.same == len(pinecone.vectors()) / 2
    samples = pinecone.indexes["qjax"].vectors["samples"]
    missing, changed, told = (f"{run}#train_e0_b{batch}_s0" for batch in range(3))
    del samples[missing]
    samples[changed]["values"][1] = float(
        np.nextafter(np.float32(samples[changed]["values"][1]), np.float32(9))
    )
    samples[told]["metadata"]["loss"] += 1e-6
    samples[f"{run}#train_e9_b9_s9"] = samples[told] | {"id": f"{run}#train_e9_b9_s9"}
    difference = found()
    assert not difference.agrees
    assert difference.missing == [missing]
    assert sorted(difference.different) == [changed, told]
    assert difference.extra == [f"{run}#train_e9_b9_s9"]
    assert difference.same == whole.same - 3
    # A vector that the service shows only after a while is not missing.
    del samples[f"{run}#train_e9_b9_s9"]
    sync_again = samples.pop(changed), samples.pop(told)
    clock.at = [(clock.time + 3.0, lambda: samples.update({record["id"]: record for record in sync_again}))]
    assert found().missing == [missing]


def test_the_nearest_vectors_are_found_by_the_service(store: RunStore, pinecone: Service) -> None:
    pinecone.indexes["qjax"] = Index(16)
    run = example.begin(store)
    example.write_all(store, run, 0, 6)
    sync(store, run, FakeClock())
    service = open_sink("pinecone").service
    wanted, _ = pinecone.vectors()["samples", f"{run}#train_e0_b1_s2"]
    matches = service.query("samples", wanted.tolist(), 3, {"run": run})
    assert matches[0].score == pytest.approx(1.0, abs=1e-6)
    assert [match.score for match in matches] == sorted((match.score for match in matches), reverse=True)
    assert service.query("samples", wanted.tolist(), 3, {"run": "another"}) == []


def test_a_wait_ends_when_it_is_woken() -> None:
    clock = WallClock()
    clock.wake()
    before = clock.now()
    clock.wait(60.0)
    assert clock.now() - before < 30.0


def test_the_key_is_in_no_store(store: RunStore, folder: Path, pinecone: Service) -> None:
    pinecone.indexes["qjax"] = Index(16)
    run = example.begin(store)
    example.write_all(store, run, 0, 6)
    # A service that quotes the key in what it says of each vector.
    pinecone.refuse = lambda record: f"Refused for {KEY}" if record["id"].endswith("_s1") else None
    sync(store, run, FakeClock())
    store.close()
    for file in folder.iterdir():
        assert KEY.encode() not in file.read_bytes()
