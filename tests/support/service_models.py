"""AWS's models and endpoints, read once in a process of tests: reading them is most of what a client of boto3 costs."""

from functools import cache
from typing import Any

from botocore.loaders import JSONFileLoader

_read = JSONFileLoader.load_file


def keep_service_models() -> None:
    """Let every client that is built from now on share what was read for the first."""
    setattr(JSONFileLoader, "load_file", lambda _, file_path: _read_once(file_path))  # noqa: B010 - mypy minds methods


@cache
def _read_once(file_path: str) -> Any:
    return _read(JSONFileLoader(), file_path)
