"""Folders that are no project of ``pyproject.toml``: those of a function's code, and those of ``setup.py``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from layerforge.core.errors import UsageError
from layerforge.core.text import fitting_name
from layerforge.resolve import own_code, requirements, sam_template
from layerforge.resolve.catalogue import Catalogue
from layerforge.resolve.folder_inputs import REQUIREMENTS, SETUP
from layerforge.resolve.layer_spec import LayerSpec
from layerforge.resolve.listed import Listed
from layerforge.resolve.project_file import PROJECT, project
from layerforge.resolve.recipe import LONGEST_NAME
from layerforge.resolve.request import Request

_SETUP = (SETUP, "setup.cfg")
_MOST_NAMED = 8


def of_folder(path: Path, given: str, known: Catalogue) -> Request | None:
    """The layer of a folder: of the ``setup.py`` in it, or of what is required beside a function's code.

    ``None`` where it holds neither.
    """
    name = fitting_name(path.resolve().name or "layer", LONGEST_NAME)
    if any((path / one).is_file() for one in _SETUP):
        left = (f"{path / REQUIREMENTS} does not count: setup.py says what the project requires",)
        return Request(
            spec=LayerSpec(name=name, requires=()),
            text="",
            catalogue=known,
            given=(given,),
            own_code=(path,),
            untaken=left if (path / REQUIREMENTS).is_file() else (),
        )
    if not (path / REQUIREMENTS).is_file():
        return None
    listed: Listed = requirements.listed(path / REQUIREMENTS)
    code = "the code in it stays the function's own"
    return Request(
        spec=LayerSpec(name=name, requires=listed.requires),
        text=listed.text,
        files=(path / REQUIREMENTS,),
        catalogue=known,
        given=(given,),
        listed=listed,
        untaken=(f"{path} is a function's folder: the layer holds what its {REQUIREMENTS} lists, and {code}",),
    )


def of_build(path: Path, given: str, known: Catalogue) -> Request | None:
    """The layer of a ``pyproject.toml`` whose requirements only a wheel of the project tells; ``None`` for others."""
    data = project(path)
    if path.name != PROJECT or "build-system" not in data or own_code.lacking(path.parent):
        return None
    tool = data.get("tool")
    tables = [data.get("project"), tool.get("poetry") if isinstance(tool, dict) else None]
    names = [str(one["name"]) for one in tables if isinstance(one, dict) and one.get("name")]
    name = fitting_name([*names, path.resolve().parent.name][0], LONGEST_NAME)
    told = f"what {path} requires is told by a wheel of the project alone"
    return Request(
        spec=LayerSpec(name=name, requires=()),
        text="",
        catalogue=known,
        given=(given,),
        own_code=(path.parent,),
        untaken=(told,),
    )


def refuse_template(path: Path) -> None:
    """Raises ``UsageError`` for a template of functions, with the folders of their code that can be layers' lists."""
    if path.name not in sam_template.NAMES:
        return
    named = dict.fromkeys(one.code for one in sam_template.functions(path))
    places = [os.path.normpath(path.parent / one) for one in named]
    with_list = [place for place in places if (Path(place) / REQUIREMENTS).is_file()]
    command = shlex.join(["layerforge", "build", *(with_list or places)[:_MOST_NAMED]])
    raise UsageError(
        f"{path} says where functions are, and lists no requirements",
        hint=f"name the folders of their code: `{command}`" if places else f"name a folder with a {REQUIREMENTS}",
    )
