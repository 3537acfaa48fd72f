"""SBOMs in CycloneDX 1.6: of a layer that was just built, and of any zip from what lies in it.

Both are made of ``Part``s, so both look alike. Nothing in one depends on the date or on the machine.
"""

from __future__ import annotations

from layerforge.sbom.built import of_build
from layerforge.sbom.document import text
from layerforge.sbom.facts import Document, Inside, Library, Part
from layerforge.sbom.found import of_zip, wanted, without_metadata

__all__ = ["Document", "Inside", "Library", "Part", "of_build", "of_zip", "text", "wanted", "without_metadata"]
