"""Why PostgreSQL cannot be used is told, in words of the service's own and never in those of the driver."""

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from identity_service.adapters.store import StoreError, migrate, postgresql
from identity_service.adapters.store.errors import cause_of
from identity_service.adapters.store.postgresql_faults import fault_of
from tests.support.mutual_tls import write_mutual_tls
from tests.support.postgres import PostgresServer, database_folder

Answer = Callable[[socket.socket], None]

ROLES = (
    "CREATE ROLE nologin",
    "CREATE ROLE busy LOGIN CONNECTION LIMIT 0",
    "CREATE ROLE reader LOGIN",
    "CREATE ROLE known LOGIN PASSWORD 'right'",
    "CREATE ROLE peer LOGIN",
    "CREATE ROLE stranger LOGIN",
    "CREATE DATABASE closed ALLOW_CONNECTIONS false",
    "CREATE DATABASE private",
    "REVOKE CONNECT ON DATABASE private FROM public",
)
WAYS_IN = """
local all postgres,nologin,busy,reader,canary trust
local all known scram-sha-256
local all peer peer
"""
"""Who gets in how; of `stranger` nothing is said."""


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    """A server that lets some in, and others not."""
    with database_folder() as directory:
        server = PostgresServer(directory)
        try:
            server.start()
            engine = sa.create_engine(server.url, poolclass=sa.NullPool, isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for statement in ROLES:
                    connection.exec_driver_sql(statement)
            server.stop()
            (directory / "data" / "pg_hba.conf").write_text(WAYS_IN)
            server.start()
            yield server.url
        finally:
            server.stop()


@contextmanager
def listening(answer: Answer) -> Iterator[str]:
    """Answer one connection as told; yield the start of a URL that leads there."""

    def serve(listener: socket.socket) -> None:
        # The client ends it, or the test does by closing the listener.
        with suppress(OSError):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1024)
                answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(30)
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        try:
            yield f"postgresql://canary@localhost:{listener.getsockname()[1]}/canary"
        finally:
            thread.join()


def refusal(url: str) -> str:
    """Return why a database cannot be used: what stands in brackets, without a word of the URL."""
    with pytest.raises(StoreError) as caught:
        migrate(url)
    text = str(caught.value)
    assert "canary" not in text
    before, bracket, cause = text.partition(" (")
    assert (before, bracket, cause[-1]) == ("the store's PostgreSQL database cannot be used", " (", ")")
    return cause[:-1]


@pytest.mark.parametrize(
    ("user", "database", "cause"),
    [
        ("canary", "postgres", "the server has no such user"),
        ("nologin", "postgres", "the user may not log in"),
        ("postgres", "canary", "the server has no such database"),
        ("postgres", "closed", "the database takes no connections"),
        ("reader", "private", "the user may not connect to the database"),
        ("reader", "postgres", "the user may not do what is needed there"),
        ("busy", "postgres", "the server has no connection left for this user"),
        ("known", "postgres", "the server asks for a password, and there is none"),
        ("known:canary", "postgres", "the server refused the password"),
        ("peer", "postgres", "the server does not let this user in"),
        ("stranger", "postgres", "the server's pg_hba.conf has no entry for this user from here"),
    ],
)
def test_what_a_server_refuses_is_told(server_url: str, user: str, database: str, cause: str) -> None:
    """A real server's refusals are told apart: of the user, the password, the database, and rights in it."""
    assert refusal(server_url.replace("postgres@/postgres", f"{user}@/{database}")) == cause


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("canary@127.0.0.1:1/canary", "connection refused: nothing listens on that port"),
        ("canary@canary.invalid/canary", "the host's name is not known"),
        ("canary@/canary?host=/no/canary", "there is no server at that socket"),
        ("/?service=canary", "there is no such service in the file of services (pg_service.conf)"),
        ("canary@127.0.0.1:1/canary?canary=1", "the URL has a parameter or a value that PostgreSQL does not know"),
        (
            "canary@127.0.0.1:1/canary?sslmode=canary",
            "the URL has a parameter or a value that PostgreSQL does not know",
        ),
    ],
)
def test_what_is_wrong_with_the_url_is_told(url: str, cause: str) -> None:
    """What libpq cannot even begin with, or finds nobody at, is told by what to look at in the URL."""
    assert refusal(f"postgresql://{url}") == cause


