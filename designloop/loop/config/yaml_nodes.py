"""YAML 1.2 text as nodes with marks, and nodes as plain values.

PyYAML reads YAML 1.1, in which a SMILES `NO` is False, `1e-4` is text and the second of two equal keys wins. Only its
scanner and composer are used here: scalars follow YAML 1.2's core schema (section 10.3.2 of yaml.org/spec/1.2.2), every
key is text as written, and a key that stands twice is a mistake.
"""

from __future__ import annotations

import re
from typing import Any

import yaml

from designloop.loop.config.problems import CampaignError, Finding, PathKey, Problem

_TAG = "tag:yaml.org,2002:"

_MISTAKEN_FOR_YAML = "[*@{&!%`"
"""A value that begins so is YAML, not text: many SMILES and SMARTS do."""

_VALUE_ON_LINE = re.compile(rf"^\s*(?:-\s+|[^\s:#'\"]+:\s+)+(?P<value>[{re.escape(_MISTAKEN_FOR_YAML)}].*?)\s*$")


_LINE_ENDS = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
"""As PyYAML counts lines."""

_LONG_LINE = 1000


class _CoreResolver(yaml.resolver.BaseResolver):
    """Plain scalars as YAML 1.2's core schema reads them."""


for _kind, _pattern in {
    "null": r"~|null|Null|NULL|",
    "bool": r"true|True|TRUE|false|False|FALSE",
    "int": r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+",
    "float": r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)",
}.items():
    _CoreResolver.add_implicit_resolver(_TAG + _kind, re.compile(rf"^(?:{_pattern})$"), None)


MOST_DEEP = 50
"""Lists and mappings within each other; a campaign file has five."""

MOST_REPEATED = 10_000
"""Values that aliases may stand for, all together: a few lines of aliases of aliases stand for billions."""


class _Composer(yaml.reader.Reader, yaml.scanner.Scanner, yaml.parser.Parser, yaml.composer.Composer, _CoreResolver):
    """Text in, node tree with marks out; refused, where it stands, is what would take for ever to read as values."""

    def __init__(self, text: str) -> None:
        yaml.reader.Reader.__init__(self, text)
        yaml.scanner.Scanner.__init__(self)
        yaml.parser.Parser.__init__(self)
        yaml.composer.Composer.__init__(self)
        _CoreResolver.__init__(self)
        self._depth = 0
        self._values: dict[int, int] = {}
        """Values that each composed node stands for, itself included; by the node's id."""
        self._repeated = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """The next node, counted: what an alias stands for is a node once, and values as often as it is named."""
        is_alias, mark = self.check_event(yaml.AliasEvent), self.peek_event().start_mark
        self._depth += 1
        if self._depth > MOST_DEEP:
            message = f"lists and mappings stand more than {MOST_DEEP} deep in each other here"
            raise yaml.composer.ComposerError(None, None, message, mark)
        node = super().compose_node(parent, index)
        self._depth -= 1
        if is_alias:  # of an anchor that is not complete, within itself, nothing is counted: `Values` refuses it
            self._repeated += self._values.get(id(node), 0)
            if self._repeated > MOST_REPEATED:
                message = f"the aliases up to here stand for more than {MOST_REPEATED:,} values"
                raise yaml.composer.ComposerError(None, None, message, mark)
        elif node is not None:
            inner = _inner(node)
            self._values[id(node)] = 1 + sum(self._values.get(id(each), 0) for each in inner)
        return node


def _inner(node: yaml.Node) -> list[yaml.Node]:
    """The nodes that stand in a node."""
    if isinstance(node, yaml.MappingNode):
        return [each for pair in node.value for each in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


class Values:
    """Plain values of a node tree, and the keys that stand twice (of which the first is read)."""

    def __init__(self) -> None:
        self.repeated: list[tuple[Finding, yaml.Mark]] = []
        self._open: list[yaml.Node] = []

    def of(self, node: yaml.Node, path: PathKey = ()) -> Any:
        """Dicts, lists, text, numbers, true, false and None; raises PyYAML's errors for what is none of these."""
        if any(node is outer for outer in self._open):
            raise yaml.composer.ComposerError(None, None, "this alias stands within its own anchor", node.start_mark)
        self._open.append(node)
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, path)
            if isinstance(node, yaml.SequenceNode):
                return [self.of(item, (*path, index)) for index, item in enumerate(node.value)]
            return _scalar(node)
        finally:
            self._open.pop()

    def _mapping(self, node: yaml.MappingNode, path: PathKey) -> dict[str, Any]:
        found: dict[str, Any] = {}
        lines: dict[str, int] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise yaml.composer.ComposerError(None, None, "a key must be text", key_node.start_mark)
            key = str(key_node.value)  # keys are names: `NO`, `1` and `null` are what is written
            if key in found:
                twice = f"the key {key!r} a second time (first on line {lines[key]})"
                finding = Finding((*path, key), twice, "each key once", "keep one of the two", at_key=True)
                self.repeated.append((finding, key_node.start_mark))
            else:
                lines[key] = key_node.start_mark.line + 1
                found[key] = self.of(value_node, (*path, key))
        return found


