"""Oracle files by hand: what they are when they are imported, and what they do to the process that imports them.

Those that do something to it are tried as installed modules, too.
"""

from __future__ import annotations

from dataclasses import replace

from designloop.testing.odd_oracles import OracleCase

_LENGTHS = "{m: float(len(m)) for m in smiles}"
_GOOD = f"def score(smiles):\n    return {_LENGTHS}\n"
_CLASS = f"class Odd:\n    def score(self, smiles):\n        return {_LENGTHS}\n"


_UPSIDE_DOWN = {
    "changes the path": "import sys\nsys.path.clear()",
    "puts a folder first": "import sys\nsys.path.insert(0, '/')",
    "changes folder": "import os\nos.chdir('/')",
    "changes the environment": "import os\nos.environ['OMP_NUM_THREADS'] = '3'\nos.environ.pop('HOME', None)",
    "empties the environment": "import os\nos.environ.clear()",
    "replaces functions by others": "import builtins, io\nbuiltins.open = lambda *a, **k: io.open(*a, **k)",
    "changes umask": "import os\nos.umask(0o777)",
    "replaces streams": "import sys\nsys.stdout = sys.stderr = sys.stdin = None",
    "closes streams": "import sys\nsys.stdout.close()\nsys.stderr.close()",
    "closes descriptors of streams": "import os\nfor number in (0, 1, 2):\n    os.close(number)",
    "forgets modules": "import sys\nfor name in ('json', 'os', 'designloop'):\n    sys.modules.pop(name, None)",
    "starts a thread": "import threading, time\nthreading.Thread(target=time.sleep, args=(2,)).start()",
    "changes the locale": "import locale\nlocale.setlocale(locale.LC_ALL, 'C.UTF-8')",
    "makes warnings errors": "import warnings\nwarnings.simplefilter('error')",
    "silences warnings": "import warnings\nwarnings.filterwarnings('ignore')\nwarnings.warn = None",
    "sets up logging": "import logging\nlogging.basicConfig(level=0, force=True)\nlogging.disable(logging.CRITICAL)",
    "handles signals": "import signal\nfor number in (1, 2, 13, 15, 17):\n    signal.signal(number, signal.SIG_IGN)",
    "sets an alarm": "import signal\nsignal.alarm(3600)",
    "allows no depth": "import sys\nsys.setrecursionlimit(60)",
    "replaces hooks": "import sys, threading\nsys.excepthook = sys.displayhook = threading.excepthook = None",
    "runs something at exit": "import atexit\natexit.register(lambda: 1 / 0)",
    "traces": "import sys\nsys.setprofile(lambda *arguments: None)",
    "random seed": "import random\nrandom.seed(0)",
    "collects no garbage": "import gc\ngc.disable()\ngc.freeze()",
    "limits open files": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))",
    "sets a time-out of sockets": "import socket\nsocket.setdefaulttimeout(0.001)",
    "prints much": "print('x' * 100_000)",
    "leaves a program": "import subprocess\nsubprocess.Popen(['sleep', '617'])",
    "forks": "import os\nif os.fork() == 0:\n    os._exit(0)",
}
"""What a file does -> its top. Whoever imports it must not be harmed, and what it answers is right."""

_DEADLY = {
    "exits": ("import sys\nsys.exit(3)", "SystemExit: 3; the file must import without an error|mend or reinstall"),
    "dies": ("import os\nos._exit(7)", "exits with code 7; take out of the (file|module)'s top"),
    "dies later": (
        "import os, threading\nthreading.Timer(0, os._exit, (9,)).run()",
        "exits with code 9; take out of the (file|module)'s top",
    ),
    "is killed": ("import os, signal\nos.kill(os.getpid(), 9)", "SIGKILL"),
    "ends its group": ("import os, signal\nos.killpg(0, 15)", "SIGTERM"),
    "interrupts": ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    "replaces builtins": (
        "import builtins\nbuiltins.open = builtins.print = builtins.len = None",
        "in place of builtins\\.\\w+, builtins\\.",
    ),
    "replaces functions": (
        "import json, os, time\njson.dumps = json.loads = os.getcwd = time.sleep = None",
        "in place of json\\.\\w+, json\\.",
    ),
    "closes all it finds": (
        "import os\nos.closerange(3, 4096)",
        "the (file|module) closes descriptors that it has not opened",
    ),
}
"""What a file does -> its top, and what is told of it."""

HABITS = tuple(OracleCase(f"import {name}", f"{top}\n{_GOOD}") for name, top in _UPSIDE_DOWN.items())
"""Files that change the process that imports them."""

