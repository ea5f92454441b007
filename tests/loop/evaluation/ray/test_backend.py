"""Ray: one cluster of a head and two nodes for most tests; a Ray of its own for those that start or kill one."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from designloop.loop.evaluation.evaluator import Evaluator, NoWorkers
from designloop.loop.evaluation.ray import backend as ray_backend
from designloop.loop.evaluation.ray.backend import RayBackend
from designloop.loop.evaluation.ray.keeper import SETTINGS
from designloop.loop.evaluation.ray.own import reread_settings
from designloop.tables.ledger import Ledger
from designloop.testing.mischief import BAD, TIMED_OUT
from designloop.testing.processes import living_in
from tests.campaigns import write_campaign
from tests.loop.evaluation.misbehaving import (
    GOOD,
    alive,
    campaign,
    candidates,
    group_of,
    left_over,
    statuses,
    values,
)

pytestmark = pytest.mark.xdist_group("ray")  # one after the other: each cluster believes that it has all cores

ROOT = Path(__file__).parents[4]
MANY = ["C" * number for number in range(1, 61)]


@pytest.fixture(scope="module")
def cluster():
    """A head without CPUs, as a driver's machine may be, and two nodes with one each; it asks for a token."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            os.environ.setdefault(name, value)
        patch.setenv("RAY_AUTH_MODE", "token")
        patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
        from ray.cluster_utils import Cluster

        reread_settings()
        memory = 80 * 2**20
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "object_store_memory": memory})
        for _ in range(2):
            cluster.add_node(num_cpus=1, object_store_memory=memory)
        yield cluster
        cluster.shutdown()
    reread_settings()


@pytest.fixture
def on_cluster(cluster, tmp_path):
    """A campaign on the cluster."""

    def make(wanted=None, folder=tmp_path, **settings):
        return campaign(folder, wanted, backend="ray", address=cluster.address, **settings)

    return make


def backend_of(evaluator):
    assert isinstance(evaluator._backend, RayBackend)
    return evaluator._backend


def outcome(evaluations):
    return [
        (evaluation.candidate.smiles, evaluation.results["length"].value, evaluation.status)
        for evaluation in evaluations
    ]


def test_the_cluster_gives_what_one_process_gives(on_cluster, tmp_path):
    smiles = [*MANY[:20], *GOOD[2:], *BAD, *MANY[20:]]
    with Evaluator(campaign(tmp_path, timeout=2.0)) as evaluator:
        inline = evaluator(candidates(smiles))
    with Ledger(tmp_path / "test.sqlite", "one") as ledger, Evaluator(on_cluster(timeout=2.0), ledger) as evaluator:
        evaluations = evaluator(candidates(smiles))
        assert evaluator.stats.resent_chunks == 0
        assert len(backend_of(evaluator)._workers) == 2, "by default a worker for each CPU of the cluster"
        assert len({worker.node for worker in backend_of(evaluator)._workers}) == 2
        attempts = {run.smiles: run.attempt for run in ledger.runs()}
    assert outcome(evaluations) == outcome(inline)
    assert {molecule for molecule, status in statuses(evaluations).items() if status == "timeout"} == TIMED_OUT
    assert set(attempts.values()) == {1}


def test_an_oracles_file_may_say_oracles_on_a_worker(on_cluster, tmp_path):
    (tmp_path / "named.py").write_text(
        "import sys\nimport oracles\nfrom oracles import oracle\n\n"
        "@oracle(version='7')\ndef score(smiles):\n"
        "    from designloop.oracles.declaration import Declaration\n"
        "    same = oracles is sys.modules['designloop.oracles'] and isinstance(score.__oracle__, Declaration)\n"
        "    return dict.fromkeys(smiles, float(same))\n"
    )
    with Evaluator(on_cluster({"length": ("./named.py:score", {}, None)})) as evaluator:
        assert values(evaluator(candidates(["CCO"]))) == {"CCO": 1.0}


def test_no_room_on_the_cluster(on_cluster, monkeypatch):
    with Evaluator(on_cluster(workers=2)) as evaluator:
        evaluator(candidates(["C"]))
        while any(not worker.node for worker in backend_of(evaluator)._workers):
            backend_of(evaluator).wait()
        monkeypatch.setattr(ray_backend, "WORKER_START_SECONDS", 1.0)
        with (
            Evaluator(on_cluster()) as other,
            pytest.raises(NoWorkers, match=r"No worker started within 1 s. Ray has 2 CPUs, 0 of them free"),
        ):
            other(candidates(["C"]))


