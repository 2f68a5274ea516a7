"""A longer way to a port of this machine: everything arrives, but later, and is counted."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Relay:
    """``port`` leads to another port; ``up`` and ``down``: the bytes that went there and back."""

    port: int = 0
    up: int = 0
    down: int = 0


@contextlib.contextmanager
def relay(port: int, delay_s: float) -> Iterator[Relay]:
    """A port that leads to ``port``, each way ``delay_s`` longer; bandwidth is not limited."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    counted = Relay()

    async def pass_on(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter, direction: str
    ) -> None:
        """Hand on what is read after the delay, in order; reading goes on meanwhile."""
        data = b" "
        while data:
            try:
                data = await reader.read(65536)
            except OSError:
                data = b""
            setattr(counted, direction, getattr(counted, direction) + len(data))
            later = (writer.write, data) if data else (writer.close,)
            loop.call_later(delay_s, *later) if delay_s else later[0](*later[1:])

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        # The end of the relay cancels what is open, which is no error.
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(pass_on(reader, back, "up"), pass_on(there, writer, "down"))

    async def open_() -> asyncio.Server:
        return await asyncio.start_server(accept, "127.0.0.1", 0, backlog=500)

    server = asyncio.run_coroutine_threadsafe(open_(), loop).result()
    counted.port = int(server.sockets[0].getsockname()[1])
    try:
        yield counted
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _close(server: asyncio.Server) -> None:
    server.close()
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    for one in rest:
        one.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
