"""Mistakes on the command line: each ends with 5 and its message, connects and writes nothing.

A row is what follows ``pyinfra``, and what the answer has to say. ``W`` is a good inventory.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT, PYINFRA, Cli, tree
from tests.run.ends import legible

W = "inventory/sandbox.py"

#: pyinfra itself, its options, the command
START = (
    ("W deploy.py --check", "--check: pyinfra has no such option; did you mean --dry?"),
    ("W deploy.py --dryrun", "--dryrun: pyinfra has no such option; did you mean --dry?"),
    ("W deploy.py --dry-run", "--dry-run: pyinfra has no such option; did you mean --dry?"),
    ("W deploy.py --phases 1", "did you mean --data phases=...?"),
    ("W deploy.py -x", "-x: pyinfra has no such option"),
    ("W deploy.py --dry --parallel many", "'many' is not a valid integer"),
    ("W deploy.py --dry --data", "'--data' requires an argument"),
    ("W deploy.py --dry --data phases", "--data phases: has no value; --data phases=VALUE"),
    ("W deploy.py --dry --data =1", "--data =1: names no key; --data KEY=VALUE"),
    (
        "W deploy.py --dry --data layers=session --data layers=plasma",
        "--data layers: is given 2 times, and the last alone would count",
    ),
    ("W", "has no inventory or no command"),
    ("deploy.py W --dry", "deploy.py: stands where the inventory has to be; pyinfra W deploy.py"),
    ("W deplyo.py --dry", "deplyo.py: there is no such command; did you mean deploy.py?"),
    ("W deploy --dry", "deploy: there is no such command; did you mean deploy.py?"),
    ("W tasks/verify", "did you mean tasks/verify.py?"),
    ("W verify.py", "did you mean tasks/verify.py?"),
    ("W tasks.why", "did you mean tasks/why.py?"),
    ("W tasks/rolback.py", "did you mean tasks/rollback.py?"),
    ("W tasks/nothing-like.py", "the commands are deploy.py, tasks/verify.py, tasks/status.py"),
    ("W tasks/trust.py", "python -m tasks.trust HOST"),
    ("W tasks/__init__.py", "tasks/__init__.py: is no command; the commands are deploy.py"),
    ("W tasks/steps/read.py", "tasks/steps/read.py: is no command; the commands are"),
    ("W tasks/run/run.py --dry", "tasks/run/run.py: is no command"),
    ("W tasks/verify.py tasks/status.py", "are several commands, and a call runs one"),
    ("W deploy.py tasks/verify.py --dry", "deploy.py tasks/verify.py: are several commands"),
    ("W deploy.py --dry -y", "-y makes a dry run show nothing; leave -y out"),
    ("W deploy.py", "there is nobody to ask; add -y to apply, --dry to look"),
    ("W deploy.py -y --no-wait", "failures would go unseen"),
    ("W deploy.py -y --config /dev/null", "takes the place of our config.py"),
    ("W deploy.py --dry --limit nobody", "--limit nobody: leaves no workspace"),
    ("W deploy.py --dry --limit ''", "--limit '': leaves no workspace"),
    ("W deploy.py --dry --limit @local --limit lcal", "--limit lcal: leaves no workspace"),
    ("W deploy.py --dry --exclude kwin.contrast", "--exclude kwin.contrast: leaves none out"),
    ("W deploy.py --dry --data ''", "--data: names no key; --data KEY=VALUE"),
    ("W deploy.py --dry --data ' =1'", "names no key; --data KEY=VALUE"),
    ("W deploy.py --dry --data workspace=x", "the inventory names its workspaces; leave it out"),
    ("W deploy.py --dry --data _sudo=True", "--data _sudo: is for operations of pyinfra's"),
    ("W deploy.py --dry --sudo", "--sudo: does nothing here; root does two steps"),
    ("W tasks/verify.py --su-user root", "--su-user: does nothing here"),
    ("W deploy.py --dry --retry 3", "--retry: does nothing here; leave it out"),
    ("W DEPLOY.PY --dry", "DEPLOY.PY: there is no such command; did you mean deploy.py?"),
    ("W deploy.py --Dry", "--Dry: pyinfra has no such option; did you mean --dry?"),
    ("W deploy.py --dry=yes", "Option '--dry' does not take a value"),
    ("W deploy.py -- --dry", "--dry: there is no such command; the commands are deploy.py"),
    ("W deploy.py --list", "--list: pyinfra has no such option; did you mean --limit?"),
    ("W tasks/", "tasks/: is no command; the commands are deploy.py, tasks/verify.py"),
    ("help", "has no inventory or no command; pyinfra inventory/<workspace>.py COMMAND"),
    ("W deploy.py --dry --use-sudo-password", "would show (--use-sudo-password); leave it out"),
    ("W deploy.py --dry --ssh-password x", "would show (--ssh-password); leave it out"),
    ("W deploy.py --dry --parallel 0", "--parallel 0: is no number of workspaces; 1 to 1000"),
    ("W deploy.py --dry --parallel 99999999999999999999", "is no number of workspaces; 1 to"),
    ("W deploy.py --dry --parallel 1 --parallel 2", "--parallel: is given 2 times, and the last"),
    ("W deploy.py --dry --fail-percent 0", "--fail-percent: does nothing here; leave it out"),
    ("W tasks/status.py --retry 0 --retry-delay 0", "--retry-delay: does nothing here; leave it"),
    ("W deploy.py --dry --sudo-user ''", "--sudo-user: does nothing here; root does two steps"),
    ("W deploy.py --dry --shell-executable ''", "--shell-executable: does nothing here"),
    ("W deploy.py --dry --same-sudo-password", "none is used here (--same-sudo-password); leave"),
    (
        "W tasks/verify.py --ssh-password-prompt",
        "asks for a password, and none is used here (--ssh",
    ),
    ("W deploy.py --dry --ssh-key-password ''", "would show (--ssh-key-password); leave it out"),
    ("W deploy.py --dry --ssh-port 0", "--ssh-port 0: is no port; 1 to 65535"),
    ("W deploy.py --dry --port 99999", "--ssh-port 99999: is no port; 1 to 65535"),
    ("W deploy.py --dry --user ''", "--ssh-user '': is empty; give --ssh-user a value, or leave"),
    ("W deploy.py --dry --ssh-key ''", "--ssh-key '': is empty"),
    ("W deploy.py --dry --config ''", "--config '': is empty"),
    ("W deploy.py --dry --chdir ''", "--chdir '': is empty"),
    ("W deploy.py --dry --chdir nowhere", "nowhere: is not the project's directory; cd "),
    ("W deploy.py --dry --chdir README.md", "README.md: is not the project's directory; cd "),
    ("W deploy.py --dry --group-data nowhere", "--group-data nowhere: is no directory; name a"),
    ("W deploy.py --dry --data phases=1, 4", "4: there is no such command; the commands are"),
)

#: the inventory
INVENTORY = (
    ("inventory/shosin.py deploy.py --dry", "did you mean inventory/shoshin.py?"),
    ("shoshin deploy.py --dry", "did you mean inventory/shoshin.py?"),
    ("inventory deploy.py --dry", "inventory: is a directory; name a file"),
    ("no/where.py deploy.py --dry", "the inventories are inventory/fleet.py"),
    ("syntax.py deploy.py --dry", "syntax.py:2:8: SyntaxError: '[' was never closed"),
    ("name.py deploy.py --dry", "name.py:2: NameError: name 'nix' is not defined"),
    ("import.py deploy.py --dry", "import.py:1: ModuleNotFoundError: No module named 'nowhere'"),
    ("exit.py deploy.py --dry", "exit.py: not today"),
    ("quiet.py deploy.py --dry", "quiet.py:2: ends the run before it began: SystemExit(0)"),
    ("empty.py deploy.py --dry", "empty.py: names no workspace"),
    ("bytes.py deploy.py --dry", "UnicodeDecodeError"),
    ("bare.py deploy.py --dry", "bare.py, workspace @local: the key workspace is missing"),
    ("key.py deploy.py --dry", "key.py, workspace x: profil: is not a known key; did you mean"),
    ("twice.py deploy.py --dry", "twice.py: names h twice, as x and y, and the last alone would"),
    ("tuple.py deploy.py --dry", "tuple.py: IndexError: tuple index out of range; mend it"),
    ("many.py deploy.py --dry", "\nand 154 more\n"),
    (
        "comma.py deploy.py --dry",
        "comma.py: hosts is a tuple with a list in it; remove the comma be",
    ),
    ("W deploy.py --dry --chdir /", "and the same command again without --chdir\n"),
    ("alone.py deploy.py --dry", "alone.py: hosts is one workspace and no list; write hosts = [wo"),
    ("desk.py deploy.py --dry --limit none", "desk.py has box\n"),
    ("number.py deploy.py --dry", "number.py:2: TypeError: at of a workspace is 22, which is no t"),
    ("kind.py deploy.py --dry", "kind.py: NoConnectorError: Invalid connector: nosuch"),
    ("stop.py deploy.py --dry", "stop.py:1: KeyboardInterrupt; mend it, then the same command"),
    ("W deploy.py --dry --limit sandbx", "--limit sandbx: leaves no workspace; W has @local"),
    (
        "@local deploy.py --dry",
        "@local: is a machine; what is wanted on which workspace stands in an",
    ),
    ("localhost deploy.py --dry", "venv/bin/pyinfra @local tasks/detect.py looks at it and writes"),
    ("me@box.lan tasks/verify.py", "venv/bin/pyinfra me@box.lan tasks/detect.py looks at it"),
    (
        "inventory/hardware/shoshin.yaml deploy.py --dry",
        "is a hardware profile, and stands where the inventory has to be; its workspace's file is "
        "inventory/shoshin.py",
    ),
)
FILES = {
    "syntax.py": b"x = 1\nhosts =[\n",
    "name.py": b"x = 1\nhosts = nix\n",
    "import.py": b"import nowhere\n",
    "exit.py": b"raise SystemExit('not today')\n",
    "quiet.py": b"import sys\nsys.exit(0)\n",
    "empty.py": b"x = 1\n",
    "bytes.py": b"\xff\xfe\n",
    "key.py": b"hosts = [('@local', {'workspace': 'x', 'profil': 'a', 'user': 'me'})]\n",
    "twice.py": b"one = [('h', {'workspace': 'x'})]\nall = [('h', {'workspace': 'y'}), *one]\n",
    "tuple.py": b"hosts = [('a',)]\n",
    "many.py": b"hosts = [('h', {f'key{n}': 1 for n in range(201)})]\n",
    "comma.py": b"hosts = [('h', {'workspace': 'x'})],\n",
    "alone.py": b"hosts = ('h', {'workspace': 'x'})\n",
    "desk.py": b"desk = ('box', {'workspace': 'x'})\nhosts = [desk]\n",
    "number.py": b"from tasks.reach.connection import workspace\nworkspace('x', at=22)\n",
    "kind.py": b"hosts = ['@nosuch/x']\n",
    "stop.py": b"raise KeyboardInterrupt\n",
    "bare.py": b"hosts = [('@local', {'profile': 'inventory/hardware/shoshin.yaml'})]\n",
}

#: variables of the environment
VARIABLES = (
    ("MEASURE_ROUND=3", "W tasks/measure.py -y", "MEASURE_ROUND: no such variable; did you mean"),
    ("MEASURE_ONLY=zsdt", "W tasks/measure.py -y", "MEASURE_ONLY: no benchmark 'zsdt'"),
    ("AT_SHOSHIN=me@h:abc", "inventory/shoshin.py deploy.py --dry", "not of the form [user@]host"),
    ("AT_KINOITE=", "inventory/fleet.py deploy.py --dry", "shoshin and kinoite are both on this"),
)

#: what the workspace is asked for
CHOICES = (
    ("W deploy.py --dry --data rollut=staged", "--data: rollut: is not a known key; did you mean"),
    ("W deploy.py --dry --data phases=9", '--data: phases[0]: "9" is not known, expected one of'),
    ("W deploy.py --dry --data phases=", "--data: phases"),
    ("W deploy.py --dry --data layers=plsma", "did you mean plasma?"),
    ("W deploy.py --dry --data deadline_s=soon", '--data: deadline_s: is the text "soon"'),
    ("W deploy.py --dry --data rollout=slow", "--data: rollout"),
    ("W deploy.py --dry --data build_on=nowhere", "--data: build_on: nowhere is not a workspace"),
    ("W deploy.py --dry --data layers=Plasma", "did you mean plasma?"),
    ("W deploy.py --dry --data phases=1-3", 'phases[0]: "1-3" is not known, expected one of 1, 2'),
    ("W deploy.py --dry --data phases=4,4", "phases: names something twice; name it once"),
    ("W deploy.py --dry --data deadline_s=-1", "-1 is out of range, expected an integer from 30"),
    ("W deploy.py --dry --data profile=README.md", "such as inventory/hardware/shoshin.yaml"),
    ("W deploy.py --dry --data base_home=a/b", "write an absolute path or one that begins with"),
    ("W deploy.py --dry --data exclude=kwin.*", "id of a setting, such as"),
    ("W deploy.py --dry --data prefer=mine", "expected one of live, source"),
    ("W tasks/why.py kwin.contrast", "kwin.contrast: there is no such command; the commands are"),
    ("W deploy.py --dry --data canary=nobody", "nobody is not a workspace of this run"),
    ("W deploy.py --dry --data accept=nothing", "--data: accept[0]: there is no setting"),
    ("W deploy.py --dry --data exclude=kwin.contrst", "did you mean kwin.contrast?"),
    ("W deploy.py --dry --data include=cpu.cores", "cpu.cores is a fact of the profile and no"),
    ("W deploy.py --dry --data exclude=gpus.driver", "gpus.driver is a fact of the profile and no"),
    ("W deploy.py --dry --data include=session.kwin-egl", "session.kwin-egl cannot be included"),
    ("W deploy.py --dry --data include=kwin.contrast", "kwin.contrast is in the plan without that"),
    ("W deploy.py --dry --data include=libraries.graft.system", "accept=libraries.graft.system"),
    ("W deploy.py --dry --data accept=kwin.contrast", "kwin.contrast needs no consent"),
    ("W deploy.py --dry --data accept=build.parallelism", "fact is build.tiers: --data accept=bu"),
    (
        "W deploy.py --dry --data accept=memory.zram",
        "its risk is low; leave accept=memory.zram out",
    ),
    ("W deploy.py --dry --data accept=memory.zramDevice", "is a fact that takes no consent; corr"),
    ("W deploy.py --dry --data accept=system", "--data accept: system is a fact that takes no"),
    ("W deploy.py --dry --data exclude=offered", "offered is a word for include= alone; leave"),
    (
        "W deploy.py --dry --data exclude=home.files",
        "home.files is a word for accept= alone; leave",
    ),
    ("W deploy.py --dry --data accept=kwin.gl-core", "--data include=kwin.gl-core"),
    ("W deploy.py -y --data plan=cccccccccccc", "no plan of that id was shown here"),
    ("W tasks/verify.py --data plan=cccccccccccc", "does nothing in tasks/verify.py; it is for"),
    ("W deploy.py --dry --data setting=kwin.contrast", "it is for tasks/why.py"),
    ("W tasks/why.py --data setting=kwin.contrst", "did you mean kwin.contrast?"),
    ("W tasks/rollback.py -y --data phases=4", "phases: does nothing in tasks/rollback.py; leave"),
    ("W tasks/rollback.py -y --data exclude=kwin.blur", "--data layers=... narrows a rollback"),
    ("W tasks/remove.py -y --data layers=plasma", "layers: does nothing in tasks/remove.py; leave"),
    ("W tasks/remove.py --dry --data phases=memory", "phases: does nothing in tasks/remove.py"),
    ("W tasks/confirm.py -y --data layers=nixos", "leave it out; a trial is answered as a whole"),
    ("W tasks/rollback.py -y --data run=yesterday", "tasks/status.py lists them"),
    ("W tasks/rollback.py -y --data run=", 'run: "" does not have the form it needs; write an id'),
    (
        "W deploy.py --dry --data layer=plasma",
        "--data: layer: is not a known key; did you mean lay",
    ),
    ("W deploy.py --dry --data phase=1", "--data: phase: is not a known key; did you mean phases?"),
    ("W deploy.py --dry --data accept=all", 'there is no setting "all"; tasks/why.py lists them'),
    ("W deploy.py --dry --data exclude=", 'exclude[0]: "" does not have the form it needs; id of'),
    ("W deploy.py --dry --data soak_hours=two", 'is the text "two", expected an integer from 0 to'),
    ("W deploy.py --dry --data user=Root!", "write what id -un prints there, such as mitsio"),
    ("@local tasks/detect.py --data workspace=My_Box", "write small letters, digits and -, at"),
    ("W deploy.py --dry --data trial=yes", 'trial: "yes" is not known, expected one of on, off'),
    ("W deploy.py -y --data plan=PLAN", "write the 12 hexadecimal digits that the dry run showed"),
    ("W tasks/detect.py --data write=My_Box.yaml", "NAME of small letters, digits and -, s"),
    ("W tasks/detect.py --data write=README.md", "such as inventory/hardware/shoshin.yaml"),
    ("W tasks/why.py --data setting=kwin", "there is no setting kwin; did you mean kwin.blur?"),
    ("W deploy.py --dry --data canary=nobody", "--data: canary: nobody is not a workspace of this"),
    ('W deploy.py --dry --data "layers =plasma"', '--data: "layers ": is not a known key; did you'),
    ("W tasks", "tasks: is no command; the commands are deploy.py"),
    ("W deploy.py --dry --data ssh_port=0", "ssh_port: 0 is no number from 1 to 65535; mend it"),
    ("W deploy.py --dry --data ssh_port=ten", "--data: ssh_port: 'ten' is no number from 1 to"),
    ("W deploy.py --dry --data ssh_prot=22", "ssh_prot: is not a known key; did you mean ssh_port"),
    ("W deploy.py --dry --data _timeout=-5", "_timeout: -5 is no number from 1 to 604800; mend"),
    ("W deploy.py --dry --parallel -1", "--parallel -1: is no number of workspaces; 1 to"),
)

ROWS = [
    *(("", given, says) for given, says in (*START, *INVENTORY, *CHOICES)),
    *VARIABLES,
]


def typed(given: str, directory: Path) -> list[str]:
    """What a person typed, as arguments of pyinfra."""
    words = shlex.split(given.replace("W", W))
    return [str(directory / word) if word in FILES else word for word in words]


def surroundings(directory: Path) -> dict[str, str]:
    """The environment of a run in ``directory``'s own state."""
    return {
        **{k: v for k, v in os.environ.items() if not k.startswith(("XDG_", "AT_"))},
        "XDG_STATE_HOME": str(directory / "state"),
        "SANDBOX": str(directory / "sandbox"),
    }