def _scalar(node: yaml.Node) -> str | int | float | bool | None:
    text = str(node.value)
    kind = node.tag.removeprefix(_TAG)
    try:
        if kind == "str":
            return text
        if kind == "null":
            return None
        if kind == "bool":
            return {"true": True, "false": False}[text.lower()]
        if kind == "int":
            return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
        if kind == "float":
            return float(re.sub(r"\.(inf|nan)$", r"\1", text, flags=re.IGNORECASE))
    except (ValueError, KeyError):
        pass  # an explicit tag on something else, `!!int abc`: refused below like any other tag
    message = f"{text!r} is marked with the tag {node.tag.replace(_TAG, '!!')!r}, which means nothing here"
    raise yaml.constructor.ConstructorError(None, None, message, node.start_mark)


def read_text(text: str, name: str) -> tuple[yaml.Node | None, Any, list[tuple[Finding, yaml.Mark]]]:
    """A YAML text's root node (None of an empty text), its value, and the keys that stand twice.

    Raises:
        CampaignError: the text is no YAML. Nothing else can be said of it then, so this problem stands alone.
    """
    values = Values()
    try:
        root = _Composer(text).get_single_node()
        return root, None if root is None else values.of(root), values.repeated
    except yaml.reader.ReaderError as error:
        before = text[: error.position]
        line, column = before.count("\n") + 1, error.position - before.rfind("\n")
        raise alone(name, f"the character {chr(int(error.character))!r} may not stand in YAML", line, column) from error
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, name) from error


def read_value(text: str) -> Any:
    """One value as a campaign file reads it: ``1e-4`` is a number, ``NO`` is text. For values of a command line.

    What is no YAML is text: a SMILES such as ``[Na+].[Cl-]`` can be nothing else there.
    """
    try:
        root = _Composer(text).get_single_node()
        return None if root is None else Values().of(root)
    except yaml.YAMLError:
        return text


def quoted(text: str) -> str:
    """The text as a single-quoted YAML scalar, in which no character but the quote itself is special."""
    return "'" + text.replace("'", "''") + "'"


def alone(file: str, found: str, line: int | None = None, column: int | None = None, hint: str = "") -> CampaignError:
    """The error of one problem that concerns the file as a whole."""
    return CampaignError([Problem(file, line, column, "", found, hint=hint)])


def _syntax_error(error: yaml.MarkedYAMLError, text: str, name: str) -> CampaignError:
    """The scanner's own words at the scanner's own mark, and what most likely mends it."""
    marks = [mark for mark in (error.context_mark, error.problem_mark) if mark is not None]
    # Of a line as long as a file no hint is taken: it would be looked for a long time.
    lines = [line[:_LONG_LINE] for line in re.split(_LINE_ENDS, text)]
    met = [line for mark in marks for line in lines[mark.line : mark.line + 1]]
    before = [line for line in lines[: marks[-1].line] if line.strip()] if marks else []
    # `- [#6]…` is an open bracket and a comment: the scanner stumbles on the line behind it.
    met += [line for line in before[-1:] if line.partition("#")[0].count("[") > line.partition("#")[0].count("]")]
    line, column = (marks[-1].line + 1, marks[-1].column + 1) if marks else (None, None)
    said = ", ".join(part for part in (error.context, error.problem) if part)
    found = said if _is_too_much(said) else f"this is no YAML: {said}"
    return alone(name, found, line, column, _syntax_hint(error.problem or "", met))


def _is_too_much(said: str) -> bool:
    """Whether an error is our own bound, of what may well be YAML."""
    return said.startswith(("the aliases up to here", "lists and mappings stand more than"))


def _syntax_hint(problem: str, lines: list[str]) -> str:
    if _is_too_much(problem):
        return "write values out, or name a file of them; close brackets, and check the indentation"
    if "escape" in problem:
        return "in double quotes a backslash is an escape: quote the SMILES with single quotes, '…'"
    if r"'\t'" in problem:
        return "indent with spaces, not with tabs"
    for match in filter(None, map(_VALUE_ON_LINE.match, lines)):
        value = re.sub(r"\s+#.*", "", match["value"])
        if not re.search(r"\s", value):  # a SMILES has no spaces; a list or mapping most likely has
            return f"quote the SMILES: {quoted(value)}"
        if value[0] in "[{" and sum(map(value.count, "[{")) > sum(map(value.count, "]}")):
            return "close the bracket"
    if "mapping values are not allowed" in problem:
        return "quote a text that holds a colon and a space, and check the indentation"
    return "check indentation, brackets and quotes on this line and the one before"
