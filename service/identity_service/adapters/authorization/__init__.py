"""Authorization: who acts for which team, and what a team may ask for, from a file."""

from identity_service.adapters.authorization.file_authorizer import FileAuthorizer
from identity_service.adapters.authorization.settings import AuthorizationFileError

__all__ = ["AuthorizationFileError", "FileAuthorizer"]
