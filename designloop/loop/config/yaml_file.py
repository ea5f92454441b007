"""A YAML file as plain data that remembers where each value stands."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from designloop.loop.config.problems import Finding, PathKey, Problem
from designloop.loop.config.yaml_nodes import alone, read_text

MOST_BYTES = 2_000_000
"""Of a campaign file: YAML is read slowly, and what is longer is no campaign but a list of molecules, or a mistake."""

OVERRIDE = "override"
"""The `file` of a problem whose value came from the command line or from Python."""


def read_yaml(path: Path | str) -> Document:
    """Reads the file's data, and the place of each value.

    Raises:
        CampaignError: the file cannot be read, is no YAML, or is no mapping. Mistakes that leave something to read
            (a key that stands twice) are in the document's ``problems`` instead, to be reported with the others.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            content = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise alone(name, f"this file cannot be read ({error.strerror})", hint="check the path") from error
    if len(content) > MOST_BYTES:
        message = f"this file has more than {MOST_BYTES // 10**6} MB, too much for a campaign file"
        raise alone(name, message, hint="write molecules into a file of their own, and name that")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line, column = before.count(b"\n") + 1, error.start - before.rfind(b"\n")
        raise alone(name, f"byte {error.start} is not UTF-8", line, column, "save the file as UTF-8") from error
    return parse_yaml(re.sub("\r\n?", "\n", text), name)


def parse_yaml(text: str, name: str) -> Document:
    """Reads data and places of a text; ``name`` stands for the file in messages. Raises like `read_yaml`."""
    root, data, repeated = read_text(text, name)
    if root is None or not isinstance(data, dict):
        message = "the file is empty" if data is None else "the file does not consist of `key: value` lines"
        raise alone(name, message, 1, 1, "`designloop init` writes a campaign file to start from")
    return Document(name, data, text, root, tuple(repeated))


def document_of(data: Mapping[str, Any]) -> Document:
    """Data from Python as a document: every value is from outside, so none has a line."""
    root = yaml.MappingNode("tag:yaml.org,2002:map", [])
    return Document(OVERRIDE, copy.deepcopy(dict(data)), "", root, _overridden=((),))


