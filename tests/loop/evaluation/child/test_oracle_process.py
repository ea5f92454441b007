from __future__ import annotations

import contextlib
import os
import re
import resource
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from designloop.loop.evaluation.child import oracle_child, oracle_process
from designloop.loop.evaluation.child.exchange import PortableOracle, Request
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.child.oracle_child import pack, unpack
from designloop.loop.evaluation.child.oracle_process import OracleProcess
from designloop.loop.evaluation.errors import NoWorkers
from designloop.oracles import load
from designloop.testing.mischief import BAD, MISCHIEF, TIMED_OUT
from designloop.testing.processes import living_in
from tests.loop.evaluation.misbehaving import left_over

ROOT = Path(__file__).parents[4]


class Place:
    """An OracleProcess with one oracle, and the way to ask it."""

    def __init__(self, folder, reference="./mischief.py:score", **params):
        (folder / "mischief.py").write_text(MISCHIEF)
        oracle = load(reference, params, folder)
        self.fingerprint = oracle.fingerprint
        portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
        self.process = OracleProcess([portable], ProcessEnvironment.of_driver(folder))

    def __call__(self, *smiles, deadline=30.0, seeds=None):
        return self.process.score(Request(self.fingerprint, smiles, seeds, deadline))


@pytest.fixture
def place(tmp_path):
    place = Place(tmp_path)
    yield place
    place.process.close()


def test_answers_come_in_the_order_asked(place):
    reply = place("CCO", "C", "CC")
    assert reply.failure is None
    assert reply.answers == ((3.0, None), (1.0, None), (2.0, None))
    assert 0 < reply.seconds < 1


@pytest.mark.parametrize("molecule", BAD)
def test_whatever_an_oracle_does_is_told_and_the_next_request_is_served(place, molecule):
    reply = place(molecule, deadline=0.5 if molecule in TIMED_OUT else 30.0)
    error = reply.error if reply.answers is None else reply.answers[0][1]
    assert error is not None
    assert re.search(BAD[molecule], error), error
    assert "\n" not in error
    assert (reply.failure == "timeout") == (molecule in TIMED_OUT)
    assert place("CC").answers == ((2.0, None),)


@pytest.mark.parametrize("molecule", ["twin", "shout"])
def test_what_is_printed_or_answered_twice_is_not_taken_for_an_answer(place, molecule):
    for smiles in (molecule, "CC", molecule, "C"):
        assert place(smiles).answers == ((float(len(smiles)), None),)


@pytest.mark.parametrize(("molecule", "deadline"), [("family", 1.0), ("orphans", 30.0)])
def test_nothing_that_an_oracle_started_survives_it(place, tmp_path, molecule, deadline):
    assert place("C").failure is None
    assert sorted(living_in(tmp_path).values()) == ["python", "python"], "the guard and the worker"
    assert place(molecule, deadline=deadline).failure in ("timeout", "died")
    assert living_in(tmp_path) == {}, "also those that fled into sessions of their own"


def test_it_starts_beside_a_thousand_open_files(place):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    with contextlib.ExitStack() as files:
        for _ in range(1100):
            files.enter_context(Path(os.devnull).open())
        assert place("CC").answers == ((2.0, None),)
        assert "act (mischief.py" in place("hang", deadline=0.5).error
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("where", ["guarded_child.Child.ask", "guarded_child.subprocess.Popen"])
def test_an_interrupt_while_it_starts_leaves_nothing(place, tmp_path, monkeypatch, where):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    before = sorted(Path("/proc/self/fd").iterdir())
    with monkeypatch.context() as patched:
        patched.setattr(f"designloop.loop.evaluation.child.{where}", interrupt)
        with pytest.raises(KeyboardInterrupt):
            place("CC")
    assert sorted(Path("/proc/self/fd").iterdir()) == before
    assert living_in(tmp_path) == {}
    assert list((tmp_path / f"designloop-{os.getuid()}").iterdir()) == []
    assert place("CC").answers == ((2.0, None),)


def test_a_guard_that_is_killed_takes_the_worker_along(place, tmp_path):
    place("C")
    os.kill(min(living_in(tmp_path)), signal.SIGKILL)  # the guard is the elder
    assert left_over(lambda: living_in(tmp_path)) == {}
    assert place("CC").answers == ((2.0, None),)


def test_the_guard_is_nobodys_child(place, tmp_path):
    """Ray kills the children of a worker that ends; it must not get at the guard."""
    place("C")
    guard = min(living_in(tmp_path))
    assert int(Path(f"/proc/{guard}/stat").read_text().rpartition(")")[2].split()[1]) != os.getpid()


def test_the_deadline_is_kept_and_says_where_time_went(place):
    place("C")
    start = time.monotonic()
    reply = place("hang", deadline=0.5)
    assert 0.5 <= time.monotonic() - start < 5.0
    line = MISCHIEF.splitlines().index("            time.sleep(600)") + 1
    assert reply.error == f"no answer within 0.5 s; it was in act (mischief.py:{line})"
    assert 0.5 <= reply.seconds < 5.0


