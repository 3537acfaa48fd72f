"""A zip and the layer that was built again of it, judged alike and measured in turns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from layerforge.build.engine import Engine
from layerforge.build.host import HostEngine
from layerforge.build.runtime_packages import provided
from layerforge.cli import coldstart, inspect
from layerforge.cli.coldstart_options import TAIL, Places, RunPlace
from layerforge.cli.comparison import Pair, pair
from layerforge.cli.rebuilding import Origin
from layerforge.core.errors import LayerforgeError, VerificationError
from layerforge.core.faults import writing
from layerforge.core.findings import Finding
from layerforge.core.limits import FULL_CPU_MB
from layerforge.core.paths import below_site
from layerforge.core.progress import Progress
from layerforge.core.store.disk import DiskStore
from layerforge.examine import rooted
from layerforge.examine.examination import Examination
from layerforge.examine.examine import examine
from layerforge.examine.summary import summarize
from layerforge.examine.unpack import unpack
from layerforge.measure.coldstart.experiment import Experiment, MeasuredLayer
from layerforge.measure.coldstart.functions import default_modules, of_imports
from layerforge.measure.coldstart.measure import measure
from layerforge.measure.coldstart.prices import prices
from layerforge.measure.coldstart.statistics import warnings
from layerforge.measure.coldstart.writing import as_data
from layerforge.report.delivery import Layer
from layerforge.report.page.page_data import InspectedLayer
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.left_out import LeftOut
from layerforge.verify.imports import imports_of
from layerforge.verify.notes import notes
from layerforge.verify.rules import judge
from layerforge.verify.rules_table import Expect
from layerforge.verify.run_check import Checked, run_check
from layerforge.verify.verdict import Figures, errors_of
from layerforge.verify.verifying import CHECK_SECONDS

_NOT_HERE = "the zip's own code is not run on this machine; --run does, and a container engine needs no such word"


_NOTHING = Checked(findings=(), notes=(), figures=Figures())


@dataclass(frozen=True, kw_only=True)
class BeforeAfter:
    """What is known of a zip and of the layer that was built again of it."""

    old: InspectedLayer
    new: InspectedLayer
    findings: tuple[Finding, ...]
    """On the new layer: of the rules, and of its run where it was verified."""
    figures: tuple[Figures, Figures]
    """Of one run of each, where there was one."""
    fails: bool = False
    """Whether no function starts with the zip."""
    remarks: tuple[str, ...] = ()
    """What could not be measured and why, a line each."""

    @property
    def pair(self) -> Pair:
        """The two as they are compared."""
        return pair(self.old, self.new)


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What both are run with."""

    engine: Engine
    place: RunPlace | None
    """Where functions are measured; ``None`` where nothing here runs them."""
    store: DiskStore
    progress: Progress
    runs: int
    """Cold starts of each; 0 for none."""
    run_it: bool
    """Whether the zip's code may run on this machine."""

    @property
    def refused(self) -> str:
        """Why the zip's code is not run; empty where it is."""
        return _NOT_HERE if isinstance(self.engine, HostEngine) and not self.run_it else ""


def before_after(of: Origin, layer: Layer, by: Measuring) -> BeforeAfter:
    """Judges both and measures both, as far as that can be done here."""
    remarks: list[str] = []
    old, fails = _judged(of), False
    with by.store.workspace() as workspace, writing(by.store.root):
        opt = workspace / "before"
        checked = _NOTHING
        try:
            rooted.unpack(of.seen.path, of.found.root, opt)
        except VerificationError as error:
            remarks.append(f"before was not run: {error.message}")
            by = replace(by, runs=0)
        else:
            checked = _run(of, old, layer.manifest.left_out, opt, by, remarks)
            old = replace(old, findings=(*old.findings, *checked.findings))
        if by.runs and by.place is None:
            remarks.append(
                "cold starts were not measured: that takes a container engine and an image of Lambda's layout"
            )
        elif by.runs and by.place:
            fails = _cold_starts(of, layer, opt, workspace / "after", by, by.place, remarks)
    new = inspect.known(layer.path, of.target.python, str(of.target.arch))
    return BeforeAfter(
        old=old,
        new=new,
        findings=layer.verdict.findings if layer.verdict else new.findings,
        figures=(checked.figures, layer.verdict.figures if layer.verdict else Figures()),
        fails=fails,
        remarks=(*strangers(old.examination, new.examination), *remarks),
    )


