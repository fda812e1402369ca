"""Any optimizer of optax drives the trainer, or is refused in one sentence."""

from __future__ import annotations

from typing import Any, cast

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qjax.errors import ArgumentError
from qjax.gradients import Batch, GradientInfo, GradientMethod, Measured, Objective, Params
from qjax.gradients.method import stateless
from qjax.train import init_state, make_step, scan_steps
from qjax.train.heads import Linear
from qjax.train.optimizers import make_optimizer, spall

from ..messages import check_message
from .problems import tiny

pytestmark = pytest.mark.usefixtures("quick_compilation")


NAMES = [
    *("adabelief", "adadelta", "adagrad", "adam", "adamax", "adamaxw", "adamw", "adan", "amsgrad", "fromage"),
    *("lamb", "lars", "lion", "noisy_sgd", "novograd", "optimistic_gradient_descent", "radam", "rmsprop"),
    *("rprop", "sgd", "sign_sgd", "sm3", "yogi"),
]


FIXED_RATE = ("rprop", "sm3")


def distance(params: Params) -> jax.Array:
    """A loss without a circuit: everything shall become 2."""
    return sum(jnp.sum((leaf - 2.0) ** 2) for leaf in jax.tree.leaves(params)) + jnp.zeros(())


def estimate(
    state: Any, objective: Any, params: Params, batch: Batch, key: jax.Array
) -> tuple[Params, Any, GradientInfo]:
    loss, gradient = jax.value_and_grad(distance)(params)
    one = jnp.ones((), jnp.int32)
    return (
        gradient,
        state,
        GradientInfo(loss, jnp.asarray(True), Measured(batch.features, *batch[1:]), one, one),
    )


@pytest.mark.filterwarnings("ignore:Specifying a key")
@pytest.mark.parametrize(
    ("name", "schedule"),
    [(name, "constant") for name in NAMES] + [(name, "spall") for name in ("adam", "sgd", "lion", "rmsprop")],
)
def test_an_optimizer_of_optax_lowers_the_loss_inside_a_scan(name: str, schedule: Any) -> None:
    optimizer = make_optimizer(tiny(optimizer=name, learning_rate=0.03, schedule=schedule), 30)
    method = GradientMethod(stateless, estimate)
    step = make_step(cast(Objective, None), method, optimizer, lambda params, measured: jnp.zeros(()))
    params = Params(jnp.array([0.5, -1.0, 3.0]), Linear(jnp.ones((2, 1)), jnp.zeros(1)))
    state = init_state(params, method, optimizer, jax.random.key(0))
    batches = Batch(jnp.zeros((30, 1, 2)), jnp.zeros((30, 1)), jnp.ones((30, 1)))
    after, infos = jax.jit(scan_steps(step))(state, batches, jnp.asarray(30))
    assert int(after.step) == 30
    assert np.isfinite(infos.loss).all()
    assert infos.loss[-1] < infos.loss[0]
    before, last = (jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree) for tree in (state, after))
    assert before == last


@pytest.mark.parametrize("schedule", ["cosine", "linear", "spall"])
@pytest.mark.parametrize("name", FIXED_RATE)
def test_a_schedule_for_an_optimizer_that_takes_none_is_refused(name: str, schedule: Any) -> None:
    with pytest.raises(ArgumentError, match=f"`optax.{name}`, which takes no schedule") as caught:
        make_optimizer(tiny(optimizer=name, schedule=schedule), 10)
    check_message(caught.value, "schedule")


@pytest.mark.parametrize(
    "name", ["lbfgs", "polyak_sgd", "adamm", "apply_updates", "masked", "chain", "__name__", "", "adam.x"]
)
def test_what_cannot_optimize_is_refused(name: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        make_optimizer(tiny(optimizer=name), 10)
    message = str(caught.value)
    assert message.startswith("Argument `optimizer` must ")
    assert "\n" not in message
    assert ("Did you mean `adam`?" in message) == (name == "adamm")


def rates(schedule: Any, num_steps: int = 20) -> list[float]:
    """The rate of each step, read off the updates of gradient descent on a gradient of one."""
    optimizer = make_optimizer(tiny(optimizer="sgd", learning_rate=0.5, schedule=schedule), num_steps)
    state, seen = optimizer.init(jnp.zeros(())), []
    for _ in range(num_steps):
        update, state = optimizer.update(jnp.ones(()), state)
        seen.append(-np.asarray(update).item())
    return seen


def test_schedules_are_their_formulas() -> None:
    k = np.arange(20)
    np.testing.assert_allclose(rates("constant"), 0.5, rtol=1e-6)
    np.testing.assert_allclose(rates("linear"), 0.5 * (1 - k / 20), rtol=1e-5)
    np.testing.assert_allclose(rates("cosine"), 0.25 * (1 + np.cos(np.pi * k / 20)), rtol=1e-5)
    # Spall's guidelines: A is a tenth of the steps and alpha 0.602.
    np.testing.assert_allclose(rates("spall"), 0.5 / (2 + k + 1) ** 0.602, rtol=1e-5)
    np.testing.assert_allclose(spall(16.0, stability=1.0, alpha=1.0)(jnp.asarray(2)), 4.0)


def test_a_message_about_a_misspelt_optimizer_has_the_usual_form() -> None:
    with pytest.raises(ArgumentError) as caught:
        make_optimizer(tiny(optimizer="optimistic_adam_v3"), 10)
    assert "Did you mean `optimistic_adam_v2`?" in str(caught.value)


def test_an_optimizer_that_needs_more_than_a_rate_is_refused_by_what_it_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def demanding(learning_rate: float, horizon: int) -> optax.GradientTransformation:
        raise AssertionError

    monkeypatch.setattr(optax, "demanding", demanding, raising=False)
    with pytest.raises(ArgumentError, match=r"`optax.demanding` needs horizon") as caught:
        make_optimizer(tiny(optimizer="demanding"), 10)
    check_message(caught.value, "optimizer")
