"""Evidence as JSON and back: what a failed test left behind, for whoever wants to look at it again.

A dataclass is an object with its fields, bytes are hexadecimal digits, a tuple is an array.
"""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from typing import Any

from .evidence import Evidence


def pack(value: Any) -> Any:
    """What json can write of a value in evidence.py."""
    if dataclasses.is_dataclass(value):
        return {field.name: pack(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, bytes):
        return value.hex()
    return [pack(one) for one in value] if isinstance(value, tuple) else value


def unpack(packed: Any) -> Evidence:
    """The evidence that pack() was given. Raises ValueError, KeyError or TypeError for anything else."""
    evidence = _unpack(Evidence, packed)
    assert isinstance(evidence, Evidence)
    return evidence


def _unpack(kind: Any, packed: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return kind(**{name: _unpack(hint, packed[name]) for name, hint in _hints(kind).items() if name in packed})
    if packed is None or kind is bytes:
        return None if packed is None else bytes.fromhex(packed)
    inner = typing.get_args(kind)
    if isinstance(kind, types.UnionType):
        return _unpack(next(one for one in inner if one is not types.NoneType), packed)
    if typing.get_origin(kind) is tuple:
        kinds = [inner[0]] * len(packed) if inner[1:] == (...,) else inner
        return tuple(_unpack(one, value) for one, value in zip(kinds, packed, strict=True))
    if not isinstance(packed, kind):
        raise TypeError(f"{packed!r} is no {kind.__name__}")
    return packed


@functools.cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)
