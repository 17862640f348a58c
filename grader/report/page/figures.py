"""The pictures of a failing test: the student's lines, the ladder, the plots, the bytes."""

from __future__ import annotations

from ...evidence import Evidence, Failure, Location
from ...ladder import WIDE, Ladder, draw_lines, draw_svg
from ...ladder.svg import Layout
from ...plots import NARROW as PLOT_NARROW
from ...plots import WIDE as PLOT_WIDE
from ...plots import queues, timeline
from ...safe import decode
from ...text import source_lines
from . import hexview
from .escape import lines, text

PLOTS = (queues.draw, timeline.draw)
EXCERPT = 4                         # lines of source before and after the marked one
LONGEST = 400                       # characters of a line
MOST_PRINTED = 4000                 # bytes of what the program printed
MOST_OPEN = 400                     # more bytes are folded
WORDS = 78                          # columns of a ladder in text
PHONE = Layout(380, 38, 44, 188, 268)   # its 12 pixels stay above 11 on a screen of 390


def excerpt(where: Location | None, source: str, note: str = "") -> str:
    """The student's line among its neighbours; "" where the line isn't in this source. note: said beside it."""
    found = source_lines(source)
    if where is None or not 1 <= where.line <= len(found):
        return ""
    rows = []
    for number in range(max(1, where.line - EXCERPT), min(len(found), where.line + EXCERPT) + 1):
        body = lines(cut(found[number - 1].expandtabs(4))) or " "
        if number == where.line:
            rows.append(f'<mark><i>{number}</i><span><b class="vh">this line: </b>{body}</span></mark>')
        else:
            rows.append(f"<span><i>{number}</i><span>{body}</span></span>")
    said = f" {text(note)}" if note else ""
    return (f'<figure class="source"><figcaption>{text(where.file)}:{where.line}{said}</figcaption>'
            f'<pre><code>{"".join(rows)}</code></pre></figure>')


def cut(line: str) -> str:
    """A line of a length that can be read."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} … {len(line) - LONGEST:,} more characters"


def code(body: str) -> str:
    """Lines of C that aren't the student's."""
    rows = "".join(f"<span><span>{lines(line)}</span></span>" for line in body.splitlines())
    return f"<pre><code>{rows}</code></pre>"


def ladder(drawn: Ladder, title: str) -> str:
    """The conversation for a wide page and for a phone, and as text."""
    words = "\n".join("".join(part for part, _ in line).rstrip() for line in draw_lines(drawn, WORDS))
    return (_two(draw_svg(drawn, title, WIDE), draw_svg(drawn, title, PHONE)) +
            f'<details class="small words"><summary>The conversation as text</summary>'
            f'<pre class="text" tabindex="0" role="region" aria-label="the conversation as text">{lines(words)}</pre></details>')


def plots(evidence: Evidence) -> str:
    """What the evidence has to plot, "" if nothing."""
    pairs = [(draw(evidence, PLOT_WIDE), draw(evidence, PLOT_NARROW)) for draw in PLOTS]
    return "".join(_two(wide, narrow) for wide, narrow in pairs if wide and narrow)


def _two(wide: str, narrow: str) -> str:
    """One picture in two widths: the style shows one of them."""
    return f'<figure class="drawn"><div class="wide">{wide}</div><div class="narrow">{narrow}</div></figure>'


def difference(failure: Failure) -> str:
    """What was due and what came, where the failure is about bytes."""
    if not failure.whole or failure.expected is None or failure.actual is None or failure.expected == failure.actual:
        return ""
    return hexview.compare(failure.expected, failure.actual)


def printed(name: str, data: bytes) -> str:
    """What the program wrote to a stream, folded if it is long; "" if that is nothing."""
    if not data:
        return ""
    size = "1 byte" if len(data) == 1 else f"{len(data):,} bytes"
    shown = lines(decode(data[:MOST_PRINTED]))
    more = f"<p>{len(data) - MOST_PRINTED:,} more bytes aren't shown.</p>" if len(data) > MOST_PRINTED else ""
    is_open = " open" if len(data) <= MOST_OPEN else ""
    return (f'<details class="small"{is_open}><summary>What your program wrote to {name}: {size}</summary>'
            f'<pre class="printed">{shown}</pre>{more}</details>')
