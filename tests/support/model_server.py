"""A model that runs on this machine: it speaks the vendors' wire formats and says what the test told it to say.

    POST /v1/messages                        Anthropic Messages (Claude Code 2.1 streams it)
    POST /v1/responses                       OpenAI Responses (Codex CLI 0.169 streams it)
    POST /v1/chat/completions                OpenAI Chat Completions
    POST /v1beta/models/*:generateContent    Gemini (Gemini CLI 0.61 uses :streamGenerateContent)

A request that offers tools comes from an agent: it gets the next step of the script, and `final` once all are played.
Any other request comes from an analyst: it gets `reply`. Faults are used up first, one a request, in order:

    "429"  "500"  ...   that status; "429:2" with Retry-After: 2; a redirect leads back to this server
    "hang"              no answer until the server is closed
    "drop"              the connection is closed without an answer
    "garbage"           a gateway's HTML page with status 200
    "empty"             {} with status 200
    "drip"              one blank a tenth of a second, for ever
    "cut"               an answer that stopped at its limit of tokens
    "refusal"           the vendor's way to say that the model refused
    "too long"          the vendor's way to say that the context is too long
    "bad key"           the vendor's way to say that the key is not valid; it repeats the key, as vendors do
    "no schema"         400 if the request demands structured output, else no fault
    "ok"                no fault
"""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import zstandard

Json = dict[str, Any]


@dataclass(frozen=True)
class Received:
    """One request, as it came."""

    path: str
    headers: dict[str, str]  # names in lower case
    body: Json
    raw: bytes

    @property
    def offers_tools(self) -> bool:
        """Gemini CLI declares an empty list of functions where it has no tools."""
        return any(tool.get("functionDeclarations", [tool]) for tool in self.body.get("tools") or [])

    @property
    def demands_schema(self) -> bool:
        config = self.body.get("generationConfig", {})
        named = ("output_config", "response_format", "text")
        return any(name in self.body for name in named) or "responseMimeType" in config


@dataclass(frozen=True)
class Turn:
    """What the model does once."""

    say: str = ""
    calls: list[tuple[str, Any]] = field(default_factory=list)  # tool, input
    ending: str = "end"  # or "cut", "refusal"


