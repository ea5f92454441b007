"""Running oracles where they can do no harm: in a child process that is timed, killed whole and started again.

One ``OracleProcess`` has one child (``oracle_child.py``) in a session of its own, so a Ctrl-C in the terminal does not
reach it, and talks to it over pipes of its own, so nothing that an oracle prints is taken for an answer. It works in
folders of its own (``scratch.py``, ``workplace.py``), so that oracles that write files of fixed names do not read one
another's. The child ends when this process does, however it does. What a child's death or silence means is told as a
``Reply``, never raised: it is the oracle's fault, and costs the molecules of that request.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from designloop.loop.evaluation.child import oracle_child
from designloop.loop.evaluation.child.exchange import PortableOracle, Reply, Request
from designloop.loop.evaluation.child.guarded_child import Child, ChildEnded, ProcessEnvironment, last_frame

LOAD_SECONDS = 300.0
"""How long an oracle may take to be imported and constructed; not part of any molecule's time."""


class OracleProcess:
    """A place to run a campaign's oracles, one request at a time; used by one thread at a time.

    The child is started by the first request, and by the first one after it ended.
    """

    def __init__(
        self, oracles: Sequence[PortableOracle], process_environment: ProcessEnvironment | None = None
    ) -> None:
        self._oracles = {oracle.fingerprint: oracle for oracle in oracles}
        self._process_environment = process_environment or ProcessEnvironment()
        self._child: Child | None = None

    def start(self) -> None:
        """Have a child now rather than at the first request.

        Raises:
            NoWorkers: it does not start.
        """
        if self._child is not None and self._child.has_ended():
            # Between requests: whatever ended it, no molecule did.
            self.close()
        if self._child is None:
            self._child = Child(self._process_environment)

    def load(self, fingerprint: str) -> Reply:
        """Import and construct an oracle; ``failure`` is None when it can score now."""
        self.start()
        child = self._child
        assert child is not None
        if fingerprint in child.loaded:
            return Reply(())
        oracle = self._oracles[fingerprint]
        head = {"recipe": oracle.recipe, "files": list(oracle.file_bytes)}
        start = time.monotonic()
        try:
            reply = self._ask(child, oracle_child.pack(head, list(oracle.file_bytes.values())), LOAD_SECONDS)
        except TimeoutError:
            error = f"could not be loaded within {LOAD_SECONDS:g} s{self._stop_and_tell_where()}"
            return Reply(None, "unloaded", error, time.monotonic() - start)
        except ChildEnded as ended:
            return Reply(None, "unloaded", f"could not be loaded: {ended}", time.monotonic() - start)
        if "error" in reply:
            return Reply(None, "unloaded", f"could not be loaded: {reply['error']}", time.monotonic() - start)
        child.loaded.add(fingerprint)
        return Reply(())

    def score(self, request: Request) -> Reply:
        """The oracle's answers, or how they failed to come; loading the oracle first is not timed."""
        loaded = self.load(request.fingerprint)
        if loaded.failure is not None:
            return loaded
        child = self._child
        assert child is not None
        head = {"fingerprint": request.fingerprint, "smiles": request.smiles, "seeds": request.seeds}
        start = time.monotonic()
        try:
            reply = self._ask(child, oracle_child.pack(head), request.deadline)
        except TimeoutError:
            error = f"no answer within {request.deadline:.3g} s{self._stop_and_tell_where()}"
            return Reply(None, "timeout", error, time.monotonic() - start)
        except ChildEnded as ended:
            return Reply(None, "died", str(ended), time.monotonic() - start)
        shared = tuple(reply.get("shared", ()))
        reads = reply.get("reads", "")
        if "error" in reply:
            return Reply(None, "raised", reply["error"], reply["seconds"], reads=reads, shared=shared)
        answers = tuple((value, error) for value, error in reply["answers"])
        return Reply(answers, None, None, reply["seconds"], reply["unasked"], reads, shared)

    def close(self) -> None:
        """End the child and all that came from it; the next request starts another."""
        if self._child is not None:
            child, self._child = self._child, None
            child.end()

    def _ask(self, child: Child, message: bytes, seconds: float) -> dict[str, Any]:
        """The child's reply; a child that was not heard to the end (an interrupt, its death) is ended."""
        try:
            return child.ask(message, seconds)
        except TimeoutError:
            raise  # it is still to be asked where it is
        except BaseException:
            self.close()
            raise

    def _stop_and_tell_where(self) -> str:
        """End the child; in words, what it was doing."""
        assert self._child is not None
        child, self._child = self._child, None
        where = last_frame(child.end(tell_where=True))
        return f"; it was in {where}" if where else ""
