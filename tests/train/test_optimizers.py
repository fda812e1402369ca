"""Any optimizer of optax drives the trainer, or is refused in one sentence."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from qjax import Simulator
from qjax.errors import ArgumentError
from qjax.gradients import Batch, Objective, Params, adjoint
from qjax.train import init_state, make_step, scan_steps
from qjax.train.heads import Linear
from qjax.train.optimizers import make_optimizer, spall
from qjax.train.prepare import prepare

from ..messages import check_message
from .problems import tiny

NAMES = (
    "adabelief adadelta adagrad adam adamax adamaxw adamw adan amsgrad fromage lamb lars lion noisy_sgd novograd "
    "optimistic_gradient_descent radam rmsprop rprop sgd sign_sgd sm3 yogi"
).split()


@pytest.fixture(scope="module")
def problem() -> tuple[Objective, Params, Batch]:
    """A loss whose circuit does not matter: the head's weights shall become (1, -2, 3)."""
    model = prepare(tiny()).model
    wanted = jnp.array([[1.0], [-2.0]])

    def loss(head: Linear, outputs: Any, targets: Any, weights: Any) -> jax.Array:
        distance = jnp.sum((head.weights - wanted) ** 2) + jnp.sum((head.bias - 3.0) ** 2)
        return distance + 0.0 * jnp.sum(outputs)

    objective = Objective(Simulator(), model.circuit, model.observables, loss)
    params = model.init(jax.random.key(0))
    batch = Batch(jnp.zeros((1, model.circuit.num_features)), jnp.zeros(1, int), jnp.ones(1))
    return objective, params, batch


@pytest.mark.parametrize("schedule", ["constant", "spall"])
@pytest.mark.parametrize("name", NAMES)
def test_an_optimizer_of_optax_lowers_the_loss_inside_a_scan(
    problem: tuple[Objective, Params, Batch], name: str, schedule: Any
) -> None:
    objective, params, batch = problem
    config = tiny(optimizer=name, learning_rate=0.03, schedule=schedule)
    optimizer = make_optimizer(config, 30)
    step = make_step(objective, adjoint(), optimizer, lambda params, measured: jnp.zeros(()))
    state = init_state(params, adjoint(), optimizer, jax.random.key(0))
    batches = jax.tree.map(lambda array: jnp.broadcast_to(array, (30, *array.shape)), batch)
    after, infos = scan_steps(step)(state, batches, jnp.asarray(30))
    assert int(after.step) == 30
    assert np.isfinite(infos.loss).all()
    assert infos.loss[-1] < infos.loss[0]
    jax.tree.map(lambda a, b: (a.dtype, a.shape) == (b.dtype, b.shape) or pytest.fail(), state, after)


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
        seen.append(-float(update))
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
