"""`callers.yaml`: its form, and the check of one against it.

Everything that is not understood is refused when the file is read, and never guessed at: a typing error must not
give anybody more than was meant.
"""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from identity_service.adapters.authorization.strict_yaml import Document, Location, StrictYamlError
from identity_service.domain.guard_rails import GuardRails
from identity_service.domain.spiffe import INSECURE_TRUST_DOMAIN, check_workload_id, trust_domain_of

EVERY_OTHER_ACCOUNT = "*"
UNGUARDED = "unguarded"

WORDS = {
    "dict_type": "must be a mapping",
    "extra_forbidden": "this key is not known here",
    "list_type": "must be a list",
    "literal_error": "must be 'allowed' or 'forbidden'",
    "missing": "this key is missing",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "too_short": "must not be empty",
}
"""What the kinds of a mistake are called; others keep pydantic's words."""

Mistake = tuple[Location, str]


class AuthorizationFileError(ValueError):
    """Authorization files that are not to be used; the text says line by line in which file what is wrong."""


def _check_account(account: str) -> str:
    if not re.fullmatch("[0-9]{12}", account) and account != EVERY_OTHER_ACCOUNT:
        raise ValueError(f"an account id has 12 digits; {EVERY_OTHER_ACCOUNT!r} stands for every account not named")
    return account


def _check_team_name(name: str) -> str:
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name):
        raise ValueError("a team's name has up to 128 letters, digits, '.', '_' and '-', a letter or digit first")
    return name


def _check_arn(pattern: str) -> str:
    if not pattern.startswith("arn:"):
        raise ValueError("this is no policy's ARN")
    return pattern


def _check_path(pattern: str) -> str:
    # `/people*` would also be `/people-of-somebody-else/`.
    if not re.fullmatch(r"/([!-~]+/)?\*?", pattern):
        raise ValueError("a path begins and ends with '/'; a '*' after that stands for all below")
    return pattern


def _check_regular_expression(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"this is no regular expression: {error.msg}") from None
    return pattern


def _unguarded_or_rails(value: object) -> object:
    if value == UNGUARDED:
        return GuardRailSettings()
    if value in ({}, ""):
        raise ValueError(f"set a guard rail, or say {UNGUARDED!r}")
    return value


def _check_some(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


AccountKey = Annotated[str, AfterValidator(_check_account)]
SpiffeId = Annotated[str, AfterValidator(check_workload_id)]
TeamName = Annotated[str, AfterValidator(_check_team_name)]
"""Fits the value of the owner tag and the contract's `owner_team`."""
Arns = list[Annotated[str, AfterValidator(_check_arn)]]
Paths = list[Annotated[str, AfterValidator(_check_path)]]
Names = list[Annotated[str, AfterValidator(_check_some)]]
RegularExpression = Annotated[str, AfterValidator(_check_regular_expression)]
AllowedOrForbidden = Literal["allowed", "forbidden"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class GuardRailSettings(_Settings):
    """The guard rails of a team in an account; one that is left out does not guard."""

    required_boundary: Annotated[Arns, Field(min_length=1)] | None = None
    allowed_paths: Paths | None = None
    user_name_pattern: RegularExpression | None = None
    allowed_policies: Arns | None = None
    allowed_groups: Names | None = None
    inline_documents: AllowedOrForbidden = "allowed"
    self_management: AllowedOrForbidden = "allowed"

    def rails(self) -> GuardRails:
        """Return them as the domain judges them."""
        return GuardRails(
            required_boundary=_tuple(self.required_boundary),
            allowed_paths=_tuple(self.allowed_paths),
            user_name_pattern=self.user_name_pattern,
            allowed_policies=_tuple(self.allowed_policies),
            allowed_groups=_tuple(self.allowed_groups),
            inline_documents=self.inline_documents == "allowed",
            self_management=self.self_management == "allowed",
        )


def _tuple(listed: list[str] | None) -> tuple[str, ...] | None:
    return None if listed is None else tuple(listed)


class TeamSettings(_Settings):
    """Where a team may do anything at all, and its guard rails there."""

    accounts: Annotated[
        dict[AccountKey, Annotated[GuardRailSettings, BeforeValidator(_unguarded_or_rails)]], Field(min_length=1)
    ]

    def rails(self) -> dict[str, GuardRails]:
        """Return the guard rails by account."""
        return {account: settings.rails() for account, settings in self.accounts.items()}


class AuthorizationSettings(_Settings):
    """The whole file: the teams, and the team of each caller."""

    teams: Annotated[dict[TeamName, TeamSettings], Field(min_length=1)]
    callers: Annotated[dict[SpiffeId, str], Field(min_length=1)]

    @property
    def trust_domains(self) -> frozenset[str]:
        """The trust domain that certificates of callers are of; none if only a server without TLS has callers."""
        return frozenset(map(trust_domain_of, self.callers)) - {INSECURE_TRUST_DOMAIN}


def parse(name: str, text: str) -> AuthorizationSettings:
    """Check the text of a file. Raises AuthorizationFileError, whose lines begin with the file's name."""
    try:
        document = Document(text)
    except StrictYamlError as problem:
        raise AuthorizationFileError(f"{name}:{problem.line}: {problem.message}") from None
    if document.value is None:
        raise AuthorizationFileError(f"{name}: the file is empty")
    return _check(name, document)


def _check(name: str, document: Document) -> AuthorizationSettings:
    try:
        settings = AuthorizationSettings.model_validate(document.value)
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors(include_url=False, include_input=False)]
    else:
        mistakes = [*_unknown_teams(settings), *_other_trust_domains(settings)]
        if not mistakes:
            return settings
    lines = [f"{name}:{document.line_of(at)}: {_key_path(at)}: {message}" for at, message in mistakes]
    raise AuthorizationFileError("\n".join(lines))


def _mistake(detail: ErrorDetails) -> Mistake:
    # pydantic marks a mistake in a key, as against its value, by a last part "[key]".
    at = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "value_error":
        return at, str(detail["ctx"]["error"])
    return at, WORDS.get(detail["type"], detail["msg"])


def _unknown_teams(settings: AuthorizationSettings) -> list[Mistake]:
    return [
        (("callers", caller_id), f"the file has no team {team!r}")
        for caller_id, team in settings.callers.items()
        if team not in settings.teams
    ]


def _other_trust_domains(settings: AuthorizationSettings) -> list[Mistake]:
    """Find the callers of further trust domains than the first: one bundle of authorities vouches for all callers."""
    callers = [caller_id for caller_id in settings.callers if trust_domain_of(caller_id) in settings.trust_domains]
    return [
        (("callers", caller_id), f"all callers are of one trust domain, and the first is of {trust_domain_of(first)}")
        for first in callers[:1]
        for caller_id in callers
        if trust_domain_of(caller_id) != trust_domain_of(first)
    ]


def _key_path(location: Location) -> str:
    """Write a location as people do: `teams.people-team.rpcs[0]`, `callers["spiffe://..."]`."""
    written = ""
    for part in location:
        if isinstance(part, int):
            written += f"[{part}]"
        elif "/" in part or "." in part or part == EVERY_OTHER_ACCOUNT:
            written += f'["{part}"]'
        else:
            written += f".{part}" if written else part
    return written or "the file"
