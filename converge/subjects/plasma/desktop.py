"""Parse the answers of KWin and Baloo about their settings."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from converge.proof.check import Unreadable
from converge.text.limits import document

_OPTION = re.compile(r"([A-Za-z]\w*): ?(.*)")


def bus_value(text: str) -> object:
    """The value in a line of ``busctl --json=short``: ``call`` wraps it in a list, ``get-property``
    does not."""
    try:
        data = document(text)["data"]
    except (ValueError, KeyError, TypeError) as error:
        raise Unreadable(f"busctl printed {text[:60]!r}") from error
    if isinstance(data, list) and len(data) == 1:
        return data[0]
    return data


@dataclass(frozen=True, kw_only=True)
class Support:
    """KWin's support information. ``animation_ms``: how long the overview effect takes."""

    version: str
    operation: str
    compositing: bool
    compositing_type: str = ""
    platform: str = ""
    options: Mapping[str, str] = field(default_factory=dict)
    animation_ms: int | None = None


def support(text: str) -> Support:
    """The report of ``supportInformation`` (KWin 5.27 to 6.7)."""
    sections: dict[str, list[str]] = {"": []}
    lines = text.splitlines()
    current = ""
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line and following and (set(following) <= {"="} or set(following) == {"-"}):
            current = line.rstrip(":")
            sections[current] = []
        else:
            sections[current].append(line)
    compositing = sections.get("Compositing")
    version = _field(sections.get("Version", []), "KWin version")
    if compositing is None or not version:
        raise Unreadable("not KWin's support information")
    options = {
        match[1]: match[2].strip()
        for line in sections.get("Options", [])
        if (match := _OPTION.fullmatch(line))
    }
    return Support(
        version=version,
        operation=_field(lines, "Operation Mode"),
        compositing="Compositing is active" in compositing,
        compositing_type=_field(compositing, "Compositing Type"),
        platform=_field(compositing, "OpenGL platform interface"),
        options=options,
        animation_ms=_overview(sections.get("Effect Settings", [])),
    )


def _field(lines: list[str], name: str) -> str:
    return next(
        (line[len(name) + 1 :].strip() for line in lines if line.startswith(f"{name}:")), ""
    )


def _overview(lines: list[str]) -> int | None:
    """``animationDuration`` of the overview effect; other effects have one of their own."""
    if "overview:" not in lines:
        return None
    for line in lines[lines.index("overview:") + 1 :]:
        if not line:
            return None
        if line.startswith("animationDuration: "):
            return int(line.partition(": ")[2])
    return None


@dataclass(frozen=True, kw_only=True)
class KWin:
    """The answer of the probe ``kwin``: the report, and the effects that were asked for. Without
    compositing KWin tells of no effect."""

    support: Support
    loaded: Mapping[str, bool]
    supported: Mapping[str, bool]


def kwin(text: str) -> KWin:
    report: Support | None = None
    effects: dict[str, dict[str, bool]] = {"loaded": {}, "supported": {}}
    for line in text.splitlines():
        word, _, rest = line.partition(" ")
        if word == "support":
            found = bus_value(rest)
            if not isinstance(found, str):
                raise Unreadable("KWin's support information is no text")
            report = support(found)
        elif word in effects:
            name, _, answer = rest.partition(" ")
            if not answer:
                continue
            found = bus_value(answer)
            if not isinstance(found, bool):
                raise Unreadable(f"KWin did not say whether {name} is {word}")
            effects[word][name] = found
    if report is None:
        raise Unreadable("KWin's support information is missing")
    return KWin(support=report, loaded=effects["loaded"], supported=effects["supported"])


@dataclass(frozen=True, kw_only=True)
class Baloo:
    """Baloo's settings as it reads them. Folders are absolute, without a slash at the end."""

    content: bool
    hidden: bool
    included: frozenset[str]
    excluded: frozenset[str]


def baloo(text: str) -> Baloo:
    """Four answers of ``balooctl config list``, each under ``## <list>``.

    Up to KF 6.22 a list is bare lines; from 6.23 on it has a header and is indented. Only absolute
    paths and yes or no count: Solid's complaints about a missing bus are neither."""
    lists: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line.startswith("## "):
            lists[line[3:].strip()] = current = []
        elif lists:
            current.append(line.strip())
    return Baloo(
        content=_yes(lists, "contentIndexing"),
        hidden=_yes(lists, "hidden"),
        included=_folders(lists, "includeFolders"),
        excluded=_folders(lists, "excludeFolders"),
    )


def _yes(lists: Mapping[str, list[str]], name: str) -> bool:
    found = [line for line in lists.get(name, ()) if line in ("yes", "no")]
    if len(found) != 1:
        raise Unreadable(f"Baloo did not answer yes or no for {name}")
    return found[0] == "yes"


def _folders(lists: Mapping[str, list[str]], name: str) -> frozenset[str]:
    if name not in lists:
        raise Unreadable(f"Baloo did not list {name}")
    return frozenset(line.rstrip("/") or "/" for line in lists[name] if line.startswith("/"))
