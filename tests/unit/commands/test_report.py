"""The page of a run: whole, safe, readable without sight or mouse, and true to the run."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tarfile
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path

import pytest

from harness.commands import report as way
from harness.host.cli import way_in
from harness.report import svg, timeline
from harness.report.page import build
from harness.report.serve import server
from harness.runs.store import Store

from ...support import runs as stored

pytestmark = pytest.mark.slow

Make = Callable[..., Path]
LATENCIES = {
    "agilenn": {270e3: [40.0, 41.0, 42.0, 43.0, 44.0], 6e6: [9.0, 9.1, 9.2, 9.3, 9.4]},
    "local_only": {270e3: [10.0] * 5, 6e6: [10.0] * 5},
}
ACCURACY = {"agilenn": 0.87, "local_only": 0.82}
_SECONDS = 120


@pytest.fixture
def run(make_run: Make) -> Path:
    return make_run("run", LATENCIES, accuracy=ACCURACY)


class Elements(HTMLParser):
    """Every start tag with its attributes."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_shows_the_runs_numbers(run: Path) -> None:
    page = build(Store(run))
    for said in ("42.0 [40.0, 44.0]", "87.0 % (n 10,000)", "AgileNN, 6 Mbit/s: 9.2 [9.0, 9.4] ms", "Pareto front"):
        assert said in page
    assert "(paper)" in page


def test_nothing_is_loaded_from_elsewhere_and_no_script_runs(run: Path) -> None:
    page = build(Store(run))
    elements = Elements(page).found
    assert not [t for t, _ in elements if t in ("script", "link", "img", "iframe", "object")]
    linked = [v for _, a in elements for k, v in a.items() if k in ("src", "href", "xlink:href")]
    assert linked == ["#results"]
    assert not re.search(r"url\(|@import", page)


def test_what_comes_from_a_run_is_escaped(make_run: Make) -> None:
    bad = '<img src=x onerror="alert(1)">'
    schemes = {"agilenn": stored.manifest()["schemes"]["agilenn"] | {"title": bad}}
    page = build(Store(make_run("bad", {"agilenn": {6e6: [9.0] * 5}}, schemes=schemes)))
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_every_figure_has_a_name_and_every_mark_can_be_reached(run: Path) -> None:
    elements = Elements(build(Store(run))).found
    ids = {a["id"] for _, a in elements if a.get("id")}
    for tag, attributes in elements:
        if tag == "svg" and attributes.get("aria-hidden") != "true":
            named = str(attributes["aria-labelledby"]).split()
            assert set(named) <= ids
        if tag == "g":
            assert attributes["tabindex"] == "0"
            assert attributes["aria-label"]
        if tag == "th":
            assert attributes["scope"] in ("row", "col")
    assert ("html", {"lang": "en"}) in elements


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def test_text_stands_out_from_its_ground() -> None:
    css = (resources.files("harness.report") / "page.css").read_text()
    grounds = {"#ffffff", "#f5f5f5", "#fff4d6"}
    for colour in set(re.findall(r"[^-]color: (#[0-9a-f]{6})", css)) | set(re.findall(r"fill: (#[0-9a-f]{6})", css)):
        for ground in grounds:
            light, dark = sorted((_luminance(ground), _luminance(colour)), reverse=True)
            assert (light + 0.05) / (dark + 0.05) >= 4.5, (colour, ground)  # WCAG 2.1, 1.4.3


def test_spans_of_a_timeline_add_up_to_the_latency() -> None:
    parts = {"serial_up_ms": 0.4, "link_up_ms": 1.0, "link_down_ms": 0.2, "serial_down_ms": 0.1}
    row = stored.measured(**parts)
    told = timeline.spans(row)
    assert sum(s.length_ms for s in told) == pytest.approx(row["total_ms"])
    assert [s.lane for s in told] == [
        "device",
        "device",
        "device",
        "device",
        "link",
        "edge",
        "link",
        "device",
        "device",
    ]
    untold = timeline.spans(stored.measured())
    assert any("not told" in s.name for s in untold)


