"""What a login gives: who sets its variables, and what its shell knows."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from converge.effect import Effect
from converge.proof.check import Ask
from converge.subjects.settings import BY_ID
from tests.proof import checks
from tests.proof.checks import judge
from tests.proof.test_checks_wire import one, programs
from tests.tools import need


def test_who_sets_a_variable_is_told_in_the_order_of_a_login(tmp_path: Path) -> None:
    """PAM's files, then environment.d by name, each name from its first directory."""
    texts = {
        "etc/security/pam_env.conf": 'NVD_BACKEND DEFAULT="a" OVERRIDE=@{PAM_RHOST}\n',
        "etc/pam/environment": '#NVD_BACKEND DEFAULT=b\nKEY DEFAULT=x\nNVD_BACKEND\tDEFAULT="c"\n',
        "etc/environment": "NVD_BACKEND_2=d\n export NVD_BACKEND = e # mine",
        "etc/environment.d/90-z.conf": "NVD_BACKEND=hidden\n",
        "usr/lib/environment.d/95-z.conf": "SECRET=x\nNVD_BACKEND=g\nexport NVD_BACKEND=no\n",
        "config/environment.d/90-z.conf": "NVD_BACKEND=f\n",
        "config/environment.d/91-z.conf.bak": "NVD_BACKEND=hidden\n",
    }
    for name, text in texts.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "etc/environment.d/99-fifo.conf").mkdir()
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path / "config")}
    ask = Ask("environment-files", ("NVD_BACKEND",))
    reply = one(ask, root=str(tmp_path), environment=environment)
    assert reply.text.replace(f"{tmp_path}/", "") == (
        'set etc/security/pam_env.conf\tNVD_BACKEND="a"\n'
        'set etc/pam/environment\tNVD_BACKEND="c"\n'
        "set etc/environment\tNVD_BACKEND=e\n"
        "set config/environment.d/90-z.conf\tNVD_BACKEND=f\n"
        "set usr/lib/environment.d/95-z.conf\tNVD_BACKEND=g\n"
    )


def test_the_users_own_shell_is_asked_for_an_alias(tmp_path: Path) -> None:
    value = BY_ID["monitoring.crashmon"].value
    assert isinstance(value, Mapping)
    (tmp_path / ".bashrc").write_text(f"alias crashmon='{value['command']}'\n")
    getent = f"echo user:x:0:0::/:{need('bash')}"
    environment = {**programs(tmp_path, getent=getent), "HOME": str(tmp_path)}
    replies = {**checks.IN_USE, "alias": one(Ask("alias", ("crashmon",)), environment=environment)}
    assert judge("monitoring.crashmon", replies).effect is Effect.EFFECTIVE
    made = tmp_path / "store/x-home-manager-files"
    made.mkdir(parents=True)
    (made / ".bashrc").write_text("")
    for file, text, found, own in (
        ("", "alias crashmon='journalctl -xb -p err'\n", "another crashmon", ".bashrc"),
        ("", "", "knows no crashmon", "home-manager does not manage"),
        ("managed", "crashmon() { :; }\nalias crashmon=x\n", "another", "its own crashmon"),
        ("managed", "", "knows no crashmon", ""),  # home-manager has it, and the shell has not
    ):
        (tmp_path / ".bashrc").unlink()
        if file:
            (tmp_path / ".bashrc").symlink_to(made / ".bashrc")
        (tmp_path / ".bashrc").write_text(text)
        reply = one(Ask("alias", ("crashmon",)), environment=environment)
        finding = judge("monitoring.crashmon", {**checks.IN_USE, "alias": reply})
        assert finding.effect is Effect.NOT_EFFECTIVE
        assert (found in finding.found, own in finding.reason) == (True, True), finding
        assert finding.counts is not bool(own)


def test_a_shell_that_nobody_knows_is_told_by_its_name(tmp_path: Path) -> None:
    environment = programs(tmp_path, getent="echo user:x:0:0::/:/usr/bin/nologin")
    reply = one(Ask("alias", ("sysmon",)), environment=environment)
    finding = judge("monitoring.sysmon", {"alias": reply})
    assert (finding.effect, "nologin" in finding.reason) == (Effect.NOT_APPLICABLE, True)
