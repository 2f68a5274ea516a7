"""Whether the change of a run is tried at the next boot, and what the trial asks.

In: the choices of the workspace and the findings of the proof before the boot. Out: the checks and
the file ``options`` that ``remote/trial.sh`` gets.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from converge.boot import checks
from converge.effect import Effect, Finding
from converge.profile.choices import Choices
from converge.proof.check import Context, Proof
from converge.setting import Layer

BOOTED = "system.booted"


def due(choices: Choices, findings: Iterable[Finding]) -> bool:
    """Whether the new system differs from the booted one in a part that only a boot brings in.
    Never for a workspace below a root directory of its own (``root``): it does not boot."""
    if choices.trial == "off" or choices.root:
        return False
    return any(finding.check == BOOTED and finding.effect is Effect.PENDING for finding in findings)


def asked(
    context: Context,
    findings: Iterable[Finding],
    proofs: Mapping[str, Proof],
    *,
    session_s: int,
) -> tuple[checks.BootCheck, ...]:
    """The checks after the boot: those of each NixOS setting that is pending or effective before
    the boot, and, where the profile has KWin, that the desktop comes up within ``session_s``
    seconds."""
    wanted = {
        finding.setting
        for finding in findings
        if finding.effect in (Effect.PENDING, Effect.EFFECTIVE)
        and finding.setting
        and finding.counts
    }
    boot_checks: list[checks.BootCheck] = []
    for standing in context.standings:
        setting = standing.setting
        proof = proofs.get(setting.check)
        if setting.id not in wanted or setting.layer is not Layer.NIXOS:
            continue
        if standing.in_force and proof is not None and proof.after_boot is not None:
            boot_checks += proof.after_boot(context, setting)
    if "kwin" in context.profile.facts:
        boot_checks.append(checks.display(within_s=session_s))
    return tuple(boot_checks)


def options(choices: Choices, *, desktop: bool) -> str:
    """The file ``options`` of a trial."""
    return "".join(
        f"{line}\n"
        for line in (
            f"confirm {choices.trial_confirm}",
            f"session {choices.trial_session_s}",
            f"answer {choices.trial_answer_s}",
            f"reboot {choices.trial_reboot}",
            f"desktop {'yes' if desktop else 'no'}",
        )
    )
