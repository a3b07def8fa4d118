"""Where the shared test vectors are, and what to do when they are not.

They live beside the project, never inside it: ``RTSPKIT_VECTORS`` names the folder, else
``../shared/vectors`` beside the checkout is tried.
"""

import json
import os
from pathlib import Path
from typing import Any

import pytest

_DEFAULT = Path(__file__).resolve().parents[2].parent / "shared" / "vectors"


def path(name: str) -> Path | None:
    """The file of that name, or None when it is not there."""
    found = Path(os.environ.get("RTSPKIT_VECTORS", _DEFAULT)) / name
    return found if found.exists() else None


def load(name: str) -> dict[str, Any]:
    """One JSON file of the vectors; empty when it is not there, so that nothing is collected."""
    found = path(name)
    return json.loads(found.read_text("utf-8")) if found else {}


def cases(name: str, key: str = "cases", *, label: str = "name") -> list[Any]:
    """The cases as pytest parameters, named; one skipped parameter when the file is absent."""
    entries = load(name).get(key, [])
    if not entries:
        reason = f"test vectors not present: {name}"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    return [pytest.param(e, id=f"{i}-{e.get(label, '')}") for i, e in enumerate(entries)]


def read(name: str) -> bytes:
    """The bytes of one file; skips the test that asks when it is absent."""
    found = path(name)
    if found is None:
        pytest.skip(f"test vectors not present: {name}")
    return found.read_bytes()
