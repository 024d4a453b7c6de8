"""Makes a partner's user with an access key, sealed to the partner; prints the text that only the partner can open."""

import os
import sys
from pathlib import Path

from identity_client import IdentityClient, IdentityServiceError, TlsFiles


def main() -> int:
    """Make the user; return the exit code, 1 for Kubernetes to try again."""
    folder = Path(os.environ["TLS_FOLDER"])
    tls = TlsFiles(folder / "ca.crt", folder / "tls.crt", folder / "tls.key")
    with IdentityClient(os.environ["IDENTITY_TARGET"], tls=tls, timeout=120) as client:
        try:
            made = client.provision_user(
                "partner-umbra",
                path="/partners/",
                boundary="PartnerBoundary",
                groups=["PartnerUploads"],
                access_key=True,
                recipients=[os.environ["RECIPIENT"]],
                request_id=os.environ["REQUEST_ID"],
            )
        except IdentityServiceError as error:
            print(error, file=sys.stderr)
            return 1
    print(made.credentials.sealed_secrets, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
