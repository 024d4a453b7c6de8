"""Rules of the house that no linter knows, over every file that is or would be committed."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

# Names are put together here, so that this file does not hold what it forbids.
REGISTRIES = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("docker", "io"),
        ("docker", "com"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("k8s", "gcr", "io"),
        ("registry", "k8s", "io"),
        ("public", "ecr", "aws"),
        ("buf", "build"),
        ("debian", "org"),
        ("github", "com"),
    )
)
FORBIDDEN = {
    "unfinished work": re.compile(r"\b(TO[D]O|FIX[M]E|X[X]X)\b"),
    "a stub": re.compile(r"raise NotImplemented[E]rror(?!\('Method not implemented!'\))"),  # gRPC's own
    "a registry's host name": re.compile("|".join(rf"\b{re.escape(name)}\b" for name in REGISTRIES)),
    "a folder of one machine": re.compile(r"(?<![\w.}/])/(work|root|home|Users)/[\w.]"),
}
WAIVER = re.compile(r"noqa(?P<codes>: ?[A-Z]+[0-9]+(?:, ?[A-Z]+[0-9]+)*)?|type: ?ignore(?P<types>\[[a-z\-, ]+\])?")
GENERATED = "proto/gen/"


def test_no_forbidden_words(house_files: tuple[Path, ...], root: Path) -> None:
    """No file holds unfinished work, a registry's host name, or a path that only one machine has."""
    found = [
        f"{path.relative_to(root)}:{number}: {what}: {line.strip()[:80]}"
        for path, text in _texts(house_files)
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]
    assert found == []


def test_every_waiver_names_its_rule_and_its_reason(house_files: tuple[Path, ...], root: Path) -> None:
    """Each waiver of a linter or of the type checker says on its line what it waives, and why."""
    found = [
        f"{path.relative_to(root)}:{number}: {comment}"
        for path in _our_python(house_files, root)
        for number, comment in _comments(path)
        if not _waiver_is_sound(comment)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("comment", "sound"),
    [
        ("# what a reader needs to know", True),
        ("# noqa: S603 - our own program, no shell", True),
        ("# type: ignore[abstract] # not used here", True),
        ("# noqa", False),
        ("# noqa: S603", False),
        ("# noqa - our own program", False),
        ("# type: ignore", False),
        ("# type: ignore  # not typed upstream", False),
        ("# type: ignore[import-untyped]", False),
        ("# type: ignore[misc]  # noqa: N802", False),
    ],
)
def test_waivers_are_told_apart(comment: str, sound: bool) -> None:
    """The check of waivers takes those with rule and reason, and no others."""
    assert _waiver_is_sound(comment) is sound


def test_every_test_says_its_promise(house_files: tuple[Path, ...], root: Path) -> None:
    """Each test function has a docstring of one sentence."""
    found = [
        f"{path.relative_to(root)}:{function.lineno}: {function.name}"
        for path in _our_python(house_files, root)
        if path.is_relative_to(root / "tests")
        for function in _test_functions(path)
        if not _is_one_sentence(ast.get_docstring(function))
    ]
    assert found == []


@pytest.mark.parametrize(
    ("docstring", "one"),
    [
        ("A user has one name.", True),
        ("A name such as `a.b` is kept, e.g. in the\nreply.", True),
        (None, False),
        ("", False),
        ("A user has one name", False),
        ("A user has one name. It is kept.", False),
        ("A user has one name.\n\nMore about it.", False),
    ],
)
def test_sentences_are_counted(docstring: str | None, one: bool) -> None:
    """The check of docstrings takes one whole sentence, and nothing less or more."""
    assert _is_one_sentence(docstring) is one


def test_generated_code_is_marked(house_files: tuple[Path, ...], root: Path) -> None:
    """Whoever opens a generated file reads in its first lines that it is generated."""
    generated = [path for path in house_files if str(path.relative_to(root)).startswith(GENERATED)]
    code = [path for path in generated if path.suffix in (".py", ".pyi")]
    assert code
    assert [path for path in code if "generated" not in path.read_text()[:200].lower()] == []


def test_every_module_of_ours_says_what_it_is(house_files: tuple[Path, ...], root: Path) -> None:
    """Each Python file begins with a docstring."""
    silent = [path for path in _our_python(house_files, root) if ast.get_docstring(ast.parse(path.read_text())) is None]
    assert silent == []


def _texts(paths: tuple[Path, ...]) -> Iterator[tuple[Path, str]]:
    """Yield each file that is text; the contract's image is not."""
    for path in paths:
        try:
            yield path, path.read_bytes().decode()
        except UnicodeDecodeError:
            continue


def _our_python(paths: tuple[Path, ...], root: Path) -> list[Path]:
    """Name the Python files that are not generated."""
    return [path for path in paths if path.suffix == ".py" and not str(path.relative_to(root)).startswith(GENERATED)]


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(path.read_text()).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


def _waiver_is_sound(comment: str) -> bool:
    """Tell whether a comment waives nothing, or names its rule and has at least two words of reason."""
    waivers = list(WAIVER.finditer(comment))
    reason = re.findall(r"[\w'`]{2,}", WAIVER.sub("", comment))
    return not waivers or (len(reason) >= 2 and all(any(waiver.groups()) for waiver in waivers))


def _test_functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    if path.name.startswith("test_"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node


def _is_one_sentence(docstring: str | None) -> bool:
    if not docstring or "\n\n" in docstring:
        return False
    return docstring.endswith(".") and not re.search(r"[.!?]\s+[A-Z]", docstring)
