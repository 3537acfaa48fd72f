"""From a project's functions to what ``layers.lock`` says of a target: resolved, weighed, split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from packaging.utils import canonicalize_name, canonicalize_version

from layerforge.build.options import Options
from layerforge.build.session import Session
from layerforge.core import digest, guarded
from layerforge.core.runtimes import Target
from layerforge.functions.families import Conflict, Families, Family, Member, families
from layerforge.functions.needs import needed
from layerforge.functions.weighing import weigh
from layerforge.layer.package_sizes import PackageSize, PackageSizes
from layerforge.planning import Prepared, prepare, with_made
from layerforge.resolve import excluding, lock, locking
from layerforge.resolve.layers_lock import LockedFunction, LockedLayer, LockedPackage, TargetSplit
from layerforge.resolve.listed import Listed, together
from layerforge.resolve.made_wheel import MadeWheel
from layerforge.resolve.request import Request
from layerforge.resolve.sources import Search
from layerforge.resolve.split.asked import Function, Layer, Question, Split, Weighed
from layerforge.resolve.split.split import split
from layerforge.resolve.wheel_source import read


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A function of a project, as a split takes it."""

    name: str
    request: Request
    leave_out: tuple[str, ...] = ()
    """Packages that it goes without, as ``--leave-out`` takes them."""
    code: int = 0
    """Bytes of its own code, unzipped."""
    own_layers: int = 0

    @property
    def asks(self) -> tuple[str, ...]:
        """Its requirements, sorted, what wheels are made of for it, and what tells its lock from another one."""
        lock = self.request.lock
        locked = (f"{lock.name} sha256:{digest.of_file(lock)}",) if lock is not None and lock.is_file() else ()
        return (*sorted(self.request.spec.requires), *sorted(_sources(self.request)), *locked)

    @property
    def question(self) -> tuple[object, ...]:
        """What decides a split; see ``LockedFunction.question``."""
        return self.name, self.asks, self.leave_out, self.code, self.own_layers


def _sources(request: Request) -> Iterator[str]:
    """What wheels are made of for a request, without any path of this machine."""
    yield from (f"{folder.resolve().name} (folder)" for folder in request.own_code)
    for text in (*request.listed.local, *request.listed.instead):
        if found := read(text):
            yield f"{found.title} ({found.form})" if found.place.startswith("/") else found.text


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A split of a target, as it is locked, with its figures."""

    split: TargetSplit
    needed: Mapping[str, int]
    """Bytes by function of what it needs."""
    carried: Mapping[str, int]
    """Bytes by function of all its layers."""
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Weighed:
    """A family with the sizes of its packages. ``keys`` are its packages' names in the question, by name."""

    family: Family
    sizes: PackageSizes
    keys: Mapping[str, str]


def planned(
    wanted: Sequence[Wanted],
    options: Options,
    session: Session,
    last: TargetSplit | None = None,
    reserved: Sequence[str] = (),
    tell: Callable[[Prepared], None] = lambda _one: None,
) -> Planned:
    """The layers of some functions for the target of the options, like those of the ``last`` split where that costs
    little, with none of the names ``reserved``. ``tell`` says what measuring takes. Raises ``LayerforgeError``.
    """
    members = [_member(one, last, options, session) for one in wanted]
    found = families(members, lambda one: prepare(one, options, session))
    weighed = _weighed(found, tell)
    functions = {one.name: one for one in wanted}
    needs = {
        member.name: _needs(functions[member.name], member, one.sizes, options.target)
        for one in weighed
        for member in one.family.members
    }
    question = _question(functions, weighed, needs, last)
    answer = split(replace(question, reserved=tuple(reserved)))
    return Planned(
        split=_locked(functions, weighed, needs, answer, options.target),
        needed=answer.needed,
        carried=answer.carried,
        conflicts=found.conflicts,
    )


def made(wanted: Iterable[Wanted], options: Options, session: Session) -> tuple[MadeWheel, ...]:
    """The wheels of all that functions name and that is none, each once. Raises ``LayerforgeError``."""
    found = (wheel for one in wanted for wheel in with_made(one.request, options, session).made)
    return tuple({(one.name, one.sha256): one for one in found}.values())


def _member(one: Wanted, last: TargetSplit | None, options: Options, session: Session) -> Member:
    """A function with the versions that its layers have, so that a split alone changes none of them."""
    layers = next((set(f.layers) for f in last.function if f.name == one.name), set()) if last else set()
    others = last.layer if last else ()
    mine = [layer for layer in others if layer.name in layers] or others
    pins = [pin for layer in mine for pin in layer.pins if pin.version]
    preferred = lock.render(replace(pin, hashes=(), address="") for pin in pins) if pins else ""
    request = with_made(one.request, options, session)
    request = _of_its_lock(request, options.target, session.search) if request.lock else request
    spec = replace(request.spec, leave_out=one.leave_out)
    return Member(name=one.name, request=replace(request, spec=spec, preferred=preferred))


def _of_its_lock(request: Request, target: Target, search: Search) -> Request:
    """A request that is resolved with others, and then comes to the versions and hashes of its own lock."""
    pins = locking.locked_pins(request, target, search).pins
    fixed = lock.render(replace(pin, hashes=(), extras=()) for pin in pins)
    hashes = tuple(
        ((pin.name, canonicalize_version(pin.version)), frozenset(pin.hashes)) for pin in pins if pin.version
    )
    held = Listed(constraints=fixed, hashes=hashes)
    return replace(request, lock=None, listed=together([request.listed, held]))


