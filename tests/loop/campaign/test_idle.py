"""Settings that the file says and that do nothing are told by key and line; a screen that cannot screen is refused."""

from __future__ import annotations

import pytest

from designloop.loop.campaign.campaign import load_campaign
from tests.loop.campaign.writing import Write, problems

SEVERAL = """\
objective:
  aggregate: {aggregate}
  properties:
    - {{name: qed, oracle: qed, transform: {{type: linear, low: 0.3, high: 0.8}}}}
    - {{name: esol, oracle: esol, transform: {{type: linear, low: -5, high: -3}}}}
budget: {{oracle_calls: 100}}
strategy:
  name: {name}
"""

BY_BOUND = "it is for the surrogates composite and score, and here it is committees"
BY_VOTE = "it is for the surrogates committee and committees, and here it is composite"
OF_LIKELIHOOD = "it is for `loss: likelihood`, and here is `loss: property`"
OF_PROPERTY = "it is for `loss: property`, and here is `loss: none`"

TOLD = [
    ("generations: 5", "pareto", "property_loss", "generations", BY_BOUND),
    ("effort: high", "product", "property_loss", "effort", BY_VOTE),
    ("proposers: [prior, screen]", "product", "property_loss", "proposers", f"screen, that is; {BY_VOTE}"),
    ("trade_offs: chebyshev", "product", "property_loss", "trade_offs", "it is for `objective.aggregate: pareto`"),
    ("learning: {kept: 0.5}", "product", "property_loss", "learning.kept", OF_LIKELIHOOD),
    (
        "learning: {loss: none, property: {every: 5}}",
        "product",
        "property_loss",
        "learning.property.every",
        OF_PROPERTY,
    ),
    ("kappa: 2", "product", "latent_bo", "kappa", "it is for `acquisition: ucb`, and here it is votes"),
    (
        "thorough: 9\n  effort: low",
        "product",
        "latent_bo",
        "thorough",
        "it is for `effort: normal`, and here it is low",
    ),
    ("trade_offs: chebyshev", "product", "latent_bo", "trade_offs", "it is for `objective.aggregate: pareto`"),
    ("regions: {count: 2}", "product", "latent_bo", "regions.count", "`regions.decoded` is 0, so there are no regions"),
    ("noise: 3\n  source: zinc", "product", "random", "noise", "it is for `source: prior`, and here it is zinc"),
]


@pytest.mark.parametrize(("said", "aggregate", "strategy", "key", "why"), TOLD)
def test_what_does_nothing_is_told_with_its_line(
    write: Write, said: str, aggregate: str, strategy: str, key: str, why: str
) -> None:
    text = SEVERAL.format(aggregate=aggregate, name=strategy)
    campaign = load_campaign(write(text + f"  {said}\n"))
    line = len(text.splitlines()) + 1
    assert campaign.warnings == (f"strategy.{key} (line {line}) does nothing: {why}",)


@pytest.mark.parametrize(
    ("key", "said", "why"),
    [
        ("diversity.scaffold", "diversity: {scaffold: framework}", "it is for `per_scaffold`, which is not given"),
        (
            "diversity.batch",
            "diversity: {min_distance: 0.5, batch: 0.3}",
            "`min_distance` 0.5 keeps a batch as far apart already",
        ),
        (
            "evaluation.workers",
            "evaluation: {backend: inline, workers: 4}",
            "it is for `backend: ray`, and here it is inline",
        ),
    ],
)
def test_what_other_settings_leave_nothing_to_do_is_told(write: Write, key: str, said: str, why: str) -> None:
    text = SEVERAL.format(aggregate="product", name="property_loss")
    campaign = load_campaign(write(f"{text}{said}\n"))
    assert campaign.warnings == (f"{key} (line {len(text.splitlines()) + 1}) does nothing: {why}",)


@pytest.mark.parametrize(
    "said",
    [
        "diversity: {scaffold: framework, per_scaffold: 2}",
        "diversity: {min_distance: 0.3, batch: 0.5}",
    ],
)
def test_settings_that_leave_each_other_something_to_do_are_not_told(write: Write, said: str) -> None:
    text = SEVERAL.format(aggregate="product", name="property_loss")
    assert load_campaign(write(f"{text}{said}\n")).warnings == ()


def test_what_does_something_or_is_not_said_is_not_told(write: Write) -> None:
    text = SEVERAL.format(aggregate="product", name="property_loss")
    assert load_campaign(write(text + "  generations: 5\n  kappa: 2\n  pool: 3\n")).warnings == ()
    assert load_campaign(write(text)).warnings == ()


def test_what_comes_from_outside_the_file_has_no_line(write: Write) -> None:
    path = write(SEVERAL.format(aggregate="product", name="latent_bo"))
    given = {"evaluation.backend": "inline", "evaluation.address": "auto"}
    (warning,) = load_campaign(path, given).warnings
    assert warning == "evaluation.address does nothing: it is for `backend: ray`, and here it is inline"
    (warning,) = load_campaign(path, {"strategy.kappa": 2.0}).warnings
    assert warning == "strategy.kappa does nothing: it is for `acquisition: ucb`, and here it is votes"


@pytest.mark.parametrize(
    ("surrogate", "who"),
    [("auto", "composite, the surrogate of several properties,"), ("score", "surrogate: score")],
)
def test_a_screen_that_nobody_screens_by_is_refused(write: Write, surrogate: str, who: str) -> None:
    text = SEVERAL.format(aggregate="product", name="property_loss")
    (problem,) = problems(write(text + f"  surrogate: {surrogate}\n  proposers: [screen]\n"))
    assert problem == (
        f"test.yaml:10:14: strategy.proposers: found screen alone: ZINC is screened by committees, and {who} does not "
        "screen it, expected another proposer beside it; or say surrogate: committees"
    )
    assert load_campaign(write(text + "  surrogate: committees\n  proposers: [screen]\n")).warnings == ()
