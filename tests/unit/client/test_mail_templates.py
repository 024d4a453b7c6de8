"""Mail templates: what may stand in them, the languages that are shipped, and drafts that are whole or not there."""

from __future__ import annotations

import os
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from identity_client.handout import (
    LANGUAGES,
    PLACEHOLDERS,
    SignInPage,
    TemplateError,
    load_template,
    mail_draft,
    parse_template,
    shipped_template,
    sign_in_page,
    write_mail_draft,
)

URL = "https://acme.signin.aws.amazon.com/console"
LETTERS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=60)


def read(draft: EmailMessage) -> EmailMessage:
    """Read a draft as a mail program would."""
    message = message_from_bytes(draft.as_bytes(), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


@pytest.mark.parametrize(
    ("url", "page"),
    [
        ("https://acme.signin.aws.amazon.com/console", SignInPage("", "acme", "aws")),
        ("https://123456789012.signin.aws.amazon.com/console", SignInPage("123456789012", "", "aws")),
        ("https://123456789012.signin.amazonaws.cn/console", SignInPage("123456789012", "", "aws-cn")),
        ("https://acme-cn.signin.amazonaws.cn/console", SignInPage("", "acme-cn", "aws-cn")),
        ("https://acme-gov.signin.amazonaws-us-gov.com/console", SignInPage("", "acme-gov", "aws-us-gov")),
        ("https://123456789012.signin.amazonaws-us-gov.com/console", SignInPage("123456789012", "", "aws-us-gov")),
        ("http://localhost:5000/", SignInPage()),
        ("https://[", SignInPage()),
        ("", SignInPage()),
    ],
)
def test_the_sign_in_page_tells_account_alias_and_partition(url: str, page: SignInPage) -> None:
    """Each partition's host is known, the name before it is an alias or an id, and anything else says nothing."""
    assert sign_in_page(url) == page


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://acme.signin.aws.amazon.com/console", "123456789012|acme|acme|aws"),
        ("https://123456789012.signin.amazonaws.cn/console", "123456789012||123456789012|aws-cn"),
        ("https://acme.signin.amazonaws-us-gov.com/console", "123456789012|acme|acme|aws-us-gov"),
    ],
)
def test_a_template_has_the_account_in_every_partition(url: str, expected: str) -> None:
    """Id, alias and partition are filled in, and the name is the alias where there is one."""
    template = parse_template("Subject: s\n\n$account_id|$account_alias|$account_name|$partition\n$sign_in_url\n")
    body = mail_draft("ana", url, account_id="123456789012", template=template).get_content()
    assert body.splitlines() == [expected, url]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("reset", [True, False])
def test_the_shipped_texts_say_how_to_sign_in(language: str, reset: bool) -> None:
    """Each names user, page and account, says whether the password is to be changed, and leaves nothing unfilled."""
    template = shipped_template(language)
    draft = read(mail_draft("ana.lima", URL, reset_required=reset, template=template))
    body = draft.get_content()
    assert all(text in body for text in ("ana.lima", URL, "acme"))
    assert "$" not in body + draft["Subject"]
    assert (template.reset_notice in body) == reset
    assert draft["X-Unsent"] == "1"


def test_japanese_arrives_as_it_was_written() -> None:
    """Subject and body are encoded so that a mail program shows the same characters, from bytes that are ASCII."""
    draft = mail_draft("kenji.sato", URL, recipient="kenji@example.com", template=shipped_template("ja"))
    assert draft.as_bytes().isascii()
    assert read(draft)["Subject"] == "AWS ユーザー kenji.sato のお知らせ"
    assert "パスワードは別の手段でお届けします。" in read(draft).get_content()
    assert read(draft).get_content_charset() == "utf-8"


def test_an_unknown_language_is_refused() -> None:
    """The answer names the languages that there are."""
    with pytest.raises(ValueError, match="en, ja"):
        shipped_template("xx")


def test_a_template_of_ones_own_is_read_from_a_file(tmp_path: Path) -> None:
    """Headers come first, a byte order mark and Windows' line ends do no harm, and `$$` is a dollar sign."""
    file = tmp_path / "mail.txt"
    file.write_bytes(
        "\ufeffSubject: Zugang für $user_name\r\nFrom: it@example.com\r\n\r\nGrüße, ${user_name}さん: $$5\r\n".encode()
    )
    draft = read(mail_draft("ana", URL, template=load_template(file)))
    assert (draft["Subject"], draft["From"]) == ("Zugang für ana", "it@example.com")
    assert draft.get_content().splitlines() == ["Grüße, anaさん: $5"]
    assert read(mail_draft("ana", URL, sender="me@example.com", template=load_template(file)))["From"] == (
        "me@example.com"
    )


