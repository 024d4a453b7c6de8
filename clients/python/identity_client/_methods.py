"""Makes one description of a call a method of both clients: blocking on the one, awaitable on the other.

Python's types cannot say "the answer, or an awaitable of it, as the class wishes", but a descriptor that
looks at its owner can. So each RPC is written once, and type checkers and editors see the right signature on
either client.
"""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from dataclasses import replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar, overload

from google.protobuf.message import Message

from identity_client._call import Call
from identity_client._contract import Response, Rpc, rpc

P = ParamSpec("P")
Request = TypeVar("Request", bound=Message)
RequestIn = TypeVar("RequestIn", bound=Message, contravariant=True)
ResponseOut = TypeVar("ResponseOut", bound=Message, covariant=True)
Item = TypeVar("Item")


class BlockingCaller(ABC):
    """A client whose methods answer when the service has answered."""

    @abstractmethod
    def _run(self, call: Call[Response]) -> Response:
        """Carry out a call."""

    @abstractmethod
    def _follow(self, call: Call[Response]) -> Iterator[Response]:
        """Carry out a call that answers with a stream."""

    def _pages(self, call: Call[Response]) -> Iterator[Response]:
        """Carry out a call for each page, until the last."""
        asked: Call[Response] | None = call
        while asked is not None:
            page = self._run(asked)
            yield page
            asked = _for_next_page(asked, page)


class AsyncCaller(ABC):
    """A client whose methods are awaited."""

    @abstractmethod
    async def _run(self, call: Call[Response]) -> Response:
        """Carry out a call."""

    @abstractmethod
    def _follow(self, call: Call[Response]) -> AsyncIterator[Response]:
        """Carry out a call that answers with a stream."""

    async def _pages(self, call: Call[Response]) -> AsyncIterator[Response]:
        """Carry out a call for each page, until the last."""
        asked: Call[Response] | None = call
        while asked is not None:
            page = await self._run(asked)
            yield page
            asked = _for_next_page(asked, page)


class BlockingMethod(Protocol[RequestIn, ResponseOut]):
    """Takes the RPC's request message and answers its response."""

    def __call__(self, request: RequestIn, *, timeout: float | None = None) -> ResponseOut:
        """Ask."""


class AsyncMethod(Protocol[RequestIn, ResponseOut]):
    """Takes the RPC's request message; its response is awaited."""

    def __call__(self, request: RequestIn, *, timeout: float | None = None) -> Coroutine[Any, Any, ResponseOut]:
        """Ask."""


class BlockingStream(Protocol[RequestIn, ResponseOut]):
    """Takes the RPC's request message and yields its responses as they come."""

    def __call__(self, request: RequestIn, *, timeout: float | None = None) -> Iterator[ResponseOut]:
        """Ask."""


class AsyncStream(Protocol[RequestIn, ResponseOut]):
    """Takes the RPC's request message; its responses are iterated asynchronously."""

    def __call__(self, request: RequestIn, *, timeout: float | None = None) -> AsyncIterator[ResponseOut]:
        """Ask."""


class Described(Generic[P, Response]):
    """A method with natural arguments; the function that describes the call gives signature and help text."""

    def __init__(self, describe: Callable[P, Call[Response]]) -> None:
        """Take the function that turns the arguments into a call."""
        self._describe = describe
        self.__doc__ = describe.__doc__

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Described[P, Response]: ...
    @overload
    def __get__(self, client: BlockingCaller, owner: type[Any]) -> Callable[P, Response]: ...
    @overload
    def __get__(self, client: AsyncCaller, owner: type[Any]) -> Callable[P, Coroutine[Any, Any, Response]]: ...
    def __get__(self, client: BlockingCaller | AsyncCaller | None, owner: type[Any]) -> Any:
        """Answer the method bound to a client."""
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            return client._run(self._describe(*args, **kwargs))

        return _named_after(self._describe, method)


