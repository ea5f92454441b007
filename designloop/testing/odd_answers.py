"""Oracle files by hand: what they answer, and what they do before they answer."""

from __future__ import annotations

from designloop.testing.odd_oracles import OracleCase, doing

_LENGTHS = "{m: float(len(m)) for m in smiles}"
_EACH = "from designloop.oracles import oracle\n\n\n@oracle(each=True)\ndef score(smiles):\n    return {0}\n"


def _answer(value: str, before: str = "") -> str:
    """The file of a function that answers so."""
    return f"{before}\ndef score(smiles):\n    return {value}\n"


ANSWERS = (
    OracleCase("numpy numbers", _answer("{m: np.float32(len(m)) for m in smiles}", "import numpy as np\n")),
    OracleCase(
        "numpy array of one", _answer("{m: np.array([len(m)]) for m in smiles}", "import numpy as np\n"), "answer"
    ),
    OracleCase("whole numbers", _answer("{m: len(m) for m in smiles}")),
    OracleCase("decimals", _answer("{m: Decimal(len(m)) for m in smiles}", "from decimal import Decimal\n")),
    OracleCase("fractions", _answer("{m: Fraction(len(m)) for m in smiles}", "from fractions import Fraction\n")),
    OracleCase("complex", _answer("{m: len(m) + 0j for m in smiles}"), "answered"),
    OracleCase("numbers as texts", _answer("{m: str(len(m)) for m in smiles}"), "'3'|'2'|3|2"),
    OracleCase("nothing", _answer("None"), "returned None|None"),
    OracleCase("a number", _answer("float(len(smiles[0]))"), "returned|dict"),
    OracleCase("an array", _answer("np.array([float(len(m)) for m in smiles])", "import numpy as np\n"), r"dict\(zip"),
    OracleCase("a tuple", _answer("tuple(float(len(m)) for m in smiles)"), r"dict\(zip"),
    OracleCase("a generator", "def score(smiles):\n    yield from [1.0]\n", r"dict\(zip|generator"),
    OracleCase("pairs", _answer("[(m, float(len(m))) for m in smiles]"), r"returned a list"),
    OracleCase(
        "a series", _answer("pd.Series({m: float(len(m)) for m in smiles})", "import pandas as pd\n"), "returned"
    ),
    OracleCase("an empty mapping", _answer("{}"), "no answer for this molecule"),
    OracleCase("by place", _answer("{n: float(len(m)) for n, m in enumerate(smiles)}"), "no answer .*not asked"),
    OracleCase("other keys", _answer("{m.lower(): float(len(m)) for m in smiles}"), "no answer .*not asked"),
    OracleCase("bytes for keys", _answer("{m.encode(): float(len(m)) for m in smiles}"), "no answer .*not asked"),
    OracleCase("many guests", _answer("{m: float(len(m)) for m in [*smiles, *map(str, range(9999))]}")),
    OracleCase("nan", _answer("{m: float('nan') for m in smiles}"), "answered nan"),
    OracleCase("minus infinity", _answer("{m: -float('inf') for m in smiles}"), "answered -inf"),
    OracleCase("too large", _answer("{m: 10**400 for m in smiles}"), "answered|large"),
    OracleCase("long text", _answer("{m: 'x' * 10_000_000 for m in smiles}"), "xxx"),
    OracleCase("text of lines", _answer("{m: 'a\\nb\\x00c' for m in smiles}"), "a"),
    OracleCase("surrogates", _answer("{m: '\\ud800' for m in smiles}"), "ud800|\\?"),
    OracleCase("surrogates in a guest", _answer("{m: float(len(m)) for m in [*smiles, 'x\\udce9']}")),
    OracleCase("itself", "def score(smiles):\n    d = {}\n    d[smiles[0]] = d\n    return d\n", "answered|output"),
    OracleCase(
        "an exception", _answer("{m: ValueError('not parametrised') for m in smiles}"), "not parametrised|ValueError"
    ),
    OracleCase(
        "a mapping that raises",
        "class D(dict):\n    def __getitem__(self, k):\n        raise KeyError(k)\n"
        + _answer("D.fromkeys(smiles, 1.0)"),
        "KeyError|answer",
    ),
    OracleCase(
        "a number that raises",
        "class N:\n    def __float__(self):\n        raise RuntimeError('lazy')\n"
        + _answer("{m: N() for m in smiles}"),
        "lazy|answered",
    ),
    OracleCase(
        "a number that ends it",
        "import os\nclass N:\n    def __float__(self):\n        os._exit(5)\n" + _answer("{m: N() for m in smiles}"),
        "code 5",
    ),
    OracleCase("one at a time", _EACH.format("float(len(smiles))")),
    OracleCase("one at a time, None", _EACH.format("None"), "None"),
    OracleCase("one at a time, a list", _EACH.format("[1.0]"), "answered|list"),
    OracleCase(
        "one at a time, undeclared", "def score(smiles: str) -> float:\n    return float(len(smiles))\n", "each=True"
    ),
)
"""What is answered."""

