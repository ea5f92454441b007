"""The HTTP service of campaigns/, on a port of its own, for tests of the campaign that asks it."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import ThreadingHTTPServer
from pathlib import Path

FILE = Path(__file__).parent.parent / "campaigns" / "scoring_service.py"


@contextmanager
def scoring_service() -> Iterator[str]:
    """The address at which it answers."""
    spec = importlib.util.spec_from_file_location("scoring_service", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with ThreadingHTTPServer(("127.0.0.1", 0), module.Service) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
