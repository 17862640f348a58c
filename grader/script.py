"""The language of peer scripts: text in, frozen dataclasses out. docs/peers.md has its table.

Nothing here opens a socket; peers.py carries a script out.
"""

from __future__ import annotations

import difflib
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NoReturn

DEFAULT_BACKLOG = 128
MOST_BYTES = 1 << 30
MOST_CONNECTIONS = 10_000


class ScriptError(ValueError):
    """A script that can't be understood: one line that says what, where and what to do."""


# ---- data ----


@dataclass(frozen=True)
class Random:
    """So many random bytes: other ones in each connection, the same ones for the same seed."""

    size: int


@dataclass(frozen=True)
class Same:
    """What this connection sent last."""


Data = bytes | Random | Same


# ---- statements ----


class Pacing(Enum):
    """How the parts of a send leave."""

    EACH = auto()  # each by a send call of its own
    AT_ONCE = auto()  # all by one send call
    PIECES = auto()  # each only after the other side has read all before it


class Closing(Enum):
    """How a connection was ended, by its other side."""

    END = "the end of the stream"
    RESET = "a reset"
    EITHER = "the end of the stream or a reset"


@dataclass(frozen=True)
class Accept:
    """Takes the next connection."""


@dataclass(frozen=True)
class Send:
    data: tuple[Data, ...]
    pacing: Pacing = Pacing.EACH
    piece: int | None = None  # cut the data into pieces of so many bytes first


@dataclass(frozen=True)
class ReceiveBytes:
    size: int


@dataclass(frozen=True)
class ReceiveLine:
    pass


@dataclass(frozen=True)
class ReceiveToEnd:
    slowly: bool = False


@dataclass(frozen=True)
class Expect:
    data: tuple[Data, ...]


@dataclass(frozen=True)
class ExpectClosing:
    closing: Closing


@dataclass(frozen=True)
class Echo:
    """Sends back what comes, until the end."""


@dataclass(frozen=True)
class HalfClose:
    pass


@dataclass(frozen=True)
class Close:
    unread: bool = False  # leave what has arrived unread


@dataclass(frozen=True)
class Reset:
    pass


@dataclass(frozen=True)
class Stay:
    """Does nothing more; the connection stays."""


@dataclass(frozen=True)
class WaitUntilRead:
    pass


@dataclass(frozen=True)
class WaitForGo:
    pass


@dataclass(frozen=True)
class GoDeaf:
    """From now on nothing that is sent to it arrives, nor is acknowledged."""


Statement = (
    Accept | Send | ReceiveBytes | ReceiveLine | ReceiveToEnd | Expect | ExpectClosing | Echo
    | HalfClose | Close | Reset | Stay | WaitUntilRead | WaitForGo | GoDeaf
)  # fmt: skip
LAST_WORDS = (Close, Reset, Stay)  # nothing can follow these
SENDS = (Send, Echo, HalfClose)  # and none of these a half-close


class Crowd(Enum):
    """How often the statements are gone through."""

    ONE = "once"
    TOGETHER = "clients, each"
    IN_TURN = "clients in turn"
    TIMES = "times"


class Door(Enum):
    """What a server peer does with its port."""

    OPEN = "accepts"
    IGNORED = "don't accept"
    REFUSES = "refuse"


@dataclass(frozen=True)
class Script:
    text: str
    body: tuple[Statement, ...]
    crowd: Crowd = Crowd.ONE
    connections: int = 1
    door: Door = Door.OPEN
    small_buffers: bool = False
    backlog: int = DEFAULT_BACKLOG
    seed: int = 0


def parse(text: str, data: Sequence[bytes] = (), chance: random.Random | None = None) -> Script:
    """The script that the text says. data: what $1, $2 … stand for; chance: where random bytes come from."""
    seed = (chance or random.SystemRandom()).getrandbits(64)
    return _Parser(text, data).script(seed)


def check_role(script: Script, *, listens: bool) -> None:
    """Raises ScriptError where a script that listens says what only a client does, or the other way round."""
    if listens and script.crowd in (Crowd.TOGETHER, Crowd.IN_TURN):
        raise ScriptError(
            f'"{script.connections} {script.crowd.value}" is for a peer that connects: '
            f'for one that listens write "{script.connections} times:"'
        )
    if not listens and script.crowd is Crowd.TIMES:
        raise ScriptError(
            f'"{script.connections} times" is for a peer that listens: '
            f'for one that connects write "{script.connections} clients in turn:"'
        )
    if not listens and (word := _server_word(script)):
        raise ScriptError(f'"{word}" is for a peer that listens: leave it out of one that connects')