DEADLY = tuple(OracleCase(f"import {name}", f"{top}\n{_GOOD}", told) for name, (top, told) in _DEADLY.items())
"""Files that no process can run."""

MODULES = tuple(
    replace(case, name=f"{case.name}, a module", reference="odd_module:score") for case in (*HABITS, *DEADLY)
)
"""The same as modules that are installed, which do not travel."""

IMPORTS = (
    *HABITS,
    *DEADLY,
    *MODULES,
    OracleCase("module of a package", _GOOD, reference="odd_package.inner:score"),
    OracleCase("module without the name", "x = 1\n", "odd_module has no 'score'", reference="odd_module:score"),
    OracleCase(
        "module that needs another", "import nowhere\n" + _GOOD, "imports 'nowhere'", reference="odd_module:score"
    ),
    OracleCase(
        "module that reads beside itself",
        "import pathlib\npathlib.Path(__file__).read_text()\n" + _GOOD,
        reference="odd_module:score",
    ),
    OracleCase(
        "module that reads where it runs",
        "open('odd_module.py').read()\n" + _GOOD,
        "imported in an empty folder",
        reference="odd_module:score",
    ),
    OracleCase("byte order mark", b"\xef\xbb\xbf" + _GOOD.encode()),
    OracleCase("windows lines", _GOOD.replace("\n", "\r\n")),
    OracleCase("latin-1 declared", "# -*- coding: latin-1 -*-\n# café\n".encode("latin-1") + _GOOD.encode()),
    OracleCase("latin-1 undeclared", "x = 'é'\n".encode("latin-1") + _GOOD.encode(), "odd_oracle.py"),
    OracleCase("utf-16", _GOOD.encode("utf-16"), "odd_oracle.py"),
    OracleCase("zero bytes", _GOOD.encode() + b"\0", "odd_oracle.py"),
    OracleCase("empty", "", "has no .*score|score"),
    OracleCase("syntax error", "def score(smiles)\n    return {}\n", r"odd_oracle\.py:1: SyntaxError"),
    OracleCase("mixed tabs", "def score(smiles):\n        x = 1\n\treturn x\n", "TabError|IndentationError"),
    OracleCase("python 2", 'print "hello"\n' + _GOOD, "SyntaxError"),
    OracleCase("no such name", _GOOD.replace("score", "scores"), "did you mean 'scores'|scores"),
    OracleCase("no such module", "import nowhere_to_be_found\n" + _GOOD, "nowhere_to_be_found"),
    OracleCase("relative import", "from . import helpers\n" + _GOOD, "odd_oracle"),
    OracleCase("raises at import", "raise RuntimeError('no licence')\n" + _GOOD, r"no licence"),
    OracleCase("recursion at import", "def f():\n    return f()\nf()\n" + _GOOD, "RecursionError"),
    OracleCase("not a function", "score = 5\n", "score"),
    OracleCase("a module", "import json as score\n", "score"),
    OracleCase("lambda", f"score = lambda smiles: {_LENGTHS}\n"),
    OracleCase(
        "partial", f"import functools\ndef f(k, smiles):\n    return {_LENGTHS}\nscore = functools.partial(f, 1)\n"
    ),
    OracleCase("called object", f"class F:\n    def __call__(self, smiles):\n        return {_LENGTHS}\nscore = F()\n"),
    OracleCase("bound method", _CLASS + "score = Odd().score\n"),
    OracleCase(
        "wrapped", "import functools\n" + _GOOD + "score = functools.lru_cache(None)(score)\n", "unhashable|hash"
    ),
    OracleCase("class", _CLASS, reference="./odd_oracle.py:Odd"),
    OracleCase("class without score", "class Odd:\n    pass\n", "score", reference="./odd_oracle.py:Odd"),
    OracleCase("no arguments", "def score():\n    return {}\n", "score|argument"),
    OracleCase("too many arguments", "def score(smiles, more, yet_more):\n    return {}\n", "more"),
    OracleCase("coroutine", "async def score(smiles):\n    return {}\n", "coroutine|async|await"),
    OracleCase("name with blanks", _GOOD, reference="./odd oracle.py:score"),
    OracleCase("name of a module", _GOOD, reference="./json.py:score"),
    OracleCase("name in another alphabet", _GOOD, reference="./ορακλ.py:score"),
    OracleCase("ends in .txt", _GOOD, reference="./odd.txt:score"),
)
"""What a file is when it is imported."""
