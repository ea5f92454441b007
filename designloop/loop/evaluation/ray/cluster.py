"""What the driver asks of a Ray that is up: actors, CPUs, nodes, and whether an oracle can be loaded on each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from designloop.loop.evaluation.backends import WorkerLoss
from designloop.loop.evaluation.child import guarded_child, oracle_process
from designloop.loop.evaluation.child.exchange import PortableOracle
from designloop.loop.evaluation.child.guarded_child import ProcessEnvironment
from designloop.loop.evaluation.ray import worker as ray_worker
from designloop.loop.evaluation.ray.keeper import last_line
from designloop.loop.evaluation.ray.worker import OracleWorker, Worker, short_id

MORE_CPUS = (
    "Give it CPUs (ray.init(num_cpus=2), ray start --num-cpus=2, another node), end what uses them, or run with "
    "--backend inline."
)
"""What to do where no worker starts."""


def actor_factory(oracles: Sequence[PortableOracle], process_environment: ProcessEnvironment) -> Callable[[], Any]:
    """Returns a function that makes one more actor with these oracles, which are handed to Ray once for all."""
    import ray

    # No restart by Ray: it would send no requests again. Spread: not all on one node.
    options = {"num_cpus": 1, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
    actor = ray.remote(OracleWorker).options(**options)
    shared = ray.put(oracles)  # once for all workers: oracles may bring files along
    return lambda: actor.remote(shared, process_environment)


def count_cpus() -> int:
    """Counts the CPUs of all nodes together; at least one."""
    import ray

    return max(1, int(ray.cluster_resources().get("CPU", 1)))


def count_free_cpus() -> float:
    """Counts the CPUs that nobody uses, of all nodes together."""
    import ray

    return float(ray.available_resources().get("CPU", 0))


def actor_on(node: str, kind: type) -> Any:
    """An actor on a node, or on another where that is gone, beside those that hold its CPUs: it holds none itself."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    place = NodeAffinitySchedulingStrategy(node, soft=True)
    return ray.remote(kind).options(num_cpus=0, max_restarts=0, scheduling_strategy=place).remote()


def spare_nodes(count: int) -> list[str]:
    """Ids of the nodes that others may work on beside this process, one for each, so that ``count`` work in all.

    The nodes take turns, each for as many as it has CPUs; on its own this process takes one.
    """
    import ray

    here = ray.get_runtime_context().get_node_id()
    cpus = {node["NodeID"]: int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node["Alive"]}
    if cpus.get(here):
        cpus[here] -= 1
        count -= 1
    turns = range(max(cpus.values(), default=0))
    return [node for turn in turns for node, most in cpus.items() if turn < most][:count]


def why_none_starts(seconds: float) -> str:
    """Says how many CPUs there are, for when no worker started within so many seconds."""
    import ray

    total, free = ray.cluster_resources().get("CPU", 0), count_free_cpus()
    return (
        f"No worker started within {seconds:.0f} s. Ray has {total:g} CPUs, {free:g} of them free, and a "
        "worker needs one."
    )


def load_errors(workers: Sequence[Worker], fingerprint: str) -> dict[str, str]:
    """Returns node -> why the oracle cannot be loaded there; asks one idle worker on each node."""
    import ray

    of_node = {worker.node: worker for worker in workers}
    replies = {node: worker.actor.load.remote(fingerprint) for node, worker in of_node.items()}
    seconds = guarded_child.CHILD_START_SECONDS + oracle_process.LOAD_SECONDS + ray_worker.GRACE_SECONDS
    answered = ray.wait([*replies.values()], num_returns=len(replies), timeout=seconds)[0]
    errors: dict[str, str] = {}
    for node, reply in replies.items():
        try:
            error = ray.get(reply).error if reply in answered else f"its worker did not answer within {seconds:g} s"
        except ray.exceptions.RayError as died:
            error = last_line(died)
        errors |= {node: error} if error else {}
    return errors


def blame_nodes(losses: list[WorkerLoss]) -> list[WorkerLoss]:
    """Returns the losses, where a worker that died on a node that is gone by now was lost with it."""
    if not any(loss.kind == "died" for loss in losses):
        return losses
    import ray

    alive = tuple(short_id(node["NodeID"]) for node in ray.nodes() if node["Alive"])
    return [
        replace(loss, kind="node") if loss.kind == "died" and not loss.node.endswith(alive) else loss for loss in losses
    ]
