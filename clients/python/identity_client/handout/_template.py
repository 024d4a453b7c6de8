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
_NO_SUBJECT = "the first line must be `Subject: ...`"
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
        TemplateError: it breaks rules; the text names each line that does, in their order.
    """
    lines = text.replace("\r\n", "\n").split("\n")
    end = lines.index("") if "" in lines else len(lines)
    headers, complaints = _headers(lines[:end])
    body = "\n".join(lines[end + 1 :]).strip("\n")
    if not body.strip():
        complaints.append((len(lines), "there is no body; it begins behind the first empty line"))
    for number, line in enumerate(lines, start=1):
        complaints += [(number, complaint) for complaint in _line_complaints(line)]
    if complaints:
        raise TemplateError("\n".join(f"{source}:{number}: {complaint}" for number, complaint in sorted(complaints)))
    return MailTemplate(
        subject=headers["Subject"],
        body=body + "\n",
        sender=headers.get("From", ""),
        reset_notice=headers.get("Reset-Notice", ""),
    )


def _headers(lines: list[str]) -> tuple[dict[str, str], list[tuple[int, str]]]:
    """Answer the headers, and what is wrong with them, by line."""
    headers: dict[str, str] = {}
    complaints: list[tuple[int, str]] = []
    for number, line in enumerate(lines, start=1):
        name, _, value = line.partition(":")
        known = next((each for each in _HEADERS if each.casefold() == name.casefold()), "")
        complaint = _header_complaint(number, line, known, headers)
        if complaint:
            complaints.append((number, complaint))
        if known:
            headers[known] = value.strip()
    return headers, complaints if lines else [(1, _NO_SUBJECT)]


def _header_complaint(number: int, line: str, known: str, earlier: Mapping[str, str]) -> str:
    """Answer what is wrong with a header's line; empty if nothing."""
    _, colon, value = line.partition(":")
    if number == 1 and (known != "Subject" or not colon):
        return _NO_SUBJECT
    if not colon or not known:
        return f"is no header; there are {', '.join(_HEADERS)}, then an empty line"
    if known in earlier:
        return f"{known} is there twice"
    if not value.strip():
        return f"{known} is empty"
    return _value_complaint(known, value.strip())


def _value_complaint(header: str, value: str) -> str:
    """Hold the headers that take no placeholders to that."""
    if header == "From":
        try:
            checked_address(value)
        except ValueError as error:
            return str(error)
    if header == "Reset-Notice" and "$" in value:
        return "Reset-Notice takes no placeholders; it is what $reset_notice stands for"
    return ""


def _line_complaints(line: str) -> Iterator[str]:
    """Answer what no line may hold and this one does."""
    if any(unicodedata.category(char) in _CONTROLS and char != "\t" for char in line):
        yield "holds a control character"
    for name in _placeholders(line):
        if name is None:
            yield "a dollar sign that begins no placeholder is written $$"
        elif name not in PLACEHOLDERS and _SECRETS.search(name):
            yield f"${name}: no secret goes by mail, there is no such placeholder"
        elif name not in PLACEHOLDERS:
            yield f"${name} is not known; known are {', '.join(PLACEHOLDERS)}"


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
