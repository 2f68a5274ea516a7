"""Typed access to the values of a document, for checks that compare several values."""

from __future__ import annotations

from dataclasses import dataclass

from converge.hardware import cpus
from converge.problem import NodePath, Problem, show_path
from converge.profile.document import Document


class Unusable(Exception):
    """A value that a check needs is missing or was refused."""


@dataclass(frozen=True)
class Values:
    """The values of a document. ``text``, ``number``, ``march`` and ``mappings`` raise Unusable
    where the value is missing, was refused, or is of another type.

    ``refused``: paths that have a problem already, as problems write them."""

    document: Document
    refused: frozenset[str] = frozenset()

    def text(self, *path: str | int) -> str:
        value = self._get(path)
        if not isinstance(value, str):
            raise Unusable
        return value

    def number(self, *path: str | int) -> int:
        value = self._get(path)
        if type(value) is not int:
            raise Unusable
        return value

    def march(self, *path: str | int) -> str:
        name = self.text(*path)
        if name not in cpus.marches():
            raise Unusable
        return name

    def maybe(self, *path: str | int) -> str | None:
        """Return the text at ``path``; None where ``text`` raises Unusable."""
        try:
            return self.text(*path)
        except Unusable:
            return None

    def mappings(self, *path: str | int) -> tuple[int, ...]:
        """Return the indexes of the entries of a list that are mappings."""
        value = self._get(path)
        if not isinstance(value, list):
            raise Unusable
        return tuple(index for index, entry in enumerate(value) if isinstance(entry, dict))

    def _get(self, path: NodePath) -> object:
        if self.document.is_damaged(path) or show_path(path) in self.refused:
            raise Unusable
        node: object = self.document.data
        for step in path:
            listed = isinstance(node, list) and isinstance(step, int) and step < len(node)
            if listed or (isinstance(node, dict) and step in node):
                node = node[step]  # type: ignore[index]
            else:
                raise Unusable
        return node

    def problem(self, path: NodePath, message: str, hint: str) -> Problem:
        return self.document.problem(path, message, hint, rank=1)
