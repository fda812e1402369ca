"""What must hold, and what was found."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Finding:
    """One statement that must hold.

    Args:
        what: the statement's subject.
        goal: what it should be.
        found: what it is.
        holds: whether it holds; None where it could not be told.
    """

    what: str
    goal: str
    found: str
    holds: bool | None

    def to_json(self) -> dict[str, Any]:
        """The finding as JSON-ready values; `Finding(**values)` reads them back."""
        return asdict(self)


def findings_table(findings: list[Finding]) -> str:
    """Findings as a Markdown table."""
    words = {True: "yes", False: "**no**", None: "could not be told"}
    lines = ["| what | goal | found | holds |", "| --- | --- | --- | --- |"]
    for finding in findings:
        entries = [finding.what, finding.goal, finding.found, words[finding.holds]]
        lines.append("| " + " | ".join(entry.replace("|", "\\|") for entry in entries) + " |")
    return "\n".join(lines)
