"""What is published: a zip with all that Lambda is told of it, where it is uploaded to, and who may use it."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from layerforge.core.errors import UsageError
from layerforge.core.limits import LONGEST_LAYER_NAME
from layerforge.core.runtimes import Target
from layerforge.core.text import fitting_name
from layerforge.examine.examination import Examination
from layerforge.layer.tree import Package
from layerforge.report.manifest import Manifest

LONGEST_DESCRIPTION = 256
LONGEST_LICENCE = 512
MARK = re.compile(r"\(layerforge content_sha256=([0-9a-f]{64})\)$")
"""How the description of a version ends that layerforge published."""


class Storage(StrEnum):
    """Where Lambda takes a layer's code from once it is published."""

    COPY = "copy"
    """Lambda's own storage."""
    REFERENCE = "reference"
    """The object in the user's bucket, which has to stay."""


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """A finished zip and what Lambda is told of it."""

    name: str
    """Of the layer."""
    path: Path
    sha256: str
    """Of the zip, hexadecimal."""
    zipped: int
    unzipped: int
    runtimes: tuple[str, ...]
    """``python3.13``"""
    architectures: tuple[str, ...]
    description: str
    """At most 256 characters, the last of them layerforge's mark."""
    licence: str
    """SPDX expression of at most 512 characters; empty where it is not known."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables that a function with the layer has to have."""

    @property
    def code_sha256(self) -> str:
        """The digest as Lambda writes it."""
        return base64.b64encode(bytes.fromhex(self.sha256)).decode()

    @property
    def kind(self) -> str:
        """What it is for, such as ``python3.13-x86_64``. Versions of one name and one kind replace each other."""
        return "-".join((*self.runtimes, *self.architectures))

    def is_for(self, other: LayerVersion | Details) -> bool:
        """Whether a version is for the same runtimes and processors."""
        return other.runtimes == frozenset(self.runtimes) and other.architectures == frozenset(self.architectures)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Somebody who may use a version. Equal grants have equal statement ids."""

    statement: str
    principal: str
    """A 12-digit account, or ``*``."""
    organization: str = ""
    """``o-…``; empty for an account or for everybody."""


@dataclass(frozen=True, kw_only=True)
class S3Location:
    """Where in S3 a zip is put for Lambda to fetch."""

    bucket: str
    """May hold ``{region}``."""
    prefix: str = ""
    keep: bool = False
    """Whether the object stays once Lambda has its copy; with ``Storage.REFERENCE`` it has to."""

    def bucket_in(self, region: str) -> str:
        """The bucket's name in a Region."""
        return self.bucket.replace("{region}", region)

    def key(self, artifact: Artifact) -> str:
        """The object's key: equal bytes have equal keys.

        An object that is to go has a name of its own, so that one which another run left behind goes with the next,
        and one that was meant to stay never does. Runtime and processor are part of that name: a run that clears away
        takes nothing from one that publishes the same bytes for another processor.
        """
        return f"{self.prefix}{artifact.name}/{artifact.sha256}{'' if self.keep else f'.{artifact.kind}.upload'}.zip"


@dataclass(frozen=True, kw_only=True)
class LayerVersion:
    """A version as Lambda lists it."""

    number: int
    arn: str
    description: str = ""
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()

    @property
    def own(self) -> bool:
        """Whether layerforge published it."""
        return MARK.search(self.description) is not None

    @property
    def layer_arn(self) -> str:
        """The version's ARN without its number."""
        return self.arn.rpartition(":")[0]


@dataclass(frozen=True, kw_only=True)
class Details:
    """What Lambda tells of one version when asked for it."""

    code_sha256: str
    """Base64."""
    runtimes: frozenset[str] = frozenset()
    architectures: frozenset[str] = frozenset()
    reference: bool = False
    """Whether Lambda runs the code from the user's bucket."""


_NAME = re.compile(rf"[a-zA-Z0-9-_]{{1,{LONGEST_LAYER_NAME}}}")
_ARN = re.compile(rf"arn:[^:]+:lambda:[^:]*:[^:]*:layer:({_NAME.pattern})(:\d+)?")
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_OTHER_TERMS = "LicenseRef-see-the-METADATA-of-each-package"
PUBLIC = Grant(statement="layerforge-public", principal="*")


