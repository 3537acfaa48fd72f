"""A request with wheels of all that it names and that is none."""

from __future__ import annotations

from dataclasses import replace

from layerforge.build.making_wheels import WheelMaking, made_wheels
from layerforge.resolve.request import Request
from layerforge.resolve.wheel_source import PROJECT_FILES, Form, WheelSource, read


def with_wheels(request: Request, making: WheelMaking) -> Request:
    """The request with wheels of all that it names and that is none, its projects' own code among it.

    Raises ``LayerforgeError`` where one cannot be made.
    """
    if not request.names_sources:
        return request
    places = tuple(str(folder.resolve()) for folder in request.own_code)
    listed = any(file.name == PROJECT_FILES[0] for file in request.files)
    making = replace(making, indexes=request.listed.indexes, projects=frozenset(places if listed else ()))
    own = [WheelSource(form=Form.FOLDER, place=place) for place in places]
    direct = [found for text in request.listed.local if (found := read(text))]
    instead = [found for text in request.listed.instead if (found := read(text))]
    made = made_wheels([*own, *direct], instead, making)
    requires = tuple(dict.fromkeys([*request.spec.requires, *(one.pinned for one in made if one.direct)]))
    for one in made:
        if one.source.place in places:
            making.search.progress.say(f"the layer holds the project's own code: {one.name} {one.version}")
    return replace(request, spec=replace(request.spec, requires=requires), made=made)