def _weighed(found: Families, tell: Callable[[Prepared], None]) -> list[_Weighed]:
    weighed: list[_Weighed] = []
    taken: set[str] = set()
    for family in found.families:
        sizes = weigh(family.prepared, family.members[0].request.catalogue, tell)
        # Where an earlier family has another version of a package, the two are two packages.
        keys = {one.name: f"{one.name} {one.version}" if one.name in taken else one.name for one in sizes.packages}
        taken |= keys.keys()
        weighed.append(_Weighed(family=family, sizes=sizes, keys=keys))
    return weighed


def _needs(one: Wanted, member: Member, sizes: PackageSizes, target: Target) -> frozenset[str]:
    absent = excluding.excluded(one.leave_out, target.runtime)
    return needed(member.request.spec.requires, {row.name: row for row in sizes.packages}, target, absent)


def _question(
    functions: Mapping[str, Wanted],
    weighed: Iterable[_Weighed],
    needs: Mapping[str, frozenset[str]],
    last: TargetSplit | None,
) -> Question:
    packages: list[Weighed] = []
    asked: list[Function] = []
    ties: list[frozenset[str]] = []
    kept: dict[str, Layer] = {}
    for one in weighed:
        keys, pinned = one.keys, {pin.name for pin in one.family.prepared.plan.pins}
        for row in one.sizes.packages:
            libraries = tuple(keys[name] for name in row.libraries)
            packages.append(
                Weighed(
                    name=keys[row.name],
                    version=row.version,
                    bytes=row.bytes,
                    requires=libraries,
                    library=row.name not in pinned,
                )
            )
        ties += [frozenset(keys[name] for name in tie if name in keys) for tie in one.sizes.ties]
        for member in one.family.members:
            wish = functions[member.name]
            roots = tuple(sorted(keys[name] for name in needs[member.name]))
            asked.append(Function(name=wish.name, roots=roots, room=wish.code, own_layers=wish.own_layers))
        kept |= {layer.name: layer for layer in _last(one, last) if layer.name not in kept}
    return Question(packages=tuple(packages), functions=tuple(asked), ties=tuple(ties), last=tuple(kept.values()))


def _last(one: _Weighed, last: TargetSplit | None) -> Iterable[Layer]:
    """The layers of the last split that functions of a family had, in the words of the question."""
    mine = {member.name for member in one.family.members}
    had = {name for function in (last.function if last else ()) if function.name in mine for name in function.layers}
    for layer in last.layer if last else ():
        if layer.name in had and all(row.name in one.keys for row in layer.packages):
            keys = {one.keys[row.name]: row.version for row in layer.packages}
            yield Layer(name=layer.name, packages=tuple(sorted(keys)), versions=keys)


# --- what is written down


def _locked(
    functions: Mapping[str, Wanted],
    weighed: Sequence[_Weighed],
    needs: Mapping[str, frozenset[str]],
    answer: Split,
    target: Target,
) -> TargetSplit:
    owner = {key: one for one in weighed for key in one.keys.values()}
    home = {member.name: one for one in weighed for member in one.family.members}
    return TargetSplit(
        python=target.python,
        arch=str(target.arch),
        function=tuple(
            LockedFunction(
                name=name,
                asks=functions[name].asks,
                leave_out=functions[name].leave_out,
                code=functions[name].code,
                own_layers=functions[name].own_layers,
                layers=answer.functions[name],
                packages=tuple(sorted(needs[name])),
                left_out=_left_out(functions[name], home[name], needs[name], target),
            )
            for name in sorted(functions)
        ),
        layer=tuple(_layer(layer, owner[layer.packages[0]], target) for layer in answer.layers),
    )


def _left_out(function: Wanted, one: _Weighed, needs: frozenset[str], target: Target) -> tuple[str, ...]:
    """What a function would need and goes without, with the reason."""
    rows = {row.name: row for row in one.sizes.packages}
    gone = sorted(needed(function.request.spec.requires, rows, target) - needs)
    pins = [pin for pin in one.family.prepared.plan.pins if pin.name in gone]
    own = excluding.left_out(function.leave_out, target.runtime, pins, needs, {})
    asked = _asked_for(needs, rows) | {canonicalize_name(text) for text in _names(function)}
    common = [left for left in one.family.prepared.plan.spec.left_out if left.name in asked]
    return tuple(f"{left.told} ({left.why})" for left in sorted([*own, *common], key=lambda left: left.name))


def _names(function: Wanted) -> list[str]:
    return [guarded.requirement(text).name for text in function.request.spec.requires]


def _layer(layer: Layer, one: _Weighed, target: Target) -> LockedLayer:
    names = {key: name for name, key in one.keys.items()}
    mine = sorted(names[key] for key in layer.packages)
    rows = {row.name: row for row in one.sizes.packages}
    plan = one.family.prepared.plan
    pins = {pin.name: pin for pin in plan.pins}
    # Where these lie is nobody else's concern: each machine makes its own.
    made = {wheel.name for member in one.family.members for wheel in member.request.made}
    around = needed([name for name in mine if name in pins], rows, target) - set(mine)
    out = _asked_for(mine, rows) & {left.name for left in plan.spec.left_out}
    return LockedLayer(
        name=layer.name,
        packages=tuple(
            LockedPackage(
                name=name,
                version=rows[name].version,
                bytes=rows[name].bytes,
                hashes=pins[name].hashes if name in pins else (),
                address=pins[name].address if name in pins and name not in made else "",
            )
            for name in mine
        ),
        beside=tuple(f"{name} {rows[name].version}" for name in sorted(around)),
        left_out=tuple(f"{left.told} ({left.why})" for left in plan.spec.left_out if left.name in out),
    )


def _asked_for(names: Iterable[str], rows: Mapping[str, PackageSize]) -> set[str]:
    """Names of all that packages ask for, under whichever extra, whether or not anything has it."""
    texts = (text for name in names for text in rows[name].requires)
    return {canonicalize_name(guarded.requirement(text).name) for text in texts}
