"""Reads a policy document from a file."""

from __future__ import annotations

import json
from pathlib import Path

from identity_client.cli.failures import BadInputError


def read_policy_file(path: Path) -> str:
    """Answer the document without its white space.

    Raises:
        BadInputError: the file cannot be read, or is not a JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInputError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BadInputError(f"{path}: is not UTF-8 text") from None
    except json.JSONDecodeError as error:
        raise BadInputError(f"{path}:{error.lineno}: is not JSON: {error.msg}") from None
    except ValueError as error:
        raise BadInputError(f"{path}: {error}") from None
    except RecursionError:
        raise BadInputError(f"{path}: is nested too deeply") from None
    if not isinstance(document, dict):
        raise BadInputError(f"{path}: a policy document is a JSON object")
    return json.dumps(document, separators=(",", ":"))
