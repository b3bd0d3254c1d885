"""Names every setting in which two runs differ: what a reader must know before he compares their values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.analysis.digits import significant
from harness.host import cli

_OF_TESTBED = ("name", "time_source", "clock_hz", "module_baud", "console_baud")
_OF_POINTS = ("rate_bps", "delay_ms", "jitter_ms", "loss", "limit_packets", "clock_hz")
_OF_SCHEMES = ("version", "codec", "alpha", "exit_threshold")
_WORDS = {
    "name": "testbed",
    "time_source": "source of times",
    "clock_hz": "core clock",
    "module_baud": "baud rate of the Wi-Fi module",
    "console_baud": "baud rate of the console",
    "rate_bps": "rate of the link",
    "delay_ms": "delay of the link",
    "jitter_ms": "jitter of the link",
    "limit_packets": "queue of the link",
    "loss": "loss of the link",
    "exit_threshold": "exit threshold",
    "segment_bytes": "segment of the link",
    "header_bytes": "header of the link",
    "both_directions": "link in both directions",
}


def differing(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """Return a line for each setting that two manifests have otherwise, such as `seed: 0 against 1`.

    Of schemes and pinned times, those that both runs have.
    """
    lines = []
    first, second = dict(_settings(base)), dict(_settings(other))
    shared = first.keys() & second.keys()
    for what in [*first, *(w for w in second if w not in first)]:
        if what not in shared and what.startswith(_OF_ONE):
            continue
        one, two = first.get(what), second.get(what)
        if one != two:
            said = [_text(what, value) + _measured_on(run, what) for run, value in ((base, one), (other, two))]
            lines.append(f"{what}: {said[0]} against {said[1]}")
    weights = [{k: v.get("weights") for k, v in run["schemes"].items()} for run in (base, other)]
    if changed := sorted(k for k in weights[0].keys() & weights[1].keys() if weights[0][k] != weights[1][k]):
        lines.append(f"weights of {', '.join(changed)}")
    elif images := _other_firmware(base, other):
        lines.append(f"firmware of {', '.join(images)}")
    return lines


_OF_ONE = ("pinned remote time of ", *(f"{_WORDS.get(name, name)} of " for name in _OF_SCHEMES))


def _settings(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    bed = manifest["testbed"]
    for name in _OF_TESTBED:
        yield _WORDS[name], bed.get(name)
    yield "seed", manifest.get("seed")
    yield "host", _host(manifest.get("host") or {})
    yield "broker", manifest.get("broker")
    yield "commit", (manifest.get("commit") or {}).get("hash")
    yield "profile", manifest["dataset"].get("profile")
    yield "pictures of the data set", str(manifest["dataset"].get("checksum"))[:8]
    yield "pictures a point", len(manifest.get("images") or ())
    yield "warm-ups a point", manifest.get("warmup_images")
    yield from _of_points(manifest)
    for name, value in (manifest.get("link") or {}).items():
        yield _WORDS.get(name, f"{name} of the link"), value
    for name, value in (manifest.get("procedure") or {}).items():
        yield name.replace("_", " "), value
    yield "energy", "taken" if manifest.get("energy") else "not taken"
    yield "probe", (manifest.get("probe") or {}).get("name")
    charged = manifest.get("pinned") or {}
    yield "pinned remote times", "charged" if charged else "none"
    for scheme, remote_ms in (charged.get("remote_ms") or {}).items():
        yield f"pinned remote time of {scheme}", remote_ms
    for scheme, facts in manifest["schemes"].items():
        for name in _OF_SCHEMES:
            yield f"{_WORDS.get(name, name)} of {scheme}", facts.get(name, 1 if name == "version" else None)


def _host(told: Mapping[str, Any]) -> str:
    """Return the machine that ran the harness, in a line."""
    return f"{told.get('system')} {told.get('kernel')}, {told.get('machine')}, {told.get('cores')} cores"


def _measured_on(manifest: Mapping[str, Any], what: str) -> str:
    """Return where a pinned time was measured, in brackets; nothing where the manifest does not say."""
    scheme = what.removeprefix("pinned remote time of ")
    host = ((manifest.get("pinned") or {}).get("hosts") or {}).get(scheme) if scheme != what else None
    return f" ({host})" if host else ""


def _of_points(manifest: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Return what all points of a run have, such as the delay of the link; what the axis varies is no setting."""
    varied = (manifest.get("axis") or {}).get("column")
    points = list((manifest.get("points") or {}).values())
    for name in _OF_POINTS:
        values = {point.get(name) for point in points}
        if name != varied and len(values) == 1 and not (name == "clock_hz" and varied is None):
            yield f"{_WORDS[name]} (points)" if name == "clock_hz" else _WORDS[name], values.pop()


def _other_firmware(base: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    shared = base["schemes"].keys() & other["schemes"].keys()
    hashes = [{k: (run["schemes"][k].get("firmware") or {}).get("sha256") for k in shared} for run in (base, other)]
    return sorted(k for k in shared if hashes[0][k] != hashes[1][k])


def _text(what: str, value: Any) -> str:
    if value is None:
        return "none"
    if what == _WORDS["rate_bps"]:
        return cli.rate_text(value)
    if what.startswith(_WORDS["clock_hz"]):
        return cli.clock_text(value)
    if what.startswith("pinned remote time of ") or what in (_WORDS["delay_ms"], _WORDS["jitter_ms"]):
        return f"{significant(float(value), 4)} ms"
    return f"{value:g}" if isinstance(value, float) else str(value)
