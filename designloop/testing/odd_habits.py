"""Oracle files by hand: in which forms a function or class is written, and what a call leaves behind."""

from __future__ import annotations

from designloop.testing.odd_oracles import OracleCase, doing

_LENGTHS = "{m: float(len(m)) for m in smiles}"
_BODY = f"    return {_LENGTHS}\n"
_CLASS = "./odd_oracle.py:Odd"


def _answer(value: str, before: str = "") -> str:
    return f"{before}\ndef score(smiles):\n    return {value}\n"


def _method(signature: str, before: str = "", above: str = "") -> str:
    return f"{before}\nclass Odd:\n{above}    def score({signature}):\n        return {_LENGTHS}\n"


FORMS = (
    OracleCase("default dictionary", _answer(f"collections.defaultdict(float, {_LENGTHS})", "import collections\n")),
    OracleCase("read-only mapping", _answer(f"types.MappingProxyType({_LENGTHS})", "import types\n")),
    OracleCase("numpy texts for keys", _answer("{np.str_(m): float(len(m)) for m in smiles}", "import numpy as np\n")),
    OracleCase("masked number", _answer("{m: np.ma.masked for m in smiles}", "import numpy as np\n"), "answered"),
    OracleCase("pandas' NA", _answer("{m: pd.NA for m in smiles}", "import pandas as pd\n"), "answered"),
    OracleCase("a time", _answer("{m: datetime.now() for m in smiles}", "from datetime import datetime\n"), "answered"),
    OracleCase(
        "repr without end",
        _answer("{m: R() for m in smiles}", "class R:\n    def __repr__(self):\n        return repr(self)\n"),
        "answered|Recursion",
    ),
    OracleCase("positional only", f"def score(smiles, /):\n{_BODY}"),
    OracleCase("any arguments", f"def score(*smiles):\n    smiles = smiles[0]\n{_BODY}"),
    OracleCase("any options", f"def score(smiles, **options):\n{_BODY}"),
    OracleCase("keyword only", f"def score(*, smiles):\n{_BODY}", "put these parameters first"),
    OracleCase("a list as default", f"def score(smiles, seen=[]):\n    seen.append(1)\n{_BODY}"),
    OracleCase("annotation of nothing", f"def score(smiles: 'Nothing') -> 'Nothing':\n{_BODY}"),
    OracleCase("parameter annotated by nothing", f"def score(smiles, k: 'Nothing' = 1):\n{_BODY}", "Nothing"),
    OracleCase("dispatched by type", f"import functools\n@functools.singledispatch\ndef score(smiles):\n{_BODY}"),
    OracleCase("given by __getattr__", f"def __getattr__(name):\n    def f(smiles):\n    {_BODY}    return f\n"),
    OracleCase("method named by its class", _method("self, smiles"), "Odd", reference="./odd_oracle.py:Odd.score"),
    OracleCase("static method", _method("smiles", above="    @staticmethod\n"), reference=_CLASS),
    OracleCase("class method", _method("cls, smiles", above="    @classmethod\n"), reference=_CLASS),
    OracleCase(
        "object for a method",
        f"class Lengths:\n    def __call__(self, smiles):\n    {_BODY}\nclass Odd:\n    score = Lengths()\n",
        reference=_CLASS,
    ),
    OracleCase(
        "dataclass",
        _method("self, smiles", "from dataclasses import dataclass\n@dataclass", "    k: float = 1.0\n"),
        reference=_CLASS,
    ),
    OracleCase(
        "abstract class",
        f"import abc\nclass Odd(abc.ABC):\n    @abc.abstractmethod\n    def score(self, smiles):\n    {_BODY}",
        "abstract",
        reference=_CLASS,
    ),
    OracleCase(
        "constructor without a licence",
        _method("self, smiles", above="    def __init__(self):\n        raise RuntimeError('no licence')\n"),
        "no licence",
        reference=_CLASS,
    ),
    OracleCase(
        "constructor that exits",
        _method("self, smiles", above="    def __init__(self):\n        raise SystemExit(0)\n"),
        "SystemExit",
        reference=_CLASS,
    ),
    OracleCase("coding that is none", f"# -*- coding: nonsense -*-\ndef score(smiles):\n{_BODY}", r"odd_oracle\.py"),
)
"""Forms of functions, classes and answers."""

LEFT = (
    OracleCase("runs a loop of its own", doing("import asyncio; asyncio.run(asyncio.sleep(0))")),
    OracleCase(
        "pool of spawned processes",
        doing("import multiprocessing as mp\nwith mp.get_context('spawn').Pool(1) as p:\n    p.map(len, ['x'])"),
    ),
    OracleCase("becomes another program", doing("import os; os.execv('/bin/true', ['true'])"), "code 0|exited"),
    OracleCase(
        "stops itself",
        doing("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"),
        "no answer",
        ("CCO",),
        deadline=1.0,
    ),
    OracleCase(
        "limits its memory",
        doing("import resource; resource.setrlimit(resource.RLIMIT_AS, (10**8, 10**8))"),
        ".",
        may_work=True,
    ),
    OracleCase(
        "may write nothing",
        doing("import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))"),
        ".",
        may_work=True,
    ),
    OracleCase("large file of nothing", doing("open('big', 'wb').truncate(2 * 10**8)")),
    OracleCase("deep folders", doing("import os; os.makedirs('a/' * 200, exist_ok=True)")),
    OracleCase("name that is no text", doing("open(b'\\xff\\xfe', 'w').close()")),
    OracleCase("link to itself", doing("import os; os.path.islink('l') or os.symlink('l', 'l')")),
    OracleCase("named pipe", doing("import os; os.path.exists('f') or os.mkfifo('f')")),
    OracleCase("takes its own name away", doing("globals().pop('score', None)")),
)
"""What a call does and leaves, before the answer, which is right."""
