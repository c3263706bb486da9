# SPDX-License-Identifier: ISC
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from fixtures import acme, company, empty_fleet, fleet, globex, ops, patience, proxy  # noqa: E402, F401
