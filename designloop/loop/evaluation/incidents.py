"""What befell an evaluation beside its values, as metrics of its round and in words: workers lost, values known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from designloop.loop.evaluation.backends import WorkerLoss
from designloop.words import counted

LOSSES = "losses"
"""The metric that holds what is said of lost workers, a line a node and kind."""

COUNTS = ("lost_workers", "lost_nodes", "silent_workers", "resent_chunks")
"""Metrics of a round that count what befell its workers."""

KNOWN_AND_WANTED = ("known_results", "wanted_results")
"""Metrics that count molecules times oracles: of those asked about, how many the ledger knew."""

OLDEST, NEWEST = "known_oldest", "known_newest"
"""Metrics that hold when the oldest and the newest of a round's known results were made: UTC, ISO 8601."""


def loss_metrics(losses: Sequence[WorkerLoss]) -> dict[str, float | str]:
    """What befell workers, as counts; in words where anything did."""
    counts: dict[str, float | str] = {
        "lost_workers": sum(loss.kind in ("died", "node") for loss in losses),
        "lost_nodes": len({loss.node for loss in losses if loss.kind == "node"}),
        "silent_workers": sum(loss.kind == "silent" for loss in losses),
    }
    return counts | ({LOSSES: "\n".join(describe_losses(losses))} if losses else {})


def describe_losses(losses: Sequence[WorkerLoss]) -> list[str]:
    """Writes a line a node and kind: how many workers, the chunks that it cost, and the last one's reason."""
    groups: dict[tuple[str, str], list[WorkerLoss]] = {}
    for loss in losses:
        groups.setdefault((loss.kind, loss.node), []).append(loss)
    return [_describe_group(group) for group in groups.values()]


def _describe_group(group: Sequence[WorkerLoss]) -> str:
    last, number, chunks = group[-1], len(group), sum(loss.chunks for loss in group)
    workers = counted(number, "worker")
    what = {
        "died": f"{workers} on {last.node} died",
        "node": f"node {last.node} was lost with {workers}",
        "silent": f"{workers} on {last.node} fell silent",
        "unstarted": f"{workers} did not start",
    }
    again = f"; {counted(chunks, 'chunk was', 'chunks were')} sent again" if chunks else ""
    return f"{what[last.kind]} ({last.why}){again}"


def date_metrics(known: Sequence[float]) -> dict[str, float | str]:
    """The first and the last of these times, in seconds since 1970; nothing without any."""
    if not known:
        return {}
    times = {OLDEST: min(known), NEWEST: max(known)}
    return {name: datetime.fromtimestamp(time, UTC).isoformat(timespec="seconds") for name, time in times.items()}


def describe_known(rounds: Sequence[Mapping[str, float | str]]) -> str:
    """``40 of 40 values were known to the ledger, of DATE``, over the metrics of some rounds; empty if none was."""
    known, wanted = (int(sum(float(metrics.get(name, 0)) for metrics in rounds)) for name in KNOWN_AND_WANTED)
    if not known:
        return ""
    oldest = min(str(metrics[OLDEST]) for metrics in rounds if OLDEST in metrics)[:10]
    newest = max(str(metrics[NEWEST]) for metrics in rounds if NEWEST in metrics)[:10]
    dates = oldest if oldest == newest else f"{oldest} to {newest}"
    return f"{known:,} of {wanted:,} values were known to the ledger, of {dates}"


def describe_workers(rounds: Sequence[Mapping[str, float | str]]) -> str:
    """Says what befell workers in some rounds, as counts in one line; empty where nothing did."""
    counts = {name: int(sum(float(metrics.get(name, 0)) for metrics in rounds)) for name in COUNTS}
    words = {
        "lost_workers": ("1 worker died", "workers died"),
        "lost_nodes": ("1 node was lost", "nodes were lost"),
        "silent_workers": ("1 worker fell silent", "workers fell silent"),
        "resent_chunks": ("1 chunk was sent again", "chunks were sent again"),
    }
    lines = [
        singular if counts[name] == 1 else f"{counts[name]:,} {plural}" for name, (singular, plural) in words.items()
    ]
    return ", ".join(line for line, count in zip(lines, counts.values(), strict=True) if count)
