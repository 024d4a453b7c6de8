"""The authorization file: its form, and the check of one against it.

Everything that is not understood is refused when the file is read, and never guessed at: a typing error must not
give anybody more than was meant.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from identity_service.adapters.authorization.strict_yaml import Document, Location, StrictYamlError
from identity_service.domain.spiffe import check_workload_id

EVERY_RPC = "*"

WORDS = {
    "dict_type": "must be a mapping",
    "extra_forbidden": "this key is not known here",
    "list_type": "must be a list",
    "missing": "this key is missing",
    "model_type": "must be a mapping",
    "string_type": "must be text",
    "too_short": "must not be empty",
}
"""What the kinds of a mistake are called; others keep pydantic's words."""

Mistake = tuple[Location, str]


class AuthorizationFileError(ValueError):
    """An authorization file that is not to be used; the text names the file and, line by line, what is wrong."""


def _one_star_as_list(value: object) -> object:
    return [EVERY_RPC] if value == EVERY_RPC else value


def _star_alone(rpcs: list[str]) -> list[str]:
    if EVERY_RPC in rpcs and len(rpcs) > 1:
        raise ValueError(f"{EVERY_RPC!r} stands for every RPC and stands alone")
    return rpcs


def _check_account_id(account_id: str) -> str:
    if not re.fullmatch("[0-9]{12}", account_id):
        raise ValueError("an account id has 12 digits")
    return account_id


def _check_team_name(name: str) -> str:
    if not re.fullmatch("[A-Za-z0-9][A-Za-z0-9._-]{0,127}", name):
        raise ValueError("a team's name has up to 128 letters, digits, '.', '_' and '-', a letter or digit first")
    return name


AccountId = Annotated[str, AfterValidator(_check_account_id)]
SpiffeId = Annotated[str, AfterValidator(check_workload_id)]
TeamName = Annotated[str, AfterValidator(_check_team_name)]
"""Fits the value of the owner tag and the contract's `owner_team`."""
Rpcs = Annotated[list[str], Field(min_length=1), BeforeValidator(_one_star_as_list), AfterValidator(_star_alone)]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class TeamSettings(_Settings):
    """What a team may ask for: RPCs by name, and accounts; every configured account if none is named."""

    rpcs: Rpcs
    # Left out means every account; written and empty does not: a list whose last line was commented out is a mistake.
    accounts: Annotated[list[AccountId], Field(min_length=1)] = Field(default_factory=list)

    def allows(self, action: str, account_id: str) -> bool:
        """Tell whether the team may ask for an RPC in an account."""
        rpc_allowed = action in self.rpcs or EVERY_RPC in self.rpcs
        return rpc_allowed and (not self.accounts or account_id in self.accounts)


class AuthorizationSettings(_Settings):
    """The whole file: the teams, and the team of each caller."""

    teams: Annotated[dict[TeamName, TeamSettings], Field(min_length=1)]
    callers: Annotated[dict[SpiffeId, str], Field(min_length=1)]


def read(path: Path, known_rpcs: frozenset[str]) -> AuthorizationSettings:
    """Read and check a file. Raises AuthorizationFileError."""
    try:
        document = Document(path.read_text(encoding="utf-8"))
    except StrictYamlError as problem:
        raise AuthorizationFileError(f"{path}:{problem.line}: {problem.message}") from None
    except UnicodeDecodeError:
        raise AuthorizationFileError(f"{path}: this is not UTF-8") from None
    except OSError as error:
        raise AuthorizationFileError(f"{path}: the file cannot be read: {error.strerror}") from None
    if document.value is None:
        raise AuthorizationFileError(f"{path}: the file is empty")
    return _check(path, document, known_rpcs)


def _check(path: Path, document: Document, known_rpcs: frozenset[str]) -> AuthorizationSettings:
    try:
        settings = AuthorizationSettings.model_validate(document.value)
    except ValidationError as error:
        mistakes = [_mistake(detail) for detail in error.errors(include_url=False, include_input=False)]
    else:
        mistakes = _unknown_names(settings, known_rpcs)
        if not mistakes:
            return settings
    lines = [f"{path}:{document.line_of(at)}: {_key_path(at)}: {message}" for at, message in mistakes]
    raise AuthorizationFileError("\n".join(lines))


def _mistake(detail: ErrorDetails) -> Mistake:
    # pydantic marks a mistake in a key, as against its value, by a last part "[key]".
    at = tuple(part for part in detail["loc"] if part != "[key]")
    if detail["type"] == "value_error":
        return at, str(detail["ctx"]["error"])
    return at, WORDS.get(detail["type"], detail["msg"])


def _unknown_names(settings: AuthorizationSettings, known_rpcs: frozenset[str]) -> list[Mistake]:
    """Find names that lead nowhere: RPCs that the contract lacks, teams that the file lacks."""
    rpcs: list[Mistake] = [
        (("teams", name, "rpcs", index), f"the contract has no RPC {rpc!r}")
        for name, team in settings.teams.items()
        for index, rpc in enumerate(team.rpcs)
        if rpc != EVERY_RPC and rpc not in known_rpcs
    ]
    teams: list[Mistake] = [
        (("callers", caller_id), f"the file has no team {team!r}")
        for caller_id, team in settings.callers.items()
        if team not in settings.teams
    ]
    return rpcs + teams


def _key_path(location: Location) -> str:
    """Write a location as people do: `teams.people-team.rpcs[0]`, `callers["spiffe://..."]`."""
    written = ""
    for part in location:
        if isinstance(part, int):
            written += f"[{part}]"
        elif "/" in part or "." in part:
            written += f'["{part}"]'
        else:
            written += f".{part}" if written else part
    return written or "the file"
