"""The account itself: quotas, password policy, alias."""

from identity_service.adapters.aws_iam import answers
from identity_service.adapters.aws_iam.iam_part import IamPart
from identity_service.domain.entities import AccountSummary
from identity_service.domain.passwords import DEFAULT_POLICY, PasswordPolicy


class AccountReads(IamPart):
    """The calls about the account as a whole."""

    async def get_account_summary(self) -> AccountSummary:
        """GetAccountSummary."""
        reply = await self._iam.call("GetAccountSummary")
        return AccountSummary(reply.value["SummaryMap"])

    async def get_password_policy(self) -> PasswordPolicy:
        """GetAccountPasswordPolicy, or AWS's default policy where the account has set none."""
        value = await self._found("GetAccountPasswordPolicy")
        return DEFAULT_POLICY if value is None else answers.password_policy(value["PasswordPolicy"])

    async def get_alias(self) -> str:
        """ListAccountAliases; empty if there is none."""
        aliases = await self._iam.items("ListAccountAliases", "AccountAliases")
        return str(aliases[0]) if aliases else ""
