"""An editor, as far as a language server sees one: the protocol on standard input and output."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any


class Editor:
    """A session with a language server that was started with ``argv``."""

    def __init__(self, argv: Iterable[str], directory: Path) -> None:
        self._process = subprocess.Popen(
            [*argv], cwd=directory, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        self._next = 0
        self.diagnostics: dict[str, list[dict[str, Any]]] = {}
        folder = {"uri": directory.as_uri(), "name": "project"}
        can = {"workspace": {"configuration": True, "workspaceFolders": True}}
        self.ask(
            "initialize",
            {
                "processId": None,
                "rootUri": folder["uri"],
                "capabilities": can,
                "workspaceFolders": [folder],
            },
        )
        self._send({"method": "initialized", "params": {}})

    def close(self) -> None:
        self.ask("shutdown", None)
        self._send({"method": "exit"})
        self._process.communicate(timeout=60)

    def open(self, path: Path, text: str) -> list[dict[str, Any]]:
        """Show ``text`` as the file at ``path``; what the server says is wrong with it."""
        uri = path.as_uri()
        self.diagnostics.pop(uri, None)
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while uri not in self.diagnostics:
            self._receive()
        return self.diagnostics[uri]

    def completions(self, path: Path, line: int, character: int) -> list[str]:
        """What is offered at a place of an open file; both count from 0."""
        place = {
            "textDocument": {"uri": path.as_uri()},
            "position": {"line": line, "character": character},
        }
        found = self.ask("textDocument/completion", place)
        items = found["items"] if isinstance(found, dict) else found
        return [str(item["label"]) for item in items]

    def ask(self, method: str, params: object) -> Any:
        self._next += 1
        number = self._next
        self._send({"id": number, "method": method, "params": params})
        while True:
            message = self._receive()
            if message.get("id") == number and "method" not in message:
                assert "error" not in message, message
                return message["result"]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; a question of the server's is answered with its own settings."""
        stream = self._process.stdout
        assert stream is not None
        length = 0
        while line := stream.readline().strip():
            if line.lower().startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        assert length, "the server has ended"
        message: dict[str, Any] = json.loads(stream.read(length))
        if message.get("method") == "textDocument/publishDiagnostics":
            self.diagnostics[message["params"]["uri"]] = message["params"]["diagnostics"]
        elif "method" in message and "id" in message:
            asked = message["params"].get("items", []) if message.get("params") else []
            own = {"validate": True, "completion": True, "schemaStore": {"enable": False}}
            answer = [own if item.get("section") == "yaml" else None for item in asked]
            self._send({"id": message["id"], "result": answer if asked else None})
        return message