def strangers(old: Examination, new: Examination) -> Iterator[str]:
    """Packages of which nothing is as it was, though name and version are: those of an index may be somebody else's."""
    for one in new.distributions:
        then, now = _texts(old, one.name), _texts(new, one.name)
        if then and any(path.endswith(".py") for path, _ in now) and then.isdisjoint(now):
            yield (
                f"no file of {one.name} {one.version} is as it was: if it is a package of your own, the index has"
                " another one of that name and version"
            )


def _texts(seen: Examination, package: str) -> set[tuple[str, str]]:
    """Path and digest of a package's sources and of its METADATA."""
    infos = {f"{one.info}/METADATA" for one in seen.distributions if one.name == package}
    kept = (one for one in seen.members if one.path in infos or (one.package == package and one.path.endswith(".py")))
    return {(below_site(one.path), one.sha256) for one in kept if one.size}


def _judged(of: Origin) -> InspectedLayer:
    """What the rules say of the zip, as of a layer with its files."""
    expect = Expect(target=of.target)
    return InspectedLayer(
        target=of.target,
        examination=of.layer,
        summary=summarize(of.layer),
        findings=judge(of.layer, expect),
        notes=notes(of.layer, expect),
    )


def _run(
    of: Origin, old: InspectedLayer, left: tuple[LeftOut, ...], opt: Path, by: Measuring, remarks: list[str]
) -> Checked:
    """What a run of the zip shows, where it may be run."""
    why_not = by.engine.refusal(of.target) or by.refused
    if why_not or errors_of(old.findings):
        remarks += [f"before was not run: {why_not}"] if why_not else []
        return _NOTHING
    with by.progress.step("before") as step:
        try:
            spec = LayerSpec(name=of.name, requires=(), left_out=left)
            beside = provided(spec, of.target, by.engine, by.store, by.progress)
            imports = imports_of(of.layer)
            found = run_check(by.engine, of.target, opt, imports, (), CHECK_SECONDS, runtime=beside.folder)
        except LayerforgeError as error:
            remarks.append(f"before was not run: {error.message}")
            return _NOTHING
        step.note("it loads" if not errors_of(found.findings) else "it does not load")
    return found


def _cold_starts(
    of: Origin, layer: Layer, opt: Path, new: Path, by: Measuring, place: RunPlace, remarks: list[str]
) -> bool:
    """Measures both in turns and puts the result beside the new layer, which is unpacked at ``new``. Returns whether
    it is the zip alone that no function starts with.
    """
    seen = examine(layer.path, of.target)
    unpack(layer.path, new)
    after = MeasuredLayer(examination=seen, opt=new, env=layer.manifest.env)
    before = MeasuredLayer(examination=of.layer, opt=opt)
    function = of_imports(default_modules(seen, of.found.roots))
    order = Experiment(
        target=of.target, function=function, subjects=(after, before), memories=(FULL_CPU_MB,), runs=by.runs
    )
    data, told = _attempt(order, place, by.progress)
    if data is None:
        data, also = _attempt(replace(order, subjects=(after,)), place, by.progress)
        remarks.append(also or told)
        if data is None:
            return False
    coldstart.keep(Places(json=layer.path.with_suffix(TAIL), plot=None, asked=False), data, by.progress)
    return bool(told)


def _attempt(order: Experiment, place: RunPlace, progress: Progress) -> tuple[dict[str, Any] | None, str]:
    """What was measured, or why nothing was."""
    try:
        return _data(order, place, progress), ""
    except LayerforgeError as error:
        return None, _said(error)


def place_of(engine: Engine) -> RunPlace | None:
    """Where an engine runs functions; ``None`` where it runs none."""
    if engine.name != "docker":
        return None
    from layerforge.build.container.docker_engine import DockerEngine  # its SDK takes long to import

    return RunPlace(engine=engine, image=engine.image.reference) if isinstance(engine, DockerEngine) else None


def _said(error: LayerforgeError) -> str:
    last = error.details[-1].strip() if error.details else ""
    return f"{error.message}: {last}" if last else error.message


def _data(order: Experiment, place: RunPlace, progress: Progress) -> dict[str, Any]:
    measured = measure(order, place.engine, progress)
    machine = place.engine.processors
    told = {
        "image": place.image,
        "machine_processors": machine,
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "warnings": [*coldstart.emulated(order.target), *warnings(measured.series, machine)],
    }
    return as_data(order, measured, prices(order.target.arch, None), None, told)
