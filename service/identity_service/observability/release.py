"""Which release runs."""

from importlib.metadata import PackageNotFoundError, version


def _read() -> str:
    try:
        return version("identity-provisioning-service")
    except PackageNotFoundError:
        # Run from its folder, without having been installed.
        return "unknown"


RELEASE = _read()
"""The version of the installed distribution, as Semantic Versioning has it; "unknown" where it is not installed."""
