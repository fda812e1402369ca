"""Arrays survive the way to bytes and back in every bit, and damage is noticed."""

from __future__ import annotations

import json
from hashlib import sha256

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from qjax.errors import ArgumentError, StoreError
from qjax.store import from_bytes, to_bytes

EXTENDED = [
    np.dtype(getattr(ml_dtypes, name))
    for name in ("bfloat16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3b11fnuz", "int4", "uint4")
]
DTYPES = st.one_of(
    st.sampled_from([np.dtype(code) for code in "?bBhHiIlLqQefdgFDG"]),
    st.sampled_from([np.dtype(code) for code in (">f4", ">i8", ">c16", "<u4")]),
    st.sampled_from(EXTENDED),
)
SHAPES = hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray:
    """Any bits at all, so that all NaN payloads, signed zeros and subnormals occur."""
    dtype, shape = draw(DTYPES), draw(SHAPES)
    size = int(np.prod(shape)) * dtype.itemsize
    array = np.frombuffer(bytearray(draw(st.binary(min_size=size, max_size=size))), dtype=np.uint8)
    array = np.ndarray(shape, dtype, buffer=array.copy() if size else bytearray(1))
    return draw(st.sampled_from([array, array.T, array[..., ::-1] if array.ndim else array]))


@given(leaves=st.lists(arrays(), max_size=4))
def test_round_trip_keeps_dtype_shape_and_every_bit(leaves: list[np.ndarray]) -> None:
    back = from_bytes(to_bytes(leaves))
    assert len(back) == len(leaves)
    for before, after in zip(leaves, back, strict=True):
        assert type(after) is np.ndarray
        assert after.dtype == before.dtype
        assert after.dtype.byteorder == before.dtype.byteorder
        assert after.shape == before.shape
        assert after.tobytes() == before.tobytes()
        assert after.flags.writeable
        assert after.flags.owndata


@given(leaves=st.lists(arrays(), max_size=3), where=st.integers(0), bit=st.integers(0, 7))
def test_every_flipped_bit_is_noticed(leaves: list[np.ndarray], where: int, bit: int) -> None:
    payload = bytearray(to_bytes(leaves))
    payload[where % len(payload)] ^= 1 << bit
    with pytest.raises(StoreError, match=r"cannot be read|have format version"):
        from_bytes(bytes(payload))


@given(leaves=st.lists(arrays(), max_size=3), cut=st.integers(1), extra=st.binary(min_size=1, max_size=9))
def test_truncated_and_extended_payloads_are_noticed(
    leaves: list[np.ndarray], cut: int, extra: bytes
) -> None:
    payload = to_bytes(leaves)
    for wrong in (payload[: -1 - cut % len(payload)], payload + extra):
        with pytest.raises(StoreError, match="cannot be read"):
            from_bytes(wrong)


@given(payload=st.binary(max_size=200))
def test_other_bytes_are_refused(payload: bytes) -> None:
    with pytest.raises(StoreError, match="do not begin like"):
        from_bytes(payload)


def test_jax_arrays_and_scalars_are_leaves() -> None:
    jax = pytest.importorskip("jax")
    key = jax.random.key_data(jax.random.key(7))
    scalar = jax.numpy.bfloat16(1.5)
    back = from_bytes(to_bytes([key, scalar, np.float64(-0.0)]))
    assert [leaf.dtype.name for leaf in back] == ["uint32", "bfloat16", "float64"]
    assert jax.random.wrap_key_data(back[0]) == jax.random.key(7)
    assert np.signbit(back[2])


@pytest.mark.parametrize(
    "leaf",
    [
        np.array([None]),
        np.array(["text"]),
        np.array(["2026-11-22"], dtype="datetime64[D]"),
        np.zeros(2, dtype=[("a", "f4")]),
        np.zeros(2, dtype="V3"),
    ],
)
def test_what_is_no_number_is_refused(leaf: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="`tree_leaves` must hold arrays of numbers"):
        to_bytes([leaf])


def test_a_newer_format_and_an_unknown_dtype_say_what_to_update() -> None:
    payload = to_bytes([])
    with pytest.raises(StoreError, match=r"format version 2, but .* up to 1\. Update qjax"):
        from_bytes(payload[:7] + b"\2" + payload[8:])
    header = json.dumps([["ml_dtypes.float3_of_the_future", [1]]]).encode()
    body = len(header).to_bytes(8, "little") + header + b"\0"
    with pytest.raises(StoreError, match="float3_of_the_future, which the installed ml_dtypes does not know"):
        from_bytes(payload[:8] + sha256(body).digest() + body)
