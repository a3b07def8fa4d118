"""Put the machine on its bench where the tests of the engine can import it."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "conformance"))
