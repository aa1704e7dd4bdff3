"""Numbers and durations as people read them."""

from __future__ import annotations


def number(value: float | None) -> str:
    """Return a metric's value with five significant digits."""
    if value is None:
        return "-"
    return f"{value:.4f}" if 0.001 <= abs(value) < 1000 else f"{value:.5g}"


def duration(seconds: float | None) -> str:
    """Return seconds as `45 s`, `3 min 20 s` or `2 h 05 min`."""
    if seconds is None:
        return "-"
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s" if whole < 10 else f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def count(amount: int, thing: str) -> str:
    """Return `1 trial`, `2 trials`."""
    return f"{amount} {thing}" + ("" if amount == 1 else "s")
