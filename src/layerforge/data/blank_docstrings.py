"""Empties the docstrings of a module in its text, so that the compiler gets them empty and no tree has to be made.

Runs on CPython 3.10 to 3.15, with nothing but the standard library. A docstring is written as two empty texts, the
first where it began and the second where it ended, so that everything stays in its line and column, and the code is
what it would be if the docstring were emptied in the syntax tree. Where a text does not tell for certain what its tree
would be, nothing is done.
"""

import re
from collections.abc import Iterator

MOST = 1_000_000
"""Bytes of a text that is looked at: expressions that go on for long take memory."""

BOM = b"\xef\xbb\xbf"

UTF_8 = re.compile(rb"[ \t\f]*#[^\n]*?coding[:=][ \t]*utf-?8(?![-\w.])", re.IGNORECASE)
"""A line that declares the encoding in which the compiler counts columns."""

LONG = rb"'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''" + rb'|"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
SHORT = rb"'(?!'')[^'\\\n]*(?:\\.[^'\\\n]*)*'" + rb'|"(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"'
TEXT = rb"(?:" + LONG + rb"|" + SHORT + rb")"
"""A text from quote to quote. Raw ones end where others do, too."""

ANY_TEXT = re.compile(TEXT, re.DOTALL)

DEFINITION = re.compile(rb"\n[ \t\f]*(?:def|class|async[ \t\f]+def)(?![\w\x80-\xff])")
"""How a definition begins, each in a line of its own."""

SKIPPED = re.compile(rb"(?:[^#\"']+|#[^\n]*|(?<![fFtT])(?<![fFtT][rR])" + TEXT + rb"){0,1000}", re.DOTALL)
"""What need not be looked at: all but formatted texts."""

FORMATTED_OPENS = re.compile(rb"[fFtT](?<![a-qs-zA-QS-Z0-9_].)[rR]?[\"']", re.DOTALL)
"""Where a formatted text may begin."""

FORMATS = re.compile(rb".?[fFtT]\Z|[fFtT][rR]\Z", re.DOTALL)
"""The end of what stands before a formatted text."""

FIELD = (
    rb"\{(?!\{)(?:[^{}\"'\\#\n]|'[^'\"{}\\#\n]*'|\"[^'\"{}\\#\n]*\")*"
    rb"(?:\{[^{}\"'\\#\n]*\}[^{}\"'\\#\n]*)*\}"
)
FORMATTED = re.compile(rb"[^{}\\]*(?:(?:\\[^{}]|\{\{|\}\}|" + FIELD + rb")[^{}\\]*)*", re.DOTALL)
"""A formatted text that ends at the same quote whether or not its fields may hold that quote, which they may since
Python 3.12."""

LINE = rb"[^()\[\]{}:\"'#\n\\]*"
CODE = rb"[^()\[\]{}\"'#\\]*"
QUOTED = rb"'(?!'')[^'\\\n{}]*'|\"(?!\"\")[^\"\\\n{}]*\""
WITHIN = CODE + rb"(?:(?:" + QUOTED + rb"|\(" + CODE + rb"\)|\[" + CODE + rb"\])" + CODE + rb")*"
INSIDE = CODE + rb"(?:(?:" + QUOTED + rb"|\(" + WITHIN + rb"\)|\[" + WITHIN + rb"\])" + CODE + rb")*"
"""What is in brackets: plain texts, and brackets that are not too deep."""

PLAIN_HEAD = re.compile(LINE + rb"(?:\(" + INSIDE + rb"\)(" + LINE + rb"(?:\[" + WITHIN + rb"\]" + LINE + rb")*))?:")
"""The rest of a definition's head, as nearly all of them are: one pair of parentheses, no comment."""

HEAD = re.compile(rb"#[^\n]*|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<colon>:)|(?P<quote>[\"'])|(?P<lambda>lambda)")
"""What has to be known of any other head."""

GAP = re.compile(rb"[ \t\f\n]*(?:#[^\n]*[ \t\f\n]*)*")
"""What may stand before a statement."""

FIRST = re.compile(
    rb"(?P<docstring>[rRuU]?" + TEXT + rb")|(?P<doubt>\\|\([ \t\f\n(]*(?:[\\#]|[a-zA-Z]{0,2}[\"']))", re.DOTALL
)
"""What a statement begins with that is a docstring, or may be one."""