@dataclass(frozen=True)
class Document:
    """What a YAML file says, and where each value stands in it."""

    file: str
    data: dict[str, Any]
    _text: str = field(repr=False)
    _root: yaml.Node = field(repr=False)
    _repeated: tuple[tuple[Finding, yaml.Mark], ...] = ()
    _overridden: tuple[PathKey, ...] = ()

    @property
    def problems(self) -> list[Problem]:
        """The keys that stand twice, each at its second place."""
        return [self._problem_at(finding, mark) for finding, mark in self._repeated]

    def problem(self, finding: Finding) -> Problem:
        """The finding with its file, line and column; those of what should hold it where it is not written at all."""
        if self._is_overridden(finding.path):
            words = self.words(finding.path)
            return Problem(OVERRIDE, None, None, words, finding.actual, finding.expected, finding.hint)
        return self._problem_at(finding, self._mark(finding.path, at_key=finding.at_key))

    def words(self, path: PathKey) -> str:
        """A path for people: an item of a list by its `name` where it has one, by its position from 0 elsewhere."""
        text = ""
        value: Any = self.data
        for part in path:
            value = value[part] if _holds(value, part) else None
            if isinstance(part, str):
                text += f".{part}" if text else part
            else:
                name = value.get("name") if isinstance(value, dict) else None
                text += f"[{name if isinstance(name, str) else part}]"
        return text

    def line(self, path: PathKey) -> int | None:
        """The line that a value stands on, from 1; None for a value from outside the file."""
        return None if self._is_overridden(path) else self._mark(path).line + 1

    def written(self, path: PathKey) -> str | None:
        """The unquoted text that a value is read from, ``1e-4``; None for any other value."""
        node = self._node(path)
        return str(node.value) if isinstance(node, yaml.ScalarNode) and node.style is None else None

    def is_cut(self, path: PathKey) -> bool:
        """Whether the value is unquoted text with a comment behind it, which may have been meant as part of it."""
        node = self._node(path)
        if not isinstance(node, yaml.ScalarNode) or node.style is not None or not node.value:
            return False
        rest_of_line = self._text[node.end_mark.index :].partition("\n")[0]
        return re.match(r"[ \t]+#", rest_of_line) is not None

    def bracketed(self, path: PathKey) -> str | None:
        """``[Na+]`` as written, where YAML reads a list of one unquoted text; None elsewhere."""
        node = self._node(path)
        if not isinstance(node, yaml.SequenceNode) or not node.flow_style or len(node.value) != 1:
            return None
        item = node.value[0]
        is_plain = isinstance(item, yaml.ScalarNode) and item.style is None
        return self._text[node.start_mark.index : node.end_mark.index] if is_plain else None

    def with_overrides(self, overrides: Mapping[str, Any]) -> Document:
        """The document with values set from outside, by dotted key: ``{"budget.oracle_calls": 50}``.

        Raises:
            CampaignError: a key leads into something that is no mapping or list.
        """
        data = copy.deepcopy(self.data)
        paths = []
        for dotted, value in overrides.items():
            path = tuple(int(part) if part.isdigit() else part for part in dotted.split("."))
            if not _set(data, path, value):
                raise alone(OVERRIDE, f"the key {dotted!r} leads nowhere in {self.file}", hint="check its spelling")
            paths.append(path)
        return dataclasses.replace(self, data=data, _overridden=(*self._overridden, *paths))

    def _is_overridden(self, path: PathKey) -> bool:
        return any(path[: len(outer)] == outer for outer in self._overridden)

    def _problem_at(self, finding: Finding, mark: yaml.Mark) -> Problem:
        line, column, words = mark.line + 1, mark.column + 1, self.words(finding.path)
        return Problem(self.file, line, column, words, finding.actual, finding.expected, finding.hint)

    def _node(self, path: PathKey) -> yaml.Node | None:
        """The node at a path; None where nothing is written there, or a value from outside has taken its place."""
        node: yaml.Node = self._root
        for part in path:
            entry = _entry(node, part)
            if entry is None:
                return None
            node = entry[1]
        return None if self._is_overridden(path) else node

    def _mark(self, path: PathKey, *, at_key: bool = False) -> yaml.Mark:
        node, mark = self._root, self._root.start_mark
        for depth, part in enumerate(path, start=1):
            entry = _entry(node, part)
            if entry is None:  # not written: the mark is that of the key that should hold it
                break
            key, node = entry
            # An empty value has its own mark behind the colon, where there is nothing to see.
            is_empty = isinstance(node, yaml.ScalarNode) and not node.value and node.style is None
            points_at_value = key is None or (depth == len(path) and not at_key and not is_empty)
            mark = node.start_mark if points_at_value or key is None else key.start_mark
        return mark


def _entry(node: yaml.Node, part: str | int) -> tuple[yaml.Node | None, yaml.Node] | None:
    """(key node, value node) of an entry of a mapping, (None, item) of a list; None if there is no such entry."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == part), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return None, node.value[part]
    return None


def _holds(holder: Any, part: str | int) -> bool:
    if isinstance(holder, list):
        return isinstance(part, int) and part < len(holder)
    return isinstance(holder, dict) and part in holder


def _set(data: Any, path: PathKey, value: Any) -> bool:
    """Sets a value inside nested mappings and lists, with mappings made on the way; False if the path leads nowhere."""
    *outer, last = path
    for part in outer:
        if isinstance(data, dict) and isinstance(part, str) and data.get(part) is None:
            data[part] = {}
        if not _holds(data, part):
            return False
        data = data[part]
    if not (isinstance(data, dict) and isinstance(last, str)) and not _holds(data, last):
        return False
    data[last] = value
    return True
