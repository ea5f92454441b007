"""By what a search was made: what has to agree before results are put together, or set side by side."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from designloop.benchmarks.common.trials import Trial

DIGITS = 12
"""Of a digest, as a record keeps it."""

NAMES = ("code", "model", "search")
"""What is kept of an arm; an earlier record lacks it, and then it is unknown, which is like nothing that is known."""


def made_by(trial: Trial, code: str) -> dict[str, str | None]:
    """What is recorded of an arm beside its measures.

    Args:
        trial: of the arm, on one task and with one seed, always the same ones: what differs between arms remains.
        code: digest of the code that decides what the arm finds.
    Returns:
        Digests of the ``code``, of the ``model`` (None where the arm has none), and of all else that makes the arm what
        it is, the ``search``.
    """
    model = trial.identity.get("model")
    return {"code": code[:DIGITS], "model": None if model is None else model[:DIGITS], "search": search_of(trial)}


def search_of(trial: Trial) -> str:
    """The digest of what a trial is, and of the code of its own."""
    text = json.dumps({"identity": trial.identity, "code": trial.code}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def unequal(made: Iterable[Mapping[str, Any]], names: Sequence[str] = NAMES) -> list[str]:
    """The names in which not all of some arms, or parts of one, are the same; what is unknown differs from the rest."""
    each = list(made)
    return [name for name in names if len({of.get(name) for of in each}) > 1]


def in_words(made: Mapping[str, Any]) -> str:
    """By what code, model and search; empty where it was not kept."""
    code, model, search = (made.get(name) for name in NAMES)
    if code is None:
        return ""
    with_model = code if model is None else f"{code} with model {model}"
    return with_model if search is None else f"{with_model}, search {search}"


def mixed(made: Mapping[str, Sequence[str]]) -> str:
    """Sentences on arms whose searches are not of one code, or of unknown ones; empty where there is none.

    Args:
        made: arm -> of each of its searches by what it was made, in words.
    """
    mixing, unknown = [], []
    for arm, searches in made.items():
        counts = Counter(searches)
        if len(counts) > 1:
            each = [f"{name or 'one that was not kept'} ({count})" for name, count in counts.most_common()]
            mixing.append(f"{arm} is of code {', '.join(each)}")
        elif "" in counts:
            unknown.append(arm)
    text = f" **This mixes codes:** {'; '.join(mixing)}." if mixing else ""
    return text + (f" By what code {', '.join(unknown)} was made was not kept." if unknown else "")


def mixed_arms(made: Mapping[str, Mapping[str, Any]]) -> str:
    """Sentences on arms that are not all of one code and model, or of unknown ones; empty where they are.

    Args:
        made: arm -> by what it was made.
    """
    arms_of: dict[str, list[str]] = {}
    for arm, of in made.items():
        arms_of.setdefault(in_words({**of, "search": None}), []).append(arm)
    unknown = arms_of.pop("", [])
    text = ""
    if len(arms_of) > 1:
        each = "; ".join(f"{', '.join(arms)} of code {words}" for words, arms in arms_of.items())
        text = f" **This mixes codes:** {each}."
    return text + (f" By what code {', '.join(unknown)} was made was not kept." if unknown else "")


def marked(bar: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """A bar whose arms were not made by the same, which so cannot hold; as it is where they were.

    Args:
        names: in which they differ.
    """
    return {**bar, "bar": f"{bar['bar']} (of other {' and '.join(names)})", "holds": None} if names else dict(bar)
