"""``python serve.py SCRIPT TASK.json``: prepares the script's side, then runs it once for each seed on standard input.

Answers are lines of JSON on what was standard output; whatever a library prints goes to standard error instead. Works
in any environment: nothing but the standard library is imported.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from pathlib import Path

if __name__ == "__main__":
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as answers:
        os.dup2(2, 1)
        prepare = runpy.run_path(sys.argv[1])["prepare"]
        run = prepare(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")))
        answers.write(json.dumps({"ready": True}) + "\n")
        answers.flush()
        for line in sys.stdin:
            answers.write(json.dumps(run(json.loads(line))) + "\n")
            answers.flush()
