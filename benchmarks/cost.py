"""What an LLM is sent of a home folder's sessions: tokens of evidence against tokens of transcripts.

    cost.py HOME [--tokens-per-call 12000] [--price 1.0]

Scans HOME into a new ledger and asks an analyst that never has anything to say about all of its projects, until
nothing waits: the most that can ever be sent, as if no budget of a day held. Nothing in HOME is written, and nothing
leaves the machine. A token is taken for four bytes on both sides; PRICE is dollars a million tokens sent.

Prints one line of JSON and one for people.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from headroomd import pipeline
from headroomd.agents.base import Environment
from headroomd.agents.registry import load_plugins
from headroomd.analysis.backends.base import Answer, Backend, Request, estimated_tokens
from headroomd.config import Analysis
from headroomd.ledger import Ledger

SHARE_AIM = 0.01  # of the transcripts' tokens


class Silent(Backend):
    """Takes down the size of each question."""

    name, model = "silent", "none"

    def __init__(self) -> None:
        self.sent: list[int] = []

    def describe(self) -> str:
        return "nothing is sent"

    def ask(self, request: Request) -> Answer:
        self.sent.append(estimated_tokens(request.system + request.prompt))
        return Answer('{"rules": []}', self.sent[-1], 10, self.model, self.name)


def measure(home: Path, tokens_per_call: int) -> dict[str, float]:
    """Everything that HOME's projects have to say."""
    env, plugins = Environment(home=home, variables={}), load_plugins()
    backend = Silent()
    settings = Analysis(max_tokens_per_call=tokens_per_call, max_calls_per_day=10**6, max_tokens_per_day=10**12)
    with tempfile.TemporaryDirectory() as folder, Ledger.open(Path(folder) / "ledger.sqlite3") as ledger:
        report = pipeline.scan(ledger, plugins, env)
        projects = [Path(facts.path) for facts in ledger.facts.projects()]
        waiting = sum(ledger.analyses.waiting().values())
        pipeline.analyse(ledger, projects, plugins, env, pipeline.PlanOptions(), backend, settings)
        left = sum(ledger.analyses.waiting().values())
    transcripts = report.bytes // 4
    sent = sum(backend.sent)
    return {
        "tool_calls": report.calls,
        "projects": len(projects),
        "evidence": waiting,
        "left": left,
        "questions": len(backend.sent),
        "tokens_sent": sent,
        "tokens_of_transcripts": transcripts,
        "share": sent / max(transcripts, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("home", type=Path)
    parser.add_argument("--tokens-per-call", type=int, default=12_000)
    parser.add_argument("--price", type=float, default=1.0)
    arguments = parser.parse_args()
    found = measure(arguments.home.resolve(), arguments.tokens_per_call)
    print(json.dumps(found))
    verdict = "below" if found["share"] < SHARE_AIM else "ABOVE"
    print(
        f"{found['tokens_sent']:,} tokens in {found['questions']} questions, {found['share']:.2%} of the transcripts'"
        f" {found['tokens_of_transcripts']:,}: {verdict} {SHARE_AIM:.0%};"
        f" ${found['tokens_sent'] * arguments.price / 1e6:.2f} in all"
    )


if __name__ == "__main__":
    main()
