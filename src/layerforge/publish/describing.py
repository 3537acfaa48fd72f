"""What Lambda is told of a layer: its description, its licence, and who may use it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from layerforge.errors import UsageError
from layerforge.model import Examination, Manifest, Package, Target
from layerforge.publish.facts import LONGEST_DESCRIPTION, LONGEST_LICENCE, Artifact, Grant

_NAME = re.compile(r"[a-zA-Z0-9-_]{1,140}")
_ARN = re.compile(r"arn:[^:]+:lambda:[^:]*:[^:]*:layer:([a-zA-Z0-9-_]{1,140})(:\d+)?")
_ACCOUNT = re.compile(r"\d{12}")
_ORGANIZATION = re.compile(r"o-[a-z0-9]{10,32}")
_OTHER_TERMS = "LicenseRef-see-the-METADATA-of-each-package"

PUBLIC = Grant(statement="layerforge-public", principal="*")


def artifact(examination: Examination, made: Manifest | None, target: Target, name: str | None) -> Artifact:
    """What is published of an examined zip; ``made`` is its manifest where it has one.

    Raises ``UsageError`` where Lambda would refuse the name.
    """
    stem = made.name if made else examination.path.stem
    packages = made.packages if made else ()
    versions = [(one.name, one.version) for one in packages or examination.distributions]
    return Artifact(
        name=layer_name(name or (f"{made.name}-{target.label}" if made else stem), given=name is not None),
        path=examination.path,
        sha256=examination.sha256,
        zipped=examination.zipped,
        unzipped=examination.unzipped,
        runtimes=(f"python{target.python}",),
        architectures=(str(target.arch),),
        description=describe(stem, wanted_first(versions, made), examination.content_sha256),
        licence=licence(packages),
    )


def layer_name(text: str, *, given: bool) -> str:
    """The name of a layer: the user's own is refused where Lambda would, one that comes from a file is mended."""
    mended = re.sub(r"[^a-zA-Z0-9-_]+", "-", text)[:140].strip("-") or "layer"
    if not given or _NAME.fullmatch(text):
        return mended if not given else text
    if text.startswith("arn:"):
        found = _ARN.fullmatch(text)
        hint = f"--name {found[1]}" if found else "its name, without account and Region, is the last part"
        raise UsageError(f"{text} is an ARN, and --name takes the name of a layer", hint=hint)
    raise UsageError(
        f"Lambda refuses the layer name {text!r}",
        hint=f"a name has 1 to 140 letters, digits, hyphens and underscores; perhaps {mended}",
    )


def wanted_first(versions: Sequence[tuple[str, str]], made: Manifest | None) -> list[tuple[str, str]]:
    """Packages with their versions: those that were asked for, in that order, then the others by name."""
    asked = [_required(text) for text in made.requires] if made else []
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
    made = [PUBLIC] if public else []
    for text in dict.fromkeys(organizations):
        if not _ORGANIZATION.fullmatch(text):
            raise UsageError(f"{text!r} is no organization", hint="an organization's id looks like o-a1b2c3d4e5")
        made.append(Grant(statement=f"layerforge-organization-{text}", principal="*", organization=text))
    for text in dict.fromkeys(accounts):
        if not _ACCOUNT.fullmatch(text):
            raise UsageError(f"{text!r} is no account", hint="an account's id has twelve digits; leave hyphens out")
        made.append(Grant(statement=f"layerforge-account-{text}", principal=text))
    return tuple(made)
