"""Runs moto's own server as it is, for comparison. Each line on standard input empties its account.

moto's own reset reads AWS's 1,582 managed policies anew, which takes half a second; putting the containers of
the fresh account back takes none.
"""

from __future__ import annotations

import copy
import os
import sys
from typing import Any

ACCOUNT_ID = "123456789012"


def main() -> None:
    """Serve until standard input closes."""
    # moto reads this when it is imported.
    os.environ["MOTO_IAM_LOAD_MANAGED_POLICIES"] = "true"
    from moto.iam.models import iam_backends
    from moto.server import ThreadedMotoServer
    from moto.sts.models import sts_backends
    from moto.utilities.tagging_service import TaggingService

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    iam = iam_backends[ACCOUNT_ID]["aws"]
    fresh: dict[str, Any] = {name: copy.copy(value) for name, value in vars(iam).items()}
    print(server.get_host_and_port()[1], flush=True)
    for _ in sys.stdin:
        for name, value in fresh.items():
            setattr(iam, name, copy.copy(value) if isinstance(value, dict | list) else value)
        for policy in iam.managed_policies.values():
            policy.attachment_count = 0
        iam.tagger = TaggingService()
        sts_backends[ACCOUNT_ID]["aws"].assumed_roles.clear()
        print("empty", flush=True)
    server.stop()


if __name__ == "__main__":
    main()
