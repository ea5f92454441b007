"""The verbs of the tool. Each command of the command line is one of them; here they take and give Python objects.

    import designloop

    campaign = designloop.load_campaign("campaigns/quickstart.yaml", {"budget.oracle_calls": 500})
    outcome = designloop.run(campaign)
    designloop.open_candidates(campaign.output_folder).top(10).to_pandas()

A campaign may be given as the object or as the path of its file, and where only its results are asked for, also as
their folder. Each verb is loaded when it is first used, and torch or Ray where it is needed, so that a
question to a table is answered at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from designloop.lazy import attach

if TYPE_CHECKING:
    from designloop.api.before import dry_run as dry_run
    from designloop.api.before import init as init
    from designloop.api.before import load_campaign as load_campaign
    from designloop.api.before import score as score
    from designloop.api.before import templates as templates
    from designloop.api.before import validate as validate
    from designloop.api.inputs import InputError as InputError
    from designloop.api.laboratory import Suggested as Suggested
    from designloop.api.laboratory import Told as Told
    from designloop.api.laboratory import pending as pending
    from designloop.api.laboratory import suggest as suggest
    from designloop.api.laboratory import tell as tell
    from designloop.api.listings import part as part
    from designloop.api.listings import parts as parts
    from designloop.api.models import load_model as load_model
    from designloop.api.models import oracle as oracle
    from designloop.api.models import oracles as oracles
    from designloop.api.models import pretrain as pretrain
    from designloop.api.models import reconstruct as reconstruct
    from designloop.api.models import sample as sample
    from designloop.api.results import compare as compare
    from designloop.api.results import open_candidates as open_candidates
    from designloop.api.results import query as query
    from designloop.api.results import results_folder as results_folder
    from designloop.api.results import status as status
    from designloop.api.results import top as top
    from designloop.api.results import write_rows as write_rows
    from designloop.api.results import write_scores as write_scores
    from designloop.api.results import write_top as write_top
    from designloop.api.retrying import Retried as Retried
    from designloop.api.retrying import retry as retry
    from designloop.api.running import Outcome as Outcome
    from designloop.api.running import run as run

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "before": ["dry_run", "init", "load_campaign", "score", "templates", "validate"],
        "inputs": ["InputError"],
        "laboratory": ["Suggested", "Told", "pending", "suggest", "tell"],
        "listings": ["part", "parts"],
        "models": ["load_model", "oracle", "oracles", "pretrain", "reconstruct", "sample"],
        "results": [
            "compare",
            "open_candidates",
            "query",
            "results_folder",
            "status",
            "top",
            "write_rows",
            "write_scores",
            "write_top",
        ],
        "retrying": ["Retried", "retry"],
        "running": ["Outcome", "run"],
    },
)
