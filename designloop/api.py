"""The verbs of the tool. Each command of the command line is one of them; here they take and give Python objects.

    import designloop

    campaign = designloop.load_campaign("campaigns/quickstart.yaml", {"budget.oracle_calls": 500})
    outcome = designloop.run(campaign)
    designloop.open_candidates(campaign.output_folder).top(10).to_pandas()

A campaign may be given as the object or as the path of its file, and where only its results are asked for, also as
their folder. What needs torch or Ray is imported where it is used, so that a question to a table is answered at once.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import designloop.oracles as oracle_package
from designloop.loop import preflight
from designloop.loop.campaign import templates as template
from designloop.loop.campaign.campaign import Campaign
from designloop.loop.campaign.campaign import load_campaign as load_campaign
from designloop.loop.campaign.changes import as_begun, changed_keys, unknown_filters
from designloop.loop.logbook import logbook
from designloop.loop.own_molecules import OwnMolecule, read_own, score_own
from designloop.loop.preflight import Estimate, Plan
from designloop.loop.progress import Progress, watched
from designloop.loop.summary import Summary, results_below, summarize
from designloop.loop.summary import results_folder as results_folder
from designloop.molecules.chemistry import parse
from designloop.molecules.neighbours import nearest_zinc
from designloop.molecules.reconstruction import REFINE, Reconstruction
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.oracles import OracleCard
from designloop.report import comparison
from designloop.report.references import Reference, read_references, write_references
from designloop.report.top import TopMolecule, top_molecules
from designloop.tables import CandidateTable
from designloop.tables import open_candidates as open_candidates
from designloop.tables.durable import disk_errors
from designloop.tables.ledger import Ledger
from designloop.tables.manifest import read_campaign
from designloop.words import silent

if TYPE_CHECKING:
    import pyarrow as pa

    from designloop.molecules.pretrain import HeldOut
    from designloop.molecules.sequence_vae import SequenceVAE

Say = Callable[[str], None]


class InputError(ValueError):
    """Something that was asked for cannot be done as asked; the message ends in what to do."""


# --- before a campaign ----------------------------------------------------------------------------------------------


def templates() -> dict[str, str]:
    """Name of each template of ``init`` -> what it is for."""
    return {name: template.summary(name) for name in template.names()}


def init(path: Path | str = "campaign.yaml", start_from: str = template.DEFAULT) -> list[Path]:
    """Writes a commented campaign file, and what it needs beside it; never over a file that is there.

    Raises:
        TemplateError: there is no such template.
        InputError: a file exists, or cannot be written.
    """
    path = Path(path)
    if path.suffix != ".yaml":
        raise InputError(f"{path} ends in {path.suffix!r}, expected .yaml; call it {path.stem}.yaml")
    texts = {path.with_name(name): text for name, text in template.render(start_from, path.stem).items()}
    if there := [str(one) for one in texts if one.exists()]:
        raise InputError(f"{', '.join(there)} is there already and is not overwritten; give another name or folder")
    try:
        for one, text in texts.items():
            one.write_text(text, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give another place") from error
    return list(texts)


def validate(campaign: Campaign | Path | str) -> Plan:
    """The plan of a campaign: every oracle is run on known molecules, every filter on ZINC and on the model's draws.

    Raises:
        CampaignError: all that is wrong with the file.
        LedgerBusy: the campaign, or another on its ledger, is running.
    """
    campaign = _loaded(campaign)
    with Ledger(campaign.ledger_path) as ledger:
        return preflight.plan(campaign, ledger)


def score(campaign: Campaign | Path | str, molecules: Path | str | Sequence[str]) -> list[OwnMolecule]:
    """Properties, desirabilities and scores of molecules of one's own, recorded in the ledger as checks.

    Args:
        molecules: a .smi, .csv or .parquet file, or SMILES.
    Raises:
        MoleculeError: one of them cannot be read.
    """
    campaign = _loaded(campaign)
    if isinstance(molecules, str | Path):
        written, names = read_own(molecules)
    else:
        written, names = list(molecules), [""] * len(molecules)
    with Ledger(campaign.ledger_path) as ledger:
        return score_own(campaign, ledger, written, names)


def dry_run(campaign: Campaign | Path | str) -> Estimate:
    """Calls and time to expect; for it every oracle that is not costly is run on known molecules."""
    campaign = _loaded(campaign)
    begun = (campaign.output_folder / "campaign.json").is_file()
    with Ledger(campaign.ledger_path) as ledger:
        return preflight.estimate(campaign, ledger, summarize(campaign.output_folder).rounds if begun else ())


# --- the campaign ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """How a campaign ended, and what came of it."""

    summary: Summary
    best: Sequence[TopMolecule]
    references: Sequence[Reference]
    pictures: Sequence[Path]


def run(
    campaign: Campaign | Path | str,
    *,
    fresh: bool = False,
    accept_changed_oracles: bool = False,
    on_round: Callable[[Progress], None] = silent,
    say: Say = silent,
) -> Outcome:
    """Runs a campaign to its end, from its last committed round on if it was begun before; leaves two pictures.

    Args:
        fresh: begin anew; earlier results are moved aside, never deleted, and the ledger keeps what was paid for.
        accept_changed_oracles: resume although an oracle is not the one it was; recorded.
        on_round: told after each round.
        say: told what a person should know.
    Raises:
        CampaignError: all that is wrong with the file.
        TableError, TableBusy, LedgerBusy: the results cannot be written to, or not now.
        BrokenOracle: an oracle works on no known molecule; nothing was charged.
        EvaluationError: there are no workers; the same call resumes.
    """
    from designloop.loop.environment import environment, take_up
    from designloop.loop.runner import rounds_left, run_campaign
    from designloop.report.pictures import write_pictures

    campaign = _loaded(campaign)
    stored = None if fresh else read_campaign(campaign.output_folder)
    since = unknown_filters(stored.openings[0].dump, campaign) if stored else []
    if stored:  # by its first opening: later ones may have been written by a version that knows more filters
        campaign = as_begun(stored.openings[0].dump, campaign)
    opening = CandidateTable.open(
        campaign,
        changed_keys=changed_keys,
        fresh=fresh,
        accept_changed_oracles=accept_changed_oracles,
        environment=environment(),
    )
    with opening as table, logbook(table.folder, say) as book:
        if table.moved_aside is not None:
            book.say(f"earlier results were moved to {table.moved_aside}")
        if since:
            book.say(
                f"this campaign was begun by a version without the filters {', '.join(since)}, and goes on without "
                "them; --fresh begins anew with them"
            )
        for warning in [*campaign.warnings, *take_up(table.environment), *table.remarks]:
            book.say(warning)
        if goes_on := next(rounds_left(campaign, table), None) is not None:  # else the end is marked anew
            of_folder = len(table.remarks)
            table.ledger  # noqa: B018 - opened for what it has to say before anything is run
            for warning in table.remarks[of_folder:]:
                book.say(warning)
            preflight.refuse_broken(campaign, table.ledger)
        _score_references(campaign, table, book.say, anyway=goes_on)
        if goes_on:
            book.say(f"resuming after round {table.next_round() - 1}" if table.rounds() else "starting")
            heard = watched(campaign, table, book.also(on_round))
            run_campaign(campaign=campaign, table=table, on_round=heard, say=book.say)
        summary = summarize(table.folder)
        for line in summary.closing():
            book.note(line)
        with disk_errors(f"the pictures in {table.folder} could not be written"):
            pictures = write_pictures(open_candidates(table.folder), table.folder)
    return Outcome(summary, top_molecules(open_candidates(table.folder)), read_references(table.folder)[0], pictures)


def _score_references(campaign: Campaign, table: CandidateTable, say: Say, anyway: bool) -> None:
    """Scores the references; what the ledger knows of them is not run again.

    Args:
        anyway: also where those that are kept are whole and the ones that are wanted: an oracle may have changed.
    """
    given = campaign.references()
    kept, damaged = read_references(table.folder)
    wanted = [(one.name or one.smiles, one.smiles) for one in given]
    if not (anyway or damaged) and [(one.name, one.smiles) for one in kept] == wanted:
        return
    if damaged and table.rounds():
        say(f"{damaged[0].partition(': the references')[0]}: the references are scored again")
    scored = preflight.score_checks(campaign, table.ledger, [one.smiles for one in given])
    write_references([Reference.of(one.name, row) for one, row in zip(given, scored, strict=True)], table.folder)


# --- what it found --------------------------------------------------------------------------------------------------


def status(campaign: Campaign | Path | str) -> Summary:
    """How far a campaign is, how well it does and what went wrong; also while it runs."""
    return summarize(results_folder(campaign))


def query(sql: str, campaigns: Sequence[Campaign | Path | str] = (), *, say: Say = silent) -> pa.Table:
    """Answer to one SQL query over the views ``candidates``, ``rounds`` and ``runs`` of some campaigns.

    Args:
        campaigns: by default all whose folders of results lie below the current folder.
        say: told what is damaged and was left out.
    Raises:
        QueryError: the statement is wrong, or a folder holds no campaign.
    """
    candidates = open_candidates([results_folder(one) for one in campaigns] or results_below(Path.cwd()))
    answer = candidates.query(sql)
    for remark in candidates.remarks:
        say(remark)
    return answer


def top(
    campaigns: Campaign | Path | str | Sequence[Campaign | Path | str],
    n: int = 10,
    *,
    diverse: bool = False,
    say: Say = silent,
) -> tuple[list[TopMolecule], list[Reference]]:
    """The ``n`` best molecules of some campaigns, one a stereo-free parent, and the references to compare with.

    Args:
        diverse: leave out near-duplicates of better ones.
        say: told when the nearest ZINC molecules take a while, and what is damaged and was left out.
    Raises:
        QueryError: the campaigns have different objectives, so their scores do not compare.
    """
    several = [campaigns] if isinstance(campaigns, Campaign | Path | str) else campaigns
    folders = [results_folder(one) for one in several]
    candidates = open_candidates(folders)
    best = top_molecules(candidates, n, diverse=diverse, nearest_known=lambda smiles: nearest_zinc(smiles, say))
    references: dict[str, Reference] = {}
    remarks = candidates.remarks
    for kept, damaged in map(read_references, folders):
        references |= {one.smiles: one for one in kept}
        remarks += damaged
    for remark in remarks:
        say(remark)
    return best, list(references.values())


def write_top(best: Sequence[TopMolecule], path: Path | str, ending: str = "") -> Path:
    """Writes molecules as .csv, .smi, .sdf or .svg.

    Args:
        ending: which of these; by default the path's own.
    Raises:
        InputError: another ending, or the file cannot be written.
    """
    from designloop.report.export import write_csv, write_sdf, write_smi
    from designloop.report.pictures import draw_best

    path = Path(path)
    writers: Mapping[str, Callable[[Sequence[TopMolecule], Path], object]] = {
        ".csv": write_csv,
        ".smi": write_smi,
        ".sdf": write_sdf,
        ".svg": lambda molecules, to: to.write_text(draw_best(molecules), encoding="utf-8"),
    }
    writer = writers.get(ending or path.suffix.lower())
    if writer is None:
        raise InputError(f"{path} ends in {path.suffix!r}, expected one of {', '.join(writers)}; give another name")
    with _writing(path):
        writer(best, path)
    return path


def write_rows(rows: pa.Table, path: Path | str) -> Path:
    """Writes the answer to a query as CSV; a list as its words.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    with _writing(path), path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(rows.column_names)
        for row in rows.to_pylist():
            writer.writerow([" ".join(one) if isinstance(one, list) else one for one in row.values()])
    return path


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """The operating system's errors as ours; a folder is never made, since its name may be misspelt."""
    try:
        if not path.absolute().parent.is_dir():
            raise InputError(f"there is no folder {path.parent} to write {path.name} into; make it, or name another")
        yield
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror}); give another place") from error


