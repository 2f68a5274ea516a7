"""paramiko's transport with the channel of a command opened before the command: one round trip
less for each. What is sent over a connection that broke meanwhile is no error."""

from __future__ import annotations

import contextlib
from typing import Any

import gevent
import paramiko
from gevent.event import Event

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # between two tries of opening a channel that is refused


class Transport(paramiko.Transport):
    """A transport that has the next channel open: from the end of its first command on, and then
    during each. A run without changes has one command, and each other run four or more."""

    _commands = 0
    _next: gevent.Greenlet | None = None
    _one_at_a_time = False  # the server allows no more sessions (MaxSessions)

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.asked = Event()  # set once the first command was sent

    def open_session(
        self,
        window_size: int | None = None,
        max_packet_size: int | None = None,
        timeout: float | None = None,
    ) -> paramiko.Channel:
        """A channel for one command. Raises as paramiko does: SSHException, OSError, EOFError."""
        begun, self._next = self._next, None
        ready: paramiko.Channel | None = begun.get() if begun is not None else None
        if ready is None or ready.closed:
            ready = self._patiently(window_size, max_packet_size, timeout)
        self._commands += 1
        if self._commands > 1:
            self.prepare()
        return ready

    def prepare(self) -> None:
        """Begin to open the next channel, unless this has begun."""
        if self._next is None and not self._one_at_a_time:
            self._next = gevent.spawn(self._open)

    def _send_user_message(self, data: Any) -> None:
        """paramiko drops what is sent over a connection that is gone, but raises where the reader
        has not seen that yet: Python would print the error where a file that nobody needs any more
        closes the input of its program. The reader ends what waits for an answer."""
        with contextlib.suppress(EOFError):
            super()._send_user_message(data)  # type: ignore[misc]
            if self._commands and not self.asked.is_set():
                self.asked.set()

    def _patiently(self, *options: Any) -> paramiko.Channel:
        """A server of one session refuses the next while it still closes the last one."""
        for pause in PAUSES_S:
            try:
                return super().open_session(*options)
            except paramiko.ChannelException:
                gevent.sleep(pause)
        return super().open_session(*options)

    def _open(self) -> paramiko.Channel | None:
        try:
            return super().open_session()
        except paramiko.ChannelException:
            self._one_at_a_time = True
        except (paramiko.SSHException, OSError, EOFError):
            pass  # the command that needs a channel is told why there is none
        return None
