"""The campaign file: its layout, and `load_campaign`, which reads one or says all that is wrong with it.

Each strategy, filter, transform and oracle declares its own settings beside its code; here they are only found by name.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, PrivateAttr, ValidationError, field_validator, model_serializer, model_validator

from designloop.loop.campaign.checks import Parts, load_parts
from designloop.loop.campaign.identity import identity_of
from designloop.loop.campaign.idle import find_idle
from designloop.loop.campaign.known_values import Readings
from designloop.loop.campaign.prices import Prices
from designloop.loop.campaign.user_molecules import UserMolecule, digest_of_forms, digest_of_lines, is_path
from designloop.loop.config.explain import explain
from designloop.loop.config.problems import CampaignError, Finding, Problem
from designloop.loop.config.settings import ByName, StrictSettings, describe, error
from designloop.loop.config.yaml_file import OVERRIDE, Document, document_of, read_yaml
from designloop.loop.evaluation.settings import EvaluationSettings
from designloop.loop.scoring.objective import Objective
from designloop.loop.screening.diversity import Diversity, as_written, former_keys, with_todays_keys
from designloop.loop.screening.excluded import ExcludedFile
from designloop.loop.screening.filters import Filters
from designloop.molecules.chemistry import Mode, Stereo
from designloop.molecules.shipped import DEFAULT_MODEL
from designloop.oracles import Oracle, OracleError, reference_of
from designloop.paths import is_file, real
from designloop.strategies import base as strategies

__all__ = ["Budget", "Campaign", "CampaignError", "EvaluationSettings", "UserMolecule", "Problem", "StrategySettings"]
__all__ += ["load_campaign"]


@dataclass(frozen=True, slots=True)
class StrategySettings:
    """The strategy's name and its own settings."""

    name: str
    settings: BaseModel


def _default_strategy() -> StrategySettings:
    return StrategySettings("property_loss", strategies.settings_of("property_loss")())


class Budget(StrictSettings):
    """The most that the campaign may spend; it ends with what is spent first."""

    oracle_calls: int = Field(ge=1)
    """Distinct molecules charged, however many oracles the objective has."""
    rounds: int | None = Field(default=None, ge=1)
    """Rounds after that of the starting molecules."""
    hours: float | None = Field(default=None, gt=0)
    """Wall-clock time of all committed rounds together, whichever runs made them."""
    patience: int | None = Field(default=10, ge=0)
    """Rounds without a gain of more than 0.001 (below 0.1: of more than 1 %) in mean top-10 (`pareto`: hypervolume)
    after which it ends; 0: never. Where values are measured in a laboratory, `batch_size` molecules told count as a
    round, however they come."""
    per_oracle: dict[str, Annotated[int, Field(ge=1)]] = Field(default_factory=dict)
    """The most molecules that the oracle of a property is asked about, by the property's name, or by the oracle's."""


class StartingSettings(StrictSettings):
    """Starting molecules with what is said of them."""

    file: str | None = None
    """A file of molecules."""
    smiles: Annotated[tuple[str, ...], Field(strict=False)] = ()
    """Or the molecules themselves."""
    skip_bad: bool = False
    """Leave out what cannot be read; how many and which lines is told."""
    only_allowed: bool = False
    """Leave out what a filter refuses; by default it is scored and learned from, though never in `top`."""
    values: dict[str, str] = Field(default_factory=dict)
    """Property -> column of the file with its measured values, in the unit of the property's oracle or, where it is
    measured, of its transform: they are learned from, and charged to no budget. Rows of one molecule are replicates; an
    empty cell was not measured."""
    censored: Literal["refused", "failed"] = "refused"
    """What becomes of a row with a bound (`>10`, `<5`) for a value; `failed`: the property has none for good."""

    @model_validator(mode="after")
    def _from_one_place(self) -> StartingSettings:
        if (self.file is None) == (not self.smiles):
            actual = "both file and smiles" if self.smiles else "neither file nor smiles"
            raise error("starting_molecules", [Finding((), actual, "one of them")])
        if self.values and self.file is None:
            raise error("starting_molecules", [Finding(("values",), "no file", "a file whose columns hold them")])
        return self