def _server_word(script: Script) -> str | None:
    if script.door is not Door.OPEN:
        return str(script.door.value)
    if script.backlog != DEFAULT_BACKLOG:
        return "backlog"
    return "accept" if Accept() in script.body else None


# ---- tokens ----


class _Kind(Enum):
    WORD = auto()
    TEXT = auto()
    MARK = auto()  # , or :
    STOP = auto()  # ; or a new line
    END = auto()


@dataclass(frozen=True)
class _Token:
    kind: _Kind
    text: str
    at: int


_TOKEN = re.compile(
    r"""(?P<TEXT>'(?:[^'\\]|\\.)*')
      | (?P<STOP>[;\n])
      | (?P<MARK>[,:])
      | (?P<WORD>[^\s;:,']+(?:'[^\s;:,']+)*)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{1,3})|(.))", re.DOTALL)
_LETTERS = {
    "n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v", "\\": "\\", "'": "'", '"': '"'
}  # fmt: skip


class _Parser:
    """Reads a script from left to right."""

    def __init__(self, text: str, data: Sequence[bytes]) -> None:
        self._text, self._data = text, data
        self._tokens = self._cut(text.replace("\u2019", "'"))
        self._next = 0
        self._sends = False

    def _cut(self, text: str) -> list[_Token]:
        tokens, at = [], 0
        while at < len(text):
            if text[at] in " \t\r":
                at += 1
                continue
            match = _TOKEN.match(text, at)
            if match is None or match.lastgroup is None:
                self._fail(at, "a text without its end", "close it with '")
            tokens.append(_Token(_Kind[match.lastgroup], match.group(), at))
            at = match.end()
        return [*tokens, _Token(_Kind.END, "the end of the script", len(text))]

    def _fail(self, at: int, what: str, advice: str) -> NoReturn:
        line, column = self._text.count("\n", 0, at) + 1, at - self._text.rfind("\n", 0, at)
        where = f"column {column}" if line == 1 else f"line {line}, column {column}"
        raise ScriptError(f"{what} ({where}): {advice}")

    # ---- looking ahead ----

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _take(self, *words: str) -> bool:
        """Steps over these words if they come next."""
        coming = [token.text for token in self._tokens[self._next : self._next + len(words)]]
        if coming != list(words):
            return False
        self._next += len(words)
        return True

    def _take_number(self) -> int | None:
        token = self._token
        if token.kind is not _Kind.WORD or not re.fullmatch(r"[0-9]{1,12}", token.text):
            return None
        self._next += 1
        return int(token.text)

    def _unexpected(self, wanted: str) -> NoReturn:
        token = self._token
        if token.kind is _Kind.END or token.text == "\n":
            self._fail(token.at, "something is missing", f"write {wanted}")
        self._fail(token.at, f'"{token.text}" doesn\'t belong here', f"write {wanted}")

    # ---- the whole ----

    def script(self, seed: int) -> Script:
        script = Script(self._text, (), seed=seed)
        self._skip_stops()
        while (setting := self._setting(script)) is not None:
            script = setting
            self._end_statement()
        script = self._crowd(script)
        body = self._body()
        if script.door is not Door.OPEN and (body or script.crowd is not Crowd.ONE):
            self._fail(0, f'"{script.door.value}" stands alone', "remove the rest, nobody will be there to do it")
        return replace(script, body=body)

    def _setting(self, script: Script) -> Script | None:
        """What holds for the peer as a whole comes first."""
        if self._take("small", "buffers"):
            return replace(script, small_buffers=True)
        if self._take("backlog"):
            return replace(script, backlog=self._number("backlog 5", 0, 65535))
        if self._take("refuse"):
            return replace(script, door=Door.REFUSES)
        if self._take("don't", "accept"):
            return replace(script, door=Door.IGNORED)
        return None

    def _crowd(self, script: Script) -> Script:
        start = self._next
        number = self._take_number()
        if number is None:
            return script
        if not 1 <= number <= MOST_CONNECTIONS:
            self._fail(self._tokens[start].at, f"{number} connections", f"write 1 to {MOST_CONNECTIONS}")
        crowd = self._crowd_kind()
        self._skip_stops()
        return replace(script, crowd=crowd, connections=number)

    def _crowd_kind(self) -> Crowd:
        if self._take("times", ":") or self._take("time", ":"):
            return Crowd.TIMES
        if self._take("clients") or self._take("client"):
            if self._take("in", "turn", ":"):
                return Crowd.IN_TURN
            if self._take(",", "each", ":"):
                return Crowd.TOGETHER
        self._unexpected('"3 clients, each: …", "3 clients in turn: …" or "3 times: …"')

    def _body(self) -> tuple[Statement, ...]:
        statements: list[Statement] = []
        while self._token.kind is not _Kind.END:
            start = self._token
            for statement in self._statement():
                self._check_order(start, statements, statement)
                statements.append(statement)
            self._end_statement()
        return tuple(statements)

    def _check_order(self, start: _Token, before: Sequence[Statement], statement: Statement) -> None:
        late = f'"{start.text}" comes too late'
        if before and isinstance(before[-1], LAST_WORDS):
            self._fail(start.at, late, "the connection has been left by then")
        if HalfClose() in before and isinstance(statement, SENDS):
            self._fail(start.at, late, "a half-close has ended the peer's own stream")
        if isinstance(statement, Accept) and any(not isinstance(one, WaitForGo) for one in before):
            self._fail(start.at, late, "put it first, or leave it out")

    def _end_statement(self) -> None:
        if self._token.kind not in (_Kind.STOP, _Kind.END):
            self._unexpected('";" between two statements')
        self._skip_stops()

    def _skip_stops(self) -> None:
        while self._token.kind is _Kind.STOP:
            self._next += 1

    # ---- statements ----

    def _statement(self) -> tuple[Statement, ...]:
        token = self._token
        read = self._readers().get(token.text)
        if token.kind is not _Kind.WORD or read is None:
            self._unknown(token)
        self._next += 1
        return read()

    def _readers(self) -> dict[str, Callable[[], tuple[Statement, ...]]]:
        return {
            "accept": lambda: (Accept(),),
            "send": self._send,
            "receive": self._receive,
            "expect": self._expect,
            "echo": self._echo,
            "half-close": lambda: (HalfClose(),),
            "close": self._close,
            "reset": lambda: (*self._after(), Reset()),
            "never": lambda: self._two_words("read", '"never read"', Stay()),
            "stay": lambda: self._two_words("silent", '"stay silent"', Stay()),
            "wait": self._wait,
            "go": lambda: self._two_words("deaf", '"go deaf"', GoDeaf()),
        }

    def _unknown(self, token: _Token) -> NoReturn:
        if token.text in ("small", "backlog", "refuse", "don't"):
            self._fail(token.at, f'"{token.text} …" comes too late', "put it at the start of the script")
        close = difflib.get_close_matches(token.text, [*self._readers(), "small", "backlog", "refuse"], 1)
        advice = f'did you mean "{close[0]}"?' if close else "docs/peers.md has all statements"
        self._fail(token.at, f'no statement begins with "{token.text}"', advice)

    def _two_words(self, second: str, wanted: str, statement: Statement) -> tuple[Statement, ...]:
        if not self._take(second):
            self._unexpected(wanted)
        return (statement,)

    def _send(self) -> tuple[Statement, ...]:
        data = self._data_list()
        self._sends = True
        if self._take("at", "once"):
            return (Send(data, Pacing.AT_ONCE),)
        if self._take("in", "pieces", "of"):
            return (Send(data, Pacing.PIECES, self._number("in pieces of 7", 1, MOST_BYTES)),)
        if self._take("in", "pieces"):
            return (Send(data, Pacing.PIECES),)
        return (Send(data),)

    def _receive(self) -> tuple[Statement, ...]:
        if self._take("to", "end", "slowly"):
            return (ReceiveToEnd(slowly=True),)
        if self._take("to", "end"):
            return (ReceiveToEnd(),)
        if self._take("a", "line"):
            return (ReceiveLine(),)
        return (ReceiveBytes(self._byte_count('"receive 10 bytes", "receive to end" or "receive a line"')),)

    def _expect(self) -> tuple[Statement, ...]:
        closings = {"end": Closing.END, "reset": Closing.RESET, "closed": Closing.EITHER}
        if self._token.text in closings:
            self._next += 1
            return (ExpectClosing(closings[self._tokens[self._next - 1].text]),)
        at = self._token.at
        data = self._data_list()
        if any(isinstance(one, Random) for one in data):
            self._fail(at, "nobody can expect random bytes", 'send them first, then "expect the same"')
        return (Expect(data),)

    def _echo(self) -> tuple[Statement, ...]:
        self._take("to", "end")
        return (Echo(),)

    def _close(self) -> tuple[Statement, ...]:
        if self._take("without", "reading"):
            return (Close(unread=True),)
        return (*self._after(), Close())

    def _after(self) -> tuple[Statement, ...]:
        """The "after 10 bytes" of a close or reset: that many are received first."""
        return (ReceiveBytes(self._byte_count('"after 10 bytes"')),) if self._take("after") else ()

    def _wait(self) -> tuple[Statement, ...]:
        if self._take("until", "read"):
            return (WaitUntilRead(),)
        if self._take("for", "go"):
            return (WaitForGo(),)
        self._unexpected('"wait until read" or "wait for go"')

    # ---- numbers and data ----

    def _number(self, example: str, least: int, most: int) -> int:
        at = self._token.at
        number = self._take_number()
        if number is None:
            self._unexpected(f'a number, as in "{example}"')
        if not least <= number <= most:
            self._fail(at, f"{number} is out of range", f"write {least} to {most}")
        return number

    def _byte_count(self, wanted: str) -> int:
        if self._token.kind is not _Kind.WORD or not self._token.text.isdecimal():
            self._unexpected(wanted)
        number = self._number("10 bytes", 1, MOST_BYTES)
        if not (self._take("bytes") or self._take("byte")):
            self._unexpected('"bytes"')
        return number

    def _data_list(self) -> tuple[Data, ...]:
        data = []
        while (one := self._one_data()) is not None:
            data.append(one)
        if not data:
            self._unexpected("what: 'text', hex c4e3, $1, 10 random bytes or the same")
        return tuple(data)

    def _one_data(self) -> Data | None:
        token = self._token
        if token.kind is _Kind.TEXT:
            self._next += 1
            return self._unescape(token)
        if self._take("hex"):
            return self._hex()
        if self._take("the", "same"):
            if not self._sends:
                self._fail(token.at, '"the same" is what was sent last, and nothing was', "send something first")
            return Same()
        if token.kind is _Kind.WORD and token.text.startswith("$"):
            self._next += 1
            return self._given(token)
        number = self._take_number()
        return None if number is None else self._random(token, number)

    def _random(self, token: _Token, number: int) -> Random:
        if not (self._take("random", "bytes") or self._take("random", "byte")):
            self._unexpected(f'"{number} random bytes"')
        if not 1 <= number <= MOST_BYTES:
            self._fail(token.at, f"{number} is out of range", f"write 1 to {MOST_BYTES}")
        return Random(number)

    def _hex(self) -> bytes:
        token = self._token
        if token.kind is not _Kind.WORD or not re.fullmatch(r"(?:[0-9a-fA-F]{2})+", token.text):
            self._unexpected('the bytes in hex, two digits each, as in "hex c4e3"')
        self._next += 1
        return bytes.fromhex(token.text)

    def _given(self, token: _Token) -> bytes:
        number = int(token.text[1:]) if re.fullmatch(r"\$[1-9]", token.text) else 0
        if not 1 <= number <= len(self._data):
            has = f"$1 to ${len(self._data)}" if self._data else "none here, so write the data itself"
            self._fail(token.at, f"nothing is given as {token.text}", f"there is {has}")
        return self._data[number - 1]

    def _unescape(self, token: _Token) -> bytes:
        def character(match: re.Match[str]) -> str:
            digits, octal, letter = match.groups()
            code = int(digits, 16) if digits else int(octal, 8) if octal else 0
            if code > 255 or (letter and letter not in _LETTERS):
                at = token.at + 1 + match.start()
                self._fail(at, f"no such escape: {match.group()}", "use those of C: \\n \\0 \\x41")
            # Bytes travel as lone surrogates, which no script can contain otherwise.
            return _LETTERS[letter] if letter else bytes([code]).decode("utf-8", "surrogateescape")

        return _ESCAPE.sub(character, token.text[1:-1]).encode("utf-8", "surrogateescape")
