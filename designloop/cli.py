"""The command line: one thin command for each verb of ``designloop.api``.

Exit codes: 0 done, 1 a defect of ours, 2 bad input, 3 no results, 4 stopped, goes on, 130 Ctrl-C, 143 SIGTERM.
Modules are imported inside the commands, so that ``--version`` and ``--help`` answer at once.
"""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

import designloop
from designloop.command import app as app
from designloop.command import command, run_app
from designloop.exit_codes import BAD_INPUT, DONE, NO_RESULTS
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.paths import is_file
from designloop.standard_streams import go_on_unread, steady

# Read by OpenMP when torch is first imported. Threads that spin while they wait make a machine that anything else runs
# on (Ray's workers, a browser) slower by an order of magnitude.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

CampaignFile = Annotated[Path, typer.Argument(help="A campaign file.", show_default=False)]
Results = Annotated[Path, typer.Argument(help="A campaign file, or the folder of its results.", show_default=False)]
Several = Annotated[list[Path], typer.Argument(help="Campaign files, or folders of results.", show_default=False)]
SmilesOrFile = Annotated[list[str], typer.Argument(help="SMILES, or one file of molecules.", show_default=False)]
Address = Annotated[str | None, typer.Option(help="A running Ray cluster: auto, or HOST:PORT.")]
Model = Annotated[str, typer.Option(help="A shipped model by name, or a file that `designloop pretrain` wrote.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same molecules.", min=0, max=2**63 - 1)]


class BackendName(StrEnum):
    """Where oracles run."""

    ray = "ray"
    inline = "inline"


Workers = Annotated[int | None, typer.Option(help="Workers that score at once.", min=1)]
Backend = Annotated[BackendName | None, typer.Option(help="Ray's workers, or one child process.")]
AcceptChanged = Annotated[
    bool, typer.Option("--accept-changed-oracles", help="Go on although an oracle is not the one it was.")
]


def main() -> None:
    """The console script."""
    steady()
    run_app()


def _aside(line: str) -> None:
    """Says a line beside what is asked for, where it can be piped into another program."""
    typer.echo(line, err=True)


def _smiles_or_file(molecules: list[str]) -> Path | list[str]:
    """Returns the one file that the words of a command line name, whether or not it is there; else the words."""
    from designloop.molecules.reading_formats import READERS, file_ending

    path = Path(molecules[0])
    return path if len(molecules) == 1 and (is_file(path) or file_ending(path) in READERS) else molecules


def _evaluation(**options: object) -> dict[str, object]:
    """What was said of the evaluation on the command line, in the words of a campaign file."""
    return {f"evaluation.{key}": value for key, value in options.items() if value is not None}


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"designloop {designloop.__version__}")
        raise typer.Exit


@command
def init(
    path: Annotated[Path, typer.Argument(help="The file to write; never one that is there.")] = Path("campaign.yaml"),
    template: Annotated[str, typer.Option(help="What to start from.")] = "quickstart",
    list_: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
) -> None:
    """Write a commented campaign file to start from."""
    from designloop import api, display

    if list_:
        display.grid(("template", "what it is for"), list(api.templates().items()))
        return
    typer.echo(f"Wrote {', '.join(map(str, api.init(path, template)))}")
    typer.echo(f"Next: designloop validate {path}")


@command
def validate(campaign: CampaignFile, address: Address = None) -> int:
    """Check a campaign file, print its plan, and run every oracle on a few molecules: your first, or known ones."""
    from designloop import api, display

    plan = api.validate(api.load_campaign(campaign, _evaluation(address=address)))
    display.plan(plan)
    return DONE if plan.ready else BAD_INPUT


@command
def score(
    campaign: CampaignFile,
    molecules: SmilesOrFile,
    csv: Annotated[Path | None, typer.Option(help="Write them as CSV, with the other columns of your file.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Leave out what is no molecule, and list it.")] = False,
) -> None:
    """Score molecules of your own, outside any budget: properties, desirabilities, and what the filters say."""
    from designloop import api, display

    scored = api.score(campaign, _smiles_or_file(molecules), skip_bad=skip_bad, say=_aside)
    display.scores(scored)
    if csv is not None:
        typer.echo(f"Wrote {api.write_scores(scored, csv)}")


@command
def run(
    campaign: CampaignFile,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it would cost.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; earlier results are moved aside.")] = False,
    address: Address = None,
    workers: Workers = None,
    backend: Backend = None,
    accept_changed_oracles: AcceptChanged = False,
    no_try: Annotated[
        bool, typer.Option("--no-try", help="Do not give a costly oracle one molecule before all others.")
    ] = False,
    anyway: Annotated[
        bool, typer.Option("--anyway", help="Begin although the filters refuse all molecules of yours.")
    ] = False,
) -> int:
    """Run a campaign, or go on with it: after Ctrl-C or a crash the same command resumes."""
    from designloop import api, display

    go_on_unread()
    loaded = api.load_campaign(
        campaign, _evaluation(address=address, workers=workers, backend=backend and backend.value)
    )
    if dry_run:
        display.estimate(api.dry_run(loaded, fresh=fresh, accept_changed_oracles=accept_changed_oracles, anyway=anyway))
        return DONE
    with display.RunDisplay(loaded) as shown:
        outcome = api.run(
            loaded,
            fresh=fresh,
            accept_changed_oracles=accept_changed_oracles,
            anyway=anyway,
            try_costly=not no_try,
            on_round=shown.on_round,
            on_scored=shown.on_scored,
            say=shown.say,
        )
    display.outcome(outcome)
    return DONE if outcome.summary.has_results else NO_RESULTS


