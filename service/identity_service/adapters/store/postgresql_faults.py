"""Why PostgreSQL cannot be used, in words of this service's own.

The driver's texts are looked at and never repeated: they hold what the URL holds. Before a session stands there is no
SQLSTATE, and libpq's text is all that tells; a server that speaks another language than English is known by less.
"""

import re
from collections.abc import Mapping, Sequence

_REFUSED_PASSWORD = "the server refused the password"  # noqa: S105 - words, no password
_NO_DATABASE = "the server has no such database"
_TOO_MANY = "the server has no connection left for this user"
_NOT_ALLOWED = "the user may not do what is needed there"
_STARTS_OR_STOPS = "the server is starting or stopping"

BY_STATE: Mapping[str, str] = {
    "25006": "the server is read-only, as a standby is",
    "28000": "the server does not let this user in",
    "28P01": _REFUSED_PASSWORD,
    "3D000": _NO_DATABASE,
    "42501": _NOT_ALLOWED,
    "53100": "the server's disk is full",
    "53300": _TOO_MANY,
    "57P01": _STARTS_OR_STOPS,
    "57P02": _STARTS_OR_STOPS,
    "57P03": _STARTS_OR_STOPS,
}
"""Words by SQLSTATE."""

BY_TEXT: Sequence[tuple[str, str]] = (
    (r"FATAL: +password authentication failed", _REFUSED_PASSWORD),
    (r"fe_sendauth: no password supplied", "the server asks for a password, and there is none"),
    (r'FATAL: +role ".*" does not exist', "the server has no such user"),
    (r'FATAL: +role ".*" is not permitted to log in', "the user may not log in"),
    (r"FATAL: +no pg_hba\.conf entry", "the server's pg_hba.conf has no entry for this user from here"),
    (r"FATAL: +pg_hba\.conf rejects", "the server's pg_hba.conf rejects this user from here"),
    (r"FATAL: +\w+ authentication failed", BY_STATE["28000"]),
    (r'FATAL: +database ".*" does not exist', _NO_DATABASE),
    (r'FATAL: +database ".*" is not currently accepting connections', "the database takes no connections"),
    (r"FATAL: +permission denied for database", "the user may not connect to the database"),
    (r"FATAL: +(sorry, too many clients|too many connections|remaining connection slots)", _TOO_MANY),
    (r"FATAL: +the database system is ", _STARTS_OR_STOPS),
    # The second where an authority of the same name has another key.
    (
        r"SSL error: (certificate verify failed|.*signature failure)",
        "the server's certificate is not one that sslrootcert vouches for",
    ),
    (r'server certificate for ".*" .*does not match host name', "the server's certificate is for another host name"),
    (r'root certificate file ".*" does not exist', "there is no file where sslrootcert says"),
    (r"could not read root certificate file", "the file of sslrootcert cannot be read"),
    (r"could not (open|read) certificate file", "the file of sslcert cannot be read"),
    (r"private key file|certificate does not match private key", "the file of sslkey cannot be used"),
    (r"server does not support SSL", "the server speaks no TLS, and sslmode demands it"),
    (r"SSL error|SSL SYSCALL error", "TLS with the server failed"),
    (r'definition of service ".*" not found', "there is no such service in the file of services (pg_service.conf)"),
    (r'service file ".*" not found', "there is no file of services (pg_service.conf)"),
    (
        r"invalid connection option|invalid \w+ value",
        "the URL has a parameter or a value that PostgreSQL does not know",
    ),
    (r"failed to resolve host|could not translate host name", "the host's name is not known"),
    (r'on socket ".*" failed: No such file or directory', "there is no server at that socket"),
    (r"failed: Connection refused", "connection refused: nothing listens on that port"),
    (r"timeout expired|Connection timed out", "no answer in time"),
    (r"No route to host|Network is unreachable", "there is no way to the host"),
    (r"server closed the connection unexpectedly", "the server closed the connection"),
    (r"invalid response to SSL negotiation|expected authentication request", "what answers there is no PostgreSQL"),
)
"""Words by what libpq, the server or psycopg say in English. The first that fits counts: the most telling is first."""


def fault_of(error: BaseException) -> str | None:
    """Say in fixed words what an error of the driver means; None for another error, and for one that is not known."""
    if not hasattr(error, "sqlstate"):
        return None
    state = error.sqlstate
    if state:
        return BY_STATE.get(state)
    text = str(error)
    return next((words for pattern, words in BY_TEXT if re.search(pattern, text)), None)
