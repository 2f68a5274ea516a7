"""Complete a command line of pyinfra in bash and zsh: inventories, tasks, --data and its values.

usage: python -m tasks.completion [bash | zsh]

Prints a script for the shell, made from the tables that the commands themselves read:

    eval "$(.venv/bin/python -m tasks.completion bash)"

Plans and runs are looked up by the shell when a word is completed, all else is in the script.
Exit: 0 printed, 5 not a shell that is known.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence

from converge.exits import Exit
from converge.gate.gate import FACTS
from converge.plan.layers import MOVED_ASIDE
from converge.plan.standing import OFFERED
from converge.profile.schema import load_schema
from converge.report.arguments import Arguments
from converge.setting import Risk, State
from converge.subjects.settings import ALL
from tasks.run.start import COMMANDS

OPTIONS = ("--data", "--diff", "--dry", "--limit", "-v", "-y")
#: Key of --data -> what the controller has for it: a pattern below its state, and what ends a name.
KEPT = {"plan": ("plans/*.json", ".json"), "run": ("runs/*/", "/")}
ZSH = "autoload -U +X bashcompinit && bashcompinit\n"
#: In bash a word ends at = (COMP_WORDBREAKS), in zsh it does not: both ways of a key are known.
SCRIPT = r"""_workspace_tuning() {
    local cur=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
    local key="" words="" lead=""
    COMPREPLY=()
    if [[ $cur == = ]]; then
        key=$before cur=
    elif [[ $before == = ]]; then
        key=${COMP_WORDS[COMP_CWORD - 2]}
    elif [[ $cur == *=* ]]; then
        key=${cur%%=*} lead=${cur%%=*}= cur=${cur#*=}
    fi
    if [[ -n $key ]]; then
        case $key in
@CASES@
        esac
        if [[ $cur == *,* ]]; then
            lead+=${cur%,*},
            cur=${cur##*,}
        fi
        COMPREPLY=($(compgen -P "$lead" -W "$words" -- "$cur"))
    elif [[ $before == --data ]]; then
        COMPREPLY=($(compgen -S = -W @KEYS@ -- "$cur"))
        compopt -o nospace 2>/dev/null
    elif [[ $cur == -* ]]; then
        COMPREPLY=($(compgen -W @OPTIONS@ -- "$cur"))
    elif ((COMP_CWORD == 1)); then
        COMPREPLY=($(compgen -W "@local $(compgen -G 'inventory/*.py')" -- "$cur"))
    else
        COMPREPLY=($(compgen -W @COMMANDS@ -- "$cur"))
    fi
}
complete -F _workspace_tuning pyinfra
"""


def values() -> dict[str, list[str]]:
    """Key of --data -> the words that it takes, where they are known before a run."""
    found = {}
    for key, node in load_schema("workspace")["properties"].items():
        words = node.get("items", node).get("enum")
        if words:
            found[key] = [str(word) for word in words]
    ids = [one.id for one in ALL]
    wanted = [one.id for one in ALL if one.state in (State.WITHHELD, State.OFFERED)]
    risky = [one.id for one in ALL if one.risk is Risk.HIGH]
    found["setting"] = found["exclude"] = ids
    found["include"] = [OFFERED, *(one for one in wanted if _forcible(one))]
    found["accept"] = [*risky, *FACTS, MOVED_ASIDE]
    return found


def _forcible(name: str) -> bool:
    return next(one for one in ALL if one.id == name).forcible


def script(shell: str) -> str:
    """The script for ``shell``, bash or zsh."""
    cases = [*_listed(values()), *_kept()]
    filled = {
        "@CASES@": "\n".join(cases),
        "@KEYS@": _words(load_schema("workspace")["properties"]),
        "@OPTIONS@": _words(OPTIONS),
        "@COMMANDS@": _words(COMMANDS),
    }
    text = SCRIPT
    for mark, words in filled.items():
        text = text.replace(mark, words)
    return (ZSH if shell == "zsh" else "") + text


def _words(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _listed(known: Mapping[str, Iterable[str]]) -> Iterable[str]:
    return (f"            {key}) words={_words(words)} ;;" for key, words in sorted(known.items()))


def _kept() -> Iterable[str]:
    place = '"${XDG_STATE_HOME:-$HOME/.local/state}/workspace-tuning/controller/'
    for key, (pattern, end) in KEPT.items():
        cut = f"sed 's|{end}$||; s|.*/||'"
        yield f'            {key}) words=$(compgen -G {place}{pattern}" | {cut}) ;;'


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    assert __doc__ is not None
    parser = Arguments(
        prog="python -m tasks.completion",
        description=__doc__.partition("\n\n")[0],
        epilog=__doc__.partition("\n\n")[2].partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", nargs="?", default="bash", choices=("bash", "zsh"))
    print(script(parser.parse_args(arguments).shell), end="")
    return int(Exit.DONE)


if __name__ == "__main__":
    sys.exit(main())
