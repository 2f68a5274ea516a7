"""paramiko's transport with two round trips less for each command: its channel is opened while the
command before it runs, and what the command reads is sent behind it at once. What is sent over a
connection that broke meanwhile is no error."""

from __future__ import annotations

import contextlib
from typing import Any

import gevent
import paramiko
from paramiko.common import cMSG_CHANNEL_REQUEST

PAUSES_S = (0.05, 0.1, 0.2, 0.5, 1.0)  # between two tries of opening a channel that is refused


class Channel(paramiko.Channel):
    """A channel that does not wait for the server's word that a command has begun."""

    _refused = False

    def exec_command(self, command: Any) -> None:
        """As paramiko's. A server that refuses is told by ``recv_exit_status``."""
        if self.closed:
            raise paramiko.SSHException("Channel is not open")
        request = paramiko.Message()
        request.add_byte(cMSG_CHANNEL_REQUEST)
        request.add_int(self.remote_chanid)
        request.add_string("exec")
        request.add_boolean(True)  # the answer is wanted
        request.add_string(command)
        transport: Any = self.transport
        transport._send_user_message(request)

    def _request_failed(self, m: paramiko.Message) -> None:
        self._refused = True
        super()._request_failed(m)  # type: ignore[misc]

    def recv_exit_status(self) -> int:
        status = super().recv_exit_status()
        self.transport.prepare()  # type: ignore[union-attr]
        if self._refused:
            raise paramiko.SSHException("the server runs no command")
        return status


class Transport(paramiko.Transport):
    """A transport that has the next channel open: from the end of its first command on, and then
    during each. A run without changes has one command, and one that changes something has six."""

    _commands = 0
    _next: gevent.Greenlet | None = None
    _one_at_a_time = False  # the server allows no more sessions (MaxSessions)

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
        ready.__class__ = Channel  # paramiko makes its own
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