AFTER = re.compile(rb"[ \t\f]*(?:(?P<end>[\n;#]|\Z)|(?P<doubt>\\|[a-zA-Z]{0,2}[\"']))")
"""What follows a docstring, or a text that goes on. Before anything else a text is no statement of its own."""

ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
MAY_BE_WRONG = frozenset(b"NuUx")
"""Escapes that make a module none where something is amiss with them."""


class DoubtError(Exception):
    """The text does not tell for certain what its tree would be."""


def emptied(source: bytes) -> bytes | None:
    """The source with every docstring empty and all else in its place; ``None`` where the text does not tell."""
    bom = BOM if source.startswith(BOM) else b""
    text = b"\n" + source[len(bom) :]
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if len(text) > MOST or b"\0" in text or not is_utf_8(text):
        return None
    made, done = [bom], 1
    try:
        for start, end in docstrings(text):
            made += (text[done:start], blank(text[start:end]))
            done = end
    except DoubtError:
        return None
    return b"".join([*made, text[done:]])


def is_utf_8(text: bytes) -> bool:
    """Whether a module, after a first newline, is in UTF-8 and says nothing else of itself."""
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return all(UTF_8.match(line) for line in text.split(b"\n", 3)[1:3] if b"coding" in line)


def docstrings(text: bytes) -> Iterator[tuple[int, int]]:
    """Where each docstring begins and ends. Raises ``DoubtError``."""
    at = 0
    if found := docstring(text, at):
        yield found
        at = found[1]
    while definition := DEFINITION.search(text, at):
        at = skipped(text, at, definition.start())
        if at == definition.start():
            at = end_of_head(text, definition.end())
            if found := docstring(text, at):
                yield found
                at = found[1]


def skipped(text: bytes, at: int, until: int) -> int:
    """``until``, which is the end of a line, or where the text ends that it lies in."""
    if all_end_in_line(text[at:until]):
        return until
    while at < until:
        rest = SKIPPED.match(text, at, until)
        at = rest.end() if rest and rest.end() > at else end_of_text(text, at)
    return at


def all_end_in_line(code: bytes) -> bool:
    """Whether it is certain that no text goes on in another line, as a formatted one may inside of braces."""
    if b'"""' in code or b"'''" in code or b"\\\n" in code:
        return False
    return b"{" not in code or FORMATTED_OPENS.search(code) is None


def end_of_text(text: bytes, at: int) -> int:
    """Where a text ends that begins at a quote."""
    found = ANY_TEXT.match(text, at)
    if found is None:
        raise DoubtError
    if FORMATS.match(text[max(0, at - 2) : at]) and not FORMATTED.fullmatch(text, at + 1, found.end() - 1):
        raise DoubtError
    return found.end()


def end_of_head(text: bytes, at: int) -> int:
    """Where the suite of a definition begins, of which the first word is left behind."""
    plain = PLAIN_HEAD.match(text, at)
    if plain and b"lambda" not in (plain[1] or b""):
        return plain.end()
    depth = 0
    while token := HEAD.search(text, at):
        at = end_of_text(text, token.start()) if token["quote"] else token.end()
        if depth == 0 and token["colon"]:
            return at
        if depth == 0 and token["lambda"]:
            break
        depth += bool(token["open"]) - bool(token["close"])
    raise DoubtError


def docstring(text: bytes, at: int) -> tuple[int, int] | None:
    """Where the statement that comes next begins and ends, if it is a docstring."""
    gap = GAP.match(text, at)
    first = FIRST.match(text, gap.end() if gap else at)
    if first is None:
        return None
    after = AFTER.match(text, first.end())
    if first["doubt"] or (after and after["doubt"]):
        raise DoubtError
    return first.span() if after else None


def blank(docstring: bytes) -> bytes:
    """An empty text that begins and ends where a docstring does."""
    raw = b"\\" not in docstring or docstring.startswith((b"r", b"R"))
    if not raw and not MAY_BE_WRONG.isdisjoint(b"".join(ESCAPE.findall(docstring))):
        raise DoubtError
    breaks, last = docstring.count(b"\n"), len(docstring) - docstring.rfind(b"\n") - 1
    if not breaks:
        return {2: docstring, 3: b"u''"}.get(last, b"''" + b" " * (last - 4) + b'""')
    if last < 2:
        raise DoubtError
    return b"''\\\n" + b"\\\n" * (breaks - 1) + b" " * (last - 2) + b'""'
