"""Mail templates: headers, an empty line, and a body with placeholders.

    Subject: Your AWS user $user_name
    From: platform-team@example.com
    Reset-Notice: You will be asked to choose another password.

    Hello $user_name, sign in at $sign_in_url.
    $reset_notice

`Subject` comes first and is required, the others may be left out. A dollar sign itself is written `$$`. There is no
placeholder for a password, and one that is not known is refused when the template is read, not when a mail is
written. A line of the body that only holds placeholders without a value is left out.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template

from identity_client.handout._addresses import checked_address

PLACEHOLDERS = (
    "user_name",
    "sign_in_url",
    "account_id",
    "account_alias",
    "account_name",
    "partition",
    "reset_notice",
)
LANGUAGES = ("en", "ja")
_HEADERS = ("Subject", "From", "Reset-Notice")
_LARGEST = 64 * 1024
_CONTROLS = ("Cc", "Cs", "Zl", "Zp")
_SECRETS = re.compile(r"pass|secret|key|seed", re.IGNORECASE)


class TemplateError(ValueError):
    """A template cannot be used; the text names the line."""


@dataclass(frozen=True)
class MailTemplate:
    """A template that was read and checked."""

    subject: str
    body: str
    sender: str = ""
    reset_notice: str = ""

    def filled(self, values: Mapping[str, str]) -> tuple[str, str]:
        """Answer subject and body with the placeholders' values; every placeholder must have one."""
        lines = (line for line in self.body.splitlines(keepends=True) if not _comes_to_nothing(line, values))
        return Template(self.subject).substitute(values), "".join(Template(line).substitute(values) for line in lines)


def load_template(path: str | os.PathLike[str]) -> MailTemplate:
    """Read a template from a UTF-8 file.

    Raises:
        TemplateError: it breaks a rule; the text names file and line.
        OSError: the file cannot be read.
    """
    with Path(path).open("rb") as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise TemplateError(f"{path}: is larger than {_LARGEST} bytes")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise TemplateError(f"{path}:{line}: is not UTF-8 text") from None
    return parse_template(text, os.fspath(path))


def shipped_template(language: str) -> MailTemplate:
    """Answer one of the templates that come with the library.

    Raises:
        ValueError: there is none in that language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"there is no template in {language!r}; there are {', '.join(LANGUAGES)}")
    file = resources.files("identity_client.handout") / "templates" / f"{language}.txt"
    return parse_template(file.read_text(encoding="utf-8"), f"{language}.txt")


def parse_template(text: str, source: str = "template") -> MailTemplate:
    """Check a template's text and take it apart; `source` is what complaints call it.

    Raises:
        TemplateError: it breaks a rule; the text names the line.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    _refuse_control_characters(lines, source)
    end = lines.index("") if "" in lines else len(lines)
    headers = _headers(lines[:end], source)
    body = "\n".join(lines[end + 1 :]).strip("\n")
    if not body.strip():
        raise TemplateError(f"{source}:{len(lines)}: there is no body; it begins behind the first empty line")
    _check_placeholders(lines, source)
    return MailTemplate(
        subject=headers["Subject"],
        body=body + "\n",
        sender=headers.get("From", ""),
        reset_notice=headers.get("Reset-Notice", ""),
    )


def _headers(lines: list[str], source: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        name, colon, value = line.partition(":")
        known = next((each for each in _HEADERS if each.casefold() == name.casefold()), "")
        if number == 1 and known != "Subject":
            raise TemplateError(f"{source}:1: the first line must be `Subject: ...`")
        if not colon or not known:
            raise TemplateError(f"{source}:{number}: is no header; there are {', '.join(_HEADERS)}, then an empty line")
        if known in headers:
            raise TemplateError(f"{source}:{number}: {known} is there twice")
        if not value.strip():
            raise TemplateError(f"{source}:{number}: {known} is empty")
        headers[known] = _checked(known, value.strip(), f"{source}:{number}")
    if not headers:
        raise TemplateError(f"{source}:1: the first line must be `Subject: ...`")
    return headers


def _checked(header: str, value: str, place: str) -> str:
    """Hold the headers that take no placeholders to that."""
    if header == "From":
        try:
            return checked_address(value)
        except ValueError as error:
            raise TemplateError(f"{place}: {error}") from None
    if header == "Reset-Notice" and "$" in value:
        raise TemplateError(f"{place}: Reset-Notice takes no placeholders; it is what $reset_notice stands for")
    return value


def _refuse_control_characters(lines: list[str], source: str) -> None:
    for number, line in enumerate(lines, start=1):
        if any(unicodedata.category(char) in _CONTROLS and char != "\t" for char in line):
            raise TemplateError(f"{source}:{number}: holds a control character")


def _check_placeholders(lines: list[str], source: str) -> None:
    for number, line in enumerate(lines, start=1):
        for name in _placeholders(line):
            if name is None:
                raise TemplateError(f"{source}:{number}: a dollar sign that begins no placeholder is written $$")
            if name in PLACEHOLDERS:
                continue
            if _SECRETS.search(name):
                raise TemplateError(f"{source}:{number}: ${name}: no secret goes by mail, there is no such placeholder")
            raise TemplateError(f"{source}:{number}: ${name} is not known; known are {', '.join(PLACEHOLDERS)}")


def _placeholders(line: str) -> Iterator[str | None]:
    """Answer the names of a line's placeholders; None for a dollar sign that is neither one nor doubled."""
    for match in Template.pattern.finditer(line):
        if match["invalid"] is not None:
            yield None
        elif match["escaped"] is None:
            yield match["named"] or match["braced"]


def _comes_to_nothing(line: str, values: Mapping[str, str]) -> bool:
    names = [name for name in _placeholders(line) if name]
    return bool(names) and not Template(line).substitute(values).strip()
