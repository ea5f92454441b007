"""An oracle as a worker has it: from its recipe alone, in a fresh process, in an empty folder, with other hashes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from designloop.loop.evaluation.child.missing_files import remedy
from designloop.oracles import Answer, Oracle
from designloop.oracles.loading import load_unpacked, unpack_files
from designloop.oracles.references import names_file


def answers_elsewhere(
    oracle: Oracle, smiles: Sequence[str], seeds: Sequence[int], timeout: float, folder: Path
) -> tuple[dict[str, Answer], str]:
    """Molecule -> answer there, and what was printed on standard output meanwhile.

    Args:
        oracle: What is run.
        smiles: (n,) molecules.
        seeds: (n,) one for each.
        timeout: Seconds that it may take.
        folder: What the oracle's reference is relative to: a file that it misses is looked for there.
    Raises:
        RuntimeError: It cannot be loaded or called there; the message has the reason.
        subprocess.TimeoutExpired: It took longer than ``timeout`` seconds.
    """
    request = {
        "recipe": oracle.recipe(),
        "files": {name: base64.b64encode(data).decode() for name, data in oracle.file_bytes.items()},
        "smiles": list(smiles),
        "seeds": list(seeds),
        "folder": str(folder),
    }
    with tempfile.TemporaryDirectory(prefix="designloop-elsewhere-") as place:
        home = Path(place)
        (home / "request.json").write_text(json.dumps(request))
        done = subprocess.run(
            [sys.executable, "-m", __name__, place],
            cwd=home,
            env=os.environ | {"PYTHONPATH": _path(), "PYTHONHASHSEED": "20240229"},
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        reply = home / "reply.json"
        if done.returncode != 0 or not reply.is_file():
            last = (done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]
            raise RuntimeError(f"{last} (in another process, loaded by its recipe)")
        rows = json.loads(reply.read_text())
    return {molecule: Answer(value, error) for molecule, value, error in rows}, done.stdout


def _path() -> str:
    """Where this process finds modules, in absolute terms: the other starts in another folder."""
    return os.pathsep.join(str(Path(entry).resolve()) for entry in sys.path)


def _main(home: Path) -> None:
    request = json.loads((home / "request.json").read_text())
    files = {name: base64.b64decode(data) for name, data in request["files"].items()}
    work = unpack_files(request["recipe"], files, home / "oracle")
    work.mkdir(parents=True, exist_ok=True)
    os.chdir(work)
    try:
        oracle = load_unpacked(request["recipe"], home / "oracle")
        answers = oracle.answers(request["smiles"], request["seeds"])
    except Exception as error:  # whatever a user's code raises is told, with what to do about it
        folder, place = Path(request["folder"]), request["recipe"]["reference"].rpartition(":")[0]
        advice = remedy(error, work, (folder / place).parent if names_file(place) else None, folder)
        raise SystemExit(f"{type(error).__name__}: {error}" + (f"; {advice}" if advice else "")) from error
    reply = [(molecule, answer.value, answer.error) for molecule, answer in answers.items()]
    (home / "reply.json").write_text(json.dumps(reply))


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