def test_a_server_that_never_answers_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that takes connections and says nothing ends in time, and that is said."""
    # psycopg takes one second for two, so that this is the least.
    monkeypatch.setattr(postgresql, "CONNECTION_SETTINGS", {**postgresql.CONNECTION_SETTINGS, "connect_timeout": 2})
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert refusal(f"postgresql://canary@127.0.0.1:{silent.getsockname()[1]}/canary") == "no answer in time"


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (b"N", "the server speaks no TLS, and sslmode demands it"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "what answers there is no PostgreSQL"),
        (b"", "the server closed the connection"),
    ],
)
def test_a_server_of_another_kind_is_told(answer: bytes, cause: str) -> None:
    """One without TLS, one of another protocol, and one that hangs up are told apart."""
    with listening(lambda connection: connection.sendall(answer)) as url:
        assert refusal(f"{url}?sslmode=require") == cause


@pytest.mark.parametrize(
    ("authority", "host", "cause"),
    [
        ("another/ca.crt", "localhost", "the server's certificate is not one that sslrootcert vouches for"),
        ("tls/ca.crt", "127.0.0.1", "the server's certificate is for another host name"),
        ("canary.crt", "localhost", "there is no file where sslrootcert says"),
        ("empty.crt", "localhost", "the file of sslrootcert cannot be read"),
    ],
)
def test_a_certificate_that_does_not_hold_is_told(tmp_path: Path, authority: str, host: str, cause: str) -> None:
    """Another authority, another name, and an authority's file that is away or holds nothing are told apart."""
    write_mutual_tls(tmp_path / "tls")
    write_mutual_tls(tmp_path / "another")
    (tmp_path / "empty.crt").touch()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls" / "server.crt", tmp_path / "tls" / "server.key")

    def answer(connection: socket.socket) -> None:
        connection.sendall(b"S")
        context.wrap_socket(connection, server_side=True).close()

    with listening(answer) as url:
        there = url.replace("localhost", host)
        assert refusal(f"{there}?sslmode=verify-full&sslrootcert={tmp_path / authority}") == cause


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        (
            "connection failed: FATAL:  sorry, too many clients already",
            "the server has no connection left for this user",
        ),
        (
            "connection failed: FATAL:  remaining connection slots are reserved for roles with the SUPERUSER attribute",
            "the server has no connection left for this user",
        ),
        ("connection failed: FATAL:  the database system is starting up", "the server is starting or stopping"),
        (
            'connection to server at "canary", port 5432 failed: SSL error: certificate verify failed',
            "the server's certificate is not one that sslrootcert vouches for",
        ),
        ('connection to server at "canary", port 5432 failed: No route to host', "there is no way to the host"),
        ('connection to server at "canary", port 5432 failed: Connection timed out', "no answer in time"),
        ('could not translate host name "canary" to address: canary', "the host's name is not known"),
        ('service file "canary" not found', "there is no file of services (pg_service.conf)"),
        ('could not read certificate file "canary": no such file', "the file of sslcert cannot be read"),
        ('private key file "canary" has group or world access', "the file of sslkey cannot be used"),
        ("FATAL:  pg_hba.conf rejects connection for host", "the server's pg_hba.conf rejects this user from here"),
    ],
)
def test_what_takes_a_machine_of_its_own_is_told(text: str, cause: str) -> None:
    """Faults that no test brings about are known by what libpq and the server say in English."""
    assert fault_of(psycopg.OperationalError(text)) == cause


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (psycopg.errors.InvalidPassword(), "the server refused the password"),
        (psycopg.errors.TooManyConnections(), "the server has no connection left for this user"),
        (psycopg.errors.ReadOnlySqlTransaction(), "the server is read-only, as a standby is"),
        (psycopg.errors.DiskFull(), "the server's disk is full"),
        (psycopg.errors.AdminShutdown(), "the server is starting or stopping"),
    ],
)
def test_a_state_is_told(error: psycopg.Error, cause: str) -> None:
    """Where there is an SQLSTATE, it decides."""
    assert fault_of(error) == cause


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (psycopg.OperationalError("FATAL:  Passwort-Authentifizierung für Benutzer »canary« fehlgeschlagen"), None),
        (psycopg.errors.LockNotAvailable("canary: Connection refused"), "LockNotAvailable"),
        (psycopg.OperationalError(), None),
    ],
)
def test_an_unknown_fault_keeps_its_name(error: psycopg.Error, name: str | None) -> None:
    """What is not known is told by the driver's name for it, and its text is not."""
    wrapped = sa.exc.OperationalError("SELECT canary", None, error)
    assert cause_of(wrapped) == (name or "OperationalError")
