"""Pages that are written from files say what those files say; versions are the project's."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from types import ModuleType

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[3]


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["artifact", "weights"])
def test_a_page_says_what_is_stored(name: str) -> None:
    script = _script(name)
    assert script.PAGE.read_text(encoding="utf-8") == script.page(), f"run: python docs/{name}.py"


def test_the_readmes_latencies_are_those_of_the_artefact_page() -> None:
    """Two pages of one run must agree, whoever wrote them."""
    page = (ROOT / "ARTIFACT.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    ours = re.search(r"\| AgileNN \| [\d.]+ ms \| [\d.]+ \| ([\d.]+) \|", readme)
    theirs = re.search(r"AgileNN, cifar10: latency at 2 Mbit/s \(mean\) \| [^|]+ \| ([\d.]+) ms", page)
    assert ours and theirs and ours[1] == theirs[1]


def test_the_citation_has_the_projects_version() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"version: {version}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


@pytest.mark.parametrize(("file", "extras"), [("core", ()), ("train", ("train", "tables", "svhn"))])
def test_constraints_pin_every_dependency_within_its_bounds(file: str, extras: tuple[str, ...]) -> None:
    lines = (ROOT / "constraints" / f"{file}.txt").read_text().splitlines()
    pinned = dict(line.split("==") for line in lines if not line.startswith("#"))
    table = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*table["dependencies"], *(text for extra in extras for text in table["optional-dependencies"][extra])]
    for text in wanted:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), text


def test_pages_are_collected_with_links_that_mkdocs_can_follow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = _script("site")
    monkeypatch.setattr(site, "PAGES", tmp_path)
    site.collect()
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    assert "](docs/tutorial.md)" in readme and "](results/reference/README.md)" in readme
    lost = [
        f"{page.relative_to(tmp_path)}: {target}"
        for page in tmp_path.rglob("*.md")
        for _, target, _ in site._LINK.findall(page.read_text(encoding="utf-8"))
        if not (page.parent / target).is_file()
    ]
    assert lost == []
