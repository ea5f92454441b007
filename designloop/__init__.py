"""Closed-loop molecular design: a campaign file goes in, a table of better molecules comes out.

The names below are the whole public face. They are loaded when first used, so ``import designloop`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop._version import __version__ as __version__
from designloop.lazy import attach
from designloop.oracles import old_name as _old_name

if TYPE_CHECKING:
    from designloop.api import compare as compare
    from designloop.api import dry_run as dry_run
    from designloop.api import load_campaign as load_campaign
    from designloop.api import load_model as load_model
    from designloop.api import open_candidates as open_candidates
    from designloop.api import pending as pending
    from designloop.api import pretrain as pretrain
    from designloop.api import query as query
    from designloop.api import reconstruct as reconstruct
    from designloop.api import retry as retry
    from designloop.api import run as run
    from designloop.api import sample as sample
    from designloop.api import score as score
    from designloop.api import status as status
    from designloop.api import suggest as suggest
    from designloop.api import tell as tell
    from designloop.api import top as top
    from designloop.api import validate as validate

_old_name.install()

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "api": [
            "load_campaign",
            "validate",
            "dry_run",
            "score",
            "run",
            "retry",
            "suggest",
            "tell",
            "pending",
            "status",
            "top",
            "compare",
            "query",
            "open_candidates",
            "sample",
            "reconstruct",
            "pretrain",
            "load_model",
        ],
    },
)
