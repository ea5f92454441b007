"""Detectors of tables of mixed kinds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.anomaly.blocks import Classes, Mixed, kind_from
from designloop.vae.anomaly.detector import NeuralDetector, RobustDetector, fit_robust
from designloop.vae.anomaly.kinds import Numbers
from designloop.vae.anomaly.neural import Settings
from designloop.vae.anomaly.scores import reconstruction_error
from designloop.vae.anomaly.table import fit_table_detector
from designloop.vae.errors import CapabilityError, ShapeError, VAEError
from designloop.vae.likelihoods.categorical import Categorical
from designloop.vae.linear.linear_gaussian import LinearGaussian
from designloop.vae.simulators.anomalies import flipped_signs
from designloop.vae.tables import MixedTable

QUICK = Settings(steps=50)


def people(n: int, seed: int = 0, *, torn: bool = False) -> dict[str, Any]:
    """One factor behind all columns; of torn rows each column is another row's, so that no margin tells."""
    draws = np.random.default_rng(seed)
    factor = draws.normal(size=n)
    frame: dict[str, Any] = {
        "height": 170 + 9 * factor + draws.normal(size=n),
        "weight": np.exp(4.2 + 0.3 * factor + 0.05 * draws.normal(size=n)),
        "age": np.round(40 + 8 * factor + 2 * draws.normal(size=n)),
        "visits": draws.poisson(np.exp(1.5 + factor)),
        "smokes": np.where(factor + 0.3 * draws.normal(size=n) > 0, "yes", "no"),
        "ward": np.array(["A", "B", "C"])[np.digitize(factor + 0.3 * draws.normal(size=n), [-0.5, 0.5])],
    }
    return {name: draws.permutation(column) if torn else column for name, column in frame.items()}


@pytest.fixture(scope="module")
def detector() -> Any:
    return fit_table_detector(people(200), generator=generator(), settings=QUICK)


def test_what_no_column_shows_alone_is_found(detector) -> None:
    scores = torch.cat([detector.score(people(200, 1)), detector.score(people(200, 2, torn=True))])
    assert roc_auc_score([0] * 200 + [1] * 200, scores) > 0.9
    assert [column.kind for column in detector.table.columns] == [
        "numbers", "numbers", "counts", "counts", "binary", "classes",
    ]  # fmt: skip


def test_entries_are_missing_anywhere_and_columns_come_in_any_order(detector) -> None:
    frame = {name: column.astype(object) for name, column in people(200, 1).items()}
    draws = np.random.default_rng(0)
    for column in frame.values():
        column[draws.random(200) < 0.2] = None
    scores = detector.score(dict(reversed(frame.items())))
    assert torch.equal(scores, detector.score(frame))
    torn = detector.score(people(200, 2, torn=True))
    assert roc_auc_score([0] * 200 + [1] * 200, torch.cat([scores, torn])) > 0.85
    assert isinstance(fit_table_detector(frame, generator=generator(), settings=QUICK).kept, Tensor)


def test_contaminated_tables_have_the_robust_detector() -> None:
    frame = people(200)
    for name in ("height", "weight", "visits"):
        frame[name][:20] = frame[name].max() * np.random.default_rng(0).integers(3, 9, 20)
    result = fit_table_detector(frame, generator=generator())
    assert isinstance(result.detector, RobustDetector)
    assert not bool(result.kept[:20].any())
    assert roc_auc_score([1] * 20 + [0] * 180, result.score(frame)) > 0.99


def test_labels_alone_have_the_neural_detector() -> None:
    frame = {name: people(100)[name] for name in ("smokes", "ward")}
    frame["also"] = frame["ward"].copy()
    result = fit_table_detector(frame, generator=generator(), settings=QUICK)
    assert isinstance(result.detector, NeuralDetector)
    scores = result.score({"smokes": ["yes", "yes"], "ward": ["C", "A"], "also": ["C", "C"]})
    assert scores[1] > scores[0]