def artifact(examination: Examination, manifest: Manifest | None, target: Target, name: str | None) -> Artifact:
    """What is published of an examined zip, with the manifest beside it where there is one.

    Raises ``UsageError`` where Lambda would refuse the name.
    """
    stem = manifest.name if manifest else examination.path.stem
    packages = manifest.packages if manifest else ()
    versions = [(one.name, one.version) for one in packages or examination.distributions]
    return Artifact(
        name=layer_name(name or (f"{manifest.name}-{target.label}" if manifest else stem), given=name is not None),
        path=examination.path,
        sha256=examination.sha256,
        zipped=examination.zipped,
        unzipped=examination.unzipped,
        runtimes=(f"python{target.python}",),
        architectures=(str(target.arch),),
        description=describe(stem, wanted_first(versions, manifest), examination.content_sha256),
        licence=licence(packages),
        env=manifest.env if manifest else {},
    )


def layer_name(text: str, *, given: bool) -> str:
    """The name of a layer: the user's own is refused where Lambda would, one that comes from a file is mended."""
    mended = fitting_name(text, LONGEST_LAYER_NAME)
    if not given or _NAME.fullmatch(text):
        return mended if not given else text
    if text.startswith("arn:"):
        found = _ARN.fullmatch(text)
        hint = f"--name {found[1]}" if found else "its name, without account and Region, is the last part"
        raise UsageError(f"{text} is an ARN, and --name takes the name of a layer", hint=hint)
    raise UsageError(
        f"Lambda refuses the layer name {text!r}",
        hint=f"a name has 1 to {LONGEST_LAYER_NAME} letters, digits, hyphens and underscores; perhaps {mended}",
    )


def wanted_first(versions: Sequence[tuple[str, str]], manifest: Manifest | None) -> list[tuple[str, str]]:
    """Packages with their versions: those that were asked for, in that order, then the others by name."""
    asked = [_required(text) for text in manifest.requires] if manifest else []
    return sorted(versions, key=lambda one: (asked.index(one[0]) if one[0] in asked else len(asked), one[0]))


def _required(text: str) -> str:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement:
        return ""


def describe(name: str, versions: Sequence[tuple[str, str]], content_sha256: str) -> str:
    """The description of a version: name, as many packages as fit, and layerforge's mark."""
    mark = f" (layerforge content_sha256={content_sha256})"
    room = LONGEST_DESCRIPTION - len(mark)
    parts = [f"{package} {version}" for package, version in versions]
    for shown in range(len(parts), 0, -1):
        more = f" and {len(parts) - shown} more" if shown < len(parts) else ""
        text = f"{name}: {', '.join(parts[:shown])}{more}"
        if len(text) <= room:
            return text + mark
    return name[:room] + mark


def licence(packages: Iterable[Package]) -> str:
    """The licence of a layer as one SPDX expression; empty where no package names one."""
    terms = sorted({_term(package.licence) for package in packages if package.licence})
    bracketed = [f"({term})" if " OR " in term and len(terms) > 1 else term for term in terms]
    whole = " AND ".join(bracketed)
    # Part of an expression would say something else than the whole.
    return whole if len(whole) <= LONGEST_LICENCE else _OTHER_TERMS


def _term(text: str) -> str:
    try:
        return str(canonicalize_license_expression(text))
    except InvalidLicenseExpression:
        return "LicenseRef-" + (re.sub(r"[^a-zA-Z0-9.]+", "-", text).strip("-") or "other")


def grants(*, public: bool, organizations: Iterable[str], accounts: Iterable[str]) -> tuple[Grant, ...]:
    """Who may use the versions. Raises ``UsageError`` for what is no organization or no account."""
    given = [PUBLIC] if public else []
    for text in dict.fromkeys(organizations):
        if not _ORGANIZATION.fullmatch(text):
            raise UsageError(f"{text!r} is no organization", hint="an organization's id looks like o-a1b2c3d4e5")
        given.append(Grant(statement=f"layerforge-organization-{text}", principal="*", organization=text))
    for text in dict.fromkeys(accounts):
        if not _ACCOUNT.fullmatch(text):
            raise UsageError(f"{text!r} is no account", hint="an account's id has twelve digits; leave hyphens out")
        given.append(Grant(statement=f"layerforge-account-{text}", principal=text))
    return tuple(given)