def compare(campaigns: Sequence[Campaign | Path | str], *, say: Say = silent) -> list[comparison.Standings]:
    """Campaigns side by side: calls, best, mean of the ten best, and PMO's area under its curve.

    Args:
        say: told what is damaged and was left out.
    """
    candidates = open_candidates([results_folder(one) for one in campaigns])
    standings = comparison.compare(candidates)
    for remark in candidates.remarks:
        say(remark)
    return standings


# --- oracles and models ---------------------------------------------------------------------------------------------


def oracles() -> list[OracleCard]:
    """A card for each built-in oracle."""
    return oracle_package.available()


def oracle(reference: str) -> OracleCard:
    """All about one oracle: built in, ``my_module:my_function`` or ``./my_oracle.py:score``."""
    return oracle_package.describe(reference)


def load_model(model: str | Path = DEFAULT_MODEL, device: str = "cpu") -> SequenceVAE:
    """A sequence VAE: a shipped one by name, or a file that ``pretrain`` wrote."""
    from designloop.molecules.sequence_vae import load

    return load(model, device)


def sample(n: int = 10, *, model: str = DEFAULT_MODEL, seed: int = 0) -> list[str]:
    """(n,) SMILES drawn from a model's prior."""
    from designloop.loop.pretrained import Pretrained

    return Pretrained(model).draws(n, seed)


