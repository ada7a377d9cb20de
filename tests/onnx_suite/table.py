"""The result of the suite as Markdown: counts by group, and what did not pass, by reason."""

from __future__ import annotations

from collections.abc import Sequence

from tests.onnx_suite.cases import groups
from tests.onnx_suite.judge import Verdict, outcomes

titles = {
    "passed": "passed",
    "frozen": "passed with constant arguments",
    "one backend": "passed on one backend",
    "refused": "refused",
    "unfit": "not representable",
    "wrong": "wrong",
}
longest = 3  # tests named in a row


def write_table(verdicts: Sequence[Verdict]) -> str:
    """Write both tables."""
    lines = [f"| tests | {' | '.join(titles.values())} | all |", f"|---|{'---:|' * (len(titles) + 1)}"]
    for group in (*groups, ""):
        mine = [verdict for verdict in verdicts if group in ("", verdict.case.group)]
        counts = [sum(verdict.outcome == outcome for verdict in mine) for outcome in outcomes]
        if mine:
            lines.append(f"| {group or '**all**'} | {' | '.join(map(str, counts))} | {len(mine)} |")
    lines += ["", "| what | reason | tests | such as |", "|---|---|---:|---|"]
    rows: dict[tuple[int, str], list[str]] = {}
    for verdict in verdicts:
        if verdict.outcome != "passed":
            rows.setdefault((outcomes.index(verdict.outcome), verdict.reason), []).append(verdict.case.name)
    for (outcome, reason), names in sorted(rows.items(), key=lambda row: (-row[0][0], -len(row[1]), row[0][1])):
        shown = ", ".join(f"`{name}`" for name in names[:longest])
        lines.append(f"| {titles[outcomes[outcome]]} | {reason.replace('|', chr(92) + '|')} | {len(names)} | {shown} |")
    return "\n".join(lines) + "\n"
