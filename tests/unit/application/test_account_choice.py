"""Which account a request is about: what its caller is told, and what it does not learn."""

import pytest

from identity_service.application.account_choice import AccountChoice
from identity_service.domain.caller import Caller
from identity_service.domain.errors import IdentityError, Reason
from identity_service.domain.target import Target

ONE, TWO, FOREIGN = "111111111111", "222222222222", "333333333333"
CALLER = Caller("spiffe://example.org/bot", "bots")


class Doors:
    """An authorizer that lets a team into some accounts and lets it do everything there."""

    def __init__(self, *account_ids: str) -> None:
        self._account_ids = account_ids

    def may_use(self, caller: Caller, account_id: str) -> bool:
        """Tell whether the account is one of them."""
        return account_id in self._account_ids

    def may_ask(self, caller: Caller, action: str, account_id: str, target: Target | None) -> None:
        """Refuse all others."""
        if account_id not in self._account_ids:
            raise IdentityError(Reason.CALLER_NOT_ALLOWED, "not here", {"action": action, "rule": "rpc"})


def test_the_only_account_need_not_be_named() -> None:
    """With one account nothing is wrong with a request that names none, and it means that one."""
    choice = AccountChoice([ONE], Doors())
    assert choice.only_id == ONE
    assert choice.violations(CALLER, "") == ()


def test_of_several_accounts_those_are_named_that_the_caller_may_use() -> None:
    """A request without an account is told which ones it may name, and hears of no other."""
    choice = AccountChoice([ONE, TWO, FOREIGN], Doors(ONE, TWO))
    (violation,) = choice.violations(CALLER, "")
    assert choice.only_id == ""
    assert violation.field == "account_id"
    assert violation.message == f"must name an account: {ONE}, {TWO}"
    assert choice.violations(CALLER, ONE) == ()


def test_who_may_use_no_account_is_told_of_none() -> None:
    """A team that is let into no account learns of none."""
    (violation,) = AccountChoice([ONE, TWO], Doors()).violations(CALLER, "")
    assert violation.message == "must name an account"


def test_not_more_accounts_are_named_than_one_reads() -> None:
    """Of very many accounts the first are named, and that there are more."""
    ids = [f"{number:012d}" for number in range(100)]
    (violation,) = AccountChoice(ids, Doors(*ids)).violations(CALLER, "")
    assert violation.message.startswith(f"must name an account: {ids[0]}, ")
    assert violation.message.endswith(f"{ids[19]}, ...")


def test_an_unknown_account_is_refused_like_a_forbidden_one() -> None:
    """Who is let into neither cannot tell an account that is configured from one that is not."""
    with pytest.raises(IdentityError) as refused:
        AccountChoice([ONE], Doors(ONE)).require(CALLER, "GetUser", FOREIGN)
    assert refused.value.reason is Reason.CALLER_NOT_ALLOWED
    assert refused.value.metadata == {"action": "GetUser", "rule": "rpc"}


@pytest.mark.parametrize("account_id", ["", ONE, FOREIGN])
def test_what_the_caller_may_name_passes(account_id: str) -> None:
    """A configured account is judged with its target later; one that only the caller knows is not found later."""
    AccountChoice([ONE, TWO], Doors(FOREIGN)).require(CALLER, "GetUser", account_id)