def reconstruct(
    molecules: Path | str | Sequence[str], *, model: str = DEFAULT_MODEL, refine: bool = True
) -> list[Reconstruction]:
    """Molecules encoded and decoded again.

    Args:
        molecules: a file of molecules, or SMILES.
        refine: move latents that would decode to another molecule (``vae.refinement``); else take the encoder's means.

    Raises:
        InputError: none of them is a molecule.
    """
    from designloop.molecules.reconstruction import reconstruct as there_and_back

    smiles = read_own(molecules)[0] if isinstance(molecules, str | Path) else molecules
    if not any(parse(one) is not None for one in smiles):
        found = ", ".join(map(repr, smiles[:3])) or "nothing"
        raise InputError(f"found {found}, expected SMILES that RDKit can read; quote them, or give a file of molecules")
    return there_and_back(load_model(model), smiles, REFINE if refine else 0)


def pretrain(
    output: Path | str,
    *,
    corpus: Path | str | None = None,
    steps: int | None = None,
    seed: int = 0,
    device: str = "cpu",
    on_measure: Callable[[HeldOut], None] = silent,
) -> Path:
    """The file of a sequence VAE trained on a corpus, in a folder that is resumed if it was begun before.

    Args:
        output: the folder.
        corpus: a .smi, .csv or .parquet file; by default ZINC 250k, which gives the shipped model.
        steps: gradient steps; by default the recipe's.
        on_measure: told the held-out measures from time to time.
    """
    from designloop.molecules.pretrain import pretrain_corpus
    from designloop.molecules.recipe import Recipe

    recipe = Recipe(seed=seed)
    if steps is not None:
        recipe = recipe.scaled(steps)
    file = None if corpus is None else Path(corpus)
    return pretrain_corpus(Path(output), file, recipe, device=device, on_measure=on_measure)


def _loaded(campaign: Campaign | Path | str) -> Campaign:
    return campaign if isinstance(campaign, Campaign) else load_campaign(campaign)
