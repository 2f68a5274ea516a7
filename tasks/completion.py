"""Complete a command line of pyinfra in bash, zsh and fish: inventories, tasks, --data, its values.

usage: python -m tasks.completion [bash | zsh | fish]

Prints a script for the shell, made from the tables that the commands themselves read:

    eval "$(.venv/bin/python -m tasks.completion bash)"
    eval "$(.venv/bin/python -m tasks.completion zsh)"
    .venv/bin/python -m tasks.completion fish | source

The shell looks plans and runs up when it completes a word; all else is in the script.
Exit: 0 printed, 5 unknown shell.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence

from converge.exits import Exit
from converge.gate.gate import CONSENTS
from converge.plan.standing import MOVED_ASIDE, OFFERED
from converge.profile.schema import load_schema
from converge.report.arguments import Arguments
from converge.setting import Risk, State
from converge.subjects.settings import ALL
from tasks.run.start import COMMANDS

OPTIONS = ("--data", "--diff", "--dry", "--limit", "-v", "-y")
Words = Callable[[Iterable[str]], str]
Cases = Callable[[Mapping[str, Iterable[str]]], Iterable[str]]
#: bash ends a word at "=" unless COMP_WORDBREAKS was changed: the script handles both.
BASH = r"""_workspace_tuning() {
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
ZSH = r"""_workspace_tuning() {
    local cur=$words[CURRENT] key
    local -a list
    if [[ $cur == *=* ]]; then
        key=${cur%%=*}
        case $key in
@CASES@
        esac
        compset -P '*[=,]'
        compadd -a list
    elif [[ $words[CURRENT-1] == --data ]]; then
        compadd -S = -- @KEYS@
    elif [[ $cur == -* ]]; then
        compadd -- @OPTIONS@
    elif ((CURRENT == 2)); then
        compadd -- @local inventory/*.py(N)
    else
        compadd -- @COMMANDS@
    fi
}
(($+functions[compdef])) || { autoload -U +X compinit && compinit -i -D; }
compdef _workspace_tuning pyinfra
"""
FISH = r"""function __workspace_tuning
    set -l before (commandline -opc)
    set -l cur (commandline -ct)
    if string match -q -- '*=*' $cur
        set -l list
        set -l kept $HOME/.local/state/workspace-tuning/controller
        set -q XDG_STATE_HOME; and set kept $XDG_STATE_HOME/workspace-tuning/controller
        switch (string replace -r -- '=.*' '' $cur)
@CASES@
        end
        set -l lead (string match -r -- '.*[=,]' $cur)
        printf '%s\n' $lead$list
    else if test "$before[-1]" = --data
        printf '%s=\n' @KEYS@
    else if string match -q -- '-*' $cur
        printf '%s\n' @OPTIONS@
    else if test (count $before) = 1
        set -l files inventory/*.py
        printf '%s\n' @local $files
    else
        printf '%s\n' @COMMANDS@
    end
end
complete -c pyinfra -f -a '(__workspace_tuning)'
"""


def values() -> dict[str, list[str]]:
    """Key of --data -> its values, where they are known before a run."""
    found = {}
    for key, node in load_schema("workspace")["properties"].items():
        words = node.get("items", node).get("enum")
        if words:
            found[key] = [str(word) for word in words]
    ids = [setting.id for setting in ALL]
    wanted = [setting.id for setting in ALL if setting.state in (State.WITHHELD, State.OFFERED)]
    risky = [setting.id for setting in ALL if setting.risk is Risk.HIGH]
    found["setting"] = found["exclude"] = ids
    found["include"] = [OFFERED, *(one for one in wanted if _forcible(one))]
    found["accept"] = [*risky, *CONSENTS, MOVED_ASIDE]
    return found


def _forcible(name: str) -> bool:
    return next(setting for setting in ALL if setting.id == name).forcible


def script(shell: str) -> str:
    """The script for ``shell``, one of ``SHELLS``."""
    text, cases, words = SHELLS[shell]
    filled = {
        "@CASES@": "\n".join([*cases(values()), KEPT[shell]]),
        "@KEYS@": words(load_schema("workspace")["properties"]),
        "@OPTIONS@": words(OPTIONS),
        "@COMMANDS@": words(COMMANDS),
    }
    for mark, instead in filled.items():
        text = text.replace(mark, instead)
    return text


def _one_word(words: Iterable[str]) -> str:
    return shlex.quote(" ".join(words))


def _each(words: Iterable[str]) -> str:
    return " ".join(map(shlex.quote, words))


def _bash(known: Mapping[str, Iterable[str]]) -> Iterable[str]:
    return (f"            {key}) words={_one_word(some)} ;;" for key, some in sorted(known.items()))


def _zsh(known: Mapping[str, Iterable[str]]) -> Iterable[str]:
    return (f"            {key}) list=({_each(some)}) ;;" for key, some in sorted(known.items()))


def _fish(known: Mapping[str, Iterable[str]]) -> Iterable[str]:
    for key, some in sorted(known.items()):
        yield f"            case {key}"
        yield f"                set list {_each(some)}"


#: Key of --data -> glob of the files on the controller that the shell looks up.
KEPT = {
    "bash": r"""            plan | run)
                words=${XDG_STATE_HOME:-$HOME/.local/state}/workspace-tuning/controller
                if [[ $key == plan ]]; then
                    words=$(compgen -G "$words/plans/*.json" | sed 's|.*/||; s|[.]json$||')
                else
                    words=$(compgen -G "$words/runs/*/" | sed 's|/$||; s|.*/||')
                fi ;;""",
    "zsh": r"""            plan | run)
                local kept=${XDG_STATE_HOME:-$HOME/.local/state}/workspace-tuning/controller
                if [[ $key == plan ]]; then
                    list=($kept/plans/*.json(N:t:r))
                else
                    list=($kept/runs/*(N/:t))
                fi ;;""",
    "fish": r"""            case plan
                set list $kept/plans/*.json
                set list (string replace -r -- '.*/(.*)[.]json$' '$1' $list)
            case run
                set list $kept/runs/*
                set list (string replace -r -- '.*/' '' $list)""",
}
#: Shell -> its script, a function that writes the branch of a key, and one that writes words.
SHELLS: Mapping[str, tuple[str, Cases, Words]] = {
    "bash": (BASH, _bash, _one_word),
    "zsh": (ZSH, _zsh, _each),
    "fish": (FISH, _fish, _each),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Returns its exit code."""
    assert __doc__ is not None
    parser = Arguments(
        prog="python -m tasks.completion",
        description=__doc__.partition("\n\n")[0],
        epilog=__doc__.partition("\n\n")[2].partition("\n\n")[2],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", nargs="?", default="bash", choices=tuple(SHELLS))
    print(script(parser.parse_args(arguments).shell), end="")
    return int(Exit.DONE)


if __name__ == "__main__":
    sys.exit(main())
