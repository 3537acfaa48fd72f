"""How docstrings are emptied in a text; what comes of it on other Pythons test_pyc.py tells."""

from __future__ import annotations

import ast
import sys
import warnings
from pathlib import Path

import pytest

from layerforge.data import blank_docstrings, compile_worker
from layerforge.data.blank_docstrings import emptied

TEXTS = {
    "a module's": "'Doc.'\nx = 1\n",
    "one after comments": "#!/usr/bin/python\n# -*- coding: utf-8 -*-\n\n'''Doc.'''\nx = 1\n",
    "one of several lines": '"""Doc.\n\n  more\n\tand more  """\nx = 1\n',
    "one that ends at the margin": 'def f():\n    """Doc.\n"""\n    return 1\n',
    "with the other quotes in it": "def f():\n    '''\"Doc\" isn't \\''' \"\"\" it'''\n    return 1\n",
    "one that ends in a quote": 'def f():\n    """Doc "quoted\\""""\n    return 1\n',
    "of one letter": "class A:\n    'D'\n    x = 1\n",
    "none in it": "class A:\n    ''\n    x = 1\n\ndef f():\n    ''''''\n",
    "of two letters": "class A:\n    'DD'\n    x = 1\n",
    "raw": "def f():\n    r'\\d \\N{no name}'\n    R'''\\x'''\n",
    "with u": "class A: u'Doc.'\n",
    "with escapes": "def f():\n    'D\\toc\\'s. \\d'\n    return 1\n",
    "over two lines without a newline": "class A:\n    'Doc. \\\n    more'\n    x = 1\n",
    "on the line of its function": "def f(): 'Doc.'\nclass A: 'Doc.'; x = 1\n",
    "before a comment": "def f():  # 'no'\n    # 'nor this'\n    'Doc.'  # \"nor that\"\n",
    "before a semicolon": "def f():\n    'Doc.' ; x = 1\n",
    "at the end of the file": "def f():\n    'Doc.'",
    "after a head of several lines": (
        "def f(\n    a: dict[str, int] = {'k': 1},  # ): 'no'\n    b='):',\n) -> 'str':\n    'Doc.'\n"
    ),
    "after a head with a lambda": "def f(a=lambda x: 0, b=(lambda: 1)):\n    'Doc.'\n",
    **({"after types": "def f[T: (int, str)](a: T) -> T: 'Doc.'\n"} if sys.version_info >= (3, 12) else {}),
    "of a class with bases": "class A(B, metaclass=C):\n    'Doc.'\n\nclass D(B[1:2]): 'Doc.'\n",
    "of an async function": "async  def f():\n    'Doc.'\n    async def g(): 'Doc.'\n",
    "below decorators": "@d('no')\n@e\ndef f():\n    'Doc.'\n",
    "of inner ones": (
        "class A:\n    class B:\n        def f(self):\n"
        "            'Doc.'\n            def g():\n                'Doc.'\n"
    ),
    "in branches": (
        "if 1:\n    def f(): 'Doc.'\nelse:\n    def f():\n        'Doc.'\n"
        "try: pass\nfinally:\n    class A:\n\n        'Doc.'\n"
    ),
    "not in one of a text": "x = '''\ndef f():\n    'no'\n'''\ndef g():\n    'Doc.'\n",
    "not in one of a docstring": (
        "def f():\n    '''\n    def g():\n        'no'\n    '''\n    def h():\n        'Doc.'\n"
    ),
    "not in one of a comment": "# def f():\n#    'no'\ndef g():\n    'Doc.'\n",
    "not of names that only begin so": "classes = define = 1\n'no'\ndef_ = 2\n",
    "beside formatted texts": (
        "def f():\n    'Doc.'\n    return f'{1!r:>{2}} {{}}' f\"{', '.join('a')}\"\ndef g():\n    'Doc.'\n"
    ),
    "letters of more bytes": "'''Döc.\n ümläut ü'''; x = 1\nclass Ä:\n    'Dœc.'\n    def ä(self): 'ü'\n",
    "a mark of the byte order": "\ufeff'Doc.'\nclass A: 'Doc.'\n",
    "a mark and a definition": "\ufeffclass A: 'Doc.'\n",
    "lines that end in two letters": "'''Doc.\r\n\r\nmore'''\r\nclass A:\r\n    '''D\r\n    '''\r\n",
    "lines that end in the other letter": "class A:\r    '''D\r    '''\r    x = 1\r",
    "form feeds and tabs": "\f'Doc.'\n\fclass A:\n\t'Doc.\t'\n\n\f\tdef f(self):\n\t\t'''D\n\t\t'''\n",
    "nothing at all": "",
    "a statement that begins with a text": "def f():\n    'no'.join('a')\n\ndef g():\n    'no' % 1\n    'nor'\n",
    "a text of bytes": "def f():\n    b'no'\n\nclass A: rb'no'\n",
    "a formatted one": "def f():\n    f'no'\n",
    "a tuple": "def f():\n    'no', 1\n",
    "a call in parentheses": "def f():\n    (a, b) = c\n",
    "brackets in a head": "def f(a: dict[str, list[int]] = g(), b=(1, [']'])) -> list[tuple[int, ...]]:\n    'Doc.'\n",
    "texts in a head": "def f(a=':', b=f'{a}:', c=\"):\", d: 'x[' = 'lambda') -> dict['str', int]:\n    'Doc.'\n",
    "a name like lambda": "def lambdas(lambda_: int) -> int:\n    'Doc.'\n",
    "fields before it": "x = f'{y!r} {z}'\ny = [rF'{y}', 'not', b'f']\ndef f():\n    'Doc.'\n",
    "a definition in a text that goes on": "x = 'a\\\ndef f(): '\ny = {'default'}\ndef g():\n    'Doc.'\n",
}

