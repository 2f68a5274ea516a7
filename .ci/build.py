"""No wheel of this project could work: pyinfra reads config.py and tasks/ in the directory that it
is started in. An installation for work in a checkout (``--editable``) is built, nothing else."""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            raise RuntimeError(
                "there is no wheel of this project: run it in a checkout, see README.md"
            )