def start(given: str, directory: Path, *, cwd: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    """pyinfra with what a person typed, in an interpreter of its own."""
    return subprocess.run(
        [str(PYINFRA), *typed(given, directory)],
        cwd=cwd,
        env=surroundings(directory),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inventories with a mistake in them, and a sandbox that is there already."""
    import sandbox

    directory = tmp_path_factory.mktemp("mistakes")
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sandbox, "_generations", lambda *_, **__: None)
        sandbox.data(directory / "sandbox")
    return directory


@pytest.mark.parametrize(("variable", "given", "says"), ROWS)
def test_a_mistake_ends_in_5_and_says_what_to_do(
    variable: str, given: str, says: str, place: Path, cli: Cli
) -> None:
    name, _, value = variable.partition("=")
    before = tree(place)
    cli.environment = {**surroundings(place), **({name: value} if name else {})}
    code, out, err = cli.said(*typed(given, place))
    assert code == 5, out + err
    assert says.replace("W ", f"{W} ") in err
    legible(err)
    assert out == "invalid input (exit 5): nothing was touched\n"
    assert "Traceback" not in err and "--> Connecting" not in err
    assert tree(place) == before
    assert not (PROJECT / "pyinfra-debug.log").exists()


@pytest.mark.parametrize(
    ("given", "command"),
    [
        ("deploy.py", "deploy.py"),
        ("tasks/verify.py", "tasks/verify.py"),
        ("-m tasks.detect", "tasks/detect.py"),
    ],
)
def test_a_command_that_python_runs_by_itself_says_what_runs_it(
    given: str, command: str, place: Path
) -> None:
    done = subprocess.run(
        [sys.executable, *given.split()], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 5
    says = f"{command}: is run by pyinfra, and not by python; .venv/bin/pyinfra"
    assert says in done.stderr and done.stderr.endswith(f"inventory/<workspace>.py {command}\n")
    assert done.stdout == "invalid input (exit 5): nothing was touched\n"


@pytest.mark.parametrize("given", ["W deploy.py --dry --phases 1", "name.py deploy.py --dry"])
def test_an_interpreter_of_its_own_answers_as_one_that_is_there_already(
    given: str, place: Path, cli: Cli
) -> None:
    cli.environment = surroundings(place)
    done = start(given, place)
    assert (done.returncode, done.stdout, done.stderr) == cli.said(*typed(given, place))


def test_another_directory_is_refused_and_nothing_is_left_in_it(
    place: Path, tmp_path: Path
) -> None:
    given = f"{PROJECT}/{W} {PROJECT}/deploy.py --dry"
    done = start(given, place, cwd=tmp_path)
    assert done.returncode == 5
    assert f"cd {PROJECT}" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_command_from_another_directory_is_told_where_it_is(place: Path, tmp_path: Path) -> None:
    done = start("W deploy.py --dry", place, cwd=tmp_path)
    assert done.returncode == 5
    assert f"{tmp_path}: is not the project's directory; cd {PROJECT}, and the" in done.stderr
    (tmp_path / "deploy.py").write_text("raise SystemExit(77)\n")
    (tmp_path / "theirs.py").write_text("hosts = ['@local']\n")
    done = start("theirs.py deploy.py --dry", place, cwd=tmp_path)
    assert done.returncode != 5 and str(PROJECT) not in done.stdout, done.stderr


def test_plain_pyinfra_stays_plain_pyinfra(place: Path) -> None:
    done = start("@local exec -- printf 'from %s' plain", place)
    assert done.returncode == 0, done.stderr
    assert "exit 0" not in done.stdout
