"""An oracle that misbehaves as the molecule tells it to, and what its error says then.

Its value is the length of the SMILES, so that one which belongs to another molecule shows.
"""

from __future__ import annotations

import textwrap

MISCHIEF = textwrap.dedent(
    '''
    """An oracle whose value is the length of the SMILES, unless the molecule tells it to do something else."""
    import os
    import signal
    import subprocess
    import sys
    import time

    from designloop.oracles import oracle


    def score(smiles, calls: str = ""):
        if calls:
            with open(calls, "a") as file:
                file.write(f"{len(smiles)} {' '.join(smiles)}\\n")
        values = {molecule: float(len(molecule)) for molecule in smiles}
        for molecule in smiles:
            act(molecule, values)
        if "list" in smiles:
            return list(values.values())
        return values


    def act(molecule, values):
        match molecule:
            case "raise":
                raise ValueError("no charges for this one")
            case "exit":
                sys.exit(3)
            case "die":
                os._exit(4)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "killgroup":
                os.killpg(0, signal.SIGKILL)
            case "hang":
                time.sleep(600)
            case "deaf":
                for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR2):
                    signal.signal(number, signal.SIG_IGN)
                time.sleep(600)
            case "family":
                subprocess.Popen(["sleep", "613"], start_new_session=True)
                if os.fork() == 0:
                    subprocess.run(["sleep", "613"])
                time.sleep(600)
            case "orphans":
                subprocess.Popen(["sleep", "613"], start_new_session=True)
                os._exit(5)
            case "twin":
                os.fork()
            case "guest":
                values["somebody else"] = 1.0
            case "shout":
                print("x" * 5_000_000)
                print("y" * 5_000_000, file=sys.stderr)
                os.write(1, b"z" * 1_000_000)
            case "last words":
                print("the grid file is missing")
                os._exit(6)
            case "none":
                values[molecule] = None
            case "nan":
                values[molecule] = float("nan")
            case "inf":
                values[molecule] = float("inf")
            case "text":
                values[molecule] = "not parametrised"
            case "too few":
                del values[molecule]
            case "unknown":
                del values[molecule]
                values["somebody else"] = 1.0


    @oracle(stochastic=True)
    def noise(smiles, seeds):
        return {molecule: float(seed) for molecule, seed in zip(smiles, seeds)}


    @oracle(outputs=["length", "carbons"])
    def outputs(smiles):
        values = {m: {"length": float(len(m)), "carbons": float(m.count("C"))} for m in smiles}
        if "half" in values:
            values["half"]["carbons"] = float("nan")
        return values


    @oracle(costly=True)
    def costly(smiles, calls: str = ""):
        return score(smiles, calls)


    def where(smiles):
        return {m: {"pid": os.getpid(), "threads": int(os.environ["OMP_NUM_THREADS"])} for m in smiles}


    def order(smiles):
        """Values that differ with the hash seed, were it not fixed."""
        return {m: float(next(iter({m + str(i) for i in range(50)}))[len(m):]) for m in smiles}


    class Slow:
        def __init__(self):
            time.sleep(1.0)

        def score(self, smiles):
            return {m: 1.0 for m in smiles}
    '''
)

BAD = {
    "raise": r"ValueError: no charges for this one \(mischief.py:\d+\)",
    "exit": "SystemExit: 3",
    "die": "exited with code 4",
    "kill": r"killed by signal 9 \(SIGKILL\)",
    "killgroup": "killed together with all around it",
    "hang": r"no answer within .* s; it was in act \(mischief.py:\d+\)",
    "deaf": "no answer within .* s",
    "family": "no answer within .* s",
    "orphans": "exited with code 5",
    "last words": "exited with code 6; the last that it printed: the grid file is missing",
    "none": "answered None",
    "nan": "answered nan, expected a finite number",
    "inf": "answered inf",
    "text": "not parametrised",
    "too few": "no answer for this molecule",
    "unknown": "no answer for this molecule, but one for 'somebody else', which was not asked",
    "list": r"the oracle returned a list.*dict\(zip\(smiles, values\)\)",
}
"""Molecule -> what its error says."""

TIMED_OUT = {"hang", "deaf", "family"}
