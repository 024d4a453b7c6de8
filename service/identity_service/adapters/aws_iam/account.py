"""IAM of one AWS account through boto3."""

from identity_service.adapters.aws_iam.account_reads import AccountReads
from identity_service.adapters.aws_iam.credentials import Credentials
from identity_service.adapters.aws_iam.groups import Groups
from identity_service.adapters.aws_iam.managed_policies import ManagedPolicies
from identity_service.adapters.aws_iam.mfa_devices import MfaDevices
from identity_service.adapters.aws_iam.user_permissions import UserPermissions
from identity_service.adapters.aws_iam.users import Users


class BotoIamAccount(AccountReads, Users, Credentials, MfaDevices, UserPermissions, Groups, ManagedPolicies):
    """Fulfils `IamAccount`; each base class has the calls of one subject."""

    @property
    def account_id(self) -> str:
        """The account's id, 12 digits."""
        return self._account_id

    @property
    def partition(self) -> str:
        """The partition: `aws`, `aws-cn`, `aws-us-gov`."""
        return self._partition