def test_a_line_whose_placeholder_has_no_value_is_left_out() -> None:
    """Where there is no alias or no reset, no empty line tells of it."""
    template = parse_template("Subject: s\nReset-Notice: Change it.\n\na\n$reset_notice\n$account_alias\nb\n")
    assert mail_draft("ana", "https://x", template=template).get_content() == "a\nb\n"
    assert mail_draft("ana", URL, reset_required=True, template=template).get_content() == "a\nChange it.\nacme\nb\n"


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "t:1: the first line must be"),
        ("Hello\n\nbody", "t:1: the first line must be"),
        ("From: a@b.c\nSubject: s\n\nbody", "t:1: the first line must be"),
        ("Subject: s", "t:1: there is no body"),
        ("Subject: s\n\n \n", "t:4: there is no body"),
        ("Subject:\n\nbody", "t:1: Subject is empty"),
        ("Subject: s\nBcc: a@b.c\n\nbody", "t:2: is no header"),
        ("Subject: s\nHello you\n\nbody", "t:2: is no header"),
        ("Subject: s\nSubject: t\n\nbody", "t:2: Subject is there twice"),
        ("Subject: s\nFrom: nobody\n\nbody", "t:2: 'nobody' is not a mail address"),
        ("Subject: s\nReset-Notice: $user_name\n\nbody", "t:2: Reset-Notice takes no placeholders"),
        ("Subject: $usr_name\n\nbody", "t:1: $usr_name is not known; known are user_name"),
        ("Subject: s\n\nHello\n$User_Name", "t:4: $User_Name is not known"),
        ("Subject: s\n\nYours is $password", "t:3: $password: no secret goes by mail"),
        ("Subject: s\n\n${secret_access_key}", "t:3: $secret_access_key: no secret goes by mail"),
        ("Subject: s\n\nIt costs $5", "t:3: a dollar sign that begins no placeholder"),
        ("Subject: s\n\nnul \0", "t:3: holds a control character"),
        ("Subject: s\n\nline\u2028end", "t:3: holds a control character"),
    ],
)
def test_a_mistake_in_a_template_names_its_line(text: str, complaint: str) -> None:
    """Whatever is wrong is told when the template is read, with the line."""
    with pytest.raises(TemplateError) as caught:
        parse_template(text, "t")
    assert str(caught.value).startswith(complaint)


def test_a_file_that_is_no_template_is_told(tmp_path: Path) -> None:
    """Bytes that are no text name their line, and a file beyond all measure is not read."""
    (tmp_path / "latin").write_bytes(b"Subject: s\n\nGr\xfc\xdfe")
    (tmp_path / "large").write_bytes(b"Subject: s\n\n" + b"x" * 70_000)
    with pytest.raises(TemplateError, match="latin:3: is not UTF-8"):
        load_template(tmp_path / "latin")
    with pytest.raises(TemplateError, match="larger than"):
        load_template(tmp_path / "large")
    with pytest.raises(OSError, match="No such file"):
        load_template(tmp_path / "gone")


def test_there_is_no_placeholder_for_a_secret() -> None:
    """No name that a template may use stands for a password, a key or a seed."""
    assert not any(word in name for name in PLACEHOLDERS for word in ("pass", "secret", "key", "seed"))


@given(subject=LETTERS, body=LETTERS)
def test_any_language_survives_the_mail(subject: str, body: str) -> None:
    """Subject and body of a draft read back as the template has them."""
    text = f"Subject: {subject.replace('$', '$$')}\n\n{body.replace('$', '$$')}\n"
    draft = read(mail_draft("ana", URL, template=parse_template(text)))
    assert draft.get_content().splitlines() == [body]
    if "=?" not in subject:
        assert draft["Subject"] == subject


def test_a_name_cannot_add_a_header() -> None:
    """A line end in a name is refused where the name stands in the subject."""
    with pytest.raises(ValueError, match=r"newline|linefeed"):
        mail_draft("ana\nBcc: eve@example.com", URL)


def test_a_draft_that_was_not_finished_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The draft gets its name when it is whole: what is cut before leaves no file, and the next run writes it."""

    def fail(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    draft = mail_draft("ana", URL)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(OSError, match="No space"):
            write_mail_draft(tmp_path, "ana", draft)
    assert list(tmp_path.iterdir()) == []
    assert write_mail_draft(tmp_path, "ana", draft).read_bytes() == draft.as_bytes()


def test_a_killed_process_leaves_no_draft_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Until the whole content is on the disk nothing has the draft's name, and what a kill left stops nobody."""
    seen: list[list[str]] = []
    link = os.link

    def look(source: Path, target: Path) -> None:
        seen.append([each.name for each in tmp_path.iterdir()])
        link(source, target)

    (tmp_path / f".ana.eml.{os.getpid()}.new").write_bytes(b"")
    monkeypatch.setattr(os, "link", look)
    write_mail_draft(tmp_path, "ana", mail_draft("ana", URL))
    assert seen == [[f".ana.eml.{os.getpid()}.new"]]
    assert [each.name for each in tmp_path.iterdir()] == ["ana.eml"]


def test_a_draft_never_takes_anothers_place(tmp_path: Path) -> None:
    """A file that is there stays, and so does a link to nowhere."""
    (tmp_path / "ana.eml").write_text("edited")
    (tmp_path / "bo.eml").symlink_to(tmp_path / "elsewhere.eml")
    for name in ("ana", "bo"):
        with pytest.raises(FileExistsError):
            write_mail_draft(tmp_path, name, mail_draft(name, URL))
    assert (tmp_path / "ana.eml").read_text() == "edited"
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ana.eml", "bo.eml"]


def test_every_mistake_of_a_template_is_told_at_once() -> None:
    """Who mends a template mends it once: each line that breaks a rule is named, in their order."""
    with pytest.raises(TemplateError) as caught:
        parse_template("Subject: $nosuch\nFrom: nobody\nTo: x@example.com\n\nhello $bad $5\n", "t.txt")
    places = [line.partition(": ")[0] for line in str(caught.value).splitlines()]
    assert places == ["t.txt:1", "t.txt:2", "t.txt:3", "t.txt:5", "t.txt:5"]
