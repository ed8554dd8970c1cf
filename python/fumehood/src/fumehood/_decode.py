"""Answers of the server as dataclasses: `sizeBytes` becomes `size_bytes`, times become `datetime`. What a newer server adds is left out."""

from __future__ import annotations

import dataclasses
import types
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from .errors import UnavailableError

T = TypeVar("T")


def wire_name(name: str) -> str:
    """`size_bytes` is `sizeBytes` on the wire; a word that Python keeps for itself ends in an underscore here."""
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(part.capitalize() for part in rest)


def decode(kind: type[T], value: Any) -> T:
    """Builds a dataclass out of an answer; `UnavailableError` when the answer is not what it should be."""
    try:
        built: T = _convert(kind, value)
        return built
    except (TypeError, ValueError, KeyError) as error:
        raise UnavailableError(
            f"The server's answer is not a {kind.__name__} ({error}).",
            hint="Server and client may be of versions that do not fit.",
        ) from error


@lru_cache(maxsize=None)
def _hints(kind: type[Any]) -> dict[str, Any]:
    return get_type_hints(kind)


def _convert(kind: Any, value: Any) -> Any:
    if kind is Any:
        return value
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        return _convert_union(get_args(kind), value)
    if origin is list:
        (item,) = get_args(kind)
        return [_convert(item, one) for one in _expect(list, value)]
    if origin is dict:
        _, item = get_args(kind)
        return {key: _convert(item, one) for key, one in _expect(dict, value).items()}
    if dataclasses.is_dataclass(kind):
        return _convert_dataclass(kind, _expect(dict, value))
    if kind is datetime:
        return datetime.fromisoformat(_expect(str, value).replace("Z", "+00:00"))
    if kind is float:
        return float(_expect((int, float), value))
    return _expect(kind, value)


def _convert_union(kinds: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in kinds:
        return None
    (kind,) = [one for one in kinds if one is not type(None)]
    return _convert(kind, value)


def _convert_dataclass(kind: Any, value: dict[str, Any]) -> Any:
    hints = _hints(kind)
    members = {}
    for one in dataclasses.fields(kind):
        name = wire_name(one.name)
        if name in value:
            members[one.name] = _convert(hints[one.name], value[name])
        elif one.default is dataclasses.MISSING and one.default_factory is dataclasses.MISSING:
            raise KeyError(name)
    return kind(**members)


def _expect(kind: Any, value: Any) -> Any:
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(f"{value!r:.40} where {getattr(kind, '__name__', kind)} was due")
    return value
