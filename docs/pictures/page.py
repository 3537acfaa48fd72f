"""Takes the picture of a layer's page: ``python docs/pictures/page.py docs/pictures/page.png dist/LAYER.zip``.

Needs Chromium on the PATH, and the packages that the tests are run with.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import ViewportSize, sync_playwright

SIZE = ViewportSize(width=1400, height=1240)
DRAWN_MS = 1500


def main(out: Path, layer: Path) -> None:
    """Writes the page of ``layer`` somewhere, opens it, and keeps what it looks like."""
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "page.html"
        subprocess.run([sys.executable, "-m", "layerforge", "inspect", str(layer), "--html", str(page)], check=True)
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium") or shutil.which("google-chrome")
            browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
            view = browser.new_page(viewport=SIZE)
            view.set_default_timeout(120_000)
            view.goto(page.as_uri())
            view.wait_for_timeout(DRAWN_MS)
            view.screenshot(path=out)
            browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
