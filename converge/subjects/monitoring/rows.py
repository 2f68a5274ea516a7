"""Monitoring aliases for bash, zsh and fish.

A command is one line that all three shells read alike: double quotes, ``;``, no variables.
"""

from __future__ import annotations

from converge.setting import Layer, Phase, Setting, State


def _alias(name: str, title: str, command: str, *, says: str, reason: str) -> Setting:
    return Setting(
        id=f"monitoring.{name}",
        title=title,
        phase=Phase.DESKTOP,
        layer=Layer.HOME_MANAGER,
        says=says,
        state=State.CORRECTED,
        value={"alias": name, "command": command},
        check=f"monitoring.{name}",
        reason=reason,
    )


_OWNER = "home-manager owns the shells' start files, so ~/.bashrc is not edited"

ROWS: tuple[Setting, ...] = (
    _alias(
        "sysmon",
        "Alias sysmon: memory, GPU and top processes",
        'watch -n 2 "free -h; '
        "nvidia-smi --query-gpu=utilization.gpu,memory.used,memory.total --format=csv 2>/dev/null; "
        'ps -eo pid,rss,pcpu,comm --sort=-rss | head -n 15"',
        says="Monitoring: alias sysmon shows memory, GPU and top processes every 2 s",
        reason=_OWNER,
    ),
    _alias(
        "appmon",
        "Alias appmon: units of the limited applications",
        'systemctl --user --no-pager list-units "app-*.slice" "app-*.scope" "app-*.service"; '
        'systemctl --user --no-pager show "app-tuned*.slice" '
        "-p Id,MemoryCurrent,MemoryHigh,MemoryMax,MemorySwapCurrent",
        says="Monitoring: alias appmon shows the units of the wrapped applications",
        reason=_OWNER + "; a list of units alone says nothing about their limits",
    ),
    _alias(
        "crashmon",
        "Alias crashmon: errors and crashes of this boot",
        "journalctl -b --no-pager -p err -n 50; "
        'journalctl -b -k --no-pager -g "segfault|trap invalid opcode|general protection|oom-kill"',
        says="Monitoring: alias crashmon shows the errors of this boot",
        reason=_OWNER + "; crashes are logged by the kernel below the priority err, so they are "
        "asked for by their words, an illegal instruction among them",
    ),
)
