"""Both ways of installing use exactly the locked packages, by hash; advisories are named."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tasks.run import run
from tests.conftest import PROJECT

LOCK = tomllib.loads((PROJECT / "uv.lock").read_text())
NAME = "workspace-tuning"


def locked() -> dict[str, tuple[str, set[str]]]:
    """Package -> version and hashes, of all that the group ``dev`` needs on any machine."""
    packages = {one["name"]: one for one in LOCK["package"]}
    project = packages[NAME]
    todo = [*project["dependencies"], *project["dev-dependencies"]["dev"]]
    found: dict[str, tuple[str, set[str]]] = {}
    while todo:
        one = packages[todo.pop()["name"]]
        if one["name"] not in found:
            files = [*one.get("wheels", ()), *filter(None, [one.get("sdist")])]
            found[one["name"]] = (one["version"], {file["hash"] for file in files})
            todo += one.get("dependencies", ())
            for extra in one.get("optional-dependencies", {}).values():
                todo += [dep for dep in extra if dep["name"] in found]
    return found


def required() -> dict[str, tuple[str, set[str]]]:
    """The same, of requirements.txt."""
    text = (PROJECT / "requirements.txt").read_text().replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            match = re.match(r"([\w.-]+)(?:\[[\w,]+\])?==(\S+)", line)
            assert match, f"not a pinned package: {line}"
            found[match[1]] = (match[2], set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", line)))
    return found


def test_requirements_for_pip_are_those_of_the_lock() -> None:
    pinned, lock = required(), locked()
    assert pinned.keys() == lock.keys(), "make requirements"
    for name, (version, hashes) in pinned.items():
        assert version == lock[name][0], name
        assert hashes, name
        assert hashes <= lock[name][1], name


def test_pip_refuses_another_file_than_the_locked_one(tmp_path: Path) -> None:
    wheel = tmp_path / "configobj-5.0.9-py2.py3-none-any.whl"
    wheel.write_bytes(b"PK\x05\x06" + b"\0" * 18)
    lines = (PROJECT / "requirements.txt").read_text().split("\nconfigobj==")[1]
    file = tmp_path / "requirements.txt"
    file.write_text("configobj==" + lines.partition("    # via")[0])
    environment = tmp_path / "env"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    argv = [environment / "bin/python", "-m", "pip", "install", "--no-index", "--find-links"]
    done = subprocess.run(
        [*argv, tmp_path, "--require-hashes", "-r", file], capture_output=True, text=True
    )
    assert done.returncode != 0
    assert "HASH" in done.stderr.upper(), done.stderr


def test_both_ways_of_make_take_the_lock() -> None:
    text = (PROJECT / "Makefile").read_text()
    assert "uv sync --quiet --locked --group dev" in text
    assert "install --require-hashes --requirement requirements.txt" in text
    assert "--no-deps --no-build-isolation --editable ." in text
    for line in text.splitlines():
        if re.search(r"\b(pip|PIP\)) install|cargo install", line):
            assert re.search(r"--require-hashes|--no-deps|--locked.* --version \d", line), line


def test_the_tools_of_ci_have_versions() -> None:
    text = (PROJECT / ".ci/run").read_text() + (PROJECT / ".ci/audit").read_text()
    for line in text.splitlines():
        if "pip install" in line:
            assert re.search(r"\w==\d[\d.]*", line), line
    assert re.search(r"^version=\d+\.\d+\.\d+$", text, re.MULTILINE)
    for line in (PROJECT / "tools/go.mod").read_text().splitlines():
        assert "latest" not in line
    assert 'dpkg-query -W "${packages[@]}"' in text, "Debian's packages have none: it is said"


def test_the_version_stands_once() -> None:
    data = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert run.version() == data["project"]["version"]
    version = re.escape(run.version())
    for path in [*PROJECT.glob("tasks/**/*.py"), *PROJECT.glob("converge/**/*.py")]:
        assert not re.search(rf"['\"]{version}['\"]", path.read_text()), path


def test_a_wheel_that_could_not_work_is_not_built(tmp_path: Path) -> None:
    code = (
        "import hatchling.build as b, sys\n"
        f"b.build_editable({str(tmp_path)!r})\n"
        f"b.build_wheel({str(tmp_path)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, timeout=120
    )
    assert "there is no wheel of this project: run it in a checkout" in done.stderr
    assert len(list(tmp_path.glob("*.whl"))) == 1, "the one for work in a checkout"


REPORT = "Name Version ID Fix Versions\\n---- ----\\nsome 1.0 CVE-1 1.1\\n"


@pytest.mark.parametrize(
    ("program", "code", "words"),
    [
        ("exit 0", 0, "no advisory is known"),
        (f"printf '{REPORT}'; exit 1", 1, "CVE-1"),
        ("echo 'ConnectionError: no route' >&2; exit 1", 3, "nothing is known"),
        ("exit 127", 3, "nothing is known"),
        ("echo 'Error: skipped all' >&2; exit 0", 3, "nothing is known"),
    ],
)
def test_advisories_are_named_and_no_answer_is_no_good_news(
    tmp_path: Path, program: str, code: int, words: str
) -> None:
    fake = tmp_path / "audit"
    fake.write_text(f"#!/bin/sh\n{program}\n")
    fake.chmod(0o755)
    done = subprocess.run(
        ["sh", ".ci/audit", "requirements.txt"],
        cwd=PROJECT,
        env={**os.environ, "AUDIT": str(fake)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, words in done.stdout + done.stderr) == (code, True), done
