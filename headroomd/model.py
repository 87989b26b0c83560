"""The words of the house: what flows from reading to writing, as plain immutable values.

Must not import anything of headroomd: every room speaks these words.

They are msgspec structs rather than dataclasses because one is made for every tool call ever read, and because
carried state is stored as msgpack (docs/decisions/001-structs.md). Those made by the thousand are kept from the garbage
collector (gc=False): they hold no cycles, and it would look at each again and again.
"""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

__all__ = [
    "Action",
    "Attempt",
    "CallRef",
    "Event",
    "Evidence",
    "FailureKind",
    "Lesson",
    "Operation",
    "Outcome",
    "Section",
    "SessionStart",
    "ToolCall",
    "UserMessage",
]

EXCERPT_LIMIT = 4000
"""The most characters of a result or a message that any value here holds."""


class Outcome(StrEnum):
    """What became of a tool call, as the agent's structured signals tell it (never words in the output)."""

    OK = "ok"
    FAILED = "failed"
    REJECTED = "rejected"  # a person said no
    CANCELLED = "cancelled"  # interrupted, or felled by a sibling: nobody's verdict on the call itself
    EMPTY = "empty"  # a search that found nothing
    TRUNCATED = "truncated"  # too large to be read whole: refused or cut
    UNKNOWN = "unknown"  # no result on file


class FailureKind(StrEnum):
    """Why a call failed, read from the text of a call that is already known to have failed."""

    FILE_NOT_FOUND = "file not found"
    MODULE_NOT_FOUND = "module not found"
    COMMAND_NOT_FOUND = "command not found"
    PERMISSION = "permission denied"
    TOO_LARGE = "too large"
    NOT_A_REPOSITORY = "not a repository"
    NETWORK = "network"
    TIMEOUT = "timeout"
    SYNTAX = "syntax"
    TEST_FAILURE = "test failure"
    OTHER = "other"
    GUARD = "guard"  # a policy, a hook, plan mode, an ignore file: never learn a way round it
    MISUSE = (
        "tool misuse"  # bad arguments, edit without read, text to replace not found: the agent's own, not the project's
    )
    HARNESS = "harness"  # warm-up, internal error, lost result


class Action(StrEnum):
    """What a call meant, whatever the agent's tool is called."""

    READ = "read"
    SEARCH = "search"
    EDIT = "edit"
    WRITE = "write"
    RUN = "run"
    OTHER = "other"


class Operation(Struct, frozen=True, omit_defaults=True, gc=False):
    """An action with its target, in the agent's own words: paths are as the agent wrote them."""

    action: Action
    path: str = ""  # what is read, edited, written; the scope of a search ("" = the working directory)
    pattern: str = ""  # what is searched for; a glob for a search by file name
    command: str = ""  # what is run, as shell text
    partial: bool = False  # a read of a part only (offset, limit, line range)


class ToolCall(Struct, frozen=True, omit_defaults=True, gc=False):
    """One tool call with its outcome."""

    # The same for every copy of a call, different for different calls: "claude:toolu_1", "codex:<thread>:call_1".
    key: str
    agent: str  # the plugin's name: "claude", "codex", "gemini", ...
    session: str  # the agent's id of the conversation; a subagent's call carries its parent's
    stream: str  # calls of one stream happened one after the other: the session, or one subagent in it
    at: float  # seconds since the epoch, UTC; 0.0 where the record has no usable time
    cwd: str  # absolute working directory before the call; "" where unknown
    tool: str  # the agent's own name of the tool
    operation: Operation
    outcome: Outcome
    exit_code: int | None = None
    kind: FailureKind | None = None  # set by a reader only where the agent's own fixed wording settles it
    output: str = ""  # excerpt (head and tail) of what a call that is not OK answered; "" for OK calls
    silent: bool = False  # the call answered nothing at all
    reason: str = ""  # what the user typed when refusing
    size: int = 0  # characters of input and result together: what the call cost the conversation


class UserMessage(Struct, frozen=True, omit_defaults=True, gc=False):
    """Words that a person typed (no tool results, reminders, summaries or other injected text)."""

    key: str
    agent: str
    session: str
    stream: str
    at: float
    text: str
    interrupts: bool = False  # the user stopped the agent ("[Request interrupted by user]"); text may be ""


class SessionStart(Struct, frozen=True, omit_defaults=True, gc=False):
    """A session's identity and home, given before its first call; given again when better known."""

    agent: str
    session: str
    at: float
    cwd: str  # "" where the files do not tell: the session is unattributed
    parent: str = ""  # the session that it was forked from or spawned by


Event = ToolCall | UserMessage | SessionStart


class Section(StrEnum):
    """The headings of a block, in the order in which they are written."""

    ENVIRONMENT = "Environment"
    PATHS = "File Path Corrections"
    SCOPE = "Search Scope"
    COMMANDS = "Command Patterns"
    LARGE_FILES = "Known Large Files"
    RETRY = "Retry Prevention"
    PERMISSIONS = "Permission Notes"
    PREFERENCES = "User Preferences"  # what the user said in words; only the analyst finds these

    @property
    def is_memory(self) -> bool:
        """Whether its learnings go to the memory file rather than to the context file."""
        return self in (Section.RETRY, Section.PERMISSIONS, Section.PREFERENCES)


class Lesson(Struct, frozen=True, omit_defaults=True):
    """What one piece of evidence teaches. Section, subject and remedy together are its identity within a project.

    Paths are relative to the project root with "/" between parts; "." is the root itself.

    ============  ==============================  =========================================
    section       subject                         remedy
    ============  ==============================  =========================================
    ENVIRONMENT   command prefix that fails       command prefix that works
    PATHS         wrong path                      right path
    SCOPE         folder that is too narrow       folder where it is found
    COMMANDS      command that fails              command that works ("cd frontend && ...")
    LARGE_FILES   path                            ""
    RETRY         command                         what must be done first ("" = retried in vain)
    PERMISSIONS   command prefix                  ""
    PREFERENCES   rule text                       ""
    ============  ==============================  =========================================
    """

    section: Section
    subject: str
    remedy: str = ""

    @property
    def identity(self) -> str:
        """The same for the same lesson: what ids are made of."""
        return f"{self.section.value}\x1f{self.subject}\x1f{self.remedy}"


class CallRef(Struct, frozen=True, omit_defaults=True):
    """A call as evidence remembers it; text is redacted and short."""

    key: str
    at: float
    text: str  # what was asked: the command, "Read path", "Search pattern in scope"
    answer: str = ""  # the telling line or lines of what came back


class Evidence(Struct, frozen=True, omit_defaults=True):
    """One correction (or rejection, or oversized read) with the calls that show it."""

    id: str  # the same for the same calls and lesson, however often they are read
    lesson: Lesson
    agent: str
    session: str
    at: float  # of the failed call
    failed: CallRef
    fixed: CallRef | None = None
    note: str = ""  # why it failed, in few words: "ModuleNotFoundError: fastledger", a search pattern
    needs_sessions: int = 1  # how many distinct sessions must show this lesson before it may be believed
    wasted: int = 0  # characters that the failed calls cost
    opportunity: str = ""  # attempt key under which failures of this lesson are counted
    agent_specific: bool = False  # holds only for this agent's own tools
    tainted: bool = False  # seen after text from the web or an MCP server came in: it may be behind this


class Attempt(Struct, frozen=True, omit_defaults=True):
    """How often a session tried one operation: the ground on which rates are computed."""

    key: str  # "run npm test", "read src/a.py", "search src": action and normalised target
    ok: int = 0
    failed: int = 0
