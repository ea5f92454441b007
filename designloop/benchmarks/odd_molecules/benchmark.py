"""What the filters of odd molecules refuse: of drugs and held-out ZINC hardly any, of what nobody would make most.

Each approved drug is judged by ZINC's training rows and the other drugs; held-out ZINC is in no table. Two lists of odd
molecules were made by eye before they were measured: ``odd_molecules.smi``, from campaigns without filters, by
which the form of the tables was chosen, and ``odd_molecules_later.smi``, from campaigns under the filters that there
were, by which nothing was. All filters stand at their defaults.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from time import perf_counter
from typing import Any

from rdkit import Chem

from designloop.benchmarks.common.options import Options, Results, Say
from designloop.benchmarks.common.page import table
from designloop.loop.screening.filters import Filter, FilterContext, Filters, build
from designloop.molecules.chemistry import require, standard_form, standard_forms
from designloop.molecules.corpus import held_out_smiles
from designloop.molecules.drugs import organic_drugs
from designloop.molecules.known_parts import (
    Known,
    first_unknown_group_pair,
    first_unknown_ring_system,
    known_parts,
    parts,
)

SUMMARY = "Of drugs, held-out ZINC and odd molecules, the shares that the filters of odd molecules refuse."

OPTIONS: frozenset[str] = frozenset()

DATA = Path(__file__).parent

TABLES = ("known_rings", "known_groups")
PATTERNS = ("unstable", "reactive")
ODDITY = (*PATTERNS, *TABLES)
USUAL = ("elements", "heavy_atoms", "net_charge")

LEAST_DRUGS, LEAST_ZINC, LEAST_ODD = 0.95, 0.98, 0.8
"""Shares of drugs and of held-out ZINC that have to pass the two tables, and of odd molecules that have to be refused
by them and the patterns."""

_TIMED = 1000


def run(options: Options, say: Say) -> Results:
    """Asks the default filters of every molecule."""
    filters = build(Filters(), FilterContext(Path()))
    say("drugs …")
    drugs = [(form, require(form)) for form in organic_drugs()]
    refusing_drugs = [refusing(form, mol, filters) - set(TABLES) for form, mol in drugs]
    others = [passes_without_itself(mol, known_parts()) for _, mol in drugs]
    within = [not names & set(USUAL) for names in refusing_drugs]
    say("held-out ZINC …")
    held_out = [(form, require(form)) for form in standard_forms(held_out_smiles()) if form is not None]
    refusing_zinc = [refusing(form, mol, filters) for form, mol in held_out]
    results: dict[str, Any] = {
        "seeds": [],
        "drugs": {
            "molecules": len(drugs),
            "pass_tables": fmean(others),
            "of_usual_elements_size_and_charge": sum(within),
            "of_these_pass_tables": fmean(passes for passes, usual in zip(others, within, strict=True) if usual),
            "pass_tables_and_patterns": share(
                passes and not names & set(PATTERNS) for passes, names in zip(others, refusing_drugs, strict=True)
            ),
            "pass_all": share(passes and not names for passes, names in zip(others, refusing_drugs, strict=True)),
            "refused_by": {
                rule.name: share(rule.name in names for names in refusing_drugs)
                for rule in filters
                if rule.name not in TABLES
            },
        },
        "held_out_zinc": {
            "molecules": len(held_out),
            "pass_tables": share(not names & set(TABLES) for names in refusing_zinc),
            "pass_tables_and_patterns": share(not names & set(ODDITY) for names in refusing_zinc),
            "pass_all": share(not names for names in refusing_zinc),
            "refused_by": {rule.name: share(rule.name in names for names in refusing_zinc) for rule in filters},
        },
    }
    for name, file in (("odd", "odd_molecules.smi"), ("odd_later", "odd_molecules_later.smi")):
        say(f"{file} …")
        results[name] = refusals_of_odd(read_odd(DATA / file), filters)
    results["per_second"] = {
        rule.name: per_second(rule, held_out[:_TIMED]) for rule in filters if rule.name in (*ODDITY, "alerts")
    }
    return {**results, "bars": bars(results)}


def read_odd(path: Path) -> list[str]:
    """Reads the SMILES of a list of odd molecules."""
    return [line.split("\t")[0] for line in path.read_text("utf-8").splitlines() if not line.startswith("#")]


def refusals_of_odd(smiles: Sequence[str], filters: Sequence[Filter]) -> dict[str, Any]:
    """Counts the odd molecules that are refused, and by which filters; several may refuse one molecule."""
    forms = [standard_form(written) for written in smiles]
    refused = [refusing(form, require(form), filters) for form in forms]
    only_oddity = [names for names in refused if not names - set(ODDITY)]
    return {
        "molecules": len(forms),
        "refused_by_tables": share(bool(names & set(TABLES)) for names in refused),
        "refused_by_tables_and_patterns": share(bool(names & set(ODDITY)) for names in refused),
        "refused_by_all": share(map(bool, refused)),
        "let_pass_by_the_rest": len(only_oddity),
        "of_these_refused": share(map(bool, only_oddity)),
        "by_filter": {rule.name: sum(rule.name in names for names in refused) for rule in filters},
    }


def refusing(form: str, mol: Chem.Mol, filters: Sequence[Filter]) -> set[str]:
    """Returns the names of the filters that refuse a molecule."""
    return {rule.name for rule in filters if rule.refuses(mol, form) is not None}


def passes_without_itself(mol: Chem.Mol, known: Known) -> bool:
    """Says whether a drug passes both tables when they are made without it."""
    less_one = {part: known.drugs[part] - 1 for part in parts(mol) if part in known.drugs}
    others = Known(known.zinc, ChainMap(less_one, dict(known.drugs)))
    return first_unknown_ring_system(mol, known=others) is None and first_unknown_group_pair(mol, known=others) is None


def share(answers: Iterable[bool]) -> float:
    """Returns the share of those that are true."""
    return fmean(answers)


def per_second(rule: Filter, molecules: Sequence[tuple[str, Chem.Mol]]) -> float:
    """Times a filter: molecules a second on one core, none of which it has seen."""
    fresh: list[tuple[str, Chem.Mol]] = [(form, require(form)) for form, _ in molecules]
    began = perf_counter()
    for form, mol in fresh:
        rule.refuses(mol, form)
    return len(fresh) / (perf_counter() - began)


def bars(results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Lists what is asked of the filters, what was measured, and whether it holds."""
    asked: list[tuple[str, Callable[[], float], float]] = [
        ("drugs that pass the tables made without them", lambda: results["drugs"]["pass_tables"], LEAST_DRUGS),
        ("held-out ZINC that passes the tables", lambda: results["held_out_zinc"]["pass_tables"], LEAST_ZINC),
        *(
            (f"{words} that tables and patterns refuse", lambda key=key: results[key][_REFUSED], LEAST_ODD)
            for words, key in (("odd molecules", "odd"), ("odd molecules listed later", "odd_later"))
        ),
    ]
    return [
        {"what": what, "measured": value(), "at_least": least, "holds": value() >= least}
        for what, value, least in asked
    ]


