"""Words for people: which of the known ones a misspelt word most likely is, lists in a sentence, long texts cut."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, options: Iterable[str]) -> str | None:
    """The option that someone who wrote ``word`` most likely meant; None if nothing is near."""
    plain = {_plain(option): option for option in options}
    close = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=0.6)
    return plain[close[0]] if close else None


def did_you_mean(word: str, options: Iterable[str]) -> str:
    """A hint that names the nearest option; empty if nothing is near."""
    meant = nearest(word, options)
    return f"did you mean {meant!r}?" if meant else ""


def meant_or_known(word: str, options: Iterable[str]) -> str:
    """A hint that names the nearest option, else all of them."""
    known = sorted(options)
    return did_you_mean(word, known) or (f"known are {', '.join(known)}" if known else "there are none")


def listed(options: Iterable[str]) -> str:
    """``a, b or c``, for a sentence."""
    words = list(options)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}" if words else "nothing"


def counted(number: int, one: str, more: str = "") -> str:
    """``1 row``, ``2,000 rows``: a number with the word for what is counted.

    Args:
        more: the word of another number than one, where it is not ``one`` with an s.
    """
    return f"{number:,} {one if number == 1 else more or one + 's'}"


def shorten(text: str, most: int = 80) -> str:
    """The text, cut to so many characters with an ellipsis as the last of them where it is longer."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _plain(word: str) -> str:
    """The word as it is compared: without regard to case, a dash as good as an underscore."""
    return word.casefold().replace("-", "_")


def silent(_: object) -> None:
    """Says nothing: where nobody listens."""
