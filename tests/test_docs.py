"""The documents are true: their names, keys, codes, programs and links exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from converge.exits import Exit
from converge.gate.gate import FACTS
from converge.plan.standing import MOVED_ASIDE, OFFERED
from converge.setting import State
from converge.subjects.checks import BY_ID as CHECKS
from converge.subjects.settings import ALL, BY_ID
from tests.bench import page as speed_page
from tests.conftest import PROJECT
from tests.gate import machines_page
from tests.plan import settings_page
from tests.profile import keys_page
from tests.proof import checks_page
from tests.remote import programs_page
from tests.run import exits_page

PAGES = (PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md")))
NAMES = [path.relative_to(PROJECT).as_posix() for path in PAGES]
#: Pages that a module makes from the code.
GENERATED = {
    "docs/settings.md": settings_page,
    "docs/checks.md": checks_page,
    "docs/keys.md": keys_page,
    "docs/exit-codes.md": exits_page,
    "docs/machines.md": machines_page,
    "docs/programs.md": programs_page,
    "docs/speed.md": speed_page,
}
#: A screen of a large monitor.
README_LINES = 80
#: Words of README.md and docs/ that are written by hand (``wc -w``, tables and code too) before the
#: first hour was looked at, in commit c5307fd; at most half of them are for a person to read now.
WORDS_BEFORE = 25_325
SCHEMAS = PROJECT / "schemas"
CODE = re.compile(r"`([^`\n]+)`")
#: What a setting's id begins with, in these documents.
SUBJECTS = {one.partition(".")[0] for one in BY_ID}
#: Options of NixOS, and names of files, that begin like a setting.
FOREIGN = re.compile(r"boot\.(loader|kernel)|.*\.(sh|py|nix|json|yaml)$")


def pages(*names: str) -> Iterator[tuple[str, str]]:
    for name in NAMES:
        if not names or name in names:
            yield name, (PROJECT / name).read_text(encoding="utf-8")


def prose(text: str) -> str:
    """A page without its blocks of code."""
    return re.sub(r"^( *)```.*?^\1```$", "", text, flags=re.DOTALL | re.MULTILINE)


def keys_of(node: object, path: str = "") -> Iterator[str]:
    """Dotted names of everything that a schema describes, references followed by name."""
    if isinstance(node, Mapping):
        for name, below in node.get("properties", {}).items():
            yield f"{path}{name}"
            yield from keys_of(below, f"{path}{name}.")


def profile_keys() -> set[str]:
    schema = json.loads((SCHEMAS / "hardware-profile.schema.json").read_text())
    return set(keys_of(schema))


def choice_keys() -> set[str]:
    return set(json.loads((SCHEMAS / "workspace.schema.json").read_text())["properties"])


def matches(name: str, known: set[str]) -> bool:
    """``name`` may end with ``.*``, or hold one of several endings: ``a.<b|c>.*``."""
    if "*" in name or "<" in name:
        return any(one.startswith(re.split(r"[*<]", name)[0]) for one in known)
    return name in known


@pytest.mark.parametrize("name", GENERATED)
def test_a_generated_page_is_what_its_module_makes(
    name: str,
) -> None:
    made = GENERATED[name]
    assert (PROJECT / name).read_text(encoding="utf-8") == made.page(), (
        f"what it is made from has changed: .venv/bin/python -m {made.__name__}"
    )


def test_the_readme_is_one_screen_and_the_pages_to_read_stay_short() -> None:
    _, readme = next(pages("README.md"))
    assert len(readme.splitlines()) <= README_LINES
    words = sum(len(text.split()) for name, text in pages() if name not in GENERATED)
    assert words <= WORDS_BEFORE // 2, "shorten a page"


def test_every_setting_that_a_page_names_is_there() -> None:
    known = {*BY_ID, *CHECKS, *FACTS, *profile_keys()}
    unknown = [
        f"{page}: {name}"
        for page, text in pages()
        for name in CODE.findall(prose(text))
        if re.fullmatch(r"[a-z][a-zA-Z0-9-]*(\.[a-zA-Z0-9<>|*-]+)+", name)
        and name.partition(".")[0] in SUBJECTS
        and not FOREIGN.match(name)
        and not matches(name, known)
    ]
    assert unknown == []


def test_every_setting_in_a_command_is_there() -> None:
    unknown = [
        f"{page}: {key}={name}"
        for page, text in pages()
        for key, names in re.findall(
            r"(?<![\w-])(accept|include|exclude|setting)=([a-z0-9.,-]+)", text
        )
        for name in filter(None, names.rstrip(".,").split(","))
        if name not in {*BY_ID, *FACTS, OFFERED, MOVED_ASIDE}
    ]
    assert unknown == []


def test_every_setting_that_is_not_applied_as_written_is_named_with_its_correction() -> None:
    _, text = next(pages("docs/plan.md"))
    named = CODE.findall(text)
    missing = [
        setting.id
        for setting in ALL
        if setting.state in (State.CORRECTED, State.WITHHELD)
        and setting.id not in named
        and not any(name.endswith(".*") and setting.id.startswith(name[:-1]) for name in named)
    ]
    assert missing == []


def test_the_plan_page_counts_its_statements_right() -> None:
    _, text = next(pages("docs/plan.md"))
    count = {state: sum(1 for setting in ALL if setting.state is state) for state in State}
    of_the_plan = len(ALL) - count[State.OFFERED]
    assert (
        f"{of_the_plan} statements, {count[State.APPLIED]} applied as written, "
        f"{count[State.CORRECTED]} corrected, {count[State.WITHHELD]} withheld"
    ) in text


def test_what_cannot_be_forced_is_said_to_be_so() -> None:
    _, text = next(pages("docs/plan.md"))
    for setting in ALL:
        if not setting.forcible:
            around = [part for part in text.split("\n\n") if f"`{setting.id}`" in part]
            assert any("forced" in part for part in around), setting.id


@pytest.mark.parametrize("page", NAMES)
def test_every_key_of_data_is_real(page: str) -> None:
    _, text = next(pages(page))
    named = {
        part
        for words in re.findall(r"--data ((?:`? ?'?[a-z_]+=\S*)+)", text)
        for part in re.findall(r"(?:^|[\s'])([a-z_]+)=", words)
    }
    assert named - choice_keys() == set()


def test_every_key_of_data_is_explained() -> None:
    text = "\n".join(text for _, text in pages())
    explained = {name.partition("=")[0] for name in CODE.findall(text)}
    assert choice_keys() - explained == set()


def test_what_to_do_is_said_for_every_exit_code() -> None:
    _, text = next(pages("docs/every-day.md"))
    _, _, section = text.partition("\n## Exit codes\n")
    rows = dict(re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", section, re.MULTILINE))
    assert rows.keys() == {str(int(code)) for code in Exit}


def anchors(path: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", prose(path.read_text(encoding="utf-8")), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", title.replace("`", "").lower()).replace(" ", "-")
        for title in titles
    }


def test_links_lead_somewhere() -> None:
    broken = []
    for path in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", prose(path.read_text(encoding="utf-8"))):
            if "://" in target:
                continue
            file, _, anchor = target.partition("#")
            goal = (path.parent / file).resolve() if file else path
            if not goal.exists() or (anchor and anchor not in anchors(goal)):
                broken.append(f"{path.name}: {target}")
    assert broken == []


#: Files that a reader of the page makes: a new workspace, the host keys that are trusted.
MADE_BY_USERS = r"inventory/((hardware/)?(new|atelier)\b|known_hosts|WORKSPACE)"


def test_every_file_and_module_that_is_named_is_there() -> None:
    folders = "tasks|tests|converge|files|schemas|inventory|docs"
    gone = [
        f"{page}: {name}"
        for page, text in pages()
        for name in re.findall(rf"(?<![\w/.~])((?:{folders})/[\w/.*-]*[\w*])", text)
        if not any(PROJECT.glob(name)) and not re.match(MADE_BY_USERS, name)
    ]
    modules = [
        f"{page}: {name}"
        for page, text in pages()
        for name in re.findall(r"python -m ([\w.]+\w)", text)
        if not any(
            (PROJECT / (name.replace(".", "/") + end)).exists() for end in (".py", "/__main__.py")
        )
    ]
    assert (gone, modules) == ([], [])


def test_every_test_that_is_named_as_evidence_is_there() -> None:
    tests = set()
    for path in (PROJECT / "tests").rglob("test_*.py"):
        tests |= {path.stem, *re.findall(r"^def (test_\w+)", path.read_text(), re.MULTILINE)}
    named = {
        f"{page}: {name}"
        for page, text in pages()
        for name in re.findall(r"\b(test_\w+)(?![\w*]|\.py|_\*)", text)
        if name not in tests
    }
    assert named == set()


@pytest.mark.parametrize("page", NAMES)
def test_the_source_of_a_page_fits_a_hundred_columns_but_for_rows_of_tables(page: str) -> None:
    _, text = next(pages(page))
    wide = [line for line in text.splitlines() if len(line) > settings_page.WIDTH]
    assert [line for line in wide if not line.startswith("|")] == []