DOUBTFUL = {
    "two texts": "def f():\n    'Doc.' 'more'\n",
    "a text and a formatted one": "def f():\n    'no' f'more'\n",
    "in parentheses": "def f():\n    ('Doc.')\n",
    "in parentheses and another line": "def f():\n    (  # why\n    'Doc.')\n",
    "a line that goes on": "def f():\n    'Doc.' \\\n    .join('a')\n",
    "a line that goes on before it": "def f(): \\\n    'Doc.'\n",
    "a lambda behind the head": "def f() -> lambda: 0: 'Doc.'\n",
    "a name of a letter that may be wrong": "def f():\n    'Doc. \\N{BULLET}'\n",
    "a number of a letter": "def f():\n    'Doc. \\x41'\n",
    "quotes in a field": "x = f'{y['a']}'\ndef f():\n    'Doc.'\n",
    "braces in a field": "x = f'{ {1: \"}\"}[1] }'\ndef f():\n    'Doc.'\n",
    "another encoding": "# coding: latin-1\n'Doc.'\n",
    "another encoding in the second line": "#!x\n# vim: set fileencoding=cp1252 :\n'Doc.'\n",
    "quotes that never end": "x = '''\ndef f():\n    'Doc.'\n",
    "a nul": "'Doc.\0'\n",
    "one quote on its last line": "class A:\n    'Doc.\\\n'\n",
}


def bare(source: bytes) -> str:
    """The tree with all places, every docstring emptied; but not how a text was written."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # backslashes that escape nothing
        tree = ast.parse(source)
    compile_worker.empty_docstrings(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.kind = None
    return ast.dump(tree, include_attributes=True)


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_text_that_was_emptied_has_the_tree_that_would_have_been(text: str) -> None:
    source = text.encode()
    found = emptied(source)
    assert found is not None
    assert bare(found) == bare(source)
    assert not [line for line in found.splitlines() if b"Doc" in line]


@pytest.mark.parametrize("text", DOUBTFUL.values(), ids=DOUBTFUL)
def test_where_a_text_does_not_tell_nothing_is_done(text: str) -> None:
    assert emptied(text.encode()) is None


def test_a_line_with_a_quote_too_many_stays_wrong() -> None:
    found = emptied(b"x = '\ndef f():\n    'Doc.'\n")
    with pytest.raises(SyntaxError):
        compile(found or b"", "mod.py", "exec")


def test_bytes_that_are_no_utf_8_are_left_alone() -> None:
    assert emptied(b"'D\xf6c.'\n") is None
    assert emptied(b"'\xed\xa0\x80'\n") is None


def test_a_long_text_is_left_alone() -> None:
    assert emptied(b"'Doc.'\n" + b"#" * blank_docstrings.MOST) is None


@pytest.mark.parametrize("line", ["# coding: utf-8", "# -*- coding: UTF-8 -*-", "# vim: set fileencoding=utf8 :"])
def test_utf_8_may_be_declared(line: str) -> None:
    assert emptied(f"{line}\n'Doc.'\n".encode()) == f"{line}\n''  \"\"\n".encode()


def test_most_modules_of_the_standard_library_tell_and_have_the_same_tree() -> None:
    folder = Path(ast.__file__).parent
    sources = [path.read_bytes() for path in sorted(folder.glob("*.py"))]
    told = [(found, source) for source in sources if (found := emptied(source))]
    assert len(told) > 0.9 * len(sources)
    for found, source in told:
        assert bare(found) == bare(source)
