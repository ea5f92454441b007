"""A campaign's own Ray: closed to strangers. And clusters that are joined."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from designloop.loop.evaluation.evaluator import Evaluator, NoWorkers
from designloop.loop.evaluation.processes import family
from designloop.loop.evaluation.ray import joined as joined_ray
from designloop.loop.evaluation.ray import own as own_ray
from designloop.loop.evaluation.ray.backend import RayBackend
from designloop.loop.evaluation.ray.keeper import RayKeeper
from designloop.loop.evaluation.ray.listening import Listener, listeners
from tests.loop.evaluation.misbehaving import alive, campaign, candidates, left_over, values

pytestmark = pytest.mark.xdist_group("ray")  # one after the other: each Ray believes that it has all cores

LONG = "a folder for temporary files with a name too long for sockets, as batch systems give to jobs"

JOIN = """
import sys
from ray._raylet import GcsClient

print(GcsClient(address=sys.argv[1]).cluster_id.hex())
"""


def joins(address: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Somebody who tries to join a Ray, with the settings of Ray given and no others."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return subprocess.run(
        [sys.executable, "-c", JOIN, address], env=environment | settings, capture_output=True, text=True, timeout=60
    )


def asked(agent: Listener, **headers: str) -> int:
    """What the agent that prepares environments (it can install packages) says to a request."""
    connection = http.client.HTTPConnection(agent.address, agent.port, timeout=10)
    try:
        connection.request("POST", "/get_or_create_runtime_env", body=b"", headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def test_nobody_else_can_use_it(
    tmp_path: Path, sockets_before: set[str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "designloop")
    (tmp_path / LONG).mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / LONG))
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # holds for clusters that are joined, never for this one
    monkeypatch.setenv("RAY_AUTH_TOKEN", "f" * 64)
    environment = dict(os.environ)
    with Evaluator(campaign(tmp_path, backend="ray", workers=2)) as evaluator:
        assert values(evaluator(candidates(["C", "CC"]))) == {"C": 1.0, "CC": 2.0}
        assert isinstance(evaluator._backend, RayBackend)
        while any(not worker.node for worker in evaluator._backend._workers):
            evaluator._backend.wait()
        import ray

        address = ray.get_runtime_context().gcs_address
        opened = [listener for listener in listeners(family(os.getpid())) if listener.inode not in sockets_before]
        names = {listener.process.partition(":")[0] for listener in opened}
        (agent,) = [listener for listener in opened if listener.process.startswith("ray::RuntimeEnv")]
        answers = [asked(agent), asked(agent, Authorization=f"Bearer {'f' * 64}")]
        node: Any = ray._private.worker._global_node
        folder = Path(node.get_session_dir_path()).parents[1]
        token = folder / "token"
        modes = [f"{path.stat().st_mode & 0o777:o}" for path in (folder, token)]
        secret = token.read_text()
        strangers = {
            "none": joins(address, RAY_AUTH_MODE="disabled"),
            "wrong": joins(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN="f" * 64),
            "right": joins(address, RAY_AUTH_MODE="token", RAY_AUTH_TOKEN_PATH=str(token)),
        }
    assert {"gcs_server", "raylet", "ray"} <= names, f"this looked at {names}"
    assert [str(listener) for listener in opened if not listener.is_loopback] == []

    assert modes == ["700", "600"]
    assert len(secret) == 64
    assert secret != "f" * 64
    for who in ("none", "wrong"):
        assert strangers[who].returncode != 0
        assert "InvalidAuthToken" in strangers[who].stderr
    assert answers == [401, 403]
    assert strangers["right"].returncode == 0, strangers["right"].stderr

    assert "RAY_AUTH_MODE=disabled does not hold here" in caplog.text
    assert f"{tmp_path / LONG} is too long" in caplog.text
    assert str(folder) in caplog.text
    assert not folder.exists()
    assert {name: os.environ.get(name) for name in environment if name.startswith("RAY_AUTH")} == {
        "RAY_AUTH_MODE": "disabled",
        "RAY_AUTH_TOKEN": "f" * 64,
    }


def test_it_does_not_start_where_strangers_can_reach_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ray

    # Any address but 127.0.0.1 makes Ray listen on all interfaces; this one it takes for another machine's.
    monkeypatch.setattr("ray._private.services.resolve_ip_for_localhost", lambda _: "127.0.0.2")
    before = family(os.getpid())
    message = r"^Ray can be reached from outside .*raylet \(process \d+\) at (\[::\]|0\.0\.0\.0):\d+.* expected 127"
    with Evaluator(campaign(tmp_path, backend="ray", workers=1)) as evaluator, pytest.raises(NoWorkers, match=message):
        evaluator(candidates(["C"]))
    assert not ray.is_initialized()
    assert left_over(lambda: alive(family(os.getpid()) - before)) == {}


# --- clusters --------------------------------------------------------------------------------------------------------

HEAD = textwrap.dedent(
    """
    import sys
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 80 * 2**20})
    print(cluster.address, flush=True)
    sys.stdin.read()
    cluster.shutdown()
    """
)


@pytest.fixture
def open_cluster():
    """The address of a cluster that asks for no token."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    with subprocess.Popen(
        [sys.executable, "-c", HEAD],
        env=environment | {"RAY_AUTH_MODE": "disabled"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


def test_a_cluster_that_lets_in_anybody_is_refused(
    open_cluster: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    asked = campaign(tmp_path, backend="ray", address=open_cluster)
    message = rf"^The Ray cluster at {open_cluster} asks for no token.*RAY_AUTH_MODE=token.*{own_ray.OPEN}=1"
    with Evaluator(asked) as evaluator, pytest.raises(NoWorkers, match=message):
        evaluator(candidates(["C"]))
    monkeypatch.setenv(own_ray.OPEN, "1")
    with Evaluator(asked) as evaluator:
        assert values(evaluator(candidates(["C"]))) == {"C": 1.0}


OF_THE_USER = """
import ray
ray.init("local", num_cpus=1, include_dashboard=False, object_store_memory=80 * 2**20)  # not one that is just ending
from designloop.loop.evaluation.errors import NoWorkers
from designloop.loop.evaluation.ray.keeper import RayKeeper
keeper = RayKeeper(1, None, lambda: None)
try:
    keeper.wait_until_up()
except NoWorkers as error:
    print(error)
keeper.close()
print("it goes on" if ray.is_initialized() else "it was ended")
"""


@pytest.mark.parametrize(("mode", "is_refused"), [("disabled", True), ("token", False)])
def test_a_ray_that_the_user_started_is_asked_too_and_stays(tmp_path: Path, mode: str, is_refused: bool) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    (tmp_path / "token").write_text("0" * 64)
    completed = subprocess.run(
        [sys.executable, "-c", OF_THE_USER],
        env=environment | {"RAY_AUTH_MODE": mode, "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert completed.stdout.endswith("it goes on\n"), completed
    assert ("asks for no token" in completed.stdout) == is_refused


def test_a_cluster_that_does_not_say_whether_it_asks_is_noted(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(joined_ray, "_SECONDS", 0.01)
    assert joined_ray.asks_for_token("127.0.0.1:1") is None
    joined_ray.refuse_open("ray://127.0.0.1:10001")
    assert "cannot be told whether the Ray cluster at ray://127.0.0.1:10001 asks for a token" in caplog.text


def test_closing_a_keeper_twice_does_no_harm() -> None:
    keeper = RayKeeper(1, "127.0.0.1:1", lambda: None)
    with pytest.raises(NoWorkers, match="No Ray cluster can be joined"):
        keeper.wait_until_up()
    keeper.close()
    keeper.close()
