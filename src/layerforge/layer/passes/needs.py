"""What the code that stays needs of files that are to go."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from layerforge.core.paths import folders
from layerforge.layer.imports import imported, module_name, statements
from layerforge.layer.passes import naming
from layerforge.layer.passes.naming import Source
from layerforge.layer.passes.prune_rules import NAMED, RECIPE, guarded_rules, is_code

_ATTACHES = b"attach_stub"
"""What a module calls that loads its names lazily, by lazy_loader, as the stub beside it lists them."""


def needed(
    files: Iterable[Source], doomed: Mapping[str, str], suspected: Collection[str] = ()
) -> dict[str, tuple[str, str]]:
    """Of the ``doomed`` files, rule by name, and of the ``suspected`` ones, which stay in any case, those that code
    which stays needs: each with how, in a word, and the name of that code. ``files`` are all of a layer.
    """
    by_name = {file.name: file for file in files}
    kept = [name for name in by_name if name not in doomed]
    guarded = [name for name, rule in doomed.items() if rule in guarded_rules()]
    links = _Links.of(by_name, {name for name in (*guarded, *suspected) if name in by_name}, kept)
    found = {name: ("read", by) for name, by in _read_lazily(by_name, doomed).items()}
    _follow(links, [*(name for name in kept if name not in links.asked), *found], found, frozenset())
    # What only looks like dead weight is code too, but says nothing of its like.
    rest = [name for name in suspected if name in by_name and name not in found and name not in doomed]
    _follow(links, rest, found, frozenset(rest))
    return found


@dataclass(frozen=True, kw_only=True)
class _Links:
    """How code leads to the files that are asked about."""

    files: Mapping[str, Source]
    asked: Collection[str]
    """Names of the files that it is about."""
    wanted: naming.Wanted
    by_module: Mapping[str, str]
    words: Sequence[re.Pattern[bytes]]
    """Of which an import of these modules must hold one."""

    @classmethod
    def of(cls, files: Mapping[str, Source], asked: Collection[str], kept: Iterable[str]) -> _Links:
        modules = [name for name in asked if name.endswith(".py")]
        alive = [name for name in kept if is_code(name) and name not in asked]
        return cls(
            files=files,
            asked=asked,
            wanted=naming.Wanted(files={name: files[name].package for name in asked}),
            by_module={module_name(name): name for name in modules},
            words=_telling_words(modules, alive),
        )

    def hits(self, name: str, *, quick: bool) -> Iterator[tuple[str, str]]:
        """What one file names and imports, each with how. ``quick`` takes a word for it that it imports nothing, and
        is for all files but those that are spared. That a test names others in a text says nothing.
        """
        file = self.files[name]
        names = file.is_python or name.endswith(naming.INCLUDING) or not quick
        imports = is_code(name) and self.by_module
        data = file.read() if names or imports else b""
        if names:
            hits = naming.named(self.wanted, file, data)
            yield from ((NAMED, hit) for hit in hits if quick or not hit.endswith(".py"))
        if imports:
            # What is spared may import its neighbours by relative names, which tell nothing.
            for module in _modules_imported(data, file.name, self.words if quick else None):
                yield from (("imported", hit) for hit in _with_parents(module, self.by_module))


def _follow(
    links: _Links, names: Iterable[str], found: dict[str, tuple[str, str]], passed_over: Collection[str]
) -> None:
    """Adds to ``found`` what the files of these names need, and what that needs in turn."""
    queue = deque(names)
    while queue:
        name = queue.popleft()
        by = found[name][1] if name in found else name
        for how, hit in links.hits(name, quick=name not in found):
            if hit not in found and hit not in passed_over:
                found[hit] = (how, by)
                queue.append(hit)


def _read_lazily(files: Mapping[str, Source], doomed: Mapping[str, str]) -> dict[str, str]:
    """Doomed stubs, but for those that the recipe removes, that the module beside them reads, with its name."""
    beside = {name: name[:-1] for name, rule in doomed.items() if name.endswith(".pyi") and rule != RECIPE}
    there = ((stub, name) for stub, name in beside.items() if name in files and name not in doomed)
    return {stub: name for stub, name in there if _ATTACHES in files[name].read()}


def _telling_words(doomed: Iterable[str], kept: Iterable[str]) -> Sequence[re.Pattern[bytes]]:
    """Words of which an import of a doomed module must hold one, so that most sources need no parsing. A few are
    found one by one several times as fast as all at once.

    It is the name of the topmost folder that holds nothing kept, such as ``tests``, else the module's own.
    """
    alive = {folder for path in kept for folder in folders(path)}
    words = [_alone(word) for word in sorted({_first_word(path, alive) for path in doomed})]
    return [re.compile(one) for one in (words if len(words) <= naming.FEW else [b"|".join(words)])]


def _alone(word: bytes) -> bytes:
    """A word that is no part of another one. Its beginning is looked at last, since letters are found more quickly."""
    plain = re.escape(word)
    return plain + rb"(?<!\w" + plain + rb")\b" if re.match(rb"\w", word) else rb"\b" + plain + rb"\b"


def _first_word(path: str, alive: Collection[str]) -> bytes:
    dead = [folder for folder in folders(path) if folder not in alive]
    name = dead[0].rpartition("/")[2] if dead else path.rpartition("/")[2].partition(".")[0]
    return name.encode()


def _with_parents(module: str, by_module: Mapping[str, str]) -> Iterator[str]:
    """Importing ``a.tests.b`` runs ``a/tests/__init__.py`` first."""
    while module:
        if module in by_module:
            yield by_module[module]
        module = module.rpartition(".")[0]


def _modules_imported(source: bytes, name: str, words: Sequence[re.Pattern[bytes]] | None) -> Iterator[str]:
    """Absolute names that a file imports; none where no word is in an import statement of it."""
    if words is None or (_holds(source, words) and _holds(statements(source), words)):
        yield from imported(source, name)


def _holds(source: bytes, words: Sequence[re.Pattern[bytes]]) -> bool:
    """Whether one of the words is there."""
    return any(word.search(source) for word in words)
