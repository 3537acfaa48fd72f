"""``layerforge publish``."""

from __future__ import annotations

import json
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from layerforge.cli import github, helping, output_files, terminal, unannounced
from layerforge.cli import options as shared
from layerforge.cli.screen import Screen
from layerforge.core.errors import UsageError, VerificationError
from layerforge.core.findings import Finding
from layerforge.core.limits import DIRECT_UPLOAD_LIMIT, MIB
from layerforge.core.progress import Progress
from layerforge.core.runtimes import Target
from layerforge.core.text import counted, megabytes
from layerforge.examine import examine
from layerforge.examine.examination import Examination
from layerforge.publish import artifact as artifacts
from layerforge.publish import results as showing
from layerforge.publish.artifact import PUBLIC, Artifact, S3Location, Storage, grants, layer_name
from layerforge.publish.errors import PublishError
from layerforge.publish.execute import execute_jobs
from layerforge.publish.plan import Allow, PublishJob, PublishOptions, Refuse
from layerforge.publish.results import Result, does, grouped, markdown, plan_data, results_data
from layerforge.publish.survey import survey
from layerforge.report.beside import expected, manifest, target_of
from layerforge.report.manifest import Manifest
from layerforge.verify.rules import judge
from layerforge.verify.verdict import errors_of