def test_an_actor_that_is_killed_costs_nothing(on_cluster, tmp_path):
    (tmp_path / "slow.py").write_text(
        "import time\ndef score(smiles):\n    time.sleep(0.2)\n    return {m: float(len(m)) for m in smiles}\n"
    )
    import ray

    asked = on_cluster({"length": ("./slow.py:score", {}, None)}, chunk=4)
    with Ledger(tmp_path / "test.sqlite", "one") as ledger, Evaluator(asked, ledger) as evaluator:
        evaluator(candidates(["N"]))
        victim = backend_of(evaluator)._workers[0].actor
        pid = ray.get(victim.__ray_call__.remote(lambda worker: os.getpid()))
        before = living_in(tmp_path)
        timer = threading.Timer(0.5, os.kill, (pid, signal.SIGKILL))
        timer.start()
        evaluations = evaluator(candidates(MANY))
        assert evaluator.stats.resent_chunks >= 1
        assert {(run.number, run.attempt, run.status) for run in ledger.runs()} == {(1, 1, "ok")}
    assert values(evaluations) == {molecule: float(len(molecule)) for molecule in MANY}
    assert before
    assert left_over(lambda: living_in(tmp_path)) == {}, "no oracle outlives its worker"


def test_a_node_that_dies_costs_nothing(cluster, on_cluster, tmp_path):
    node = cluster.add_node(num_cpus=1, object_store_memory=80 * 2**20)
    (tmp_path / "slow.py").write_text(
        "import time\ndef score(smiles):\n    time.sleep(0.5)\n    return {m: float(len(m)) for m in smiles}\n"
    )
    asked = on_cluster({"length": ("./slow.py:score", {}, None)}, chunk=4)
    with Evaluator(asked) as evaluator:
        evaluator(candidates(["N", "O", "F"]))
        while any(not worker.node for worker in backend_of(evaluator)._workers):
            backend_of(evaluator).wait()
        timer = threading.Timer(0.3, cluster.remove_node, (node,), {"allow_graceful": False})
        timer.start()
        evaluations = evaluator(candidates(MANY))
        timer.join()
        assert evaluator.metrics["lost_workers"] == 1
        assert evaluator.stats.resent_chunks >= 1
        assert node.node_id[:8] in str(evaluator.metrics["losses"])
        limit = time.monotonic() + 60  # Ray may take a while to see that it was the node
        while (loss := backend_of(evaluator).losses[0]).kind != "node" and time.monotonic() < limit:
            time.sleep(0.2)
        assert loss.kind == "node"
    assert values(evaluations) == {molecule: float(len(molecule)) for molecule in MANY}


def test_a_chunk_under_which_every_worker_dies_stops_the_campaign(on_cluster, tmp_path, monkeypatch):
    monkeypatch.setattr(ray_backend, "MOST_RESENT", 1)
    import ray

    with Ledger(tmp_path / "test.sqlite", "one") as ledger:
        with Evaluator(on_cluster(), ledger) as evaluator:
            backend, stop = backend_of(evaluator), threading.Event()

            def kill_who_works():
                while not stop.wait(0.1):
                    for worker in [worker for worker in backend._workers if worker.requests]:
                        ray.kill(worker.actor)

            killer = threading.Thread(target=kill_who_works)
            killer.start()
            try:
                with pytest.raises(
                    NoWorkers, match=r"2 workers in a row died or fell silent under the same molecules.*to resume"
                ):
                    evaluator(candidates(["hang"]))
            finally:
                stop.set()
                killer.join()
        assert [(run.status, run.attempt) for run in ledger.runs()] == [(None, 1)], "to be run again, as attempt 1"


def test_each_node_says_whether_it_can_load_the_oracles(on_cluster, tmp_path):
    with Evaluator(on_cluster()) as evaluator:
        assert evaluator.cannot_load() == []
    (tmp_path / "late.py").write_text(
        "class Late:\n    def __init__(self):\n        raise RuntimeError('no licence')\n"
        "    def score(self, smiles):\n        return {}\n"
    )
    with Evaluator(on_cluster({"length": ("./late.py:Late", {}, None)})) as evaluator:
        problems = evaluator.cannot_load()
    assert len(problems) == 2
    assert all("could not be loaded: RuntimeError: no licence (late.py:3)" in problem for problem in problems)


def test_a_cluster_that_is_not_there(tmp_path):
    asked = campaign(tmp_path, backend="ray", address="127.0.0.1:1")
    with (
        Evaluator(asked) as evaluator,
        pytest.raises(NoWorkers, match=r"No Ray cluster can be joined at 127.0.0.1:1.*`ray start --head`"),
    ):
        evaluator(candidates(["C"]))


LOCAL = """
import sys, time
from pathlib import Path
from designloop.loop.evaluation.evaluator import Evaluator
from tests.loop.evaluation.misbehaving import campaign, candidates, values

with Evaluator(campaign(Path(sys.argv[1]), backend="ray", workers=2)) as evaluator:
    assert "ray" not in sys.modules or not evaluator._backend._workers, "entering waits for nothing"
    while len(evaluator._backend._workers) < 2:
        time.sleep(0.1)  # as the loading of a model would
    print(sorted(values(evaluator(candidates(["C", "CC", "CCO"]))).values()), flush=True)
    if sys.argv[2:]:
        print("hanging", flush=True)
        evaluator(candidates(sys.argv[2:]))
"""


