"""Drive a real Chromium over a pipe as a person would: press keys, look at pages.

The protocol is Chrome's DevTools, JSON ended by NUL, on the browser's file descriptors 3 and 4.
Scripts of a probe run beside the page's policy, which lets none of its own run.
"""

from __future__ import annotations

import itertools
import json
import os
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.report.test_report_html import QUIET
from tests.tools import need

#: Keys by their names: code, character, Windows' number.
KEYS = {"Tab": ("Tab", "", 9), "Enter": ("Enter", "\r", 13), "Space": ("Space", " ", 32)}
SHIFT = 8
PATIENCE_S = 120


class Browser:
    """One window. Use it as a context; ``directory`` holds its profile."""

    def __init__(self, directory: Path) -> None:
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()
        launch = 'exec "$@" 3<"/proc/self/fd/$FROM" 4>"/proc/self/fd/$TO"'
        self._process = subprocess.Popen(
            [
                *("sh", "-c", launch, "sh", need("chromium"), *QUIET, "--remote-debugging-pipe"),
                *(f"--user-data-dir={directory / 'profile'}", "about:blank"),
            ],
            env={**os.environ, "FROM": str(from_us), "TO": str(to_us)},
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._numbers, self._rest = itertools.count(1), b""
        self._session = ""
        targets = self._call("Target.getTargets")["targetInfos"]
        (target,) = [one["targetId"] for one in targets if one["type"] == "page"]
        attached = self._call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        self._call("Page.enable")

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._to)
        os.close(self._from)

    def _message(self) -> Mapping[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], PATIENCE_S)
            part = os.read(self._from, 1 << 20) if ready else b""
            assert part, "the browser says nothing more"
            self._rest += part
        line, _, self._rest = self._rest.partition(b"\0")
        message: Mapping[str, Any] = json.loads(line)
        return message

    def _call(self, method: str, **parameters: object) -> Mapping[str, Any]:
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._message()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: Mapping[str, Any] = answer["result"]
                return result

    def show(self, page: Path, *, width: int, dark: bool = False) -> None:
        """Open a page in a window of ``width`` pixels, and wait until it is loaded."""
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        size = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)
        self._call("Page.navigate", url=page.as_uri())
        while self._message().get("method") != "Page.loadEventFired":
            pass

    def press(self, key: str, *, shift: bool = False) -> None:
        code, text, number = KEYS[key]
        named = {"key": text if key == "Space" else key, "code": code}
        named |= {"windowsVirtualKeyCode": number, "modifiers": SHIFT if shift else 0}  # type: ignore[dict-item]
        self._call("Input.dispatchKeyEvent", type="keyDown", text=text, **named)
        self._call("Input.dispatchKeyEvent", type="keyUp", **named)

    def ask(self, script: str) -> Any:
        """The value of an expression on the page."""
        said = self._call("Runtime.evaluate", expression=script, returnByValue=True)
        assert "exceptionDetails" not in said, said
        return said["result"].get("value")
