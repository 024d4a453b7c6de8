"""Functions of the service that are made to raise, one at a time, with a secret in the exception and in its cause.

The code of a function is exchanged in place, so every reference to it, a closure's too, raises from then on.
"""

import gc
import inspect
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from types import CodeType, FrameType, FunctionType
from typing import Any

from google.protobuf.message import Message

from tests.security.canary_search import Search
from tests.security.canary_world import CUSTOM

PACKAGE = "identity_service."
TEMPLATE = """
{kind} raising(*args, **kwargs):
    try:
        raise ValueError({text!r}, args)
    except ValueError as cause:
        raise RuntimeError({text!r}, args, kwargs) from cause
    {end}
"""
HOLDERS = frozenset({"tls.TlsFiles", "adapters.aws_iam.retry.Reply"})
"""Types that show nothing by themselves, and hold what is not ours to wrap: gRPC's key file, boto3's answer."""
OUTERMOST = "rpc.interceptors.last_barrier."
"""What grpc.aio itself calls: outside of it there is nothing of ours that could keep an exception back."""
SAMPLES = 40
"""How many objects of each type are looked at in one case."""


def name_of(function: FunctionType) -> str:
    """Name a function so that it can be found again."""
    return f"{function.__module__.removeprefix(PACKAGE)}.{function.__qualname__}"


def functions_of(codes: set[CodeType]) -> list[FunctionType]:
    """Find the functions whose code has run, one for each code."""
    found: dict[CodeType, FunctionType] = {}
    for thing in gc.get_objects():
        if isinstance(thing, FunctionType) and thing.__code__ in codes and thing.__module__.startswith(PACKAGE):
            found.setdefault(thing.__code__, thing)
    return sorted((each for each in found.values() if not name_of(each).startswith(OUTERMOST)), key=name_of)


@contextmanager
def raising(function: FunctionType) -> Iterator[None]:
    """Let a function, and those that share its code, raise while the block lasts."""
    original = function.__code__
    shared = [thing for thing in gc.get_referrers(original) if isinstance(thing, FunctionType)]
    replacement = _raising_code(original)
    for each in shared:
        each.__code__ = replacement
    try:
        yield
    finally:
        for each in shared:
            each.__code__ = original


def _raising_code(code: CodeType) -> CodeType:
    is_async = bool(code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR))
    yields = bool(code.co_flags & (inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR))
    source = TEMPLATE.format(
        kind="async def" if is_async else "def", text=f"forced: {CUSTOM}", end="yield" if yields else "pass"
    )
    module = compile(source, "forced", "exec")
    (made,) = (constant for constant in module.co_consts if isinstance(constant, CodeType))
    return made.replace(co_freevars=code.co_freevars)


class Watch:
    """Sees which functions of the service run, and how the objects that they take and return show themselves."""

    def __init__(self, search: Search) -> None:
        self.codes: set[CodeType] = set()
        self.types: set[str] = set()
        self._search = search
        self._shown: dict[str, list[str]] = {}
        self._active = False

    def install(self) -> None:
        """Watch this thread and all that start from now on."""
        threading.setprofile(self._profile)
        sys.setprofile(self._profile)

    def remove(self) -> None:
        """Watch no longer."""
        threading.setprofile(None)
        sys.setprofile(None)
        self._active = False

    @contextmanager
    def watching(self, case: str) -> Iterator[None]:
        """Look while the block lasts, and search what was shown at its end, when all secrets are known."""
        self._shown.clear()
        self._active = True
        try:
            yield
        finally:
            self._active = False
            for kind, texts in sorted(self._shown.items()):
                self._search.look(f"{case}: {kind}", "\n".join(texts))

    def _profile(self, frame: FrameType, event: str, argument: Any) -> None:
        if not self._active or event not in ("call", "return"):
            return
        if not str(frame.f_globals.get("__name__", "")).startswith(PACKAGE):
            return
        self._active = False  # what is done here is not watched
        try:
            self.codes.add(frame.f_code)
            for value in frame.f_locals.values() if event == "call" else [argument]:
                self._look(value, 3)
        finally:
            self._active = True

    def _look(self, value: Any, depth: int) -> None:
        if isinstance(value, list | tuple | set | frozenset) and depth:
            for inner in list(value)[:10]:
                self._look(inner, depth - 1)
        elif isinstance(value, dict) and depth:
            for inner in list(value.values())[:20]:
                self._look(inner, depth - 1)
        elif isinstance(value, Message) or type(value).__module__.startswith(PACKAGE):
            self._show(value)

    def _show(self, value: Any) -> None:
        name = _kind(value)
        self.types.add(name)
        for way, show in WAYS.items():
            if way == "fields" and name in HOLDERS:
                continue
            texts = self._shown.setdefault(f"{way} of {name}", [])
            if len(texts) < SAMPLES:
                texts.append(_shown(show, value))


def _shown(show: Callable[[Any], str], value: Any) -> str:
    try:
        return show(value)
    except Exception as error:  # noqa: BLE001 - what cannot be shown shows its error
        return repr(error)


def _as_fields(value: Any) -> str:
    if is_dataclass(value) and not isinstance(value, type):
        return str(_opened(value))
    return str(getattr(value, "__dict__", ""))


def _opened(value: Any) -> Any:
    """Do as `dataclasses.asdict` does, without its copies, which no secret allows and which take long."""
    if is_dataclass(value) and not isinstance(value, type) and _kind(value) not in HOLDERS:
        return {each.name: _opened(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_opened(inner) for inner in value]
    if isinstance(value, dict):
        return {key: _opened(inner) for key, inner in value.items()}
    return value


def _kind(value: Any) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}".removeprefix(PACKAGE)


WAYS: dict[str, Callable[[Any], str]] = {"repr": repr, "str": str, "format": format, "fields": _as_fields}
"""How an object shows itself to a careless program."""
