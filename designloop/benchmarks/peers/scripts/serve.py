"""``python serve.py SCRIPT TASK.json``: prepares the script's side, then runs it once for each seed on standard input.

Answers are lines of JSON on what was standard output; whatever a library prints goes to standard error instead. Works
in any environment: nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType


def module(script: Path) -> ModuleType:
    """Loads the script as a module that is imported by its name, which libraries that pickle its classes ask for."""
    spec = spec_from_file_location(script.stem, script)
    assert spec is not None
    assert spec.loader is not None
    loaded = module_from_spec(spec)
    sys.modules[script.stem] = loaded
    spec.loader.exec_module(loaded)
    return loaded


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        run = module(Path(sys.argv[1])).prepare(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
        answers.write(json.dumps({"ready": True}) + "\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(json.dumps(run(json.loads(line))) + "\n")
            answers.flush()
