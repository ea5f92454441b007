"""From what a campaign file says of an oracle to the oracle, here and, by its recipe, in any other process."""

from __future__ import annotations

import contextlib
import copyreg
import dataclasses
import functools
import hashlib
import importlib.util
import inspect
import json
import os
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from designloop.oracles import located, own_files
from designloop.oracles.base import Oracle
from designloop.oracles.cards import OracleCard
from designloop.oracles.declaration import declaration_of, name_of
from designloop.oracles.errors import OracleError, ParameterError, ParameterProblem
from designloop.oracles.facts import Facts
from designloop.oracles.parameters import read_arguments
from designloop.oracles.references import ResolvedReference, find, names_file
from designloop.paths import is_file, real

_OWN = "own"
_PARAMS = "params"


@dataclasses.dataclass(frozen=True, slots=True)
class _SentFiles:
    """Where files lie that parameters name, as whoever sent the recipe found them."""

    pointed: Mapping[str, Path]
    """Parameter annotated with a path -> its file here."""
    located: Mapping[str, Mapping[str, str]]
    """``Oracle.located``"""


def load(reference: str, params: Mapping[str, Any] | None = None, folder: Path | None = None) -> Oracle:
    """The oracle that a reference names, its parameters checked. Nothing of it runs but the import of its module.

    Args:
        reference: A built-in name (``qed``), an import path (``my_module:my_function``, installed wherever workers
            run), or a file (``./my_oracle.py:score``).
        params: What it is called with, JSON values.
        folder: What relative paths are relative to: the campaign file's folder; by default the current one.

    Raises:
        ParameterError: All wrong parameters together.
        OracleError: It is not there, cannot be imported, or contradicts what it declares.
    """
    return _build(reference, params or {}, real(folder or Path.cwd()))


def describe(reference: str, folder: Path | None = None) -> OracleCard:
    """The card of one oracle, built in or not.

    Raises:
        OracleError: There is none of that name.
    """
    return find(reference, real(folder or Path.cwd())).subject.card()


def from_callable(target: Callable[..., Any], params: Mapping[str, Any] | None = None) -> Oracle:
    """The oracle that a function or class in hand is, loaded as a campaign would: by import path, else by file.

    Raises:
        OracleError: It cannot be imported from outside: a lambda, or defined inside a function.
    """
    name, module = getattr(target, "__qualname__", ""), getattr(target, "__module__", "")
    if not name.isidentifier():
        raise OracleError(f"{target!r} is not at the top of a module, so workers cannot import it; move it there")
    source = Path(inspect.getsourcefile(target) or "<unknown>")
    if module != "__main__" and _is_importable(module, source):
        return load(f"{module}:{name}", params)
    if not source.is_file():
        raise OracleError(f"{name} comes from no file, so workers cannot import it; write it into one")
    return load(f"./{source.name}:{name}", params, source.parent)


def load_recipe(
    recipe: Mapping[str, Any], file_bytes: Mapping[str, bytes] | None = None, folder: Path | None = None
) -> Oracle:
    """The oracle that another process described by ``Oracle.recipe()``, and provably the same one.

    Args:
        recipe: What ``Oracle.recipe()`` gave.
        file_bytes: What ``Oracle.file_bytes`` gave. Not needed where an earlier call has left the files.
        folder: Where the files are written, below a folder named by the fingerprint; by default a private temporary
            folder of this machine.

    Raises:
        OracleError: Files did not come, a module is not installed here, or the oracle has another fingerprint here.
    """
    home = real(folder or own_files.worker_folder()) / recipe["fingerprint"]
    unpack_files(recipe, file_bytes, home)
    return load_unpacked(recipe, home)


def unpack_files(recipe: Mapping[str, Any], file_bytes: Mapping[str, bytes] | None, home: Path) -> Path:
    """The folder below ``home`` in which the oracle's own file and those that it declares lie now, if it has any.

    Raises:
        OracleError: The files are neither there nor in ``file_bytes``.
    """
    wanted, modes = recipe["files"], recipe["modes"]
    if wanted and not own_files.holds(home, wanted, modes):
        if file_bytes is None or own_files.digests(file_bytes) != wanted:
            raise OracleError(
                f"the files of oracle {recipe['reference']!r} did not come with its recipe; send file_bytes too"
            )
        own_files.write_files(file_bytes, home, modes)
    return home / _OWN


