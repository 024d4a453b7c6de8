"""Authorization: who acts for which team, and what a team may ask for and have, from a folder of files."""

from identity_service.adapters.authorization.file_authorizer import AuthorizationState, FileAuthorizer, keep_fresh
from identity_service.adapters.authorization.settings import AuthorizationFileError

__all__ = ["AuthorizationFileError", "AuthorizationState", "FileAuthorizer", "keep_fresh"]