@command
def retry(
    campaign: CampaignFile,
    reason: Annotated[
        str | None, typer.Option(help="Only molecules whose failure, as `status` shows it, holds this text.")
    ] = None,
    address: Address = None,
    workers: Workers = None,
    backend: Backend = None,
    accept_changed_oracles: AcceptChanged = False,
) -> int:
    """Run failed and timed-out molecules again, once the cause is mended; nothing is charged."""
    from designloop import api

    go_on_unread()
    loaded = api.load_campaign(
        campaign, _evaluation(address=address, workers=workers, backend=backend and backend.value)
    )
    retried = api.retry(loaded, reason=reason, accept_changed_oracles=accept_changed_oracles, say=typer.echo)
    typer.echo(str(retried))
    return NO_RESULTS if retried.molecules and not retried.mended else DONE


@command
def suggest(
    campaign: CampaignFile,
    n: Annotated[int | None, typer.Option("--n", "-n", help="How many; by default the batch size.", min=1)] = None,
    spend: Annotated[float | None, typer.Option(help="The most that they may cost together (`prices:`).")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write them as CSV, to be filled in and told.")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="What was suggested and is not wholly told yet.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew; what there is, is moved aside.")] = False,
) -> int:
    """Choose the next molecules to measure, where a property is measured in a laboratory."""
    from designloop import api, display

    said = {"-n": n is not None, "--spend": spend is not None, "--fresh": fresh}
    if pending and (idle := ", ".join(flag for flag, is_said in said.items() if is_said)):
        raise typer.BadParameter(f"found {idle} beside --pending, which lists what was suggested before; leave it out")
    if pending:
        suggested = api.pending(campaign, csv=csv, say=_aside)
    else:
        suggested = api.suggest(campaign, n, spend=spend, csv=csv, fresh=fresh, say=_aside)
    display.suggested(suggested)
    if csv is not None and suggested.suggestions:
        typer.echo(f"Wrote {csv}. Fill it in, then: designloop tell {campaign} {csv}")
    return DONE if suggested.suggestions or pending else NO_RESULTS


@command
def tell(
    campaign: CampaignFile,
    results: Annotated[Path, typer.Argument(help="A CSV file of results.", show_default=False)],
    accept_changed_oracles: AcceptChanged = False,
) -> int:
    """Take what was measured: a round of the campaign, charged now, of which the strategy learns."""
    from designloop import api, display

    told = api.tell(campaign, results, accept_changed_oracles=accept_changed_oracles, say=_aside)
    display.told(told)
    return BAD_INPUT if told.refused else DONE


@command
def status(campaign: Results) -> None:
    """Tell how far a campaign is, how well it does and what went wrong; also while it runs."""
    from designloop import api, display

    display.status(api.status(campaign))


@command
def top(
    campaigns: Several,
    n: Annotated[int, typer.Option("--n", "-n", help="How many molecules.", min=1)] = 10,
    diverse: Annotated[bool, typer.Option("--diverse", help="Leave out near-duplicates of better ones.")] = False,
    with_refused: Annotated[
        bool, typer.Option("--with-refused", help="Also starting molecules that a filter refuses.")
    ] = False,
    pareto: Annotated[
        bool, typer.Option("--pareto", help="Only the front: nothing is as good in every property and better in one.")
    ] = False,
    csv: Annotated[Path | None, typer.Option(help="Write them as CSV.")] = None,
    smi: Annotated[Path | None, typer.Option(help="Write them as SMILES, with names.")] = None,
    sdf: Annotated[Path | None, typer.Option(help="Write them as SDF, with their properties.")] = None,
    svg: Annotated[Path | None, typer.Option(help="Draw them.")] = None,
) -> None:
    """Show the best molecules, one a stereo-free parent, their score broken down by property."""
    from designloop import api, display

    best, references = api.top(campaigns, n, diverse=diverse, with_refused=with_refused, pareto=pareto, say=_aside)
    display.top(best, references)
    for ending, path in {".csv": csv, ".smi": smi, ".sdf": sdf, ".svg": svg}.items():
        if path is not None:
            typer.echo(f"Wrote {api.write_top(best, path, ending, references)}")


@command
def compare(campaigns: Several) -> None:
    """Set campaigns side by side: calls, best, mean of the ten best, and how soon they were found."""
    from designloop import api, display

    display.comparison(api.compare(campaigns, say=_aside))


@command
def query(
    sql: Annotated[str, typer.Argument(help='Such as "SELECT smiles, score FROM candidates LIMIT 5".')],
    campaigns: Annotated[
        list[Path] | None,
        typer.Argument(help="Campaign files, folders of results; by default all to two levels below."),
    ] = None,
    csv: Annotated[Path | None, typer.Option(help="Write the rows to this file instead.")] = None,
) -> None:
    """Ask in SQL (DuckDB's) over the views candidates, rounds and runs; read-only, also while campaigns run."""
    from designloop import api, display

    answer = api.query(sql, campaigns or (), say=_aside)
    if csv is None:
        display.rows(answer)
    else:
        typer.echo(f"Wrote {api.write_rows(answer, csv)}")


@command
def oracles(
    name: Annotated[
        str | None, typer.Argument(help="A name, MODULE:FUNCTION or FILE:FUNCTION.", show_default=False)
    ] = None,
) -> None:
    """List the oracles there are, or tell all about one: parameters, units, an example."""
    from designloop import api, display

    if name is None:
        display.oracles(api.oracles())
    else:
        display.oracle(api.oracle(name))


def _part_command(what: str, meaning: str) -> None:
    """Registers a command that lists the parts of a kind, or tells all about one."""

    def listing(
        name: Annotated[str | None, typer.Argument(help="One of them.", show_default=False)] = None,
    ) -> None:
        from designloop import api, display

        if name is None:
            display.parts(what, api.parts(what))
        else:
            display.part(api.part(what, name))

    listing.__name__ = what
    listing.__doc__ = f"List {meaning}, or tell all about one: its settings, their defaults, an example."
    command(listing)


_part_command("strategies", "the strategies")
_part_command("filters", "the filters")
_part_command("transforms", "the transforms from a value to a desirability")
_part_command("descriptors", "the descriptors that the filter of that name takes")


@command
def sample(
    n: Annotated[int, typer.Option("--n", "-n", help="How many molecules.", min=1)] = 10,
    model: Model = DEFAULT_MODEL,
    seed: Seed = 0,
    filtered: Annotated[bool, typer.Option("--filter", help="Only what passes the default filters, once.")] = False,
) -> None:
    """Draw molecules from a model's prior, one SMILES a line: raw, as the model writes them, or filtered."""
    from designloop import api

    for smiles in api.sample(n, model=model, seed=seed, filtered=filtered):
        typer.echo(smiles)


@command
def reconstruct(
    molecules: SmilesOrFile,
    model: Model = DEFAULT_MODEL,
    refine: Annotated[
        bool, typer.Option(help="Move latents that would decode to another molecule up the gradient of log p(x | z).")
    ] = True,
) -> None:
    """Encode molecules and decode them again: what comes back, and how similar it is."""
    from designloop import api, display

    display.reconstructions(api.reconstruct(_smiles_or_file(molecules), model=model, refine=refine))


@command
def pretrain(
    output: Annotated[
        Path, typer.Argument(help="Folder of the run; one that is there is resumed.", show_default=False)
    ],
    corpus: Annotated[Path | None, typer.Option(help="A .smi, .csv or .parquet file; by default ZINC 250k.")] = None,
    steps: Annotated[int | None, typer.Option(help="Gradient steps; by default the recipe's.", min=1)] = None,
    seed: Seed = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
) -> None:
    """Train a sequence VAE on a corpus; after a kill the same command resumes, to the same weights."""
    from designloop import api, display

    go_on_unread()
    path = api.pretrain(output, corpus=corpus, steps=steps, seed=seed, device=device, on_measure=display.training)
    typer.echo(f"Wrote {path}. A campaign uses it by `model: {path}`.")


@command
def benchmark(
    name: Annotated[str, typer.Argument(help="A benchmark, or all; without a name they are listed.")] = "",
    method: Annotated[
        str | None, typer.Argument(help="One method of a benchmark that has several (vae).", show_default=False)
    ] = None,
    output: Annotated[Path, typer.Option(help="Folder of the records.")] = Path("docs/benchmarks"),
    campaign: Annotated[Path | None, typer.Option(help="Another campaign file.")] = None,
    model: Annotated[str | None, typer.Option(help="Another model, by name or file.")] = None,
    seeds: Annotated[int | None, typer.Option(help="How many seeds.", min=1)] = None,
    calls: Annotated[int | None, typer.Option(help="Oracle calls of each campaign.", min=1)] = None,
    arms: Annotated[str, typer.Option(help="Only these arms, with commas between.")] = "",
    tasks: Annotated[str, typer.Option(help="Only these tasks of one that has several, with commas between.")] = "",
    jobs: Annotated[int, typer.Option(help="Processes side by side.", min=1)] = 1,
    work: Annotated[Path, typer.Option(help="Where an interrupted one is kept.")] = Path("build/benchmarks"),
) -> None:
    """Run a benchmark, print what it found and write its record; without options as the records in docs are made."""
    from designloop import benchmarks

    go_on_unread()
    chosen_arms, chosen_tasks = (
        tuple(name.strip() for name in text.split(",") if name.strip()) for text in (arms, tasks)
    )
    options = benchmarks.Options(campaign, model, seeds, calls, chosen_arms, chosen_tasks, jobs, work, method)
    benchmarks.main(name, output, options)
