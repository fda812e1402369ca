"""Laws of the text drawing."""

import re
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qjax import Angle, Circuit, Op, Repeat
from qjax.drawing import draw
from qjax.drawing_symbols import gate_symbols, repeat_label
from qjax.errors import ArgumentError
from tests.circuits import circuits
from tests.messages import check_message, faults

WIDE = 10**6
TIMES = "\N{MULTIPLICATION SIGN}"
WIDTHS = st.one_of(st.integers(1, 120), st.just(WIDE))


def blocks(drawing: str) -> list[list[str]]:
    return [block.split("\n") for block in drawing.split("\n\n")]


def wires(block: list[str]) -> list[str]:
    return [line for line in block if line.startswith("q")]


def written(ops) -> Iterator[Op]:
    for element in ops:
        if isinstance(element, Op):
            yield element
        else:
            yield from written(element.body)


def repeats(ops) -> Iterator[Repeat]:
    for element in ops:
        if isinstance(element, Repeat):
            yield element
            yield from repeats(element.body)


@given(circuits(max_qubits=12, max_ops=20), WIDTHS)
@settings(max_examples=60, deadline=None)
def test_every_block_has_every_qubit_in_lines_of_one_width(circuit, max_width):
    for block in blocks(draw(circuit, max_width=max_width)):
        lines = wires(block)
        assert [int(line[1 : line.index(":")]) for line in lines] == list(range(circuit.num_qubits))
        assert len({len(line) for line in lines}) == 1
        assert max(map(len, block)) <= len(lines[0])


@given(circuits(max_qubits=12, max_ops=20), WIDTHS)
@settings(max_examples=60, deadline=None)
def test_every_wire_shows_its_gates_in_order(circuit, max_width):
    found = [""] * circuit.num_qubits
    for block in blocks(draw(circuit, max_width=max_width)):
        for qubit, line in enumerate(wires(block)):
            found[qubit] += re.sub("[─┼╫]", "", line.split(":", 1)[1].strip())
    expected = [""] * circuit.num_qubits
    for op in written(circuit.ops):
        for qubit, symbol in zip(op.qubits, gate_symbols(op), strict=True):
            expected[qubit] += symbol
    assert found == expected


@given(circuits(max_qubits=8, max_ops=12))
@settings(max_examples=40, deadline=None)
def test_vertical_lines_end_at_something(circuit):
    lines = draw(circuit, max_width=WIDE).split("\n")
    width = max(map(len, lines))
    canvas = [" " * width] + [line.ljust(width) for line in lines] + [" " * width]
    for above, line, below in zip(canvas, canvas[1:], canvas[2:], strict=False):
        for column, char in enumerate(line):
            if char in "│┼":
                assert not {above[column], below[column]} & set(" ─═║╫")
            if char in "║╫":
                assert {above[column], below[column]} <= set("║╫╔╗╚╝")


@given(circuits(max_qubits=8, max_ops=12))
@settings(max_examples=40, deadline=None)
def test_every_repeat_has_one_frame_with_its_label(circuit):
    drawing = draw(circuit, max_width=WIDE)
    frames = list(repeats(circuit.ops))
    for corner in "╔╗╚╝":
        assert drawing.count(corner) == len(frames)
    labels = sorted(re.findall(rf"╔ ({TIMES}\d+(?: \([^)]*\))?) ═*╗", drawing))
    assert labels == sorted(map(repeat_label, frames))


@given(circuits(max_qubits=6, max_ops=8), st.integers(2, 9))
@settings(max_examples=30, deadline=None)
def test_drawing_does_not_grow_with_times(circuit, times):
    def drawn(times: int) -> str:
        body = (Op("h", (0,)), *circuit.ops)
        return draw(Circuit(circuit.num_qubits, (Repeat(body, times),)), max_width=WIDE)

    assert drawn(times) == drawn(1).replace(f"╔ {TIMES}1 ", f"╔ {TIMES}{times} ", 1)
    assert len(drawn(10**6).split("\n")) == len(drawn(1).split("\n"))


@given(circuits(max_qubits=12, max_ops=20, repeats=False), st.integers(0, 60))
@settings(max_examples=40, deadline=None)
def test_blocks_fit_the_width_that_the_widest_gate_allows(circuit, spare):
    symbols = [symbol for op in circuit.ops for symbol in gate_symbols(op)]
    header = len(f"q{circuit.num_qubits - 1}: ")
    max_width = header + max(map(len, symbols), default=0) + 2 + spare
    drawing = draw(circuit, max_width=max_width)
    assert max(map(len, drawing.split("\n"))) <= max_width