def load_unpacked(recipe: Mapping[str, Any], home: Path) -> Oracle:
    """The same as :func:`load_recipe`, once :func:`unpack_files` has been there.

    Raises:
        OracleError: A module is not installed here, or the oracle has another fingerprint here.
    """
    reference, wanted = recipe["reference"], recipe["files"]
    _set_environment(recipe["env"])
    pointed = {name.split("/")[1]: home / name for name in wanted if name.startswith(f"{_PARAMS}/")}
    place, _, attribute = reference.rpartition(":")
    here = f"./{_OWN}/{Path(place).name}:{attribute}" if names_file(place) else reference
    sent = _SentFiles(pointed, recipe["located"])
    loaded = _build(here, recipe["params"], home, sent, deadly=True)  # what sends recipes has tried the import
    if loaded.fingerprint != recipe["fingerprint"]:
        differs = f"RDKit is {loaded.rdkit} here and {recipe['rdkit']} there" if loaded.rdkit != recipe["rdkit"] else ""
        raise OracleError(
            f"oracle {reference!r} is not the same here as where the campaign runs: {differs or 'its module differs'}; "
            "install the same versions wherever workers run"
        )
    return dataclasses.replace(loaded, reference=reference, located=MappingProxyType(recipe["located"]))


def _reduce(oracle: Oracle) -> tuple[Callable[..., Oracle], tuple[Any, ...]]:
    """What ``pickle`` makes an oracle of."""
    return load_recipe, (oracle.recipe(), dict(oracle.file_bytes))


copyreg.pickle(Oracle, _reduce)


def _build(
    reference: str,
    params: Mapping[str, Any],
    folder: Path,
    sent: _SentFiles | None = None,
    *,
    deadly: bool = False,
) -> Oracle:
    """The oracle; ``sent`` has where the files lie that parameters name, if not where the parameters say."""
    resolved = find(reference, folder, deadly=deadly)
    facts = resolved.subject.facts(params)
    name, declared = facts.name, facts.declared
    files = own_files.read_files(facts.home, declared.files)
    _check_imports(resolved, facts, files)
    paths = _find_pointed(facts, folder, sent.pointed if sent else {})
    if sent is not None:
        texts = sent.located
    elif isinstance(resolved.identity.get("built_in"), str):
        texts = {}
    else:
        texts = located.files_named(facts.texts, folder, facts.home, files)
    pointed = {key: path.read_bytes() for key, path in paths.items()}
    rdkit = _rdkit_version() if declared.uses_rdkit else None
    identity = {
        "name": name,
        "version": declared.version,
        "oracle": dict(resolved.identity),
        "params": dict(facts.written) | own_files.digests(pointed),
        "files": own_files.digests(files),
        "rdkit": rdkit,
    }
    env = {variable: os.environ.get(variable) for variable in sorted(declared.env)}
    if env:  # an oracle that declares none keeps the fingerprint that it has had
        identity["env"] = {variable: _digest(value) for variable, value in env.items()}
    source = resolved.source
    travelling = {f"{_OWN}/{file}": data for file, data in {**files, **source}.items()} if source else {}
    travelling |= {f"{_PARAMS}/{key}/{paths[key].name}": data for key, data in pointed.items()}
    places = {f"{_OWN}/{file}": facts.home / file for file in [*files, *source]} if source else {}
    places |= {f"{_PARAMS}/{key}/{path.name}": path for key, path in paths.items()}
    return Oracle(
        name=name,
        reference=reference,
        params=MappingProxyType(dict(facts.written)),
        given_params=MappingProxyType({key: facts.written[key] for key in params}),
        version=declared.version,
        stochastic=declared.stochastic,
        costly=declared.costly,
        uses_rdkit=declared.uses_rdkit,
        sees_stereo=_sees_stereo(facts),
        files=declared.files,
        unit=declared.unit,
        outputs=MappingProxyType(dict(declared.outputs)),
        summary=facts.docstring.partition("\n")[0],
        fingerprint=hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest(),
        file_bytes=MappingProxyType(travelling),
        file_modes=MappingProxyType(own_files.permissions(places)),
        located=MappingProxyType(dict(texts)),
        env=MappingProxyType(env),
        rdkit=rdkit,
        make=functools.partial(_scoring, resolved, params, texts, paths),
    )


