"""Secrets are in the answer that makes them and nowhere else, whatever goes wrong.

The run itself is a program, because it turns every logger up and exchanges the code of running functions. It is the
quick one here, which breaks one function of twenty and takes a sample elsewhere; `make security` tries everything.
"""

import base64
import dataclasses
import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

import identity_service
from identity_service.domain.secret import Secret
from tests.security.canaries import EFFECTS
from tests.security.canary_functions import PACKAGE, WAYS, functions_of, raising
from tests.security.canary_rows import ROWS, WITHOUT_IAM, is_built, rpcs_with_secrets
from tests.security.canary_search import Search, spellings
from tests.security.canary_stores import rows_of
from tests.security.canary_world import CUSTOM, METHODS

ROOT = Path(__file__).resolve().parents[2]
LEAST_PLACES = 4000
LEAST_SCRAPES = 8
NOT_ON_THE_WAY = {
    "adapters.aws_iam.settings.ExplicitCredentials",
    "adapters.aws_iam.settings.AwsAccountSettings",
    "adapters.aws_iam.settings.AwsSettings",
    "embedded.EmbeddedAccount",
}
"""Objects with secrets that are made before the first call; their `repr` is tested by itself below."""


@pytest.fixture(scope="module")
def report() -> dict[str, Any]:
    """Let secrets through the whole service, break it, and search what is left."""
    command = [sys.executable, "-m", "tests.security.canaries", "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, timeout=580, check=False)
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_nothing_leaks(report: dict[str, Any]) -> None:
    """No secret is found in any place, and there are enough places for that to mean something."""
    assert report["hits"] == []
    assert report["places"] >= LEAST_PLACES
    assert report["scrapes"] >= LEAST_SCRAPES
    assert report["secrets"] > 200


def test_what_was_tried_came_about(report: dict[str, Any]) -> None:
    """Each row succeeds without a fault, what is bad is refused, and enough of each kind was tried."""
    assert report["problems"] == []
    assert set(report["rows"]) == rpcs_with_secrets()
    for kind, least in (("AWS", 30), ("AWS read", 25), ("bad input", 20), ("store", 15), ("exception", 20)):
        assert report["cases"][kind] >= least, kind


def test_every_rpc_with_secrets_has_a_row() -> None:
    """A new RPC whose request or answer can hold a secret fails here until it has a row with its steps."""
    assert {row.rpc for row in ROWS} == rpcs_with_secrets()
    for row in ROWS:
        steps = row.steps or row.rpc in WITHOUT_IAM
        assert steps or not is_built(row.rpc), f"{row.name} is built and has no step at which it is made to fail"


def test_every_rpc_is_called(report: dict[str, Any]) -> None:
    """Also what holds no secret is asked after others have made some."""
    named = {case.partition(" ")[0] for case in report["cases"]}
    assert METHODS.keys() <= named


def test_every_object_that_holds_a_secret_was_looked_at(report: dict[str, Any]) -> None:
    """A new dataclass with a secret in it fails here until a row leads through it."""
    assert holders() - NOT_ON_THE_WAY <= set(report["types"])


def test_objects_of_the_start_show_no_secret() -> None:
    """What holds the service's own key hides it in every text, and in what is made of its fields."""
    names = NOT_ON_THE_WAY & holders()
    assert "adapters.aws_iam.settings.ExplicitCredentials" in names
    for name in names:
        module, _, kind = name.rpartition(".")
        made = object.__new__(getattr(importlib.import_module(PACKAGE + module), kind))
        for field in dataclasses.fields(made):
            object.__setattr__(made, field.name, Secret(CUSTOM))
        assert CUSTOM not in f"{made!r} {made!s} {made} {vars(made)}"


def holders() -> set[str]:
    """Name the service's dataclasses that have a field of the type Secret."""
    found = set()
    for info in pkgutil.walk_packages(identity_service.__path__, PACKAGE):
        if info.name.endswith(("__main__", "env")) or ".migrations" in info.name:
            continue
        things = vars(importlib.import_module(info.name)).values()
        kinds = [thing for thing in things if isinstance(thing, type) and thing.__module__ == info.name]
        found |= {
            f"{kind.__module__}.{kind.__qualname__}".removeprefix(PACKAGE) for kind in kinds if holds_secret(kind)
        }
    return found


def holds_secret(kind: type) -> bool:
    """Tell whether a class is a dataclass with a secret among its fields."""
    return dataclasses.is_dataclass(kind) and any("Secret" in str(field.type) for field in dataclasses.fields(kind))


@pytest.mark.parametrize(
    "form",
    [
        CUSTOM,
        "Canary-%227%26kept%2F%3Csecret%3E",
        r"Canary-\"7&kept/<secret>",
        "Canary-&quot;7&amp;kept/&lt;secret&gt;",
        "43616e6172792d2237266b6570742f3c7365637265743e",
        '>terces</tpek&7"-yranaC',
    ],
)
def test_the_search_finds_every_form(form: str) -> None:
    """A search that finds nothing is worth what it would have found."""
    assert found(CUSTOM, f"x{form}y".encode())


@pytest.mark.parametrize("secret", [CUSTOM, "418207", "12345678"], ids=["long", "code", "shortest"])
def test_the_search_finds_a_form_wherever_it_stands(secret: str) -> None:
    """At the begin, at the end, and at any number of bytes from them; one that is cut is not found."""
    for form in spellings(secret.encode()):
        for number in range(20):
            assert all(found(secret, each) for each in (bytes(number) + form, form + bytes(number)))
            assert not found(secret, bytes(number) + form[1:-1])


@pytest.mark.parametrize("before", ["", "a", "ab", "abc"])
def test_base64_is_found_wherever_the_secret_stands(before: str) -> None:
    """In base64 a secret looks in three ways, by what stands before it."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert found(CUSTOM, encode(f"{before}{CUSTOM}?>".encode()))


@pytest.mark.parametrize("kept", [CUSTOM, CUSTOM.encode()], ids=["text", "bytes"])
def test_every_row_of_a_store_is_read(tmp_path: Path, kept: str | bytes) -> None:
    """A secret in any row and column of a table, as text or as bytes, is among what is searched."""
    url = f"sqlite:///{tmp_path / 'store.sqlite3'}"
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE kept (number INTEGER, value BLOB)")
        connection.exec_driver_sql("INSERT INTO kept VALUES (1, 'x'), (2, ?)", (kept,))
    engine.dispose()
    assert found(CUSTOM, rows_of(url)["kept"].encode())


def test_what_cannot_be_sought_is_refused() -> None:
    """A word of a few letters would be found by chance, or not at all."""
    with pytest.raises(ValueError, match="name is too short"):
        Search().add("name", "secret7")


def test_a_code_is_found_as_a_word_and_not_within_a_number() -> None:
    """Six digits are in many numbers by chance."""
    assert found("418207", b'{"code":"418207"}')
    assert not found("418207", b"2026-01-01T00:00:00.418207Z 9418207 418207ab")
    assert all(len(form) >= 8 for form in spellings(b"418207"))


def found(secret: str, content: bytes) -> bool:
    """Tell whether the search finds a secret."""
    search = Search()
    search.add("a secret", secret)
    search.add("another one", "Another-secret")
    search.look("a place", content)
    assert {hit.secret for hit in search.hits} <= {"a secret"}
    return bool(search.hits)


def test_a_hit_is_reported_once_it_is_there() -> None:
    """The search names the secret and the place."""
    search = Search()
    search.add("custom password", CUSTOM)
    search.look("a clean place", "nothing")
    search.look("a log", f"password is {CUSTOM}")
    assert [str(hit) for hit in search.hits] == ["custom password in a log"]
    assert len(search.places) == 2


def test_an_object_is_opened_down_to_its_last_field() -> None:
    """A password beside a wrapped one, within other objects, is seen as well as if it stood alone."""
    inner = Inner(Secret("wrapped"), CUSTOM)
    shown = WAYS["fields"](Outer({"first": [inner]}))
    assert found(CUSTOM, shown.encode())
    assert "wrapped" not in shown.replace(CUSTOM, "")


@dataclasses.dataclass(frozen=True)
class Inner:
    """What holds a secret and one that somebody forgot to wrap."""

    kept: Secret
    forgotten: str = dataclasses.field(repr=False)


@dataclasses.dataclass(frozen=True)
class Outer:
    """What holds others."""

    inner: dict[str, list[Inner]]


def test_a_function_can_be_made_to_raise_with_the_secret() -> None:
    """Whoever has a reference to the function already gets the exception too, and afterwards all is as it was."""
    reference = Secret.reveal
    (function,) = functions_of({Secret.reveal.__code__})
    with raising(function), pytest.raises(RuntimeError, match="Canary") as caught:
        reference(Secret("x"))
    assert CUSTOM in str(caught.value.__cause__)
    assert reference(Secret("x")) == "x"


def test_what_aws_says_holds_the_password() -> None:
    """The faults put the secret where an AWS error could quote it."""
    assert sum(CUSTOM in repr(effect) for _, effect in EFFECTS) >= 3
