"""List the licences of everything that a release brings, and refuse those that nobody has agreed to.

Reads a bill of materials (CycloneDX JSON) and prints a table in Markdown; run by `make dist`. It fails, naming each
package, when a licence is not among ALLOWED: whoever adds it there says so in a review.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

OWN = "identity-provisioning-"
ALLOWED = frozenset(
    {
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "CNRI-Python",
        "ISC",
        "LGPL-3.0-only",  # psycopg, imported as it is and replaceable by whoever installs it
        "MIT",
        "MIT-0",
        "MPL-2.0",  # certifi and orjson, unchanged
        "PSF-2.0",
    }
)
CLASSIFIERS = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
"""What Python's classifiers, the older way to name a licence, mean; "BSD" is the stricter of the two."""
SILENT = {
    "antlr4-python3-runtime": "BSD-3-Clause",
    "cedarpy": "Apache-2.0",
    "protobuf": "BSD-3-Clause",
    "pyrage": "MIT",
}
"""Packages whose metadata name no known licence; read in their licence file or, for antlr4, in its sources' heads."""
HEAD = """# Licences

What the three distributions bring with all their extras, as their packages' metadata say.

| package | version | licence |
|---|---|---|"""
Component = dict[str, Any]


def main() -> int:
    """Print the table; return 1 when a package may not be brought."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("bill", type=Path, help="a bill of materials in CycloneDX's JSON")
    bill = json.loads(parser.parse_args().bill.read_text())
    brought = [component for component in bill["components"] if not component["name"].startswith(OWN)]
    refused = 0
    print(HEAD)
    for component in sorted(brought, key=lambda component: component["name"].lower()):
        licences = licences_of(component)
        print(f"| {component['name']} | {component['version']} | {', '.join(licences)} |")
        if not licences or not set(licences) <= ALLOWED:
            named = ", ".join(licences) or "no licence"
            print(f"{component['name']}: {named}: not among those of .ci/licences.py", file=sys.stderr)
            refused += 1
    return 1 if refused else 0


def licences_of(component: Component) -> list[str]:
    """Name every licence that a package mentions, whether it asks for one of them or for all."""
    declared = {licence for entry in component.get("licenses", ()) for licence in _named(entry)}
    silent = SILENT.get(component["name"])
    return sorted(declared) or ([silent] if silent else [])


def _named(entry: dict[str, Any]) -> Iterator[str]:
    """Yield what one entry names: identifiers of SPDX, taken out of an expression or translated from a classifier."""
    if "expression" in entry:
        yield from (word for word in re.findall(r"[\w.+-]+", entry["expression"]) if word not in ("AND", "OR", "WITH"))
    else:
        licence = entry["license"]
        name = licence.get("id") or licence["name"].rpartition(" :: ")[2]
        yield CLASSIFIERS.get(name, name)


if __name__ == "__main__":
    sys.exit(main())
