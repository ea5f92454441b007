"""Detectors written to a file and read again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from designloop.testing.draws import generator
from designloop.vae.anomaly.detector import Detector, NeuralDetector, RobustDetector, fit_neural, fit_robust
from designloop.vae.anomaly.files import load_detector
from designloop.vae.anomaly.neural import Settings
from designloop.vae.anomaly.scores import SCORES
from designloop.vae.anomaly.table import TableDetector, fit_table_detector
from designloop.vae.errors import VAEError
from designloop.vae.linear.linear_gaussian import ppca
from designloop.vae.linear.linear_vae import as_vae
from designloop.vae.simulators.anomalies import flipped_signs, off_the_ring, overdispersed
from designloop.vae.weights import save_weights

QUICK = Settings(steps=25, hidden=16)


def numbers() -> Tensor:
    return torch.from_numpy(off_the_ring(60, np.random.default_rng(0)).train)


def counts() -> Tensor:
    return torch.from_numpy(overdispersed(60, np.random.default_rng(0)).train).float()


def binary() -> Tensor:
    return (torch.from_numpy(flipped_signs(60, np.random.default_rng(0)).train) > 0).float()


@pytest.mark.parametrize("rows", [numbers, counts, binary])
@pytest.mark.parametrize("which", ["robust", "neural"])
def test_what_is_read_scores_as_what_was_written(rows, which: str, tmp_path: Path) -> None:
    x = rows()
    detector: Detector = fit_robust(x) if which == "robust" else fit_neural(x, generator=generator(), settings=QUICK)
    path = detector.save(tmp_path / "detector.safetensors")
    before = torch.get_rng_state()
    result = load_detector(path)
    assert torch.equal(torch.get_rng_state(), before)
    assert isinstance(result, RobustDetector if which == "robust" else NeuralDetector)
    assert torch.equal(result.kept, detector.kept)
    mask = torch.rand(x.shape, generator=generator()) < 0.8
    mask[:, 0] = True
    torch.testing.assert_close(result.score(x, mask=mask), detector.score(x, mask=mask), rtol=1e-5, atol=1e-5)
    for name, score in SCORES.items():
        torch.testing.assert_close(result.score(x, score), detector.score(x, score), rtol=1e-5, atol=1e-5, msg=name)
    assert result.score(x).dtype == x.dtype
    if isinstance(result, NeuralDetector) and isinstance(detector, NeuralDetector):
        assert result.steps == detector.steps


def test_a_table_keeps_its_names_units_and_labels(tmp_path: Path) -> None:
    draws = np.random.default_rng(0)
    frame = {
        "height": draws.normal(170, 9, 80),
        3: draws.poisson(4, 80),
        "smokes": draws.choice(["yes", "no"], 80),
        "blood": draws.choice(np.array(["A", "B", "0", None]), 80),
    }
    detector = fit_table_detector(frame, generator=generator())
    result = load_detector(detector.save(tmp_path / "table.safetensors"))
    assert isinstance(result, TableDetector)
    assert result.table == detector.table
    torch.testing.assert_close(result.score(frame), detector.score(frame), rtol=1e-5, atol=1e-5)
    assert torch.equal(result.kept, detector.kept)


def test_a_file_holds_numbers_and_json_alone(tmp_path: Path) -> None:
    path = fit_robust(numbers()).save(tmp_path / "detector.safetensors")
    with safe_open(path, framework="np") as file:
        assert set(file.metadata()) == {"about", "shared"}
        assert "members.0.reference" in file.keys()  # noqa: SIM118
    assert b"pickle" not in path.read_bytes()


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_weights(as_vae(ppca(numbers(), 2)), path, {"latent": 2})
    with pytest.raises(VAEError, match=r"does not say of which detector it is \(KeyError: 'detector'\)"):
        load_detector(path)
    save_weights(as_vae(ppca(numbers(), 2)), path, {"detector": "forest"})
    with pytest.raises(VAEError, match=r"does not say of which detector it is \(KeyError: 'forest'\)"):
        load_detector(path)
    about = fit_robust(numbers()).about
    save_weights(as_vae(ppca(numbers(), 2)), path, about)
    with pytest.raises(VAEError, match=r"is \(.*\) in .*other.safetensors and missing in the model"):
        load_detector(path)
    path.write_bytes(b"not a file of numbers")
    with pytest.raises(VAEError, match="cannot be read"):
        load_detector(path)
    path.unlink()
    with pytest.raises(VAEError, match="cannot be read"):
        load_detector(path)