def _scoring(
    resolved: ResolvedReference, params: Mapping[str, Any], texts: located.Located, paths: Mapping[str, Path]
) -> Callable[..., Any]:
    """The function of molecules (and seeds) alone; a file is imported, and a class constructed, now and here."""
    subject = resolved.subject.here()
    declared = declaration_of(subject.target)
    given = read_arguments(name_of(subject.target, subject.reference), subject.target, declared, params).python
    arguments = {**located.with_files(given, texts, subject.home), **paths}
    each = declared.each
    imports = subject.imports.active if subject.imports else contextlib.nullcontext
    if isinstance(subject.target, type):
        with imports():
            call = subject.target(**arguments).score
    else:
        call = functools.partial(subject.target, **arguments)

    def score(*molecules_and_seeds: Sequence[Any]) -> Any:
        with imports():
            if each:
                calls = zip(*molecules_and_seeds, strict=True)
                return {molecule: call(molecule, *seed) for molecule, *seed in calls}
            try:
                return call(*molecules_and_seeds)
            except (TypeError, AttributeError) as error:
                if "list" not in str(error):
                    raise
                raise OracleError(_list_refused(error)) from error

    return score


def _list_refused(error: Exception) -> str:
    """What may be wrong where an oracle cannot do with a list what it does."""
    return (
        f"{type(error).__name__}: {textwrap.shorten(str(error), 200)}; an oracle is called with a list of molecules: "
        "go through it, or, where the function takes one SMILES, declare @oracle(each=True), after "
        "`from designloop.oracles import oracle`"
    )


def _check_imports(resolved: ResolvedReference, facts: Facts, files: Mapping[str, bytes]) -> None:
    """Refuse helper modules that lie beside the oracle's file and would be left behind."""
    missing = sorted(set(facts.helpers) - set(files) - set(resolved.source))
    if missing:
        raise OracleError(
            f"the oracle's file imports {missing[0]}, which workers elsewhere would lack; declare it: "
            f"@oracle(files={[*facts.declared.files, *missing]!r}), after `from designloop.oracles import oracle`"
        )


def _find_pointed(facts: Facts, folder: Path, sent: Mapping[str, Path]) -> dict[str, Path]:
    """Parameter -> the file that it points at: sought beside the campaign file, a default one beside the oracle."""
    paths = {key: facts.home / path for key, path in facts.default_paths.items()}
    paths |= {key: folder / path for key, path in facts.paths.items()}
    paths |= sent
    problems = [
        ParameterProblem(key, repr(str(path)), "a file", "relative paths are relative to the campaign's folder")
        for key, path in paths.items()
        if not is_file(path)
    ]
    if problems:
        raise ParameterError(facts.name, problems)
    return paths


def _set_environment(env: Mapping[str, str | None]) -> None:
    """Gives this process the variables that an oracle declares, as they are where the campaign was started."""
    for variable, value in env.items():
        if value is None:
            os.environ.pop(variable, None)
        else:
            os.environ[variable] = value


def _digest(value: str | None) -> str | None:
    """What stands in a fingerprint for a variable's value, which may be a secret; None of one that is not set."""
    return None if value is None else hashlib.sha256(value.encode(errors="surrogateescape")).hexdigest()


def _sees_stereo(facts: Facts) -> bool:
    declared = facts.declared.sees_stereo
    if isinstance(declared, bool):
        return declared
    value = facts.written.get(declared)
    if not isinstance(value, bool):
        raise OracleError(
            f"oracle {facts.name!r} declares sees_stereo={declared!r}, which is no true/false parameter of it; "
            "name one, or write True or False"
        )
    return value


def _rdkit_version() -> str:
    from rdkit import rdBase

    return str(rdBase.rdkitVersion)


def _is_importable(module: str, source: Path) -> bool:
    """Whether the module's name leads to this file, here and so in a process with the same path."""
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return False
    return spec is not None and spec.origin is not None and Path(spec.origin).resolve() == source.resolve()
