"""Whether the packages that Lambda's own Python has may stay out of a layer without anybody saying so."""

from __future__ import annotations

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from layerforge.build.plan import Plan
from layerforge.core.runtimes import Runtime
from layerforge.layer.tree import Tree
from layerforge.resolve import markers
from layerforge.resolve.left_out import Why
from layerforge.resolve.runtime_versions import lets_all_in, will_do


def refusal(tree: Tree, plan: Plan) -> str:
    """Why the runtime's packages have to stay in the layer of a plan; empty where they may go.

    They stay where the person names a version of one, or where a package that stays might not take the one that the
    runtime has, since AWS decides which that is.
    """
    without, runtime = plan.without, plan.target.runtime
    gone = {one.name for one in without.spec.left_out} - {one.name for one in plan.spec.left_out} if without else set()
    own = {one.name for one in without.spec.left_out if one.why is Why.RUNTIME} & gone if without else set()
    for one in markers.required(plan.spec.requires, plan.target):
        if canonicalize_name(one.name) in own and _is_particular(one, runtime):
            return f"{_told(one)} is asked for, and the runtime may have another"
    environment = markers.environment(plan.target)
    for package in tree.packages:
        text = tree.read(f"{package.info}/METADATA") if package.info and package.name not in gone else None
        for one in markers.asked(text or b"", environment):
            if canonicalize_name(one.name) in own and not will_do(one, runtime):
                return f"{package.name} asks for {_told(one)}, and the runtime may have another"
    return ""


def _is_particular(requirement: Requirement, runtime: Runtime) -> bool:
    """Whether a person asks for certain versions that the runtime need not have."""
    said = requirement.url or requirement.extras or requirement.specifier
    return bool(said) and (bool(requirement.extras) or not lets_all_in(requirement, runtime))


def _told(requirement: Requirement) -> str:
    """``boto3[crt]>=1.40``, without markers and addresses."""
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    where = " of an address" if requirement.url else ""
    return f"{requirement.name}{extras}{requirement.specifier}{where}"
