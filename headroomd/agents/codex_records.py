"""The lines of a Codex CLI rollout, decoded: an envelope, and what it holds by its type (0.34 to 0.169).

Only the fields that are read are named, and all of them may be missing.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Raw, Struct

from headroomd.agents.codex_words import ContentItem, Passthrough

__all__ = [
    "Abort",
    "Answer",
    "Ask",
    "End",
    "Envelope",
    "Item",
    "ItemCompleted",
    "Line",
    "Mark",
    "Message",
    "Meta",
    "Source",
    "TurnContext",
    "UserEvent",
]

_PayloadT = TypeVar("_PayloadT")


class Line(Struct, Generic[_PayloadT], gc=False):
    """A line whose kind is known beforehand."""

    timestamp: str | None = None
    payload: _PayloadT | None = None


class Envelope(Struct, gc=False):
    """A line; without `payload`, as before there were envelopes, it is the payload itself."""

    timestamp: str | None = None
    ordinal: object = None
    type: str | None = None
    payload: Raw = Raw()
    id: Raw = Raw()


class Mark(Struct, gc=False):
    """What a payload says of itself: its type, and, of several threads in one file, whose it is."""

    type: str | None = None
    thread_id: str | None = None
    turn_id: str | None = None
    internal_chat_message_metadata_passthrough: Passthrough | None = None

    @property
    def turn(self) -> str:
        """The turn that a record belongs to, wherever this version wrote it; "" where it is not told."""
        passthrough = self.internal_chat_message_metadata_passthrough
        return self.turn_id or (passthrough and passthrough.turn_id) or ""


class Spawn(Struct, gc=False):
    """Which thread started a subagent."""

    parent_thread_id: str | None = None


class Subagent(Struct, gc=False):
    """What started a thread that no person did."""

    thread_spawn: Spawn | None = None


class Source(Struct, gc=False):
    """Where a thread comes from; a plain name for those that a person began."""

    subagent: Subagent | str | None = None


class Meta(Struct, gc=False):
    """`session_meta`."""

    id: str | None = None
    timestamp: str | None = None
    session_id: str | None = None
    forked_from_id: str | None = None
    parent_thread_id: str | None = None
    subagent_history_start_ordinal: int | None = None
    source: Source | str | None = None
    cwd: str | None = None

    @property
    def subagent(self) -> Subagent | str | None:
        """What started this thread, where no person did."""
        return self.source.subagent if isinstance(self.source, Source) else None

    @property
    def parent(self) -> str:
        """The thread that spawned this one."""
        spawn = self.subagent.thread_spawn if isinstance(self.subagent, Subagent) else None
        return self.parent_thread_id or (spawn and spawn.parent_thread_id) or ""


class TurnContext(Struct, gc=False):
    """What holds for a turn: the folder, and who has to approve of what."""

    cwd: str | None = None
    approval_policy: Raw = Raw()  # a name, or an object of finer rules


class Ask(Struct, gc=False):
    """`function_call`, `custom_tool_call`, `local_shell_call`."""

    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    action: Raw = Raw()
    id: str | None = None


class Wrapped(Struct, gc=False):
    """What an answer was in place of its text before 0.3x."""

    content: str | None = None


class Answer(Struct, gc=False):
    """`function_call_output`, `custom_tool_call_output`."""

    call_id: str | None = None
    output: str | list[ContentItem] | Wrapped | None = None

    @property
    def text(self) -> str:
        """The answer as one text, in whichever form it stands."""
        if isinstance(self.output, list):
            return "".join(item.text or "" for item in self.output)
        return (self.output.content if isinstance(self.output, Wrapped) else self.output) or ""


class Message(Struct, gc=False):
    """`message`: what the user, the agent or Codex itself said."""

    role: str | None = None
    content: list[ContentItem | None] | str | None = None
    internal_chat_message_metadata_passthrough: Passthrough | None = None


class UserEvent(Struct, gc=False):
    """`user_message`."""

    message: str | None = None


class Abort(Struct, gc=False):
    """`turn_aborted`."""

    turn_id: str | None = None
    reason: str | None = None


class End(Struct, gc=False):
    """`exec_command_end`, `patch_apply_end`, `mcp_tool_call_end`: optional, and not in every version."""

    call_id: str | None = None
    status: str | None = None
    exit_code: int | None = None
    aggregated_output: str | None = None
    success: bool | None = None
    result: Raw = Raw()

    @property
    def has_failed(self) -> bool:
        """Whether the event says that its call failed."""
        return self.success is False or bytes(self.result).startswith(b'{"Err"')


class Item(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    command: list[str] | None = None
    cwd: str | None = None
    status: str | None = None
    exit_code: int | None = None
    aggregated_output: str | None = None
    content: list[ContentItem | None] | None = None


class ItemCompleted(Struct, gc=False):
    """`item_completed` (0.16x and later)."""

    item: Item | None = None
