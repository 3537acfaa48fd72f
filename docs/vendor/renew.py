"""Makes src/layerforge/data/vendor/ anew, always with the same bytes: ``python docs/vendor/renew.py [FOLDER]``.

npm fetches what package-lock.json names, and refuses anything with another hash. esbuild then joins the parts that
echarts.js asks for into one file. To move to a newer release, change package.json, write the lock as it says there,
and run this.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VENDOR = HERE.parents[1] / "src" / "layerforge" / "data" / "vendor"
BUNDLE = "echarts.min.js"
ESBUILD = ("--bundle", "--minify", "--format=iife", "--global-name=echarts", "--legal-comments=none", "--target=es2020")
TEXTS = {
    "NOTICE": "echarts/NOTICE",
    "LICENSE": "echarts/LICENSE",
    "LICENSE.d3": "echarts/licenses/LICENSE-d3",
    "LICENSE.zrender": "zrender/LICENSE",
    "LICENSE.tslib": "tslib/LICENSE.txt",
}
BUNDLED = ("echarts", "tslib", "zrender")


def main(folder: Path) -> None:
    """Fills ``folder`` with the bundle, its licences and ``vendor.json``, which says what they are made of."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        for file in ("package.json", "package-lock.json", "echarts.js"):
            shutil.copy(HERE / file, place)
        subprocess.run(
            ["npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=place, check=True
        )
        esbuild = place / "node_modules/esbuild/bin/esbuild"
        code = subprocess.run(
            [str(esbuild), "echarts.js", *ESBUILD], cwd=place, check=True, stdout=subprocess.PIPE
        ).stdout
        texts = {name: (place / "node_modules" / source).read_bytes() for name, source in TEXTS.items()}
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_bytes(text)
    # Whoever gets a page gets the licences with it.
    (folder / BUNDLE).write_bytes(b"/*!\n" + b"\n\n".join(texts.values()) + b"*/\n" + code)
    (folder / "vendor.json").write_text(json.dumps(facts(folder), indent=1) + "\n", "utf-8")


def facts(folder: Path) -> dict[str, Any]:
    """What the bundle is made of, by what and with which flags, and the digest of every file."""
    locked = json.loads((HERE / "package-lock.json").read_text("utf-8"))["packages"]

    def row(name: str) -> dict[str, str]:
        return {key: locked[f"node_modules/{name}"][key] for key in ("version", "license", "integrity")}

    files = (BUNDLE, *TEXTS)
    return {
        "bundled": {name: row(name) for name in BUNDLED},
        "by": {"esbuild": row("esbuild"), "flags": ESBUILD},
        "sha256": {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in files},
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else VENDOR)
