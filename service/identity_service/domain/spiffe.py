"""SPIFFE ids of workloads, by the SPIFFE ID specification, sections 2.1 to 2.4."""

import re

SCHEME = "spiffe://"
MAXIMUM_LENGTH = 2048
MAXIMUM_TRUST_DOMAIN_LENGTH = 255

INSECURE_TRUST_DOMAIN = "insecure.local"
"""The trust domain of the one caller that a server without TLS has; no certificate is of it."""

_TRUST_DOMAIN = re.compile(r"[a-z0-9._-]+")
_SEGMENT = re.compile(r"[A-Za-z0-9._-]+")


def check_workload_id(spiffe_id: str) -> str:
    """Return a workload's SPIFFE id as it is; raise ValueError with the rule that it breaks.

    An id without a path names a trust domain and no workload, so it is refused.
    """
    if not spiffe_id.startswith(SCHEME):
        raise ValueError(f"a SPIFFE id begins with {SCHEME}")
    if len(spiffe_id.encode()) > MAXIMUM_LENGTH:
        raise ValueError(f"a SPIFFE id has at most {MAXIMUM_LENGTH} bytes")
    if "?" in spiffe_id or "#" in spiffe_id:
        raise ValueError("a SPIFFE id has no query and no fragment")
    trust_domain, *segments = spiffe_id.removeprefix(SCHEME).split("/")
    _check_trust_domain(trust_domain)
    _check_path(segments)
    return spiffe_id


def _check_trust_domain(trust_domain: str) -> None:
    if not _TRUST_DOMAIN.fullmatch(trust_domain):
        raise ValueError("a trust domain has lowercase letters, digits, '.', '-' and '_' only: no user, no port")
    if len(trust_domain) > MAXIMUM_TRUST_DOMAIN_LENGTH:
        raise ValueError(f"a trust domain has at most {MAXIMUM_TRUST_DOMAIN_LENGTH} characters")


def _check_path(segments: list[str]) -> None:
    if not segments or segments == [""]:
        raise ValueError("the SPIFFE id of a workload has a path")
    for segment in segments:
        if not segment:
            raise ValueError("a SPIFFE id's path has no empty segment and no '/' at its end")
        if segment in {".", ".."}:
            raise ValueError("a SPIFFE id's path has no segment '.' or '..'")
        if not _SEGMENT.fullmatch(segment):
            raise ValueError("a path segment has letters, digits, '.', '-' and '_' only: no percent-encoding")


def trust_domain_of(spiffe_id: str) -> str:
    """Return the trust domain of an id that `check_workload_id` has let pass."""
    return spiffe_id.removeprefix(SCHEME).partition("/")[0]