_LAYER = ("python/", "lib/", "bin/")
"""Where a layer's files lie, one of them at least."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")

_WRITERS: Mapping[str, Callable[[Iterable[Result]], str]] = {
    ".json": lambda results: json.dumps(results_data(results), indent=1) + "\n",
    ".md": markdown,
}


@click.command("publish", cls=helping.Grouped)
@click.argument("zips", metavar="ZIP...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--region",
    "regions",
    multiple=True,
    metavar="R",
    help="Where; repeatable.  [default: AWS_REGION, else AWS_DEFAULT_REGION, else the profile's]",
)
@click.option("--name", help="Name of the layer.  [default: the zip's]")
@click.option(
    "--bucket",
    metavar="B",
    help=f"Bucket for zips above {DIRECT_UPLOAD_LIMIT // MIB} MB; {{region}} in it stands for the Region.",
)
@click.option("--bucket-owner", metavar="A", help="Account that the bucket belongs to.  [default: your own]")
@click.option("--key-prefix", default="", metavar="P", help="How keys in the bucket begin.  [default: nothing]")
@click.option(
    "--storage",
    type=click.Choice([str(choice) for choice in Storage]),
    default=str(Storage.COPY),
    show_default=True,
    help="copy: Lambda keeps the code; reference: it stays in your bucket.",
)
@click.option("--keep-object", is_flag=True, help="Leave the zip in the bucket.")
@click.option("--public", is_flag=True, help="Let every AWS account use the layer.")
@click.option("--organization", "organizations", multiple=True, metavar="O", help="Let an organization; repeatable.")
@click.option("--account", "accounts", multiple=True, metavar="A", help="Let an account use the layer; repeatable.")
@click.option("--keep", type=click.IntRange(1), metavar="N", help="Remove older versions of layerforge's beyond N.")
@click.option("--keep-foreign", is_flag=True, help="With --keep: versions of others count too, and may be removed.")
@click.option("--dry-run", is_flag=True, help="Show the plan and stop.")
@click.option("--yes", is_flag=True, help="Do not ask before a layer is opened to every account.")
@click.option("--force", is_flag=True, help="Publish layers with errors too.")
@click.option("--write", type=click.Path(path_type=Path), metavar="FILE", help="Also write the results: .json or .md.")
@shared.json_option
def command(
    zips: tuple[Path, ...],
    regions: tuple[str, ...],
    name: str | None,
    dry_run: bool,  # noqa: FBT001
    yes: bool,  # noqa: FBT001
    force: bool,  # noqa: FBT001
    bucket_owner: str | None,
    write: Path | None,
    as_json: bool,  # noqa: FBT001
    **given: Any,
) -> None:
    """Publish layers in every Region, exactly once: what is there already stays as it is.

    Exits 8 where a Region failed; the same command again does only what is left.
    """
    # Half a second that bad options need not wait for.
    from layerforge.publish.session import connect, open_session, regions_wanted

    out, progress = terminal.report(taken=as_json), terminal.progress()
    wanted = publish_options(**given)
    check(name, write)
    check_owner(bucket_owner, wanted)
    if PUBLIC in wanted.grants and not (yes or dry_run):
        check_can_ask(terminal.notes())
    session = open_session()
    places = regions_wanted(regions, session)
    clouds = connect(places, session, bucket_owner)
    artifacts = read(zips, name, progress, terminal.notes(), in_spite=force)
    unannounced.say((name.removeprefix("python") for one in artifacts for name in one.runtimes), progress)
    with progress.step("plan") as step:
        jobs = survey(clouds, artifacts, wanted)
        step.note(f"{counted(len(artifacts), 'layer')} in {counted(len(places), 'Region')}")
    if dry_run:
        show_plan(out, jobs, as_json=as_json)
        return
    if not yes:
        ask(jobs)
    deliver(execute_jobs(jobs, clouds, progress), out, write, as_json=as_json)


def publish_options(
    *,
    bucket: str | None,
    key_prefix: str,
    storage: str,
    keep_object: bool,
    public: bool,
    organizations: tuple[str, ...],
    accounts: tuple[str, ...],
    keep: int | None,
    keep_foreign: bool,
) -> PublishOptions:
    """What the options ask for."""
    if bucket is None and (key_prefix or keep_object):
        raise UsageError("--key-prefix and --keep-object are about a bucket", hint="name it with --bucket")
    if keep_foreign and keep is None:
        raise UsageError("--keep-foreign says which versions --keep may remove", hint="say how many stay with --keep N")
    if bucket is not None and not _BUCKET.fullmatch(bucket.replace("{region}", "region")):
        raise UsageError(
            f"{bucket!r} is no bucket's name",
            hint="it has 3 to 63 lower-case letters, digits, hyphens and dots; {region} stands for the Region",
        )
    return PublishOptions(
        grants=grants(public=public, organizations=organizations, accounts=accounts),
        keep=keep,
        foreign=keep_foreign,
        location=S3Location(bucket=bucket, prefix=key_prefix, keep=keep_object) if bucket else None,
        storage=Storage(storage),
    )


def check_owner(owner: str | None, wanted: PublishOptions) -> None:
    """Raises ``UsageError`` for what is no account, or where there is no bucket to own."""
    if owner is not None and wanted.location is None:
        raise UsageError("--bucket-owner is about a bucket", hint="name it with --bucket")
    if owner is not None and not re.fullmatch(r"\d{12}", owner, re.ASCII):
        raise UsageError(f"{owner!r} is no account", hint="an account's id has twelve digits; leave hyphens out")


def check(name: str | None, write: Path | None) -> None:
    """Raises ``UsageError`` for what cannot be meant."""
    if name is not None:
        layer_name(name, given=True)
    if write is not None and write.suffix not in _WRITERS:
        raise UsageError(f"--write does not know how to write {write.name}", hint="it writes .json and .md")
    if write is not None:
        output_files.check(write, "arns.json")


def check_can_ask(out: Screen) -> None:
    """Raises ``UsageError`` where nobody is there who could be asked."""
    if not (sys.stdin.isatty() and out.is_terminal):
        raise UsageError(
            "--public lets every AWS account use the layer, and there is no terminal to ask on", hint="add --yes"
        )


def read(zips: Iterable[Path], name: str | None, progress: Progress, out: Screen, *, in_spite: bool) -> list[Artifact]:
    """What is to be published. Raises ``VerificationError`` for zips that Lambda could make no use of."""
    wanted = []
    for path in zips:
        with progress.step("check") as step:
            seen = examine.examine(path)
            origin, target = provenance(seen, progress)
            artifact = artifacts.artifact(seen, origin, target, name)
            findings = held(seen, origin, target)
            step.note(
                f"{path.name}: {artifact.name}, {megabytes(artifact.zipped)}, {counted(len(findings), 'finding')}"
            )
        terminal.verdict(out, findings, ())
        github.annotate_findings(findings, str(path))
        refuse_unfit(seen, findings, progress, in_spite=in_spite)
        wanted.append(artifact)
    kinds = Counter((artifact.name, showing.purpose(artifact)) for artifact in wanted)
    for (layer, purpose), times in kinds.items():
        if times > 1:
            raise UsageError(
                f"two zips would become the layer {layer} for {purpose}", hint="publish them one by one, with --name"
            )
    return wanted


def provenance(seen: Examination, progress: Progress) -> tuple[Manifest | None, Target]:
    """The manifest of a zip, and what it was made for; a manifest of another zip is told of and left aside."""
    layer_manifest = manifest(seen, progress.warn)
    target = target_of(seen, layer_manifest)
    if layer_manifest is None:
        progress.say(f"{seen.path.name} looks like a layer for Python {target.python} on {target.arch}")
    return layer_manifest, target


def held(seen: Examination, layer_manifest: Manifest | None, target: Target) -> tuple[Finding, ...]:
    """What the rules have against a layer. Nothing of it is run."""
    return judge(seen, expected(layer_manifest, target))


def refuse_unfit(seen: Examination, findings: Iterable[Finding], progress: Progress, *, in_spite: bool) -> None:
    """Raises ``VerificationError`` for what is no layer, and for a layer with errors unless it is wanted in spite."""
    if not any(member.path.startswith(_LAYER) for member in seen.members):
        raise VerificationError(
            f"{seen.path} is no layer: nothing in it lies in {', '.join(_LAYER)}",
            hint="zip a folder that holds python/, so that Lambda unpacks it to /opt/python",
        )
    errors = errors_of(findings)
    if errors and not in_spite:
        raise VerificationError(
            f"{seen.path} is not fit for Lambda, so it is not published",
            hint="docs/rules.md explains each rule; --force publishes it all the same",
        )
    if errors:
        progress.warn(f"{seen.path.name} is published in spite of {counted(len(errors), 'error')}, because of --force")


def show_plan(out: Screen, jobs: Sequence[PublishJob], *, as_json: bool) -> None:
    """The plan as a table, and as JSON. Raises ``PublishError`` where something in it cannot be done."""
    rows = [(job.region, job.artifact.name, showing.purpose(job.artifact), does(job)) for job in jobs]
    out.table("publish plan", ("Region", "layer", "for", "what"), rows, numbers=False)
    if as_json:
        terminal.print_json(plan_data(jobs))
    refused = [(job.region, action) for job in jobs for action in job.actions if isinstance(action, Refuse)]
    if refused:
        raise PublishError(
            f"{len(refused)} of {len(jobs)} cannot be done",
            hint="nothing was changed",
            details=grouped((region, action.message, action.hint) for region, action in refused),
        )


def ask(jobs: Sequence[PublishJob]) -> None:
    """Asks before a version is opened to everybody. Raises ``Abort`` where the answer is no."""
    opened = [job for job in jobs if Allow(grant=PUBLIC) in job.actions]
    if opened:
        terminal.notes().line(
            ("!", "yellow"), f" every AWS account will be able to use {counted(len(opened), 'layer version')}"
        )
        click.confirm("  publish?", abort=True, err=True)


def deliver(results: Sequence[Result], out: Screen, write: Path | None, *, as_json: bool) -> None:
    """Shows and writes the results. Raises ``PublishError`` where something failed."""
    for result in results:
        if result.version is not None:
            out.line(f"  {result.version.arn}")
    terminal.step_summary(markdown(results))
    if write is not None:
        output_files.write(write, _WRITERS[write.suffix](results).encode())
    if as_json:
        terminal.print_json(results_data(results))
    failed = [result for result in results if result.error]
    if failed:
        raise PublishError(
            f"{len(failed)} of {len(results)} failed",
            hint="the same command again does only what is left",
            details=grouped((one.region, one.error, one.hint) for one in failed),
        )
