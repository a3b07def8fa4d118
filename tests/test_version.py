"""One version, in one place."""

import re
import tomllib
from pathlib import Path

import rtspkit
from rtspkit import version

ROOT = Path(__file__).parent.parent


def test_it_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc|\.dev)\d+)?", version.__version__)


def test_the_front_page_and_the_distribution_have_the_same():
    assert rtspkit.__version__ is version.__version__
    hatch = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]
    assert ROOT / hatch["version"]["path"] == Path(version.__file__)