def test_loading_is_not_charged_to_the_first_molecules(tmp_path):
    place = Place(tmp_path, "./mischief.py:Slow")
    reply = place("C", deadline=0.5)
    assert reply.answers == ((1.0, None),)
    assert reply.seconds < 0.5
    place.process.close()


def test_an_oracle_that_cannot_be_loaded_says_why(tmp_path):
    (tmp_path / "late.py").write_text(
        "import os\nclass Late:\n    def __init__(self):\n        raise RuntimeError('no licence')\n"
        "    def score(self, smiles):\n        return {}\n"
    )
    place = Place(tmp_path, "./late.py:Late")
    reply = place("C")
    assert (reply.failure, reply.answers) == ("unloaded", None)
    assert reply.error == "could not be loaded: RuntimeError: no licence (late.py:4)"
    place.process.close()


def test_an_oracle_that_hangs_or_dies_while_loading(tmp_path, monkeypatch):
    monkeypatch.setattr(oracle_process, "LOAD_SECONDS", 4.0)
    for body, expected in (
        ("import time; time.sleep(600)", "could not be loaded within 4 s; it was in __init__ (late.py:3)"),
        ("import os; os._exit(7)", "could not be loaded: its process exited with code 7"),
    ):
        (tmp_path / "late.py").write_text(
            f"class Late:\n    def __init__(self):\n        {body}\n    def score(self, smiles):\n        return {{}}\n"
        )
        place = Place(tmp_path, "./late.py:Late")
        reply = place("C")
        assert (reply.failure, reply.error) == ("unloaded", expected)
        place.process.close()


def test_a_child_that_dies_between_requests_costs_nothing(place, tmp_path):
    place("C")
    child = place.process._child
    os.killpg(child._process.pid, signal.SIGKILL)
    assert left_over(lambda: living_in(tmp_path)) == {}
    assert child.has_ended()
    assert place("CC").answers == ((2.0, None),)


def test_a_request_larger_than_a_pipe_holds(place):
    smiles = [f"C{number}" * 10 for number in range(20_000)]
    reply = place(*smiles)
    assert reply.answers == tuple((float(len(molecule)), None) for molecule in smiles)


def test_seeds_arrive_with_their_molecules(tmp_path):
    place = Place(tmp_path, "./mischief.py:noise")
    assert place("C", "CC", seeds=(2**32 - 1, 7)).answers == ((float(2**32 - 1), None), (7.0, None))
    place.process.close()


def test_outputs_keep_their_names_and_the_failed_ones_their_reasons(tmp_path):
    place = Place(tmp_path, "./mischief.py:outputs")
    whole, half = place("CCO", "half").answers
    assert whole == ({"length": 3.0, "carbons": 2.0}, None)
    assert half == ({"length": 4.0, "carbons": "answered nan, expected a finite number"}, None)
    place.process.close()


