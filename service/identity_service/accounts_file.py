"""The accounts file: every AWS account that one server works in, and the role by which it gets there.

It is read once, at the start, and checked as a whole: whatever is wrong is told at once, with its line.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from identity_service.adapters.authorization.strict_yaml import Document, Location, StrictYamlError

EXAMPLES: Mapping[str, str] = {
    "accounts": '[{id: "210987654321", role_arn: "arn:aws:iam::210987654321:role/identity-service"}]',
    "id": '"210987654321"',
    "role_arn": "arn:aws:iam::210987654321:role/identity-service",
    "external_id": "identity-service-of-acme",
    "partition": "aws",
    "region": "eu-central-1",
    "calls_per_second": "20",
}
"""What each key may look like, for messages."""

_WORDS: Mapping[str, str] = {
    "dict_type": "must be a mapping",
    "extra_forbidden": "this key is not known here",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "missing": "this key is missing",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "too_short": "must not be empty",
}
"""What the kinds of a mistake are called; others keep pydantic's words, which repeat no value."""

EXTERNAL_ID = r"[\w+=,.@:/-]{2,1224}"
ROLE_ARN = r"arn:aws(-[a-z]+)*:iam::[0-9]{12}:role/[\w+=,.@/-]+"
_Mistake = tuple[Location, str]


class AccountsFileError(ValueError):
    """An accounts file that cannot be used; the text says line by line what is wrong, and repeats no value."""


def _matches(pattern: str, problem: str) -> AfterValidator:
    def check(text: str) -> str:
        if not re.fullmatch(pattern, text, re.ASCII):
            raise ValueError(problem)
        return text

    return AfterValidator(check)


class ListedAccount(BaseModel):
    """An account as the file names it; `role_arn` None: the server's own credentials belong to it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Annotated[str, _matches("[0-9]{12}", "an account id has 12 digits")]
    role_arn: Annotated[str, _matches(ROLE_ARN, "must be the ARN of a role")] | None = None
    external_id: Annotated[str, _matches(EXTERNAL_ID, "has 2 to 1,224 letters, digits and +=,.@:/-")] | None = None
    partition: Literal["aws", "aws-cn", "aws-us-gov"] | None = None
    region: Annotated[str, _matches("[a-z]{2}(-[a-z]+)+-[0-9]+", "must be the name of a region")] | None = None
    calls_per_second: Annotated[int, Field(ge=1, le=10_000)] | None = None

    @property
    def role_partition(self) -> str:
        """The partition that the role's ARN names, "" without a role."""
        return self.role_arn.split(":")[1] if self.role_arn else ""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    accounts: Annotated[list[ListedAccount], Field(min_length=1)]


def read_accounts_file(path: Path) -> tuple[ListedAccount, ...]:
    """Read and check the file. Raises AccountsFileError with everything that is wrong."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise AccountsFileError(f"{path} cannot be read as text") from None
    try:
        document = Document(text)
    except StrictYamlError as problem:
        raise AccountsFileError(f"{path.name}:{problem.line}: {problem.message}") from None
    if document.value is None:
        raise AccountsFileError(f"{path.name}: the file is empty; for example accounts: {EXAMPLES['accounts']}")
    return _check(path.name, document)


def _check(name: str, document: Document) -> tuple[ListedAccount, ...]:
    try:
        accounts = _File.model_validate(document.value).accounts
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors(include_url=False, include_input=False)]
    else:
        mistakes = list(_contradictions(accounts))
        if not mistakes:
            return tuple(accounts)
    raise AccountsFileError("\n".join(_line(name, document, at, words) for at, words in mistakes))


def _mistake(detail: ErrorDetails) -> _Mistake:
    if detail["type"] == "value_error":
        return detail["loc"], str(detail["ctx"]["error"])
    return detail["loc"], _WORDS.get(detail["type"], detail["msg"][:1].lower() + detail["msg"][1:])


def _contradictions(accounts: list[ListedAccount]) -> Iterator[_Mistake]:
    """Find what is wrong with accounts of which each is well formed."""
    its_own: str | None = None
    seen: set[str] = set()
    for index, account in enumerate(accounts):
        at = ("accounts", index)
        if account.id in seen:
            yield (*at, "id"), "the account is there twice"
        elif account.role_arn is None and its_own is not None:
            yield (*at, "role_arn"), "is missing: the server's own credentials belong to one account alone"
        elif account.role_arn is None:
            its_own = account.id
        seen.add(account.id)
        yield from (((*at, key), words) for key, words in _misfits(account))


def _misfits(account: ListedAccount) -> Iterator[tuple[str, str]]:
    """Find what does not go with an account's role."""
    if account.role_arn is None:
        if account.external_id is not None:
            yield "external_id", "goes with a role_arn, which is missing"
        return
    if account.role_arn.split(":")[4] != account.id:
        yield "role_arn", "the role is in another account than this one"
    if account.partition not in (None, account.role_partition):
        yield "partition", "the role is in another partition"


def _line(name: str, document: Document, at: Location, words: str) -> str:
    key = next((part for part in reversed(at) if isinstance(part, str)), "accounts")
    example = f"; for example {key}: {EXAMPLES[key]}" if key in EXAMPLES else ""
    return f"{name}:{document.line_of(at)}: {_key_path(at)}: {words}{example}"


def _key_path(location: Location) -> str:
    """Write a location as people do: `accounts[1].role_arn`."""
    written = ""
    for part in location:
        written += f"[{part}]" if isinstance(part, int) else f".{part}" if written else part
    return written or "the file"
