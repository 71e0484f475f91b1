"""``trimtab run``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trimtab import app
from trimtab.settings import load_settings


def run_command(config: Path | None, flags: Mapping[str, Any]) -> int:
    settings = load_settings(config, flags)
    asyncio.run(app.run(settings))
    return 0
