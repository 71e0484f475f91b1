"""What the evidence on a target can say. Only ``BAD`` may abort; only ``GOOD`` may raise."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    GOOD = "good"
    BAD = "bad"
    TOO_FEW = "too few"
    STALE = "stale"
    SOURCE_DOWN = "source down"