_REFUSED = "refused_by_tables_and_patterns"


def _refused_by(of: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {part:.1%}" for name, part in of["refused_by"].items() if part)


def report(results: Results) -> str:
    """Writes the results as Markdown."""
    rows = [
        [bar["what"], f"{bar['measured']:.1%}", f"{bar['at_least']:.0%}", "yes" if bar["holds"] else "no"]
        for bar in results["bars"]
    ]
    drugs, zinc = results["drugs"], results["held_out_zinc"]
    lines = [
        table(["share of", "measured", "at least", "holds"], rows),
        f"Of {drugs['molecules']:,} organic drugs {drugs['of_usual_elements_size_and_charge']:,} have the usual "
        f"elements, size and charge; {drugs['of_these_pass_tables']:.1%} of these pass.",
        "",
        "All filters that are on by default, alerts included, and the share that each refuses by itself:",
        "",
        table(
            ["of", "pass the tables and patterns", "pass all", "refused by"],
            [
                [name, f"{of['pass_tables_and_patterns']:.1%}", f"{of['pass_all']:.1%}", _refused_by(of)]
                for name, of in (("drugs", drugs), ("held-out ZINC", zinc))
            ],
        ).rstrip(),
    ]
    for words, key in (("odd molecules", "odd"), ("odd molecules listed later", "odd_later")):
        odd = results[key]
        lines += [
            "",
            f"Of {odd['molecules']} {words} the tables alone refuse {odd['refused_by_tables']:.1%}, all filters "
            f"{odd['refused_by_all']:.1%}; of the {odd['let_pass_by_the_rest']} that the other filters let "
            f"pass, tables and patterns refuse {odd['of_these_refused']:.1%}.",
        ]
    speeds = ", ".join(f"{name} {rate:,.0f}" for name, rate in results["per_second"].items())
    return "\n".join([*lines, "", f"Molecules a second on one core: {speeds}.", ""])
