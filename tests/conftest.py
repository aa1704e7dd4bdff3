"""The table of faults: which were injected, how often, and what came of them; printed at the end of every run.

It stands here and not beside the tests of faults, because with several processes the one that prints collects nothing.
"""

from __future__ import annotations

from typing import Any


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the table."""
    rows: dict[str, tuple[int, bool, str]] = {}
    for kind in ("passed", "failed"):
        for report in terminalreporter.stats.get(kind, ()):
            if report.when != "call":
                continue
            for name, value in report.user_properties:
                if name == "fault":
                    fault, times, outcome = value
                    before, survived, _ = rows.get(fault, (0, True, ""))
                    rows[fault] = (before + times, survived and report.passed, outcome)
    if not rows:
        return
    terminalreporter.section("faults")
    width = max(map(len, rows))
    for fault, (times, survived, outcome) in rows.items():
        terminalreporter.write_line(
            f"{fault:<{width}}  {times:>4}  {'survived' if survived else 'FAILED':<8}  {outcome}"
        )
