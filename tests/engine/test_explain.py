"""What is explained grows as the work does, and comes from the engine that would do it."""

from __future__ import annotations

import pytest

from qjax import Circuit, Op, PauliSum
from qjax.engine import native
from qjax.engine.explain import explain
from qjax.engine.program import lower
from tests.engine.oracles import layered_circuit

OBSERVABLES = [PauliSum("Z0")]
ENGINES = ["xla", pytest.param("native", marks=pytest.mark.skipif(native.isa() is None, reason="not built"))]


@pytest.mark.parametrize("engine", ENGINES)
def test_work_is_proportional_to_layers_and_doubles_with_each_qubit(engine):
    def found(num_qubits, num_layers):
        return explain(layered_circuit(num_qubits, num_layers), OBSERVABLES, engine=engine)

    # The first layer is a product state; from then on every layer costs the same.
    two, four, six = (found(6, layers) for layers in (2, 4, 6))
    assert six.passes - four.passes == four.passes - two.passes > 0
    assert six.flops - four.flops == pytest.approx(four.flops - two.flops)
    assert found(14, 4).flops > 2**7 * found(6, 4).flops / 2
    assert found(14, 4).bytes_moved > 2**7 * found(6, 4).bytes_moved / 2


@pytest.mark.parametrize("engine", ENGINES)
def test_memory_does_not_grow_with_the_batch_beyond_a_bound(engine):
    circuit = layered_circuit(12, 2)
    working_sets = [
        explain(circuit, OBSERVABLES, 2, num_samples, engine=engine).working_set
        for num_samples in (1, 64, 4096, 2**20)
    ]
    assert working_sets[-1] == working_sets[-2]
    assert max(working_sets) <= 2**29


@pytest.mark.parametrize("engine", ENGINES)
def test_gradients_and_double_precision_cost_more(engine):
    circuit = layered_circuit(10, 3)
    plain = explain(circuit, OBSERVABLES, engine=engine)
    gradient = explain(circuit, OBSERVABLES, engine=engine, gradient=True)
    double = explain(circuit, OBSERVABLES, engine=engine, dtype="complex128")
    assert gradient.flops > 2 * plain.flops
    assert gradient.working_set > plain.working_set
    assert double.bytes_moved >= 2 * plain.bytes_moved


def test_a_product_state_takes_no_pass_and_permutations_are_free_on_the_native_engine():
    layer = tuple(Op("h", (q,)) for q in range(5))
    chain = tuple(Op("cx", (q, q + 1)) for q in range(4))
    assert lower(Circuit(5, layer)).explain(OBSERVABLES, engine="xla").passes == 0
    if native.isa() is not None:
        assert lower(Circuit(5, (*layer, *chain))).explain(OBSERVABLES, engine="native").passes == 0


def test_the_printed_table_names_what_a_person_asks_for():
    text = str(lower(layered_circuit(4, 2)).explain(OBSERVABLES, 2, 8))
    for word in ("16 of 4 qubits", "passes", "working set", "chunks", "expected"):
        assert word in text
