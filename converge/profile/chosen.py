"""Replace values of the profile by values of the inventory that were measured on the workspace."""

from __future__ import annotations

import copy
from dataclasses import replace

from converge.problem import InvalidInput, Problem
from converge.profile.choices import Choices
from converge.profile.profile import Profile


def chosen(profile: Profile, choices: Choices) -> Profile:
    """The profile with the zram algorithm of the choices, where they have one.

    Raises ``InvalidInput`` where the profile declares no zram."""
    if not choices.zram_algorithm:
        return profile
    zram = profile.memory.zram
    if zram is None:
        message, hint = "the profile declares no zram", "leave it out, or declare memory.zram"
        raise InvalidInput([Problem(choices.profile, 0, 0, "zram_algorithm", message, hint)])
    raw = copy.deepcopy(profile.raw)
    raw["memory"]["zram"]["algorithm"] = choices.zram_algorithm
    memory = replace(profile.memory, zram=replace(zram, algorithm=choices.zram_algorithm))
    return replace(profile, memory=memory, raw=raw)
