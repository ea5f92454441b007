"""What befell a round's workers, and what of it was known: as metrics, in words, and summed over rounds."""

from __future__ import annotations

from designloop.loop.evaluation.backends import Loss
from designloop.loop.evaluation.incidents import (
    date_metrics,
    loss_metrics,
    told_of_known,
    told_of_losses,
    told_of_workers,
)

LOSSES = [
    Loss("died", "10.0.0.3 (ab12)", 2, "killed"),
    Loss("silent", "10.0.0.4 (cd34)", 1, "not heard for 90 s"),
    Loss("died", "10.0.0.3 (ab12)", 0, "out of memory"),
    Loss("node", "10.0.0.5 (ef56)", 2, "no heartbeats"),
    Loss("node", "10.0.0.5 (ef56)", 1, "no heartbeats"),
    Loss("unstarted", "", 0, "not up within 300 s"),
]


def test_losses_are_told_by_node_and_kind_with_the_chunks_that_they_cost() -> None:
    assert told_of_losses(LOSSES) == [
        "2 workers on 10.0.0.3 (ab12) died (out of memory); 2 chunks were sent again",
        "1 worker on 10.0.0.4 (cd34) fell silent (not heard for 90 s); 1 chunk was sent again",
        "node 10.0.0.5 (ef56) was lost with 2 workers (no heartbeats); 3 chunks were sent again",
        "1 worker did not start (not up within 300 s)",
    ]


def test_losses_are_counted_and_summed() -> None:
    metrics = loss_metrics(LOSSES)
    assert {name: value for name, value in metrics.items() if name != "losses"} == {
        "lost_workers": 4,
        "lost_nodes": 1,
        "silent_workers": 1,
    }
    rounds = [{**metrics, "resent_chunks": 6}, {**loss_metrics(LOSSES[:1]), "resent_chunks": 2}, loss_metrics([])]
    assert told_of_workers(rounds) == (
        "5 workers died, 1 node was lost, 1 worker fell silent, 8 chunks were sent again"
    )


def test_nothing_is_said_where_nothing_happened() -> None:
    assert loss_metrics([]) == {"lost_workers": 0, "lost_nodes": 0, "silent_workers": 0}
    assert told_of_losses([]) == []
    assert told_of_workers([loss_metrics([]), {}]) == ""
    assert date_metrics([]) == {}
    assert told_of_known([{"known_results": 0, "wanted_results": 5}, {}]) == ""


def test_what_was_known_is_told_with_the_dates_of_the_oldest_and_the_newest() -> None:
    early, late = 1_700_000_000.0, 1_700_500_000.0  # 14 and 20 November 2023
    first = {"known_results": 3, "wanted_results": 4, **date_metrics([late, early, early])}
    assert first["known_oldest"] == "2023-11-14T22:13:20+00:00"
    assert told_of_known([first]) == "3 of 4 values were known to the ledger, of 2023-11-14 to 2023-11-20"
    second = {"known_results": 1, "wanted_results": 2, **date_metrics([early])}
    assert told_of_known([second]) == "1 of 2 values were known to the ledger, of 2023-11-14"
    third = {"known_results": 0, "wanted_results": 1_000}
    assert told_of_known([second, first, third]).startswith("4 of 1,006 values were known")
