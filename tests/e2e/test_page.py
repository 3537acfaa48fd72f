"""The page of ``inspect --html`` in a real browser, opened from disk."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

import zips
from wheels import make_wheel
from zips import Put

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
STEM = f"demo-py{PYTHON.replace('.', '')}-x86_64"
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
RTL = "\u202e"
HOSTILE = (
    "python/pkg/<img src=x onerror=hacked()>.py",
    "python/pkg/</script><script>hacked()</script>.py",
    f"python/pkg/{RTL}gnp.py",
    "python/pkg/{a|b}{{data}}.py",
    "python/__proto__/constructor",
    "python/pkg/" + "a" * 4000 + ".py",
    "python/pkg/'\"&lt;\u2028.py",
)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium on this machine")


@dataclass
class Watched:
    """An open page, and all that it asked for or complained about."""

    page: Page
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    @property
    def rows(self) -> Locator:
        return self.page.locator("#map .areas tbody tr")

    @property
    def here(self) -> str:
        return self.page.locator("#map .crumbs [aria-current]").inner_text()

    @property
    def said(self) -> Locator:
        return self.page.locator("#map [role=status]")


@cache
def inspected(zip_file: Path, *options: str | Path) -> tuple[Path, Any]:
    """The page of a zip, and what ``--json`` says of it in the same run."""
    html = zip_file.with_name(f"page{len(options)}.html")
    argv = [sys.executable, "-m", "layerforge", "inspect", str(zip_file), "--html", str(html), "--json"]
    ran = subprocess.run([*argv, *map(str, options)], capture_output=True, text=True, check=True)
    return html, json.loads(ran.stdout)


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A layer that layerforge built, with everything beside it, and a measured cold start."""
    folder = tmp_path_factory.mktemp("layer")
    library = zips.library(folder / "made" / "libdemo.so.1", soname="libdemo.so.1").read_bytes()
    files = {f"demo/part{number}/mod{one}.py": b"x = 1\n" * 9 * one for number in range(4) for one in range(6)}
    files |= {
        "demo/__init__.py": b"",
        "demo.libs/libdemo.so.1": library,
        "demo/tests/__init__.py": b"",
        "demo/tests/test_t.py": b"def test_t(): pass\n",
    }
    make_wheel(folder / "index", files=files)
    config = folder / "uv.toml"
    config.write_text(f'no-index = true\nfind-links = ["{folder / "index"}"]\n')
    env = {"UV_CONFIG_FILE": f"{config}", "UV_CACHE_DIR": f"{folder / 'uv'}", "LAYERFORGE_CACHE": f"{folder / 'store'}"}
    argv = [sys.executable, "-m", "layerforge", "build", "demo", "--python", PYTHON, "--engine", "host"]
    subprocess.run([*argv, "-o", str(folder)], check=True, capture_output=True, env={**os.environ, **env})
    part = {"name": "demo.part1.mod3", "self_us": 1500, "total_us": 1500, "bytes": 162, "children": []}
    tree = {"name": "demo", "self_us": 500, "total_us": 2000, "bytes": 40, "children": [part]}
    inner = [{"name": f"json.{name}", "self_us": 300, "total_us": 300, "children": []} for name in "abc"]
    other = {"name": "json", "self_us": 100, "total_us": 1000, "children": inner}
    size = {"memory_mb": 512, **{key: {"all": [3.0, 4.0, 5.0]} for key in ("init_ms", "first_invoke_ms")}}
    before = {"zip": "before.zip", "imports": [tree | {"self_us": 2500}, other]}
    measured = {"imports": [tree, other], "zip": f"{STEM}.zip", "sizes": [size], "against": before}
    (folder / f"{STEM}.coldstart.json").write_text(json.dumps(measured))
    return folder / f"{STEM}.zip"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A zip whose names would do harm, if they could."""
    path = tmp_path_factory.mktemp("hostile") / "<b>hostile.zip"
    puts = [Put(name=name, data=b"x = 1\n") for name in HOSTILE]
    return zips.write(path, [*puts, zips.link("lib/x.so", f"../{RTL}nowhere")])


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    made = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion="reduce")
    made.set_default_timeout(60_000)
    yield made
    made.close()


def opened(context: BrowserContext, zip_file: Path, *options: str | Path) -> tuple[Watched, Any]:
    """The page of a zip, and what ``--json`` says of it."""
    html, told = inspected(zip_file, *options)
    seen = Watched(context.new_page())
    seen.page.on("request", lambda request: seen.requests.append(request.url))
    seen.page.on("console", lambda message: seen.complaints.append(message.text))
    seen.page.on("pageerror", lambda error: seen.complaints.append(str(error)))
    seen.page.goto(html.as_uri())
    seen.page.wait_for_selector("html.ready", state="attached")
    return seen, told


OF_THE_LAYER, PYTHON_SOURCE, EMPTY = "--tone0", "--tone1", "--folder"
"""Colours of an imported module, of a file, and of what is around them."""

PAINTED = """([place, name]) => {
  const canvas = document.querySelector(`${place} canvas`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const colour = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const wanted = [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
  let found = 0;
  for (let at = 0; at < data.length; at += 4) found += wanted.every((part, one) => data[at + one] === part);
  return (4 * found) / data.length;
}"""


def painted(page: Page, place: str, colour: str) -> float:
    """Part of a chart that has exactly this colour."""
    return float(page.evaluate(PAINTED, [place, colour]))


def number(text: str) -> int:
    return int(text.replace(",", "").replace("+", "").replace("–", "0"))


def cells(page: Page, caption: str) -> list[list[str]]:
    """Texts of the rows of a table."""
    rows = page.get_by_role("table", name=caption, exact=True).locator("tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def test_it_opens_from_disk_without_a_request_or_a_complaint(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    seen.page.wait_for_timeout(500)
    assert seen.requests == [inspected(layer)[0].as_uri()]
    assert seen.complaints == []
    assert seen.page.locator("#map canvas").count() == 1


def test_the_numbers_are_those_of_the_json(context: BrowserContext, layer: Path) -> None:
    seen, told = opened(context, layer)
    expected = [[row["name"], row["files"], row["unzipped"], row["zipped"]] for row in told["packages"]]
    shown = [[row[0], *map(number, row[5:])] for row in cells(seen.page, "Packages")]
    assert shown == expected
    *kinds, structure, whole = cells(seen.page, "Kinds of files")
    assert [[row[0], *map(number, row[1:])] for row in kinds] == [
        [row["name"], row["files"], row["unzipped"], row["zipped"]] for row in told["kinds"]
    ]
    assert number(structure[3]) == told["overhead_bytes"]
    assert (
        list(map(number, whole[2:]))
        == [told["unzipped_bytes"], told["zip_bytes"]]
        == [
            told["unzipped_bytes"],
            layer.stat().st_size,
        ]
    )
    assert number(seen.page.locator("#left-bytes").inner_text()) == 262_144_000 - told["unzipped_bytes"]
    assert seen.page.get_by_text(told["sha256"]).count() == 1


def test_the_sizes_of_the_list_add_up_in_either_measure(context: BrowserContext, layer: Path) -> None:
    seen, told = opened(context, layer)
    for measure, whole in (("unzipped", told["unzipped_bytes"]), ("zipped", told["zip_bytes"])):
        seen.page.get_by_label(measure, exact=True).check()
        for grouping in ("package", "folder", "kind"):
            seen.page.get_by_label(grouping, exact=True).check()
            expect(seen.page.locator("#shown")).to_contain_text(f"{whole:,} bytes {measure}")
            assert sum(number(row.locator("td").first.inner_text()) for row in seen.rows.all()) == whole


def test_it_zooms_by_mouse(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    before = seen.here
    seen.page.locator("#map .chart").click(position={"x": 200, "y": 300})
    expect(seen.said).to_contain_text("Zoomed to ")
    assert seen.here != before
    seen.page.locator("#map .crumbs button").first.click()
    assert seen.here == before


def test_it_zooms_by_keyboard_alone(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    whole = seen.here
    for _ in range(60):
        seen.page.keyboard.press("Tab")
        if seen.page.evaluate("document.activeElement.closest('#map .areas') !== null"):
            break
    seen.page.keyboard.press("Enter")
    expect(seen.said).to_contain_text("Zoomed to demo, ")
    seen.page.keyboard.press("ArrowRight")
    inner = seen.here
    assert inner not in {whole, "demo"}
    seen.page.keyboard.press("End")
    assert seen.page.evaluate(
        "document.activeElement === [...document.querySelectorAll('#map .areas tbody button')].at(-1)"
    )
    seen.page.keyboard.press("Backspace")
    assert seen.here == "demo"
    assert seen.page.evaluate("document.activeElement.innerText").startswith(inner)
    seen.page.keyboard.press("ArrowLeft")
    assert seen.here == whole


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_the_treemap_is_drawn_again_with_and_without_motion(browser: Browser, layer: Path, motion: Any) -> None:
    context = browser.new_context(viewport={"width": 1400, "height": 1000}, reduced_motion=motion)
    seen, _ = opened(context, layer)
    for step in ("folder", "kind", "zipped", "unzipped"):
        seen.page.get_by_label(step, exact=True).check()
        seen.page.wait_for_timeout(700)
        assert painted(seen.page, "#map", EMPTY) < 0.5, step
    context.close()


def test_many_small_files_are_drawn_where_there_is_nothing_else(context: BrowserContext, tmp_path: Path) -> None:
    files = {f"python/pkg/part{number}.py": b"x = 1\n" for number in range(2000)}
    seen, _ = opened(context, zips.of(tmp_path / "small.zip", files))
    assert painted(seen.page, "#map", PYTHON_SOURCE) > 0.02


def test_what_is_said_of_a_file_stands_beside_the_treemap(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    seen.page.get_by_role("searchbox").fill("libdemo")
    expect(seen.rows).to_have_count(1)
    seen.rows.get_by_role("button").click()
    facts, chart = (seen.page.locator(f"#map {name}").bounding_box() for name in (".facts", ".chart"))
    assert facts
    assert chart
    assert facts["y"] + facts["height"] <= chart["y"] + chart["height"] + 1


def test_on_a_narrow_screen_nothing_sticks_out_and_names_have_room(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    seen.page.set_viewport_size({"width": 400, "height": 900})
    # The charts take the new width a moment later than the text. The page's own policy forbids what waits in it.
    for _ in range(100):
        if seen.page.evaluate("document.documentElement.scrollWidth") <= 400:
            break
        seen.page.wait_for_timeout(100)
    assert seen.page.evaluate("document.documentElement.scrollWidth") == 400
    for table in ("native", "sbom", "packages"):
        box = seen.page.locator(f"#{table} tbody th").first.bounding_box()
        assert box is not None, table
        assert box["width"] >= 120, table


def test_search_finds_a_file_and_says_what_it_is(context: BrowserContext, layer: Path) -> None:
    seen, told = opened(context, layer)
    seen.page.get_by_role("searchbox").fill("LIBDEMO")
    expect(seen.page.locator("#shown")).to_contain_text("1 file, ")
    [native] = told["native"]
    seen.rows.get_by_role("button", name=native["path"]).click()
    facts = dict(
        zip(
            seen.page.locator("#map .facts dt").all_inner_texts(),
            seen.page.locator("#map .facts dd").all_inner_texts(),
            strict=True,
        )
    )
    assert facts["machine"] == "x86_64, 64 bits"
    assert facts["libraries needed"] == ", ".join(native["needed"]) or "none"
    assert facts["stripped"] == ("yes" if native["stripped"] else "no")
    assert facts["package"] == "demo"
    seen.page.get_by_role("searchbox").fill("nothing is called so")
    expect(seen.page.locator("#shown")).to_contain_text("0 files, 0 bytes")


def test_a_file_in_a_table_leads_to_itself(context: BrowserContext, layer: Path) -> None:
    seen, told = opened(context, layer)
    seen.page.locator("#native").get_by_role("button").first.click()
    expect(seen.page.get_by_role("searchbox")).to_have_value(told["native"][0]["path"])
    expect(seen.rows).to_have_count(1)


def test_the_page_opens_with_whether_it_fits_what_is_wrong_and_what_helps(
    context: BrowserContext, layer: Path, hostile: Path
) -> None:
    for one, wrong in ((layer, "Nothing is wrong"), (hostile, "error")):
        seen, told = opened(context, one)
        seen.page.set_viewport_size({"width": 1280, "height": 800})
        expect(seen.page.locator("#left")).to_contain_text("It fits Lambda")
        expect(seen.page.locator("#verdict")).to_contain_text(wrong)
        for part in ("#left", "#verdict", *(["#command"] if told["advice"] else [])):
            expect(seen.page.locator(part)).to_be_in_viewport()
        expect(seen.page.get_by_text(told["sha256"])).not_to_be_in_viewport()


def test_the_bar_is_red_above_the_limit(context: BrowserContext, layer: Path, tmp_path: Path) -> None:
    large = zips.write(tmp_path / "large.zip", [Put(name="python/a.bin", data=bytes(262_144_001))])
    colours = []
    for one in (layer, large):
        seen, told = opened(context, one)
        bar = seen.page.get_by_role("meter")
        expect(bar).to_have_attribute("aria-valuenow", str(told["unzipped_bytes"]))
        colours.append(bar.locator("div").evaluate("one => getComputedStyle(one).backgroundColor"))
    expect(seen.page.locator("#left")).to_contain_text("It does not fit Lambda: 1 byte ")
    red, green, blue = map(int, re.findall(r"\d+", colours[1]))
    assert red > 2 * max(green, blue)
    assert colours[0] != colours[1]


def test_ticking_advice_changes_the_bar_and_the_command(context: BrowserContext, tmp_path: Path) -> None:
    files = {
        "python/pkg/__init__.py": b"",
        "python/boto3/__init__.py": b"",
        "python/boto3/data.bin": os.urandom(2_000_000),
    }
    for name, version in (("pkg", "1.0"), ("boto3", "1.40.0")):
        info = f"python/{name}-{version}.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
        files[f"{info}/RECORD"] = f"{name}/__init__.py,,\n{'boto3/data.bin,,' if name == 'boto3' else ''}\n".encode()
    seen, told = opened(context, zips.of(tmp_path / "own.zip", files))
    [advice] = [one for one in told["advice"] if one["kind"] == "runtime-has-it"]
    command, left = seen.page.locator("#command"), seen.page.locator("#left-bytes")
    tail = f"--python {told['python']} --arch x86_64"
    expect(command).to_have_text(f"layerforge build boto3==1.40.0 pkg==1.0 {tail}")
    box = seen.page.get_by_role("checkbox", name=advice["message"])
    box.check()
    expect(command).to_have_text(f"layerforge build boto3==1.40.0 pkg==1.0 {tail} --leave-out runtime")
    expect(left).to_have_text(f"{262_144_000 - told['unzipped_bytes'] + advice['bytes']:,}")
    box.uncheck()
    expect(left).to_have_text(f"{262_144_000 - told['unzipped_bytes']:,}")


@pytest.mark.parametrize("name", ["-rhttps://nowhere.invalid/x", "/etc/passwd", "../x", "$(touch owned)"])
def test_no_name_in_a_zip_becomes_an_option_of_the_command(context: BrowserContext, tmp_path: Path, name: str) -> None:
    files = {"python/boto3/__init__.py": b"", "python/boto3/data.bin": os.urandom(2_000_000)}
    for number, (one, version) in enumerate(((name, "1.0"), ("boto3", "1.40.0"))):
        info = f"python/x{number}-{version}.dist-info"
        files[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {one}\nVersion: {version}\n".encode()
        files[f"{info}/RECORD"] = b"boto3/__init__.py,,\nboto3/data.bin,,\n" if one == "boto3" else b""
    seen, _ = opened(context, zips.of(tmp_path / "own.zip", files))
    shown = seen.page.locator("#command").inner_text()
    assert shlex.split(shown)[:3] == ["layerforge", "build", "boto3==1.40.0"]
    assert [word for word in shlex.split(shown) if word.startswith("-")] == ["--python", "--arch"]


def test_what_is_not_opened_has_the_colour_of_what_it_holds_most_of(context: BrowserContext, layer: Path) -> None:
    seen, told = opened(context, layer)
    seen.page.get_by_role("radio", name="kind").check()
    kinds = [one.inner_text() for one in seen.page.locator("#legend li").all()]
    shown = {}
    for row in seen.rows.all():
        name = row.get_by_role("button").inner_text().split(",")[0].strip()
        shown[name] = row.locator(".bar").get_attribute("class")
    assert len(shown) == len(told["kinds"])
    for name, classes in shown.items():
        assert classes == f"bar tone{kinds.index(name)}"
    assert "folder that is not opened" not in kinds


def test_the_ledger_is_that_of_the_manifest(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    made = json.loads(layer.with_suffix(".manifest.json").read_text())
    signed = {one["pass"]: one["bytes"] for one in made["saved"]}
    shown = {row[0]: row[1] for row in cells(seen.page, "What each pass saved")}
    assert shown == {name: f"{size:,}" if size >= 0 else f"{-size:,} added" for name, size in signed.items()}
    pruned = seen.page.get_by_role("row", name="prune tests")
    pruned.locator("summary").click()
    expect(pruned.get_by_text("python/demo/tests/test_t.py")).to_be_visible()


def test_a_package_leads_to_its_entry_in_the_sbom(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    link = seen.page.get_by_role("link", name="pkg:pypi/demo@1.0")
    link.click()
    target = seen.page.locator(":target")
    expect(target).to_have_text("demo")
    assert len(seen.requests) == 1


def test_a_measured_cold_start_is_shown_and_zooms(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    expect(seen.page.locator("#coldstart-sum")).to_have_text("6 modules in 3.0 ms")
    seen.page.locator("#imports .areas").get_by_role("button", name="demo").click()
    rows = seen.page.locator("#imports .areas tbody tr")
    expect(rows).to_have_count(1)
    assert rows.locator("td").all_inner_texts()[:2] == ["1.5 ms", "1.5 ms"]
    seen.page.set_viewport_size({"width": 500, "height": 900})
    seen.page.wait_for_timeout(300)
    assert seen.complaints == []
    assert painted(seen.page, "#imports", OF_THE_LAYER) > 0.1
    [runs] = cells(seen.page, "Cold starts, median (least to most)")
    assert runs[1:4] == ["512 MB", "3", "4 (3 to 5)"]


def test_where_the_start_goes_is_shown_before_and_after(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    expect(seen.page.locator("#start-sum")).to_contain_text("5.0 ms of imports → 3.0 ms, 0.60 ×; 6 → 6 modules.")
    widths = [box.evaluate("box => box.offsetWidth") for box in seen.page.locator("#start-bars .stack").all()]
    assert abs(widths[1] / widths[0] - 0.6) < 0.02
    assert cells(seen.page, "Import time before and after")[0] == ["demo", "", "4.0 ms", "2.0 ms", "-2.0 ms"]
    seen.page.locator("#start-part").get_by_label("module bodies").check()
    assert cells(seen.page, "Import time before and after")[0][0] == "demo"
    assert seen.complaints == []


def test_what_changed_is_shown(context: BrowserContext, layer: Path, hostile: Path) -> None:
    seen, told = opened(context, layer, "--against", hostile)
    rows = {row[0]: list(map(number, row[1:])) for row in cells(seen.page, "What changed in all")}
    for name, key in (("unzipped", "unzipped_bytes"), ("zip", "zip_bytes"), ("files", "files")):
        delta = told["changes"][key]
        assert rows[name] == [delta["before"], delta["after"], delta["change"]]
    kinds = {row[0]: row[1:] for row in cells(seen.page, "Kinds of files that changed")}
    assert kinds.keys() == {row["name"] for row in told["changes"]["kinds"]}
    for row in told["changes"]["kinds"]:
        assert number(kinds[row["name"]][0]) == row["unzipped"]["change"], row["name"]
    assert seen.complaints == []


def test_layers_of_the_same_bytes_say_so(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer, "--against", layer)
    assert seen.page.get_by_text("The same bytes.").count() == 1
    assert seen.page.locator("#changes table").count() == 1


def test_parts_without_data_are_not_there(context: BrowserContext, hostile: Path) -> None:
    seen, _ = opened(context, hostile)
    for part in ("coldstart", "ledger", "native", "sbom", "changes"):
        assert seen.page.locator(f"#{part}-part").count() == 0, part
        assert seen.page.locator(f"nav a[href='#{part}-part']").count() == 0, part
    assert seen.page.locator("#findings-part").count() == 1


def test_hostile_names_are_inert(context: BrowserContext, hostile: Path) -> None:
    seen, told = opened(context, hostile)
    page = seen.page
    page.get_by_label("folder", exact=True).check()
    page.get_by_role("searchbox").fill("p")
    expect(seen.rows).to_have_count(len(HOSTILE))
    for button in seen.rows.get_by_role("button").all():
        button.hover()
        button.click()
    page.locator("#map .chart").hover(position={"x": 100, "y": 100})
    page.wait_for_timeout(300)
    assert seen.complaints == []
    assert len(seen.requests) == 1
    assert page.locator("img, iframe, object, b").count() == 0
    assert page.locator("script").count() == 3
    assert page.evaluate("typeof window.hacked") == "undefined"
    assert page.evaluate("() => { const keys = []; for (const key in {}) keys.push(key); return keys; }") == []
    assert RTL not in page.content()
    assert page.get_by_text("\\u202egnp.py").count() > 0
    longest = max(seen.rows.get_by_role("button").all_inner_texts(), key=len)
    assert len(longest) < 200
    assert page.locator(f"[title='{HOSTILE[5]}']").count() > 0
    assert told["unzipped_bytes"] == 6 * len(HOSTILE) + len(f"../{RTL}nowhere".encode())


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["layer", "hostile"])
def test_axe_finds_nothing_against_it(
    context: BrowserContext, scheme: Any, which: str, request: pytest.FixtureRequest
) -> None:
    seen, _ = opened(context, request.getfixturevalue(which))
    seen.page.emulate_media(color_scheme=scheme)
    for summary in seen.page.locator("summary").all():
        summary.click()
    found = Axe().run(seen.page)
    assert found.violations_count == 0, found.generate_report()
    assert request.config.cache is not None
    seen.page.wait_for_timeout(300)
    seen.page.screenshot(path=request.config.cache.mkdir("screenshots") / f"page-{which}-{scheme}.png", full_page=True)


def test_a_dark_page_prints_light_with_what_the_rules_mean(context: BrowserContext, hostile: Path) -> None:
    seen, _ = opened(context, hostile)
    seen.page.emulate_media(color_scheme="dark")
    seen.page.wait_for_timeout(300)
    ink, paper = "getComputedStyle(document.body).color", "getComputedStyle(document.body).backgroundColor"
    assert seen.page.evaluate(ink) == "rgb(232, 234, 237)"
    seen.page.emulate_media(color_scheme="dark", media="print")
    seen.page.wait_for_timeout(300)
    assert (seen.page.evaluate(ink), seen.page.evaluate(paper)) == ("rgb(27, 31, 36)", "rgb(255, 255, 255)")
    assert painted(seen.page, "#map", PYTHON_SOURCE) > 0.2
    seen.page.pdf()
    assert seen.page.locator(".rule > details").count() == seen.page.locator(".rule > details[open]").count() > 0
    assert seen.complaints == []


def test_it_prints_every_part_on_paper(context: BrowserContext, layer: Path) -> None:
    seen, _ = opened(context, layer)
    seen.page.emulate_media(media="print")
    assert not seen.page.locator("form[name=view]").is_visible()
    for part in ("map", "findings", "packages", "ledger", "native", "sbom"):
        assert seen.page.locator(f"#{part}-part h2").is_visible(), part
    assert seen.page.pdf().startswith(b"%PDF")


@pytest.mark.parametrize("place", [".", "nowhere/page.html", "other.zip", "a" * 300 + ".html"])
def test_a_page_that_cannot_be_written_is_refused(layer: Path, tmp_path: Path, place: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "layerforge", "inspect", str(layer), "--html", place],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "name" in ran.stderr or "mkdir -p nowhere" in ran.stderr
    assert "LAYERFORGE_CACHE" not in ran.stderr
    assert list(tmp_path.iterdir()) == []
