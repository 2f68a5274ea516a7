"""Whether a run's change is tried at the next boot, and what the trial asks: pure.

In: the choices of the workspace and the findings of the proof before the boot. Out: what
``remote/trial.sh`` is given, or why nothing is tried.
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
    """Whether the new system differs from the booted one in a part that only a boot brings in, on a
    machine whose boot is its own."""
    if choices.trial == "off" or choices.root:
        return False
    return any(one.check == BOOTED and one.effect is Effect.PENDING for one in findings)


def asked(
    context: Context,
    findings: Iterable[Finding],
    proofs: Mapping[str, Proof],
    *,
    session_s: int,
) -> tuple[checks.BootCheck, ...]:
    """What has to hold after the boot: of each setting that waits for it, or is effective before
    it, what proves it, and that the desktop comes up again where there is one."""
    wanted = {
        one.setting
        for one in findings
        if one.effect in (Effect.PENDING, Effect.EFFECTIVE) and one.setting and one.counts
    }
    found: list[checks.BootCheck] = []
    for standing in context.standings:
        setting = standing.setting
        proof = proofs.get(setting.check)
        if setting.id not in wanted or setting.layer is not Layer.NIXOS:
            continue
        if standing.in_force and proof is not None and proof.after_boot is not None:
            found += proof.after_boot(context, setting)
    if "kwin" in context.profile.facts:
        found.append(checks.display(within_s=session_s))
    return tuple(found)


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
