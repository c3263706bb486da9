# SPDX-License-Identifier: ISC
"""The attacks use the stories' fleet and their hand-made protocol."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
from fixtures import acme, company, empty_fleet, fleet, globex, ops, patience, proxy  # noqa: E402, F401
