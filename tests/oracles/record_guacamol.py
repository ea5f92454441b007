"""Writes data/guacamol.json.gz: what the packages guacamol and PyTDC say of 1,000 molecules of ZINC, of the tasks'
targets, of 200 close analogues of each, and of some odd molecules.

    python -m venv peers
    peers/bin/pip install -e . -c constraints.txt
    peers/bin/pip install --no-deps guacamol==0.5.5 PyTDC==1.1.15
    peers/bin/python tests/oracles/record_guacamol.py             keeps the molecules of the record
    peers/bin/python tests/oracles/record_guacamol.py --draw      draws them anew

Of both packages only the scoring functions run, as they stand. For what else they import, and today's packages lack,
a stub stands in: guacamol wants SciPy's ``histogram`` and ``fcd``, PyTDC wants ``rdkit.six``, ``pkg_resources`` and
its own downloader. PyTDC's module is loaded anew for each task, as its tasks share global variables (see
oracles/guacamol.py).
"""

from __future__ import annotations

import gzip
import importlib.metadata
import json
import random
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rdkit import rdBase

ROOT = Path(__file__).resolve().parents[2]
RECORD = Path(__file__).resolve().parent / "data" / "guacamol.json.gz"

DIGITS = 9
"""Decimals kept of a value."""

TARGETS = {
    "albuterol": "CC(C)(C)NCC(O)c1ccc(O)c(CO)c1",
    "amlodipine": r"Clc1ccccc1C2C(=C(/N/C(=C2/C(=O)OCC)COCCN)C)\C(=O)OC",
    "aripiprazole": "Clc4cccc(N3CCN(CCCCOc2ccc1c(NC(=O)CC1)c2)CC3)c4Cl",
    "camphor": "CC1(C)C2CCC1(C)C(=O)C2",
    "celecoxib": "CC1=CC=C(C=C1)C1=CC(=NN1C1=CC=C(C=C1)S(N)(=O)=O)C(F)(F)F",
    "cobimetinib": "OC1(CN(C1)C(=O)C1=C(NC2=C(F)C=C(I)C=C2)C(F)=C(F)C=C1)C1CCCCN1",
    "fexofenadine": "CC(C)(C(=O)O)c1ccc(cc1)C(O)CCCN2CCC(CC2)C(O)(c3ccccc3)c4ccccc4",
    "hopped": "CCCOc1cc2ncnc(Nc3ccc4ncsc4c3)c2cc1S(=O)(=O)C(C)(C)C",
    "isomer of C7H8N2O2": "Cc1ccc([N+](=O)[O-])cc1N",
    "isomer of C9H10N2O2PF2Cl": "CNC(=O)c1cc(Cl)c(NP(F)F)cc1OC",
    "isomer of C11H24": "CCCCCCCCCCC",
    "menthol": "CC(C)C1CCC(C)CC1O",
    "mestranol": "COc1ccc2[C@H]3CC[C@@]4(C)[C@@H](CC[C@@]4(O)C#C)[C@@H]3CCc2c1",
    "osimertinib": "COc1cc(N(C)CCN(C)C)c(NC(=O)C=C)cc1Nc2nccc(n2)c3cn(C)c4ccccc34",
    "perindopril": "O=C(OCC)C(NC(C(=O)N1C(C(=O)O)CC2CCCCC12)C)CCC",
    "pioglitazone": "O=C1NC(=O)SC1Cc3ccc(OCCc2ncc(cc2)CC)cc3",
    "ranolazine": "COc1ccccc1OCC(O)CN2CCN(CC(=O)Nc3c(C)cccc3C)CC2",
    "sildenafil": "CCCC1=NN(C2=C1N=C(NC2=O)C3=C(C=CC(=C3)S(=O)(=O)N4CCN(CC4)C)OCC)C",
    "sitagliptin": "Fc1cc(c(F)cc1F)CC(N)CC(=O)N3Cc2nnc(n2CC3)C(F)(F)F",
    "tadalafil": "O=C1N(CC(N2C1CC3=C(C2C4=CC5=C(OCO5)C=C4)NC6=C3C=CC=C6)=O)C",
    "thiothixene": "CN(C)S(=O)(=O)c1ccc2Sc3ccccc3C(=CCCN4CCN(C)CC4)c2c1",
    "troglitazone": "Cc1c(C)c2OC(C)(COc3ccc(CC4SC(=O)NC4=O)cc3)CCc2c(C)c1O",
    "valsartan": "CCCCC(=O)N(Cc1ccc(cc1)-c1ccccc1-c1nn[nH]n1)[C@@H](C(C)C)C(O)=O",
    "valsartan's core": "CN1C(=O)C(N)C2C(=O)Nc3cc(-c4c(F)cccc4F)ccc3C21",
    "zaleplon": "O=C(C)N(CC)C1=CC=CC(C2=CC=NC3=C(C=NN23)C#N)=C1",
}
"""Each target; for a formula a molecule that has it, for valsartan_smarts one that it scores highly."""