@pytest.mark.parametrize(("low", "high", "log"), [(9.0, 11.0, True), (0.1, 900.0, True), (-3.0, 4.0, False)])
def test_ticks_lie_within_their_scale(low: float, high: float, log: bool) -> None:
    scale = svg.spread([low, high], 0.0, 100.0, log=log)
    found = svg.ticks(scale)
    assert len(found) >= 3
    assert all(0 <= scale(v) <= 100 for v in found)
    assert scale(low) >= 0
    assert scale(high) <= 100


def test_the_way_in_writes_the_page_and_bad_input_is_one_line(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert way_in(way.main, [str(run)]) == 0
    assert (run / "report.html").read_text().startswith("<!doctype html>")
    for argv in (["nowhere"], [str(run), "--out", str(tmp_path)], [str(run), "--port", "70000"]):
        assert way_in(way.main, argv) == 2
    (run / "manifest.json").write_text("{")
    assert way_in(way.main, [str(run)]) == 2
    assert capsys.readouterr().err.count("\n") == 4


def test_a_run_without_a_sample_still_has_a_page(make_run: Make) -> None:
    store = Store(make_run("empty", {"agilenn": {}}))
    assert "No sample has been measured yet" in build(store, live=True)


def test_serving_follows_the_journal(make_run: Make) -> None:
    run = make_run("live", {"agilenn": {6e6: [9.0, 9.5]}}, status="running", order=["a", "b", "c"])
    with server(run, 0) as serving:
        thread = threading.Thread(target=serving.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{serving.server_address[1]}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            page = answer.read().decode()
        assert "2 of 3 samples" in page
        assert 'http-equiv="refresh"' in page
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{url}/etc/passwd", timeout=10)
        (run / "manifest.json").write_text("{")
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(url, timeout=10)
        serving.shutdown()
        thread.join()


def chromium(*options: str) -> str:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium here (Debian: apt-get install chromium)")
    plain = ("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars")
    done = subprocess.run([program, *plain, *options], capture_output=True, timeout=_SECONDS, check=True)
    return done.stdout.decode(errors="replace")


def test_chromium_draws_it(run: Path, tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    way_in(way.main, [str(run)])
    shot = tmp_path / "page.png"
    chromium("--window-size=1100,2400", f"--screenshot={shot}", (run / "report.html").as_uri())
    with Image.open(shot) as image:
        colours = image.convert("RGB").getcolors(1 << 24) or []
    assert image.size == (1100, 2400)
    seen = {colour for count, colour in colours if count > 50}
    assert {(0, 0x72, 0xB2), (0xD5, 0x5E, 0)} <= seen  # the two schemes' marks


def test_axe_finds_no_violation(run: Path, tmp_path: Path) -> None:
    """axe-core's rules (WCAG 2.1 A and AA), run in Chromium; the script is only in the test's copy of the page."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm here to fetch axe-core with")
    fetched = subprocess.run(
        [npm, "pack", "axe-core@4.10"], cwd=tmp_path, capture_output=True, timeout=_SECONDS, check=False
    )
    if fetched.returncode:
        pytest.skip("axe-core can't be fetched from the npm registry")
    with tarfile.open(next(tmp_path.glob("axe-core-*.tgz"))) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        axe = member.read().decode()
    ask = (
        "axe.run(document,{resultTypes:['violations']}).then(r=>{const e=document.createElement('pre');e.id='axe';"
        "e.textContent=JSON.stringify(r.violations.map(v=>[v.id,v.nodes.map(n=>n.html)]));document.body.append(e)})"
    )
    page = build(Store(run)).replace("</body>", f"<script>{axe}</script><script>{ask}</script></body>")
    (tmp_path / "page.html").write_text(page)
    dom = chromium("--virtual-time-budget=20000", "--dump-dom", (tmp_path / "page.html").as_uri())
    told = re.search(r'<pre id="axe">(.*?)</pre>', dom, re.DOTALL)
    assert told, "axe did not answer"
    assert json.loads(told[1].replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")) == []
