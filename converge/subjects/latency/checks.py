"""Whether the rows beyond the plan are in use: the kernel's own numbers, and what oomd watches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from converge.boot.checks import BootCheck, is_, lines
from converge.effect import Verdict, effective, matches, not_effective
from converge.proof.check import Answers, Ask, Context, Proof
from converge.setting import Phase, Setting
from converge.subjects.workspace.generations import BOOTED, marker_asks, settle

#: For each row: the files of the kernel, and what stands in them where the row is in use.
KERNEL: Mapping[str, Mapping[str, str]] = {
    "memory.zswap": {"/sys/module/zswap/parameters/enabled": "N"},
    "memory.min-ttl": {"/sys/kernel/mm/lru_gen/min_ttl_ms": "1000"},
    "memory.sched-ext": {
        "/sys/kernel/sched_ext/state": "enabled",
        "/sys/kernel/sched_ext/root/ops": "lavd",
    },
}
OOMD = Ask("oomd", machine=True)


def _file(path: str) -> Ask:
    return Ask("file", (path,), machine=True)


def _kernel_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    files = (_file(path) for path in KERNEL[setting.id])
    return (*files, BOOTED, *marker_asks(context, setting.layer))


def _judge_kernel(context: Context, answers: Answers, setting: Setting) -> Verdict:
    wanted = KERNEL[setting.id]
    found = {path: answers.text(_file(path)).strip() for path in wanted}
    live = matches(_shown(found), _shown(wanted), reason="the kernel says otherwise")
    if setting.id == "memory.sched-ext":  # the kernel writes lavd_1.0.9_x86_64_unknown_linux_gnu
        running = all(found[path].partition("_")[0] == word for path, word in wanted.items())
        live = effective(_shown(found), expected=_shown(wanted)) if running else live
    return settle(context, answers, setting, live)


def _kernel_after_boot(context: Context, setting: Setting) -> Iterator[BootCheck]:
    for path, text in KERNEL[setting.id].items():
        rule = is_(text)
        if setting.id == "memory.sched-ext":
            rule = lines("^", f"^{text}(_.*)?$")
        yield BootCheck(name=setting.id, ask=_file(path), rules=(rule,))


def _shown(values: Mapping[str, str]) -> str:
    return ", ".join(f"{path.rpartition('/')[2]}={text}" for path, text in values.items())


def _oomd_asks(context: Context, setting: Setting) -> Iterable[Ask]:
    return (OOMD, BOOTED, *marker_asks(context, setting.layer))


def _judge_oomd(context: Context, answers: Answers, setting: Setting) -> Verdict:
    """``oomctl dump`` lists each control group that is watched, for swap and for pressure."""
    uid = context.snapshot.facts["uid"]
    watched = f"/user.slice/user-{uid}.slice/user@{uid}.service/app.slice"
    text = answers.text(OOMD)
    swap, _, pressure = text.partition("Memory Pressure Monitored CGroups")
    expected = f"oomd watches {watched} for swap and pressure"
    missing = [
        name
        for name, part in (("swap", swap), ("pressure", pressure))
        if f"Path: {watched}" not in [line.strip() for line in part.splitlines()]
    ]
    live = (
        not_effective(f"it is not watched for {' and '.join(missing)}", expected=expected)
        if missing
        else effective("it is watched for both", expected=expected)
    )
    return settle(context, answers, setting, live)


PROOFS: tuple[Proof, ...] = (
    Proof(
        id="latency.kernel",
        title="The kernel's own values",
        phase=Phase.MEMORY,
        asks=_kernel_asks,
        judge=_judge_kernel,
        after_boot=_kernel_after_boot,
    ),
    Proof(
        id="latency.oomd",
        title="What systemd-oomd watches",
        phase=Phase.MEMORY,
        asks=_oomd_asks,
        judge=_judge_oomd,
    ),
)