@dataclass(frozen=True)
class Case:
    """One oracle of ours, what the packages call it, and whose analogues it is compared on."""

    oracle: str
    targets: tuple[str, ...]
    params: dict[str, Any]
    benchmark: Callable[[Any], Any]
    """guacamol's module of benchmarks -> the one of this oracle."""
    tdc: bool = False
    """Whether PyTDC has it, under our name."""

    def __str__(self) -> str:
        return " ".join([self.oracle, *(f"{name}={value}" for name, value in self.params.items())])


def _similar(target: str, features: str, full: float) -> Callable[[Any], Any]:
    return lambda guacamol: guacamol.similarity(TARGETS[target], target, fp_type=features, threshold=full)


def _arithmetic(name: str) -> Callable[[Any], Any]:
    return lambda guacamol: getattr(guacamol, name)(guacamol.ArithmeticMeanScoringFunction)


ARITHMETIC = {"mean": "arithmetic"}


def _isomers(formula: str) -> tuple[Case, Case]:
    name, target = f"isomers_{formula.lower()}", f"isomer of {formula}"
    return (
        Case(name, (target,), {}, lambda suite: getattr(suite, name)(), True),
        Case(name, (target,), ARITHMETIC, lambda suite: getattr(suite, name)("arithmetic")),
    )


CASES = (
    Case("albuterol_similarity", ("albuterol",), {}, _similar("albuterol", "FCFP4", 0.75), True),
    Case("amlodipine_mpo", ("amlodipine",), {}, lambda suite: suite.amlodipine_rings(), True),
    Case("aripiprazole_similarity", ("aripiprazole",), {}, _similar("aripiprazole", "FCFP4", 0.75), True),
    Case(
        "aripiprazole_similarity",
        ("aripiprazole",),
        {"fingerprint": "ecfp4"},
        _similar("aripiprazole", "ECFP4", 0.75),
    ),
    Case("celecoxib_rediscovery", ("celecoxib",), {}, _similar("celecoxib", "ECFP4", 1.0), True),
    Case("cns_mpo", (), {}, lambda suite: suite.cns_mpo()),
    Case("cns_mpo", (), {"max_logp": 6.35584}, lambda suite: suite.cns_mpo(max_logP=6.35584)),
    Case("cobimetinib_mpo", ("cobimetinib",), {}, lambda suite: suite.hard_cobimetinib(max_logP=6.35584)),
    Case("deco_hop", ("hopped",), {}, lambda suite: suite.decoration_hop(), True),
    Case("fexofenadine_mpo", ("fexofenadine",), {}, lambda suite: suite.hard_fexofenadine(), True),
    Case("fexofenadine_mpo", ("fexofenadine",), ARITHMETIC, _arithmetic("hard_fexofenadine")),
    *(case for formula in ("C7H8N2O2", "C9H10N2O2PF2Cl", "C11H24") for case in _isomers(formula)),
    Case("logp_target", (), {}, lambda suite: suite.logP_benchmark(-1.0)),
    Case("logp_target", (), {"target": 8.0}, lambda suite: suite.logP_benchmark(8.0)),
    Case("median1", ("camphor", "menthol"), {}, lambda suite: suite.median_camphor_menthol(), True),
    Case("median1", ("camphor", "menthol"), ARITHMETIC, _arithmetic("median_camphor_menthol")),
    Case("median2", ("tadalafil", "sildenafil"), {}, lambda suite: suite.median_tadalafil_sildenafil(), True),
    Case("mestranol_similarity", ("mestranol",), {}, _similar("mestranol", "AP", 0.75), True),
    Case("osimertinib_mpo", ("osimertinib",), {}, lambda suite: suite.hard_osimertinib(), True),
    Case("osimertinib_mpo", ("osimertinib",), ARITHMETIC, _arithmetic("hard_osimertinib")),
    Case("perindopril_mpo", ("perindopril",), {}, lambda suite: suite.perindopril_rings(), True),
    Case("physchem_mpo", (), {}, lambda suite: suite.weird_physchem()),
    Case("pioglitazone_mpo", ("pioglitazone",), {}, lambda suite: suite.pioglitazone_mpo()),
    Case("qed", (), {}, lambda suite: suite.qed_benchmark(), True),
    Case("ranolazine_fluorine", ("ranolazine",), {}, lambda suite: suite.start_pop_ranolazine()),
    Case("ranolazine_mpo", ("ranolazine",), {}, lambda suite: suite.ranolazine_mpo(), True),
    Case("scaffold_hop", ("hopped",), {}, lambda suite: suite.scaffold_hop(), True),
    Case("sitagliptin_mpo", ("sitagliptin",), {}, lambda suite: suite.sitagliptin_replacement(), True),
    Case("thiothixene_rediscovery", ("thiothixene",), {}, _similar("thiothixene", "ECFP4", 1.0), True),
    Case("tpsa_target", (), {}, lambda suite: suite.tpsa_benchmark(150.0)),
    Case("troglitazone_rediscovery", ("troglitazone",), {}, _similar("troglitazone", "ECFP4", 1.0), True),
    Case("valsartan_smarts", ("valsartan", "valsartan's core"), {}, lambda suite: suite.valsartan_smarts(), True),
    Case("zaleplon_mpo", ("zaleplon",), {}, lambda suite: suite.zaleplon_with_other_formula(), True),
)


