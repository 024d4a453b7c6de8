"""Which files a run has written, for the person to find them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Written:
    """The files of one run, noted as they are written.

    Attributes:
        csv: the credentials file, None if it got no line from this run.
        devices: the pairs of QR code and seed.
        drafts: the mail drafts.
    """

    csv: Path | None = None
    devices: list[tuple[Path, Path]] = field(default_factory=list)
    drafts: list[Path] = field(default_factory=list)

    def told(self) -> Iterator[str]:
        """Answer a sentence for each kind of file that was written; of many files the folder is named."""
        if self.csv is not None:
            yield f"The credentials are in {self.csv}."
        if len(self.devices) == 1:
            ((picture, seed),) = self.devices
            yield f"The MFA device's QR code is in {picture}, its seed in {seed}."
        elif self.devices:
            yield f"The QR codes and seeds of {len(self.devices)} MFA devices are in {self.devices[0][0].parent}."
        if len(self.drafts) == 1:
            yield f"The mail draft is {self.drafts[0]}."
        elif self.drafts:
            yield f"{len(self.drafts)} mail drafts are in {self.drafts[0].parent}."
