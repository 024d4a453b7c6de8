"""Runs a program in an unpacked image as Kubernetes would under the profile "restricted", without a container engine.

The root is mounted read-only, /tmp and the given folders are all that can be written, processes see no others, and
the program runs as a numeric user that can gain no privileges. The network is this machine's. Needs root and
util-linux.
"""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

NOBODY = 65532
# In namespaces of its own, which end with it, so that there is nothing to unmount. $1 is the image's root; pairs of a
# folder and its place follow, then `--` and the command.
SCRIPT = """
set -eu
root=$1; shift
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs tmpfs "$root/tmp"
while [ "$1" != -- ]; do mount --bind "$1" "$root$2"; shift 2; done
shift
exec setpriv --no-new-privs chroot --userspec="$user:$user" --groups= "$root" "$@"
"""


class ReadOnlyRoot:
    """The unpacked image, with folders of this machine mounted in it."""

    def __init__(self, root: Path, environment: Sequence[str], mounts: Mapping[Path, str]) -> None:
        self.root = root
        self._environment = environment
        self._mounts = mounts
        for place in mounts.values():  # as an engine makes what it mounts on
            (root / place.removeprefix("/")).mkdir(parents=True, exist_ok=True)

    def start(
        self, command: Sequence[str], environment: Mapping[str, str] | None = None, *, folder: str = "/"
    ) -> subprocess.Popen[str]:
        """Start a command in a folder, with the image's environment and more; its output and log are pipes."""
        mounts = [text for source, place in self._mounts.items() for text in (str(source), place)]
        variables = [*self._environment, *(f"{name}={value}" for name, value in (environment or {}).items())]
        inside = ["env", "-i", "-C", folder, *variables, *command]
        apart = ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
        return subprocess.Popen(
            [*apart, "sh", "-c", SCRIPT, "sh", str(self.root), *mounts, "--", *inside],
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "user": str(NOBODY)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *command: str) -> tuple[int, str]:
        """Run a command to its end; return its exit code and all that it said."""
        with self.start(command) as process:
            output, errors = process.communicate(timeout=60)
        return process.returncode, output + errors