class Campaign(StrictSettings):
    """One closed-loop design run, as its file says. Made by `load_campaign`, which also loads what it refers to."""

    name: str
    """What its results are called; by default the file's name without its ending."""
    seed: int = Field(default=0, ge=0)
    """The same seed on the same machine gives the same table, whatever the number of workers."""
    model: str = DEFAULT_MODEL
    """A shipped model by name, or the path of one that `designloop pretrain` wrote."""
    device: Literal["cpu", "cuda", "auto"] = "cpu"
    """Where the model runs; auto takes a GPU where there is one. Identical tables are promised on the CPU."""
    standardize: Mode = "parent"
    """What a molecule's standard form is, which is what oracles see."""
    stereo: Stereo = "ignore"
    """Whether stereoisomers are one molecule; by default `keep` where an oracle declares that it sees stereo. Kept,
    each is a call of its own, but strategies that model pay for no more of them once three came out alike and none
    otherwise.
    """
    starting_molecules: str | Annotated[tuple[str, ...], Field(strict=False)] | StartingSettings = ()
    """SMILES, a file of them (.smi, .csv, .sdf, …), or either with what is said of them: scored first, in round 0."""
    reference: str | Annotated[tuple[str, ...], Field(strict=False)] | dict[str, str] = ()
    """Molecules scored once to compare with, outside budget and table: SMILES, names with SMILES, or a file."""
    batch_size: int = Field(default=20, ge=1)
    """Molecules scored a round."""
    objective: Objective
    """What is wanted of a molecule."""
    strategy: Annotated[
        StrategySettings,
        ByName(
            key="name",
            what="strategy",
            names=strategies.available,
            model=strategies.settings_of,
            kind=StrategySettings,
            make=StrategySettings,
            taken_apart=lambda chosen: (chosen.name, chosen.settings),
        ),
    ] = Field(default_factory=_default_strategy)
    """How scores become the next molecules."""
    filters: Filters = Filters()
    """What a molecule must be before any oracle is asked of it."""
    diversity: Diversity = Diversity()
    """How unlike each other the molecules that are paid for have to be."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """How oracles are run."""
    prices: Prices | None = None
    """What molecules cost that a laboratory is to measure, and what `suggest` may spend."""
    budget: Budget
    """The most that may be spent."""
    ledger: str | None = None
    """Where every oracle run is recorded, outside the folder of results; by default NAME.ledger.sqlite beside the
    campaign file."""
    output: str | None = None
    """The folder of results; by default NAME/ beside the campaign file."""

    _path: Path = PrivateAttr(default_factory=lambda: Path("campaign.yaml").absolute())
    _parts: Parts = PrivateAttr(default_factory=Parts)

    def _with_origin(self, path: Path, parts: Parts) -> Campaign:
        """Returns a copy that knows where it was read from and what it refers to, and `per_oracle` by property."""
        caps = self.budget.per_oracle
        limits = {item.name: caps.get(item.name, caps.get(item.oracle)) for item in self.objective.properties}
        budget = self.budget.model_copy(update={"per_oracle": {name: most for name, most in limits.items() if most}})
        loaded = self.model_copy(update={"budget": budget})
        loaded._path, loaded._parts = path, parts
        return loaded

    @field_validator("name")
    @classmethod
    def _is_folder_name(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", name):
            expected = "letters, digits, dots, dashes and underscores: it names the folder of results"
            hint = f"for example name: {re.sub(r'[^A-Za-z0-9._-]+', '_', name).strip('._-') or 'my_campaign'}"
            raise error("name", [Finding((), describe(name), expected, hint)])
        return name

    @model_validator(mode="after")
    def _strategy_serves_the_objective(self) -> Campaign:
        chosen = self.strategy
        why = strategies.why_unfit(chosen.name, chosen.settings, self.objective.known())
        if why is not None:
            raise error("campaign", [Finding(("strategy", why.key), why.actual, why.expected, why.hint)])
        return self

    @model_serializer(mode="wrap")
    def _with_file_contents(self, handler: Any) -> dict[str, Any]:
        return {**handler(self), "files": self.files(), "molecules": self.molecules()}

    @property
    def path(self) -> Path:
        """The campaign file."""
        return self._path

    @property
    def folder(self) -> Path:
        """What relative paths in the file are relative to."""
        return self._path.parent

    @property
    def output_folder(self) -> Path:
        return real(self.folder / (self.output or self.name))

    @property
    def ledger_path(self) -> Path:
        return real(self.folder / (self.ledger or f"{self.name}.ledger.sqlite"))

    @property
    def model_file(self) -> str:
        """The model as `sequence_vae.load` takes it: a shipped name, or an absolute path."""
        return str(self.resolve(self.model)) if is_path(self.model) else self.model

    @property
    def oracles(self) -> Mapping[str, Oracle]:
        """Property name -> its oracle, in the order of the objective."""
        return self._parts.oracles

    @property
    def price_oracle(self) -> Oracle | None:
        """What computes prices; None where nothing does."""
        return self._parts.price_oracle

    @property
    def units(self) -> dict[str, str]:
        """Property name -> the unit of its value, of those that have one."""
        oracles = ((item, self.oracles[item.name]) for item in self.objective.properties)
        units = {item.name: oracle.unit_of(item.output) for item, oracle in oracles}
        return {name: unit for name, unit in units.items() if unit}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before running it, and that is no mistake."""
        return tuple(self._parts.warnings)

    def starting(self) -> list[UserMolecule]:
        """The starting molecules, in the order given, each once."""
        return list(self._parts.starting)

    def known_values(self) -> Readings:
        """What was measured of starting molecules before the campaign, of those of which anything was."""
        return {molecule.smiles: molecule.known for molecule in self._parts.starting if molecule.known}

    @property
    def only_allowed(self) -> bool:
        """Whether starting molecules that a filter refuses are left out."""
        return isinstance(self.starting_molecules, StartingSettings) and self.starting_molecules.only_allowed

    def references(self) -> list[UserMolecule]:
        """The molecules to compare with, in the order given, each once."""
        return list(self._parts.references)

    def with_only(self, names: Collection[str]) -> Campaign | None:
        """The campaign with these of its properties alone, for what is asked outside its table; None without any.

        They weigh the same and are averaged, whatever the file says: the score has no meaning of its own.
        """
        kept = (item for item in self.objective.properties if item.name in names)
        properties = tuple(item.model_copy(update={"weight": 1.0}) for item in kept)
        if not properties:
            return None
        objective = self.objective.model_copy(update={"properties": properties, "aggregate": "arithmetic_mean"})
        return self.model_copy(update={"objective": objective})

    def resolve(self, path: str | Path) -> Path:
        """Makes a path of the campaign file absolute."""
        return real(self.folder / path)

    def files(self) -> dict[str, str]:
        """Path -> SHA-256 of each file of molecules or weights that the file names, whose content is part of it."""
        return {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in self._named_files().items()}

    def molecules(self) -> dict[str, str]:
        """``starting_molecules``, and the path of each text file of molecules -> SHA-256 of what it says.

        Two files of molecules that differ only in how they are written have one digest here, and two in ``files``.
        """
        digests = {path: digest_of_lines(file) for path, file in self._named_files().items()}
        starting = [molecule.smiles for molecule in self.starting()]
        # Which of them become rows is part of what is said.
        forms = digest_of_forms(starting, self.only_allowed, self.known_values()) if starting else None
        digests["starting_molecules"] = forms
        return {key: digest for key, digest in digests.items() if digest is not None}

    def _named_files(self) -> dict[str, Path]:
        """Path as written -> each file of molecules or weights that the campaign file names and that is there."""
        starting = self.starting_molecules
        named: list[object] = [self.model, starting.file if isinstance(starting, StartingSettings) else starting]
        excluded = self.filters.exclude
        named += [self.reference, excluded.file if isinstance(excluded, ExcludedFile) else excluded]
        named += self.strategy.settings.model_dump(mode="json").values()
        paths = [str(name) for name in named if isinstance(name, (str, Path)) and is_path(str(name))]
        return {path: self.resolve(path) for path in dict.fromkeys(paths) if is_file(self.resolve(path))}

    @property
    def fingerprint(self) -> str:
        """64 hex digits of all that decides what the table will hold: what may change on resume is left out."""
        oracles = {name: oracle.fingerprint for name, oracle in self.oracles.items()}
        text = json.dumps({"campaign": identity_of(self.dump()), "oracles": oracles}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def dump(self) -> dict[str, Any]:
        """The campaign as JSON values, defaults filled in, with the digests of the files it names."""
        return self.model_dump(mode="json")


def load_campaign(
    path: Path | str | Mapping[str, Any],
    overrides: Mapping[str, Any] | None = None,
    folder: Path | str | None = None,
) -> Campaign:
    """The campaign of a file, or of a mapping with the keys of one, with its oracles loaded and its molecules read.

    A mapping needs a `name`, and an oracle in it may be a function or class in hand. Its campaign has no file, so it is
    resumed by giving the same mapping again.

    Args:
        path: the campaign file, or its keys.
        folder: of a mapping, what relative paths are relative to, and where results go; by default the current folder.
        overrides: values set from outside, by dotted key: ``{"budget.oracle_calls": 50}``.

    Raises:
        CampaignError: all that is wrong with it, each with its line; a YAML syntax error alone.
    """
    if isinstance(path, Mapping):
        document, file = _of_mapping(path, Path(folder or ".").absolute())
    elif folder is not None:
        raise CampaignError([Problem(str(path), None, None, "", "a folder was given for a campaign that has a file")])
    else:
        document, file = read_yaml(path), Path(path).absolute()
    document = document.with_overrides(overrides or {})
    # A key whose value was deleted or commented out is as good as absent, where it may be absent.
    optional = {name for name, field in Campaign.model_fields.items() if not field.is_required()}
    settings = {key: value for key, value in document.data.items() if value is not None or key not in optional}
    given = {"name": file.stem, **settings}
    data = with_todays_keys(given)
    parts = load_parts(document, data, file.parent)
    parts.warnings += former_keys(given)
    problems = [*document.problems, *parts.problems]
    try:
        campaign = Campaign.model_validate({"stereo": parts.stereo, **data})
    except ValidationError as caught:
        findings = explain(caught, Campaign, data, document.written)
        problems += [document.problem(replace(finding, path=as_written(finding.path, given))) for finding in findings]
    if problems:
        raise CampaignError(
            sorted(
                problems, key=lambda problem: (problem.file != document.file, problem.line or 0, problem.column or 0)
            )
        )
    parts.warnings += find_idle(document, campaign, campaign.objective.known())
    return campaign._with_origin(file, parts)


def _of_mapping(data: Mapping[str, Any], folder: Path) -> tuple[Document, Path]:
    """The document of a campaign from Python, its oracles in hand named by references, and the file that it lacks."""
    name = data.get("name")
    if not isinstance(name, str):
        actual = describe(name) if "name" in data else "nothing"
        raise CampaignError([Problem(OVERRIDE, None, None, "name", actual, "a name, which the folder of results gets")])
    document = document_of(data)
    problems = []
    objective = document.data.get("objective")
    properties = objective.get("properties") if isinstance(objective, dict) else None
    for place, item in enumerate(properties if isinstance(properties, list | tuple) else ()):
        if isinstance(item, dict) and callable(item.get("oracle")):
            try:
                item["oracle"] = reference_of(item["oracle"], folder, f"{name}.oracles")
            except OracleError as error:
                problems.append(document.problem(Finding(("objective", "properties", place, "oracle"), str(error))))
    if problems:
        raise CampaignError(problems)
    return document, folder / f"{name}.yaml"
