"""Oracles as people write them, in two processes at once: a value is right or failed, or else the check finds it.

Each habit is a way to carry a molecule from where it is written to where it is read. The value is the length of the
SMILES, so what stands on the wrong molecule shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.child.side_by_side import SideBySide
from designloop.oracles import Oracle, load

HABITS = '''
"""The program is `sh`, which counts bytes; it does nothing at all, and says so to nobody, for molecules of iodine."""
import os
import subprocess
import tempfile
import time
from pathlib import Path

from designloop.oracles import oracle

HERE = Path(__file__).parent
COUNT = "grep -q I {0} || wc -c < {0} > {1}"
LAST = {}


def score(smiles, habit: str, shared: str = ""):
    return {molecule: globals()[habit](molecule, Path(shared)) for molecule in smiles}


def program(folder, smiles, command=COUNT):
    (folder / "ligand.smi").write_text(smiles)
    subprocess.run(command.format(folder / "ligand.smi", folder / "out.txt"), shell=True)
    return float((folder / "out.txt").read_text())


def through_a_file(folder, smiles):
    (folder / "ligand.smi").write_text(smiles)
    return float(len((folder / "ligand.smi").read_text()))


def working_folder(smiles, shared):
    return through_a_file(Path(), smiles)


def program_in_working_folder(smiles, shared):
    return program(Path(), smiles)


def program_that_fails_in_silence(smiles, shared):
    return program(Path(), smiles, "grep -q [^C] {0} || wc -c < {0} > {1}")


def beside_its_own_file(smiles, shared):
    return program(HERE, smiles)


def fixed_name_in_temporary_folder(smiles, shared):
    return program(Path(tempfile.gettempdir()), smiles)


def fixed_folder_in_temporary_folder(smiles, shared):
    folder = Path(os.environ["TMPDIR"], "work")
    folder.mkdir(exist_ok=True)
    return program(folder, smiles)


def drawn_name_in_temporary_folder(smiles, shared):
    with tempfile.TemporaryDirectory() as folder:
        return program(Path(folder), smiles)


def changes_folder(smiles, shared):
    os.makedirs("deeper", exist_ok=True)
    os.chdir("deeper")
    return program(Path(), smiles)


def environment(smiles, shared):
    if "I" not in smiles:
        os.environ["LIGAND"] = smiles
    return float(len(subprocess.run("printf %s $LIGAND", shell=True, capture_output=True, text=True).stdout)) or None


def variable(smiles, shared):
    if "I" not in smiles:
        LAST["length"] = float(len(smiles))
    return LAST.get("length")


def counts_calls(smiles, shared):
    LAST["calls"] = LAST.get("calls", 0.0) + 1.0
    return LAST["calls"]


def shared_file(smiles, shared):
    return through_a_file(shared, smiles)


def shared_file_in_one_line(smiles, shared):
    (shared / "ligand.smi").write_text(smiles); return float(len((shared / "ligand.smi").read_text()))


def shared_file_by_a_program(smiles, shared):
    return program(shared, smiles, "wc -c < {0} > {1}")


def shared_file_by_a_program_alone(smiles, shared):
    command = f"printf %s '{smiles}' > {shared}/x; sleep 0.01; wc -c < {shared}/x"
    return float(subprocess.run(command, shell=True, capture_output=True, text=True).stdout)


def shared_file_by_a_library(smiles, shared):
    from rdkit import Chem
    writer = Chem.SmilesWriter(str(shared / "ligand.smi"), includeHeader=False)
    writer.write(Chem.MolFromSmiles(smiles))
    writer.close()
    return float(Chem.SmilesMolSupplier(str(shared / "ligand.smi"), titleLine=False)[0].GetNumAtoms())


class Loaded:
    """Writes and remembers in its constructor what it reads later; each call writes over it."""

    def __init__(self):
        Path("model.txt").write_text("1")
        Path("data").mkdir()
        Path("data", "scratch.txt").write_text("")
        self.folder = Path.cwd()
        self.temporary = Path(tempfile.mkdtemp())
        (self.temporary / "out.txt").write_text("")

    def score(self, smiles):
        values = {}
        for molecule in smiles:
            factor = float(Path("model.txt").read_text()) * float((self.folder / "model.txt").read_text())
            before = Path("data", "scratch.txt").read_text() + (self.temporary / "out.txt").read_text()
            assert len(smiles) > 1 or before == "", before
            for folder in (Path("data"), self.temporary):
                (folder / "scratch.txt").write_text(molecule)
            values[molecule] = factor * program(self.temporary, molecule)
            Path("model.txt").write_text("1")
        return values


@oracle(files=["model.json", "count.sh"])
def declared(smiles):
    """A program and a file that are declared, by their relative names; it writes over the file."""
    values = {}
    for molecule in smiles:
        factor = float(Path("model.json").read_text())
        Path("ligand.smi").write_text(molecule)
        values[molecule] = factor * float(subprocess.run(["./count.sh"], capture_output=True, text=True).stdout)
        if len(smiles) == 1:
            Path("model.json").write_text("999")
    return values


def pointed(smiles, settings: Path):
    """It writes over the file that its parameter names."""
    factor = float(settings.read_text())
    settings.write_text("999")
    return {molecule: factor * len(molecule) for molecule in smiles}


@oracle(stochastic=True)
def draws(smiles, seeds):
    Path("seed.txt").write_text(str(seeds[0]))
    return {molecule: float(seed) for molecule, seed in zip(smiles, seeds)}
'''

SEPARATED = (
    "working_folder",
    "program_in_working_folder",
    "beside_its_own_file",
    "fixed_name_in_temporary_folder",
    "fixed_folder_in_temporary_folder",
    "drawn_name_in_temporary_folder",
    "changes_folder",
    "environment",
)
SHARED = (
    "shared_file",
    "shared_file_in_one_line",
    "shared_file_by_a_program",
    "shared_file_by_a_program_alone",
    "shared_file_by_a_library",
)
MOLECULES = ("CCCCCCCCCCCC", "C", "CCCCCCCC", "CC", "CCCCCCCCCCC", "CCC", "CCCCCC", "CCCCCCCCC")
WITH_IODINE = ("C", "CI", "CCCCC", "CCI", "CCCI", "CC", "CCCC", "CCCCCI", "CCCCCC", "CCCCCCI")
"""Two that succeed one after the other never stand where a value of one could pass for the other's."""