def local(folder, *smiles):
    """A driver with a Ray of its own, in a process group of its own as a shell gives it."""
    return subprocess.Popen(
        [sys.executable, "-c", LOCAL, folder, *smiles],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        process_group=0,
        env={**os.environ, "RAY_ADDRESS": "127.0.0.1:1"},  # not to be joined unless the campaign says so
    )


def test_a_local_ray_is_quiet_and_leaves_nothing_behind(tmp_path):
    driver = local(tmp_path)
    out, err = driver.communicate(timeout=90)
    assert out == "[1.0, 2.0, 3.0]\n"
    assert err == ""
    assert driver.returncode == 0
    assert left_over(lambda: alive(group_of(driver.pid))) == {}
    assert left_over(lambda: living_in(tmp_path)) == {}


@pytest.mark.parametrize("stop", ["ctrl-c", "kill"])
def test_nothing_survives_a_driver_that_is_stopped(tmp_path, stop):
    driver = local(tmp_path, "hang", "family")
    with driver:
        assert driver.stdout is not None
        assert [driver.stdout.readline() for _ in range(2)] == ["[1.0, 2.0, 3.0]\n", "hanging\n"]
        time.sleep(1.0)
        group = group_of(driver.pid)
        assert len(group) > 3, "the driver and Ray's own processes"
        assert len(living_in(tmp_path)) >= 4, "two guards and two workers"
        if stop == "ctrl-c":
            os.killpg(driver.pid, signal.SIGINT)  # as the terminal does
            assert driver.wait(30) == -signal.SIGINT
        else:
            driver.kill()
    assert left_over(lambda: living_in(tmp_path)) == {}
    left = left_over(lambda: alive(group), seconds=5.0)
    # Ray's own two helpers take about a minute to notice that their raylet was killed; they run nothing of ours.
    assert [name for name in left.values() if name not in ("ray::DashboardA", "ray::RuntimeEnv")] == []


def test_a_worker_that_is_stopped_costs_its_deadline_and_a_line(cluster, tmp_path, tiny_model, monkeypatch):
    """A real campaign: one of two workers is stopped in the midst of a chunk, with its oracle's process."""
    import ray

    import designloop
    from designloop.loop.evaluation.ray import worker as ray_worker

    monkeypatch.setattr(ray_worker, "GRACE_SECONDS", 3.0)
    made = []

    class Watched(RayBackend):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr("designloop.loop.evaluation.evaluator.RayBackend", Watched)
    evaluation = {"backend": "ray", "address": cluster.address, "chunk": 2, "timeout": 2.0}
    path = write_campaign(tmp_path, tiny_model, {"evaluation": evaluation})
    oracle = tmp_path / "my_oracle.py"
    oracle.write_text(
        "import time\n" + oracle.read_text().replace("    if raises:", "    time.sleep(0.2)\n    if raises:")
    )
    stopped = []

    def stop_one(progress):
        if progress.round.number == 1:
            worker = next(worker for worker in made[-1]._workers if worker.loaded)
            processes = lambda place: (os.getpid(), place._process._child._process.pid)  # noqa: E731  # it is pickled
            actor, group = ray.get(worker.actor.__ray_call__.remote(processes))
            stopped.extend([worker, actor, group])
            for stop, place in ((os.kill, actor), (os.killpg, group)):
                threading.Timer(0.7, stop, (place, signal.SIGSTOP)).start()

    summary = designloop.run(path, on_round=stop_one).summary
    [worker, actor, group] = stopped
    lines = [line for line in summary.losses if "fell silent" in line]
    assert summary.failed == 0, "no molecule fails for it"
    assert summary.calls == 45
    assert len(lines) == 1, summary.losses
    assert lines[0].startswith(f"round 2: 1 worker on {worker.node} fell silent (not heard for ")
    assert lines[0].endswith("chunk was sent again")
    assert (tmp_path / "small" / "campaign.log").read_text().count(lines[0].removeprefix("round 2: ")) == 2
    assert summary.workers == "1 worker fell silent, 1 chunk was sent again"
    assert [info.metrics["silent_workers"] for info in summary.rounds] == [0, 1, 0]
    assert left_over(lambda: alive([actor])) == {}, "a stopped worker is ended all the same"
    os.killpg(group, signal.SIGCONT)
    assert left_over(lambda: alive(group_of(group))) == {}, "and so is its oracle, as soon as its guard may run"
    undisturbed = tmp_path / "undisturbed"
    undisturbed.mkdir()
    assert designloop.run(write_campaign(undisturbed, tiny_model)).summary.digest == summary.digest