def test_a_table_of_numbers_alone_is_scored_as_its_rows_are() -> None:
    x = torch.from_numpy(flipped_signs(80, np.random.default_rng(0)).train)
    frame = {f"column {number}": column.numpy() for number, column in enumerate(x.T)}
    by_table = fit_table_detector(frame, generator=generator(), settings=Settings(clean=1e9))
    torch.testing.assert_close(by_table.score(frame).double(), fit_robust(x).score(x), rtol=1e-3, atol=1e-3)
    mixed = Mixed({"numbers": Numbers.of(x)})
    start = LinearGaussian(torch.randn(12, 2).double(), torch.randn(12).double(), torch.ones(1).double())
    for name in ("prepare", "unbent", "view"):
        assert torch.equal(getattr(mixed, name)(x), getattr(Numbers.of(x), name)(x))
    assert torch.equal(mixed.decoder(start)[0], Numbers.of(x).decoder(start)[0])


def test_logits_of_classes_start_with_the_slope_of_their_shares() -> None:
    codes = torch.randint(3, (200, 2), generator=generator()).double()
    kind = Classes.of(codes)
    shares = torch.nn.functional.one_hot(codes.long(), 3).double().mean(0).flatten()
    torch.testing.assert_close(kind.share, shares, atol=2e-3, rtol=0)
    weights = torch.randn(6, 1, generator=generator(), dtype=torch.float64)
    slopes, offset = kind.decoder(LinearGaussian(weights, torch.zeros(6).double(), torch.ones(1).double()))
    log_shares = offset.view(2, 3).log_softmax(-1).flatten()
    torch.testing.assert_close(log_shares, kind.share.log())
    direction = slopes[:, 0] * kind.share  # dp = p d log p
    torch.testing.assert_close(direction, (kind.share * (1 - kind.share)).sqrt() * weights[:, 0])
    mask = torch.tensor([[True, False]])
    seen = kind.view_mask(mask)
    assert seen is not None
    assert seen.tolist() == [[True] * 3 + [False] * 3]
    assert torch.equal(Categorical(3).view(codes)[0], kind.unbent(codes))


def test_a_kind_is_made_again_from_what_it_says_of_itself() -> None:
    table = MixedTable.of(people(50))
    x, _ = table.rows(people(50))
    kind = Mixed.of(x, None, table)
    again = kind_from(kind.about)
    again.load_state_dict(kind.state_dict())
    assert torch.equal(again.view(again.prepare(x)), kind.view(kind.prepare(x)))
    assert (again.width, again.features, again.is_discrete) == (2 + 2 + 1 + 3, 6, False)


def test_halves_that_were_doubled_are_no_counts_in_a_table_either() -> None:
    counts = np.random.default_rng(0).poisson(4, 200)
    kinds = {name: column.kind for column in MixedTable.of({"a": counts, "b": 2 * counts, "c": counts / 2}).columns
             for name in [column.name]}  # fmt: skip
    assert kinds == {"a": "counts", "b": "numbers", "c": "numbers"}


def test_what_cannot_be_is_said(detector) -> None:
    neural = fit_table_detector(people(40), generator=generator(), settings=Settings(clean=-1e9, steps=0))
    with pytest.raises(CapabilityError, match="mean"):
        neural.score(people(5), reconstruction_error)
    with pytest.raises(VAEError, match="the label 'D', expected one of 'A', 'B', 'C'"):
        detector.score({**people(3), "ward": ["A", "B", "D"]})
    with pytest.raises(VAEError, match="has no column 'weight', it has height"):
        detector.score({"height": [170.0]})
    with pytest.raises(ShapeError, match=r"the table has shape \(9, 1\)"):
        fit_table_detector({"height": np.arange(9) / 7}, generator=generator())
    frame = people(30)
    frame["height"] = np.where(np.arange(30) == 4, np.nan, frame["height"])
    blind = {"height": frame["height"], "other": frame["height"] ** 2}
    with pytest.raises(VAEError, match="mask observes nothing of 1 rows"):
        fit_table_detector(blind, generator=generator())