def oracles_in(folder: Path) -> Mapping[str, Oracle]:
    (folder / "habits.py").write_text(HABITS)
    (folder / "model.json").write_text("1")
    (folder / "count.sh").write_text("#!/bin/sh\ngrep -q I ligand.smi || wc -c < ligand.smi\n")
    (folder / "count.sh").chmod(0o755)
    (folder / "results").mkdir()
    loaded = {habit: load("./habits.py:score", {"habit": habit}, folder) for habit in (*SEPARATED, "variable")}
    for habit in ("counts_calls", "program_that_fails_in_silence"):
        loaded[habit] = load("./habits.py:score", {"habit": habit}, folder)
    loaded |= {habit: load("./habits.py:score", {"habit": habit, "shared": "./results"}, folder) for habit in SHARED}
    loaded["pointed"] = load("./habits.py:pointed", {"settings": "model.json"}, folder)
    return loaded | {name: load(f"./habits.py:{name}", {}, folder) for name in ("Loaded", "declared", "draws")}


@pytest.fixture(scope="module")
def habits(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Oracle]:
    return oracles_in(tmp_path_factory.mktemp("habits"))


@pytest.fixture(scope="module")
def processes(habits: Mapping[str, Oracle]) -> Iterator[tuple[OracleProcess, OracleProcess]]:
    portable = [PortableOracle(habit.fingerprint, habit.recipe(), dict(habit.file_bytes)) for habit in habits.values()]
    both = OracleProcess(portable), OracleProcess(portable)
    yield both
    for process in both:
        process.close()


