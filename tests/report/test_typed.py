"""What a person types is never cut and never broken over two lines, whatever the width."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from converge.report.terminal import wrap

#: A sentence as the product says it, and the command in it.
SENTENCES = (
    (
        "{} not known; nothing was connected. To look at the fingerprint and trust it: {}",
        ".venv/bin/python -m tasks.trust atelier.lan:2222",
    ),
    (
        "{} Either it was set up anew, or somebody sits in between: compare it there, then {}",
        ".venv/bin/python -m tasks.trust --replace 192.168.178.20:22",
    ),
    (
        "{} after what is to be done by hand, {} does what is left",
        "tasks/rollback.py --data run=20261126t000000-abcd",
    ),
    ("{} high risk; {} allows it, once it was read what it does", "--data accept=kwin.gl-core"),
    (
        "{} broken; by hand: {}; by hand: more",
        "nix-env -p /nix/var/nix/profiles/system --switch-generation 41",
    ),
    ("{} by hand: {}", "cp -p -- '/home/me/a b/before/1' /home/me/.config/kwinrc"),
    ("{} is another's: {}", "chown root /etc/nixos"),
    ("{} has no shell: {}", "sudo usermod -s /bin/sh USER"),
    ("{} ends with the last session: {}", "loginctl enable-linger me"),
    ("{} not changed unit: {}", "systemctl --user daemon-reload"),
    ("{} something else: {} shows what", "deploy.py --dry"),
    (
        "{} to write it: {}",
        ".venv/bin/pyinfra me@host tasks/detect.py --data write=inventory/hardware/host.yaml",
    ),
)


@pytest.mark.parametrize("width", [20, 40, 76, 80, 100])
@pytest.mark.parametrize(("sentence", "command"), SENTENCES)
def test_a_command_in_a_sentence_stands_on_one_line(
    sentence: str, command: str, width: int
) -> None:
    for before in range(0, 80, 7):
        lines = wrap(sentence.format("x" * before, command), width)
        assert any(command in line for line in lines), lines
        for line in lines:
            assert len(line) <= width or command in line or " " not in line, line


@pytest.mark.parametrize(
    "sentence",
    [
        "systemctl did not say how it is, though it was asked twice and had ten seconds each time",
        "git says that the repository is shallow, and a flake of it cannot be evaluated as it is",
        "the home is read only, so nothing of sudo or of chown would help; mount it again with rw",
        "deploy.py heals them, tasks/verify.py lists them, and tasks/status.py says how it stands",
    ],
)
def test_prose_about_a_program_is_wrapped_as_any_other(sentence: str) -> None:
    assert all(len(line) <= 40 for line in wrap(sentence, 40))


@given(st.text(), st.integers(1, 100))
def test_nothing_of_a_text_is_lost_or_added(text: str, width: int) -> None:
    shown = "".join(c if c.isprintable() or c == "\t" else f"\\x{ord(c):02x}" for c in text)
    assert " ".join(wrap(text, width)).split() == shown.split()
