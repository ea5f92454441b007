"""What `designloop status` prints of a campaign's rounds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from designloop import display
from designloop.loop.summary import Summary
from designloop.strategies.base import PROPOSER_SHARE, PROPOSING
from designloop.tables.manifest import RoundInfo


def printed(capsys: pytest.CaptureFixture[str], *metrics: Mapping[str, float | str]) -> str:
    rounds = [
        RoundInfo("c", number, "round", 20, 20 * number, {}, {"ok": 18, **of_round}, "", "", "", {})
        for number, of_round in enumerate(metrics, 1)
    ]
    display.status(Summary("small", Path("small"), rounds, 100, [], [], {}, None, []))
    return capsys.readouterr().out


def test_the_seconds_of_fit_breeding_and_acquisition_stand_beside_those_of_proposing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    plain = {"propose_seconds": 3.25, "oracle_seconds": 0.5, "learn_seconds": 1.5}
    seconds = dict(zip((f"{part}_seconds" for part in PROPOSING), (0.75, 2.125, 0.25), strict=True))
    text = printed(capsys, plain, plain | seconds)
    head, first, second = text.split("Last rounds\n")[1].splitlines()[:3]
    assert [word for word in head.split() if word != "s"][-6:] == [
        "propose",
        "fit",
        "breed",
        "choose",
        "oracle",
        "learn",
    ]
    assert [word for word in second.split() if "." in word] == ["3.250", "0.750", "2.125", "0.250", "0.500", "1.500"]
    assert [word for word in first.split() if "." in word] == ["3.250", "0.500", "1.500"], "none were told of this one"
    assert "Of the seconds of propose: fit, the surrogate's fit; breed, " in text


def test_foresight_and_the_shares_of_proposers_are_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    shares = {f"{PROPOSER_SHARE}{name}": share for name, share in (("prior", 0.125), ("mutation", 0.875))}
    judged = {"judged_molecules": 34.0, "judged_rank_correlation": 0.525, "judged_coverage": 0.875}
    text = printed(capsys, {**shares, f"{PROPOSER_SHARE}prior": 0.5, "rank_correlation": 0.1}, judged | shares, {})
    assert (
        "Foresight, by the last 34 molecules that were drawn uniformly from the better half of the free ones: rank "
        "correlation with their scores 0.53, 88% within the 90 % intervals\n"
    ) in text
    assert "Shares of the proposers: mutation 0.88, prior 0.12\n" in text
    assert text.count("orrelation") == 1, "within a chosen batch it means nothing"
    text = printed(capsys, {"judged_molecules": 2.0, "judged_coverage": 1.0})
    assert "of the free ones: 100% within" in text
    assert "Shares" not in text


def test_what_no_strategy_told_has_no_column(capsys: pytest.CaptureFixture[str]) -> None:
    text = printed(capsys, {"propose_seconds": 3.25, "failures_evidence": 3.5})
    assert "fit s" not in text
    assert "Of the seconds" not in text
    assert "Evidence that failures can be foreseen, which counts from 3.0 on: 3.50" in text