_RAISING = "class Odd(Exception):\n    def __str__(self):\n        raise RuntimeError('no words')\n"

DOINGS = (
    OracleCase("raises many words", doing("raise ValueError('x' * 1_000_000)"), "ValueError: x"),
    OracleCase("raises many lines", doing("raise ValueError('a\\nb' * 1000)"), "ValueError: a"),
    OracleCase("raises without words", doing("raise ValueError"), "ValueError"),
    OracleCase("raises surrogates", doing("raise ValueError('\\ud800\\x00')"), "ValueError"),
    OracleCase("raises what cannot be said", doing("raise Odd", _RAISING), "Odd|no words"),
    OracleCase("raises BaseException", doing("raise BaseException('all')"), "all"),
    OracleCase("raises KeyboardInterrupt", doing("raise KeyboardInterrupt"), "KeyboardInterrupt"),
    OracleCase("raises StopIteration", doing("raise StopIteration"), "StopIteration"),
    OracleCase("raises GeneratorExit", doing("raise GeneratorExit"), "GeneratorExit"),
    OracleCase("raises MemoryError", doing("raise MemoryError"), "MemoryError"),
    OracleCase("recursion", doing("score(smiles)"), "RecursionError"),
    OracleCase(
        "chain of errors",
        doing("try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise OSError('x') from e"),
        "OSError: x",
    ),
    OracleCase("error group", doing("raise ExceptionGroup('many', [ValueError(1)])"), "many"),
    OracleCase("exits", doing("raise SystemExit('bye')"), "SystemExit"),
    OracleCase("exits with 0", doing("import sys; sys.exit(0)"), "SystemExit"),
    OracleCase("dies with 0", doing("import os; os._exit(0)"), "code 0|exited"),
    OracleCase("aborts", doing("import os; os.abort()"), "SIGABRT"),
    OracleCase("segfault", doing("import ctypes; ctypes.string_at(0)"), "SIGSEGV"),
    OracleCase(
        # What ends with its parent ends a moment later, in which it may still answer.
        "kills its parent",
        doing("import os, signal; os.kill(os.getppid(), signal.SIGKILL)"),
        ".",
        ("CCO",),
        may_work=True,
    ),
    OracleCase(
        "closes streams",
        doing("import os\nfor n in (0, 1, 2):\n    try:\n        os.close(n)\n    except OSError:\n        pass"),
    ),
    OracleCase("closes all it finds", doing("import os; os.closerange(0, 256)"), ".", may_work=True),
    OracleCase("prints binary", doing("import os; os.write(1, bytes(range(256)) * 9)")),
    OracleCase("prints without end", doing("import sys; sys.stdout.write('no line end'); sys.stderr.write('x')")),
    OracleCase(
        "logs",
        doing("logging.getLogger().error('x' * 10_000)", "import logging\nlogging.basicConfig(level=0)\n"),
    ),
    OracleCase(
        "warns", doing("warnings.warn('x')", "import warnings\nwarnings.simplefilter('error')\n"), "UserWarning"
    ),
    OracleCase("asks the user", doing("input()"), "EOFError"),
    OracleCase("reads standard input", doing("import sys; assert sys.stdin.read() == ''")),
    OracleCase("deletes its folder", doing("import os, shutil; shutil.rmtree(os.getcwd())")),
    OracleCase("deletes its temporary folder", doing("import shutil, tempfile; shutil.rmtree(tempfile.gettempdir())")),
    OracleCase("leaves a folder unreadable", doing("import os; os.makedirs('x', exist_ok=True); os.chmod('x', 0)")),
    OracleCase("writes over itself", doing("open(__file__, 'w').write('rubbish')")),
    OracleCase("works in another folder", doing("import os; os.chdir('/')")),
    OracleCase("empties the environment", doing("import os; os.environ.clear()")),
    OracleCase(
        "alarm",
        doing("import signal; signal.setitimer(signal.ITIMER_REAL, 0.05)\nimport time; time.sleep(0.2)"),
        "SIGALRM|signal",
    ),
    OracleCase("alarm later", doing("import signal; signal.setitimer(signal.ITIMER_REAL, 30)")),
    OracleCase("ignores signals", doing("import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)")),
    OracleCase("session of its own", doing("import os; os.setpgid(0, 0) if os.getpid() != os.getpgid(0) else None")),
    OracleCase(
        "threads",
        doing("import threading\n[threading.Thread(target=len, args=('x',)).start() for _ in range(9)]"),
    ),
    OracleCase(
        "thread for ever",
        doing("import threading, time\nthreading.Thread(target=time.sleep, args=(600,)).start()"),
    ),
    OracleCase(
        "thread that raises",
        doing("import threading\nt = threading.Thread(target=lambda: 1 / 0); t.start(); t.join()"),
    ),
    OracleCase("waits at its end", doing("import atexit, time; atexit.register(time.sleep, 600)")),
    OracleCase("child for ever", doing("import subprocess; subprocess.Popen(['sleep', '617'])")),
    OracleCase(
        "child that prints later", doing("import subprocess; subprocess.Popen('sleep 0.1; echo 1', shell=True)")
    ),
    OracleCase("twin answers too", doing("import os; os.fork()")),
    OracleCase("no such program", doing("import subprocess; subprocess.run(['no-such-program'])"), "no-such-program"),
    OracleCase(
        "program fails",
        doing("import subprocess; subprocess.run('exit 3', shell=True, check=True)"),
        "exit status 3",
    ),
    OracleCase("nested functions of 3,000", doing("exec('x = ' + '[' * 3000)"), "SyntaxError|MemoryError|nest"),
    OracleCase(
        "limits itself",
        doing("import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))"),
        ".",
        may_work=True,
    ),
    OracleCase("memory it has not", doing("x = bytearray(10**15)"), "MemoryError"),
    OracleCase("changes recursion", doing("import sys; sys.setrecursionlimit(60)"), ".", may_work=True),
    OracleCase("changes its argument", doing("smiles = list(smiles); smiles.append('X')")),
    OracleCase("no garbage collection", doing("import gc; gc.disable(); gc.freeze()")),
    OracleCase("profiles", doing("import sys; sys.setprofile(lambda *_: None); sys.settrace(None)")),
    OracleCase("other locale", doing("import locale; locale.setlocale(locale.LC_ALL, '')")),
    OracleCase(
        "sleeps too long", doing("import time; time.sleep(600)"), "no answer within 1 s", ("CCO",), deadline=1.0
    ),
    OracleCase("spins", doing("while True: pass"), "no answer within 1 s", ("CCO",), deadline=1.0),
    OracleCase(
        "spins and catches all",
        doing("while True:\n    try:\n        pass\n    except BaseException:\n        pass"),
        "no answer",
        ("CCO",),
        deadline=1.0,
    ),
    OracleCase(
        "hangs in C",
        doing("import re; re.match('(a+)+$', 'a' * 60 + 'b')"),
        "no answer",
        ("CCO",),
        deadline=1.0,
    ),
)
"""What is done before the answer, which is right."""