@given(circuits(max_qubits=6, max_ops=12), WIDTHS)
@settings(max_examples=40, deadline=None)
def test_labels_are_not_cut(circuit, max_width):
    drawing = draw(circuit, max_width=max_width)
    for repeat in repeats(circuit.ops):
        assert f"╔ {repeat_label(repeat)}" in drawing


@given(circuits(max_qubits=5, max_ops=12, repeats=False))
@settings(max_examples=30, deadline=None)
def test_gates_stand_as_early_as_possible(circuit):
    # The columns needed are the longest chain of gates where gates that cross each other's lines depend.
    depth = [0] * circuit.num_qubits
    for op in circuit.ops:
        span = range(min(op.qubits), max(op.qubits) + 1)
        level = 1 + max(depth[qubit] for qubit in span)
        for qubit in span:
            depth[qubit] = level
    # A width of one character makes a block of each column.
    assert len(blocks(draw(circuit, max_width=1))) == max(1, *depth)


def test_print_draws_at_the_width_of_the_terminal(monkeypatch):
    circuit = Circuit(1, [Op("rx", (0,), Angle(param=index)) for index in range(40)])
    for columns in (40, 77):
        monkeypatch.setenv("COLUMNS", str(columns))
        assert str(circuit) == draw(circuit, max_width=columns)
        assert 40 * 0.7 < max(map(len, str(circuit).split("\n"))) <= columns


def test_layered_circuit_looks_as_intended():
    rotations = [
        Op(gate, (qubit,), Angle(param=3 * qubit + index))
        for qubit in range(3)
        for index, gate in enumerate(("rx", "ry", "rz"))
    ]
    layer = Repeat((*rotations, Op("cx", (0, 1)), Op("cx", (1, 2))), times=64, param_stride=9)
    encoding = [Op("ry", (qubit,), Angle(feature=qubit, scale=0.5, offset=0.25)) for qubit in range(3)]
    drawing = """
                       ╔ *64 (θ+9) ══════════════════╗
q0: ─RY(0.5·x0+0.25)───╫───RX(θ0)─RY(θ1)─RZ(θ2)─●────╫───●─
                       ║                        │    ║   │
q1: ─RY(0.5·x1+0.25)───╫───RX(θ3)─RY(θ4)─RZ(θ5)─⊕─●──╫───┼─
                       ║                          │  ║   │
q2: ─RY(0.5·x2+0.25)───╫───RX(θ6)─RY(θ7)─RZ(θ8)───⊕──╫───⊕─
                       ╚═════════════════════════════╝"""
    found = draw(Circuit(3, (*encoding, layer, Op("cx", (0, 2)))), max_width=80)
    squeezed = [re.sub("[─═]+", "─", text.replace("*", TIMES)) for text in (found, drawing.lstrip("\n"))]
    assert re.sub(" +", " ", squeezed[0]) == re.sub(" +", " ", squeezed[1])


@pytest.mark.parametrize(
    ("angle", "text"),
    [
        (Angle(param=0), "θ0"),
        (Angle(param=0, scale=-1.0), "-θ0"),
        (Angle(feature=2), "x2"),
        (Angle(param=1, feature=0, scale=0.5, offset=0.3), "0.5·θ1·x0+0.3"),
        (Angle(param=1, scale=-0.25, offset=-1.0), "-0.25·θ1-1"),
        (Angle(), "0"),
        (Angle(offset=-0.75 * 3.141592653589793), "-3π/4"),
        (Angle(feature=0, scale=3.141592653589793), "π·x0"),
        (Angle(offset=1e300), "1e+300"),
        (Angle(offset=5e-324), "4.941e-324"),
        (Angle(param=0, scale=0.0), "0·θ0"),
    ],
)
def test_angles_read_as_formulas(angle, text):
    assert gate_symbols(Op("rx", (0,), angle)) == (f"RX({text})",)


FAULTS = faults("max_width", lambda v: draw(Circuit(1), max_width=v), 0, -1, 1.5, "80", True)


@pytest.mark.parametrize(("argument", "make"), FAULTS)
def test_impossible_widths_are_refused(argument, make):
    with pytest.raises(ArgumentError) as caught:
        make()
    check_message(caught.value, argument)