@pytest.fixture(scope="module")
def side_by_side(habits: Mapping[str, Oracle]) -> Iterator[SideBySide]:
    with SideBySide(habits.values(), ProcessEnvironment(), 30.0) as both:
        yield both


def values(processes: tuple[OracleProcess, OracleProcess], oracle: Oracle, chunk: int) -> list[tuple[str, object]]:
    """(molecule, value) of two processes that score the same molecules at once, one of them backwards."""

    def run(process: OracleProcess, smiles: tuple[str, ...]) -> list[tuple[str, object]]:
        pairs: list[tuple[str, object]] = []
        for chunk_smiles in (smiles[start : start + chunk] for start in range(0, len(smiles), chunk)):
            reply = process.score(Request(oracle.fingerprint, chunk_smiles, None, 30.0))
            answers = reply.answers or ((None, reply.error),) * len(chunk_smiles)
            pairs += [(molecule, value) for molecule, (value, _) in zip(chunk_smiles, answers, strict=True)]
        return pairs

    with ThreadPoolExecutor(2) as both:
        return [*itertools.chain(*both.map(run, processes, (WITH_IODINE, WITH_IODINE[::-1])))]


@pytest.mark.parametrize("habit", [*SEPARATED, "Loaded", "declared", "pointed"])
def test_a_value_is_right_or_failed_and_never_another_molecules(
    habits: Mapping[str, Oracle], processes: tuple[OracleProcess, OracleProcess], habit: str
) -> None:
    pairs = values(processes, habits[habit], chunk=1)
    assert [(molecule, value) for molecule, value in pairs if value not in (None, float(len(molecule)))] == []
    failed = {molecule for molecule, value in pairs if value is None}
    assert failed == (
        set() if habit in ("working_folder", "pointed") else {molecule for molecule in WITH_IODINE if "I" in molecule}
    )


@pytest.mark.parametrize("habit", [*SEPARATED, "declared", "draws"])
def test_the_check_has_nothing_against_what_is_separated(
    habits: Mapping[str, Oracle], side_by_side: SideBySide, habit: str
) -> None:
    assert side_by_side.disturbance(habits[habit], MOLECULES[:4], range(4)) is None


@pytest.mark.parametrize("habit", SHARED)
def test_a_fixed_path_in_a_shared_place_is_found_and_told(
    habits: Mapping[str, Oracle], side_by_side: SideBySide, habit: str
) -> None:
    sentence = side_by_side.disturbance(habits[habit], MOLECULES, range(8))
    assert sentence is not None
    assert "while another process scores others" in sentence
    assert "use the working folder or tempfile instead" in sentence
    if habit == "shared_file":
        assert "(both write to " in sentence
        assert "/results/ligand.smi)" in sentence


def test_the_output_of_the_molecule_before_in_one_call_is_found(
    habits: Mapping[str, Oracle], side_by_side: SideBySide
) -> None:
    sentence = side_by_side.disturbance(habits["program_that_fails_in_silence"], MOLECULES, range(8))
    assert sentence is not None
    assert sentence.startswith("'C1CC' has no value (FileNotFoundError")
    assert f"and {len(MOLECULES[0])}.0 behind {MOLECULES[0]} in one call; remove what a program wrote" in sentence


@pytest.mark.parametrize("habit", ["variable", "counts_calls"])
def test_what_a_process_remembers_of_other_molecules_is_found(
    habits: Mapping[str, Oracle], side_by_side: SideBySide, habit: str
) -> None:
    sentence = side_by_side.disturbance(habits[habit], WITH_IODINE, range(10))
    assert sentence is not None
    assert "when asked again in another order; a value may depend on the molecule and the parameters only" in sentence