class Paged(Generic[P, Response, Item]):
    """A method that yields the items of all pages of a list, and asks for a page when its first item is wanted.

    `timeout` is for each page, and `page_token` for where to begin.
    """

    def __init__(self, describe: Callable[P, Call[Response]], items: Callable[[Response], Iterable[Item]]) -> None:
        """Take the function that describes the call for a page, and the one that takes the items out of a page."""
        self._describe = describe
        self._items = items
        self.__doc__ = f"Yield every item of all pages of `{describe.__name__}`, with its arguments."

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Paged[P, Response, Item]: ...
    @overload
    def __get__(self, client: BlockingCaller, owner: type[Any]) -> Callable[P, Iterator[Item]]: ...
    @overload
    def __get__(self, client: AsyncCaller, owner: type[Any]) -> Callable[P, AsyncIterator[Item]]: ...
    def __get__(self, client: BlockingCaller | AsyncCaller | None, owner: type[Any]) -> Any:
        """Answer the method bound to a client."""
        if client is None:
            return self

        def method(*args: P.args, **kwargs: P.kwargs) -> Any:
            call = self._describe(*args, **kwargs)
            if isinstance(client, BlockingCaller):
                return self._blocking(client._pages(call))
            return self._awaited(client._pages(call))

        method.__doc__ = self.__doc__
        method.__signature__ = inspect.signature(self._describe)  # type: ignore[attr-defined]  # inspect reads it
        return method

    def _blocking(self, pages: Iterator[Response]) -> Iterator[Item]:
        for page in pages:
            yield from self._items(page)

    async def _awaited(self, pages: AsyncIterator[Response]) -> AsyncIterator[Item]:
        async for page in pages:
            for item in self._items(page):
                yield item


class Unary(Generic[Request, Response]):
    """A method that takes the RPC's request message."""

    def __init__(self, request_type: type[Request], response_type: type[Response]) -> None:
        """Find the RPC in the contract."""
        self._rpc = rpc(request_type, response_type)
        self.__doc__ = _help_text(self._rpc)

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Unary[Request, Response]: ...
    @overload
    def __get__(self, client: BlockingCaller, owner: type[Any]) -> BlockingMethod[Request, Response]: ...
    @overload
    def __get__(self, client: AsyncCaller, owner: type[Any]) -> AsyncMethod[Request, Response]: ...
    def __get__(self, client: BlockingCaller | AsyncCaller | None, owner: type[Any]) -> Any:
        """Answer the method bound to a client."""
        if client is None:
            return self

        def method(request: Request, *, timeout: float | None = None) -> Any:
            return client._run(Call(self._rpc, _checked(self._rpc, request), timeout))

        return _named_after(self, method)


class Stream(Generic[Request, Response]):
    """A method that takes the RPC's request message and answers with a stream."""

    def __init__(self, request_type: type[Request], response_type: type[Response]) -> None:
        """Find the RPC in the contract."""
        self._rpc = rpc(request_type, response_type)
        self.__doc__ = _help_text(self._rpc)

    @overload
    def __get__(self, client: None, owner: type[Any]) -> Stream[Request, Response]: ...
    @overload
    def __get__(self, client: BlockingCaller, owner: type[Any]) -> BlockingStream[Request, Response]: ...
    @overload
    def __get__(self, client: AsyncCaller, owner: type[Any]) -> AsyncStream[Request, Response]: ...
    def __get__(self, client: BlockingCaller | AsyncCaller | None, owner: type[Any]) -> Any:
        """Answer the method bound to a client."""
        if client is None:
            return self

        def method(request: Request, *, timeout: float | None = None) -> Any:
            return client._follow(Call(self._rpc, _checked(self._rpc, request), timeout))

        return _named_after(self, method)


def _for_next_page(call: Call[Response], page: Response) -> Call[Response] | None:
    """Answer the call for the page after this one; None after the last."""
    token: str = getattr(page, "next_page_token")  # noqa: B009 -- every List response has it, as their tests hold
    if not token:
        return None
    request = type(call.request)()
    request.CopyFrom(call.request)
    setattr(request, "page_token", token)  # noqa: B010 -- as above, of the request
    return replace(call, request=request)


def _checked(called: Rpc[Response], request: Message) -> Message:
    """Refuse another RPC's message here: on the wire it would be taken for this one's."""
    if not isinstance(request, called.request_type):
        raise TypeError(f"{called.path} takes a {called.request_type.__name__}, not a {type(request).__name__}")
    return request


def _help_text(called: Rpc[Response]) -> str:
    taken, answered = called.request_type.__name__, called.response_type.__name__
    return f"Call {called.path} with a {taken}; the answer is a {answered}."


def _named_after(source: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    """Give the bound method the help text of its source, and its signature where the source is a function."""
    method.__doc__ = source.__doc__
    if callable(source):
        method.__name__ = source.__name__
        method.__wrapped__ = source  # type: ignore[attr-defined]  # what functools.wraps sets; inspect reads it
    return method