class ModelServer:
    """`with ModelServer(reply='{"rules": []}', faults=["429:1"]) as model: ... model.url ... model.received`."""

    def __init__(
        self,
        reply: str | Callable[[Received], str] = "",
        *,
        steps: Iterable[Turn] = (),
        final: str = "Done.",
        faults: Iterable[str] = (),
    ) -> None:
        self.reply = reply
        self.steps = list(steps)
        self.final = final
        self.faults = deque(faults)
        self.received: list[Received] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._served = 0
        self._conversation = ""
        self._server = _Server(self)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, request: Received) -> str:
        """Note the request; the fault that it meets, or ""."""
        with self._lock:
            self.received.append(request)
            return self.faults.popleft() if self.faults else ""

    def turn(self, request: Received) -> Turn:
        if not request.offers_tools:
            return Turn(self.reply(request) if callable(self.reply) else self.reply)
        conversation = json.dumps([request.body.get(name) for name in ("messages", "input", "contents")])
        with self._lock:
            if conversation != self._conversation:  # else a client that repeats itself, after a fault say
                self._conversation = conversation
                self._served += 1
            at = self._served - 1
        return self.steps[at] if at < len(self.steps) else Turn(self.final)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, model: ModelServer) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.model = model

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has gone away is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self._send({"data": [], "models": []})

    def do_HEAD(self) -> None:
        self._send_bytes(b"")

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.headers.get("content-encoding") == "zstd":
            raw = zstandard.ZstdDecompressor().decompressobj().decompress(raw)
        try:
            body = json.loads(raw)
        except ValueError:
            body = {}
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Received(self.path, headers, body, raw)
        if "count_tokens" in self.path or "countTokens" in self.path:
            self._send({"input_tokens": 100, "totalTokens": 100})
            return
        dialect = next((make for part, make in _DIALECTS.items() if part in self.path), None)
        if dialect is None:
            self._send({"error": {"message": "no such route"}}, 404)
            return
        turn = self._fault(request, self.server.model.take(request))
        if turn is not None:
            whole, events = dialect(request, turn)
            self._send_events(events) if _wants_stream(request) else self._send(whole)

    def _fault(self, request: Received, fault: str) -> Turn | None:
        """What to answer nevertheless; None where the fault was the answer."""
        status, _, pause = fault.partition(":")
        if fault in ("", "ok"):
            return self.server.model.turn(request)
        if fault in ("cut", "refusal"):
            return Turn('{"rules": [', ending=fault)
        if fault == "no schema" and not request.demands_schema:
            return self.server.model.turn(request)
        if status.isdecimal():
            headers = {"retry-after": pause} if pause else {}
            if status.startswith("3"):
                headers["location"] = f"{self.server.model.url}/elsewhere{self.path}"
            self._send({"error": {"type": "fault", "message": f"fault {status}"}}, int(status), headers)
        elif fault in _REFUSALS:
            self._send(*_REFUSALS[fault](request))
        elif fault == "garbage":
            self._send_bytes(b"<html>502 Bad Gateway</html>", "text/html")
        elif fault == "empty":
            self._send({})
        else:
            self._stay_silent(fault)
        return None

    def _stay_silent(self, fault: str) -> None:
        closing = self.server.model.closing
        self.close_connection = True
        if fault == "drop":
            self.connection.close()
            return
        if fault == "drip":
            self.send_response(200)
            self.end_headers()
        while not closing.wait(0.1):
            if fault == "drip":
                try:
                    self.wfile.write(b" ")
                except OSError:
                    return

    def _send(self, value: Json, status: int = 200, headers: dict[str, str] | None = None) -> None:
        self._send_bytes(json.dumps(value).encode(), "application/json", status, headers)

    def _send_bytes(
        self, data: bytes, kind: str = "text/plain", status: int = 200, headers: dict[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {"content-type": kind, "content-length": str(len(data)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _send_events(self, events: list[Json]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        for event in events:
            name = f"event: {event['type']}\n" if "type" in event else ""
            self.wfile.write(f"{name}data: {json.dumps(event)}\n\n".encode())
        self.close_connection = True


def _wants_stream(request: Received) -> bool:
    return bool(request.body.get("stream")) or "streamGenerateContent" in request.path


def _error(kind: str, message: str, status: int) -> tuple[Json, int]:
    return {"error": {"type": kind, "code": kind, "status": kind, "message": message}}, status


def _bad_key(request: Received) -> tuple[Json, int]:
    sent = [request.headers.get(name, "") for name in ("x-api-key", "authorization", "x-goog-api-key")]
    if "enerateContent" in request.path:
        return _error("INVALID_ARGUMENT", f"API key not valid. Please pass a valid API key. {sent}", 400)
    return _error("authentication_error", f"Incorrect API key provided: {sent}", 401)


def _too_long(request: Received) -> tuple[Json, int]:
    if request.path.endswith("/messages"):
        return _error("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum", 400)
    if "enerateContent" in request.path:
        message = "The input token count (2000000) exceeds the maximum number of tokens allowed (1048576)."
        return _error("INVALID_ARGUMENT", message, 400)
    return _error("context_length_exceeded", "This model's maximum context length is 8192 tokens.", 400)


_REFUSALS: dict[str, Callable[[Received], tuple[Json, int]]] = {
    "bad key": _bad_key,
    "too long": _too_long,
    "no schema": lambda _: _error("invalid_request_error", "Unsupported parameter", 400),
}


# -- the dialects: one answer, whole and as the events of a stream ---------------------------------------------------


def _call_id() -> str:
    return f"{time.monotonic_ns():x}"


def _anthropic(request: Received, turn: Turn) -> tuple[Json, list[Json]]:
    blocks: list[Json] = [{"type": "text", "text": turn.say}] if turn.say else []
    for tool, given in turn.calls:
        blocks.append({"type": "tool_use", "id": f"toolu_{_call_id()}", "name": tool, "input": given})
    stop = {"cut": "max_tokens", "refusal": "refusal"}.get(turn.ending, "tool_use" if turn.calls else "end_turn")
    usage = {"input_tokens": 1000, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 50}
    message = {
        "id": f"msg_{_call_id()}", "type": "message", "role": "assistant", "model": request.body.get("model"),
        "content": blocks, "stop_reason": stop, "stop_sequence": None, "usage": usage,
    }  # fmt: skip
    events: list[Json] = [{"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}]
    for index, block in enumerate(blocks):
        empty: Json
        delta: Json
        if block["type"] == "text":
            empty, delta = {"type": "text", "text": ""}, {"type": "text_delta", "text": block["text"]}
        else:
            given = json.dumps(block["input"])
            empty, delta = {**block, "input": {}}, {"type": "input_json_delta", "partial_json": given}
        events += [
            {"type": "content_block_start", "index": index, "content_block": empty},
            {"type": "content_block_delta", "index": index, "delta": delta},
            {"type": "content_block_stop", "index": index},
        ]
    ending = {"stop_reason": stop, "stop_sequence": None}
    events += [{"type": "message_delta", "delta": ending, "usage": {"output_tokens": 50}}, {"type": "message_stop"}]
    return message, events


def _responses(request: Received, turn: Turn) -> tuple[Json, list[Json]]:
    items: list[Json] = []
    if turn.say:
        refused = turn.ending == "refusal"
        piece = (
            {"type": "refusal", "refusal": "no"}
            if refused
            else {"type": "output_text", "text": turn.say, "annotations": []}
        )
        items.append({"type": "message", "id": "m", "role": "assistant", "status": "completed", "content": [piece]})
    for tool, given in turn.calls:
        call: Json = {"id": f"fc_{_call_id()}", "call_id": f"call_{_call_id()}", "name": tool, "status": "completed"}
        if isinstance(given, str):
            items.append({**call, "type": "custom_tool_call", "input": given})
        else:
            items.append({**call, "type": "function_call", "arguments": json.dumps(given)})
    usage = {
        "input_tokens": 1000, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": 50,
        "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": 1050,
    }  # fmt: skip
    cut = turn.ending == "cut"
    whole: Json = {
        "id": f"resp_{_call_id()}", "object": "response", "status": "incomplete" if cut else "completed",
        "model": request.body.get("model"), "output": items, "usage": usage,
        "incomplete_details": {"reason": "max_output_tokens"} if cut else None,
    }  # fmt: skip
    events: list[Json] = [{"type": "response.created", "response": {"id": whole["id"]}}]
    events += [
        {"type": "response.output_item.done", "output_index": index, "item": item} for index, item in enumerate(items)
    ]
    return whole, [*events, {"type": "response.incomplete" if cut else "response.completed", "response": whole}]


def _chat(request: Received, turn: Turn) -> tuple[Json, list[Json]]:
    reason = {"cut": "length", "refusal": "content_filter"}.get(turn.ending, "stop")
    message = {"role": "assistant", "content": turn.say}
    head = {"id": "chatcmpl-1", "model": request.body.get("model")}
    usage = {"prompt_tokens": 1000, "completion_tokens": 50, "total_tokens": 1050}
    whole = {**head, "usage": usage, "choices": [{"index": 0, "finish_reason": reason, "message": message}]}
    return whole, [
        {**head, "choices": [{"index": 0, "delta": message}]},
        {**head, "choices": [{"index": 0, "delta": {}, "finish_reason": reason}], "usage": usage},
    ]


def _gemini(request: Received, turn: Turn) -> tuple[Json, list[Json]]:
    parts: list[Json] = [{"text": turn.say}] if turn.say else []
    parts += [{"functionCall": {"name": tool, "args": given}} for tool, given in turn.calls]
    reason = {"cut": "MAX_TOKENS", "refusal": "SAFETY"}.get(turn.ending, "STOP")
    answer: Json = {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason, "index": 0}],
        "usageMetadata": {"promptTokenCount": 1000, "candidatesTokenCount": 50, "totalTokenCount": 1050},
        "modelVersion": request.path.rpartition("/")[2].partition(":")[0],
    }
    return answer, [answer]


_DIALECTS: dict[str, Callable[[Received, Turn], tuple[Json, list[Json]]]] = {
    "/messages": _anthropic,
    "/responses": _responses,
    "/chat/completions": _chat,
    "enerateContent": _gemini,
}
