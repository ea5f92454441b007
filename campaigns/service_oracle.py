"""An HTTP service as an oracle: one request for all molecules of a call, answered by molecule."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Sequence

from designloop.oracles import oracle


@oracle(version="1")  # raise it when the service is another: no file here says so
def ask(smiles: Sequence[str], url: str, seconds: float = 30.0) -> dict[str, float]:
    """The value that the service at ``url`` has for each molecule; it may take so many seconds."""
    body = json.dumps({"smiles": list(smiles)}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    # Whatever this raises costs the molecules a second try; after that they have failed, with the reason.
    with urllib.request.urlopen(request, timeout=seconds) as response:
        answers: dict[str, float] = json.load(response)["values"]
    return answers
