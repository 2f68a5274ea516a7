"""Delay a TCP port of this machine: everything arrives, but later."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def slow(port: int, delay_s: float) -> Iterator[int]:
    """A port that leads to ``port``, each way ``delay_s`` longer; bandwidth is not limited."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def open_() -> asyncio.Server:
        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            there, back = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pass(reader, back, delay_s), _pass(there, writer, delay_s))

        return await asyncio.start_server(accept, "127.0.0.1", 0)

    server = asyncio.run_coroutine_threadsafe(open_(), loop).result()
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
    """Hand on what is read after the delay, in order; reading goes on meanwhile."""
    loop = asyncio.get_running_loop()
    data = b" "
    while data:
        try:
            data = await reader.read(65536)
        except OSError:
            data = b""
        if data:
            loop.call_later(delay_s, writer.write, data)
        else:
            loop.call_later(delay_s, writer.close)