def draw() -> dict[str, list[str]]:
    """Group -> molecules: of ZINC, odd ones with dummy atoms among them, and each target with its analogues."""
    from designloop.molecules.corpus import zinc
    from designloop.testing.oracle import MOLECULES, ODD, STEREOISOMERS

    odd = [*MOLECULES, *ODD, *(molecule for pair in STEREOISOMERS for molecule in pair), "*c1ccccc1", "*CC(=O)N*"]
    groups = {"zinc": random.Random(20121).sample(zinc(), 1000), "odd": odd}
    return groups | {name: analogues(target, seed) for seed, (name, target) in enumerate(TARGETS.items())}


def analogues(target: str, seed: int, number: int = 200) -> list[str]:
    """The target as it is written, and distinct molecules that one to four changes of its graph lead to."""
    import numpy as np

    from designloop.molecules.graphs.mutation import mutant

    rng = np.random.default_rng((20122, seed))
    drawn = {target: None}
    while len(drawn) <= number:
        child = target
        for _ in range(1 + int(rng.integers(4))):
            child = mutant(child, rng) or child
        drawn[child] = None
    return list(drawn)


def tdc_oracles() -> Any:
    """PyTDC's module of oracles, loaded anew."""
    from designloop.benchmarks.guacamol.scripts.package import Stub

    names = ("tdc", "tdc.utils", "tdc.chem_utils", "tdc.chem_utils.oracle", "rdkit.six", "pkg_resources")
    stubs = {name: Stub(name) for name in names}
    vars(stubs["rdkit.six"])["iteritems"] = lambda mapping: iter(mapping.items())
    vars(stubs["pkg_resources"])["get_distribution"] = importlib.metadata.distribution
    sys.modules.update(stubs)
    place = importlib.metadata.distribution("PyTDC").locate_file("tdc/chem_utils/oracle/oracle.py")
    module = types.ModuleType("tdc.chem_utils.oracle.oracle")
    module.__package__ = "tdc.chem_utils.oracle"
    exec(compile(Path(str(place)).read_text(), str(place), "exec"), vars(module))
    return module


def of_guacamol(case: Case, smiles: Sequence[str]) -> list[float | None]:
    """Its values; None for the -1 with which it says that it failed."""
    from designloop.benchmarks.guacamol.scripts.package import standard_benchmarks

    objective = case.benchmark(standard_benchmarks()).objective
    values = [float(objective.score(molecule)) for molecule in smiles]
    return [None if value == -1.0 else round(value, DIGITS) for value in values]


def of_tdc(case: Case, smiles: Sequence[str]) -> list[float | None]:
    """Its values; None where it raises, which its class ``Oracle`` takes for zero."""
    score = getattr(tdc_oracles(), case.oracle)

    def value(molecule: str) -> float | None:
        try:
            return round(float(score(molecule)), DIGITS)
        except Exception:  # whatever it raises, as its own class does
            return None

    return [value(molecule) for molecule in smiles]


def molecules(groups: dict[str, list[str]], case: Case) -> list[str]:
    """What a case is compared on."""
    return [molecule for group in ("zinc", "odd", *case.targets) for molecule in groups[group]]


def read_record() -> dict[str, Any]:
    """The record: ``packages``, ``groups`` of molecules, and values by package and case."""
    record: dict[str, Any] = json.loads(gzip.decompress(RECORD.read_bytes()))
    return record


def main() -> None:
    """Write the record anew."""
    sys.path.insert(0, str(ROOT))
    groups = draw() if "--draw" in sys.argv else read_record()["groups"]
    values: dict[str, dict[str, list[float | None]]] = {"guacamol": {}, "PyTDC": {}}
    for case in CASES:
        smiles = molecules(groups, case)
        values["guacamol"][str(case)] = of_guacamol(case, smiles)
        if case.tdc:
            values["PyTDC"][str(case)] = of_tdc(case, smiles)
        print(case, flush=True)  # noqa: T201
    packages = {name: importlib.metadata.version(name) for name in ("guacamol", "PyTDC")}
    packages["rdkit"] = rdBase.rdkitVersion
    record = {"packages": packages, "groups": groups, "values": values}
    RECORD.write_bytes(gzip.compress(json.dumps(record, separators=(",", ":")).encode(), mtime=0))
    print(f"{len(CASES)} cases in {RECORD}, {RECORD.stat().st_size:,} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