def test_the_child_sees_the_same_world_everywhere(tmp_path, monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS")
    place = Place(tmp_path, "./mischief.py:where")
    [(value, _)] = place("C").answers
    assert value["threads"] == 1
    place.process.close()
    orders = set()
    for seed in ("1", "2", "3"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        place = Place(tmp_path, "./mischief.py:order")
        orders.add(place("C").answers)
        place.process.close()
    assert len(orders) == 1


def test_closing_ends_the_child_and_twice_does_no_harm(place, tmp_path):
    place("C")
    place.process.close()
    place.process.close()
    assert living_in(tmp_path) == {}
    assert place("C").answers == ((1.0, None),)


DRIVER = """
import sys
from pathlib import Path
from tests.loop.evaluation.child.test_oracle_process import Place
place = Place(Path(sys.argv[1]))
place("C")
print("scoring", flush=True)
place(sys.argv[2])
"""


@pytest.mark.parametrize("molecule", ["hang", "deaf", "family"])
def test_nothing_survives_a_driver_that_is_killed(tmp_path, molecule):
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, tmp_path, molecule], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "scoring\n"
        time.sleep(0.3)
        sessions = {os.getsid(pid) for pid in living_in(tmp_path)}
        assert os.getsid(driver.pid) not in sessions, "so a Ctrl-C in the terminal does not reach it"
        driver.kill()
    assert left_over(lambda: living_in(tmp_path)) == {}


def test_an_interrupt_leaves_no_reply_to_be_mistaken_for_the_next(place):
    place("C")
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    signal.setitimer(signal.ITIMER_REAL, 0.3)
    try:
        with pytest.raises(KeyboardInterrupt):
            place("hang")
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert place("CCO").answers == ((3.0, None),)


def test_a_python_that_does_not_start_is_no_oracles_fault(place, monkeypatch):
    monkeypatch.setattr(oracle_child, "__file__", "/nowhere/oracle_child.py")
    with pytest.raises(NoWorkers, match=r"does not start with .* run the same command again"):
        place("C")


def test_no_descriptor_is_left_open(place):
    place("C")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for molecule in ("kill", "hang", "C", "die"):
        place(molecule, deadline=0.3)
    place("C")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_messages_survive_packing():
    head, blobs = {"a": [1.5, None, "é"]}, [b"", b"\x00\xff" * 1000]
    assert unpack(pack(head, blobs)[8:]) == (head, blobs)


def answer_of(folder, source, molecule="C", name="mischief.py"):
    """What the function ``score`` of a file answers for a molecule: a value, or the error."""
    (folder / name).write_text(source)
    oracle = load(f"./{name}:score", {}, folder)
    portable = PortableOracle(oracle.fingerprint, oracle.recipe(), dict(oracle.file_bytes))
    process = OracleProcess([portable], ProcessEnvironment.of_driver(folder))
    replies = [process.score(Request(oracle.fingerprint, (smiles,), None, 30.0)) for smiles in (molecule, "CC")]
    process.close()
    return [reply.error if reply.answers is None else reply.answers[0][0] for reply in replies]


POOLED = """
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from joblib import Parallel, delayed
from multiprocessing import shared_memory

KEPT = []


@dataclass
class Ligand:
    smiles: str


def length(ligand):
    return Ligand(str(len(ligand.smiles)))


def score(smiles):
    assert pickle.loads(pickle.dumps(length)) is length
    ligands = [Ligand(molecule) for molecule in smiles]
    results = {}
    KEPT.append(shared_memory.SharedMemory(create=True, size=100))
    results["joblib"] = Parallel(n_jobs=2)(delayed(length)(ligand) for ligand in ligands)
    for method in ("spawn", "fork"):
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(method)) as pool:
            results[method] = list(pool.map(length, ligands))
    return {smiles[0]: {name: float(found[0].smiles) for name, found in results.items()}}
"""


def test_processes_that_an_oracle_starts_import_its_file_by_its_own_name(tmp_path):
    lengths = [dict.fromkeys(("joblib", "spawn", "fork"), length) for length in (1.0, 2.0)]
    shared_before = {path.name for path in Path("/dev/shm").iterdir()}
    assert answer_of(tmp_path, POOLED, name="my_pool.py") == lengths
    ours = re.compile(r"psm_|sem\.(loky|mp)|joblib_")  # what such processes make there, under names drawn at random
    left = {path.name for path in Path("/dev/shm").iterdir() if ours.match(path.name)} - shared_before
    assert left == set(), "their trackers remove what outlives processes"


def test_a_file_that_was_not_declared_is_told_how_to_be_there(tmp_path):
    (tmp_path / "model.json").write_text("3")
    reads = "def score(smiles):\n    return dict.fromkeys(smiles, float(open('model.json').read()))\n"
    error, _ = answer_of(tmp_path, reads)
    assert error == (
        "FileNotFoundError: [Errno 2] No such file or directory: 'model.json' (mischief.py:2); model.json lies beside "
        "the oracle's file, but the oracle runs in a folder of its own; declare it: @oracle(files=['model.json']), "
        "after `from designloop.oracles import oracle`"
    )
    declared = f"from designloop.oracles import oracle\n@oracle(files=['model.json'])\n{reads}"
    assert answer_of(tmp_path, declared) == [3.0, 3.0]
    loads = "class score:\n    def __init__(self):\n        open('data/model.json')\n    def score(self, smiles): ...\n"
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "model.json").write_text("3")
    error, _ = answer_of(tmp_path, loads)
    assert error.startswith("could not be loaded: FileNotFoundError")
    assert error.endswith("@oracle(files=['data/model.json']), after `from designloop.oracles import oracle`")


@pytest.mark.parametrize(
    ("first", "then", "advice"),
    [
        ("open('grid.txt', 'w')", "open('grid.txt')", "grid.txt was left by an earlier call, and each call finds the"),
        ("os.environ['GRID'] = '1'", "os.environ['GRID']", "GRID was set by an earlier call, and each call finds the"),
    ],
)
def test_what_only_the_first_call_prepares_is_missed_with_a_reason(tmp_path, first, then, advice):
    body = f"    if smiles == ['C']:\n        {first}\n    {then}\n    return {{smiles[0]: 1.0}}"
    source = f"import os\ndef score(smiles):\n{body}"
    value, error = answer_of(tmp_path, source)
    assert value == 1.0
    assert f"; {advice}" in error


def test_a_folder_that_cannot_be_emptied_fails_its_molecules(tmp_path, monkeypatch):
    source = (
        "import designloop.loop.evaluation.child.as_loaded\ndef refuse(folder):\n    raise OSError('it is mounted')\n"
        "def score(smiles):\n    designloop.loop.evaluation.child.as_loaded._remove_tree = refuse\n"
        "    __import__('os').mkdir('mount')\n"
        "    return dict.fromkeys(smiles, 1.0)"
    )
    value, error = answer_of(tmp_path, source)
    assert value == 1.0
    assert error == (
        "the folder in which the oracle runs cannot be emptied of what an earlier call left: it is mounted; "
        "let the oracle remove what it writes"
    )
