"""What the chart tests share: where things are, helm, and values that turn everything on."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHARTS = {"isochron": DEPLOY / "charts/isochron", "isochron-plane": DEPLOY / "charts/isochron-plane"}

# Manifest of deploy/, and its chart.
MANIFESTS = {"coordinator": "isochron", "plane-actor": "isochron-plane"}

HELM = os.environ["ISOCHRON_HELM"]

# helm reads and writes nothing of the person who runs this.
_home = tempfile.TemporaryDirectory(prefix="isochron-helm-")
HELM_ENV = os.environ | {
    name: _home.name for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME", "XDG_CACHE_HOME")
}


def run(command: list, *, stdin: str = "", env: dict | None = None) -> subprocess.CompletedProcess:
    return subprocess.run(
        [str(word) for word in command], input=stdin, env=env, capture_output=True, text=True, timeout=300
    )


def helm(*words, values: dict | None = None, env: dict | None = None) -> subprocess.CompletedProcess:
    """One helm command; `values` go in by a file, as a user's would."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        more = []
        if values is not None:
            # JSON is YAML, and quotes every text.
            file.write(json.dumps(values))
            file.flush()
            more = ["--values", file.name]
        return run([HELM, *words, *more], env=HELM_ENV | (env or {}))


def plain_values(chart: str) -> dict:
    manifest = next(name for name, of in MANIFESTS.items() if of == chart)
    return yaml.safe_load((DEPLOY / f"charts/plain/{manifest}.values.yaml").read_text())


def merged(values: dict, more: dict) -> dict:
    """As helm merges: maps by their keys, everything else whole."""
    result = dict(values)
    for key, value in more.items():
        both = isinstance(value, dict) and isinstance(result.get(key), dict)
        result[key] = merged(result[key], value) if both else value
    return result


def template(chart: str, values: dict | None = None, namespace: str = "isochron") -> list:
    """The objects of a rendering on top of the plain values."""
    given = merged(plain_values(chart), values or {})
    told = helm("template", "isochron", CHARTS[chart], "-n", namespace, values=given)
    assert told.returncode == 0, told.stderr
    return [document for document in yaml.safe_load_all(told.stdout) if document]


def refusal(chart: str, values: dict, plain: bool = True) -> str:
    """Why helm renders nothing."""
    told = helm("template", "isochron", CHARTS[chart], values=merged(plain_values(chart) if plain else {}, values))
    assert told.returncode != 0, f"{values} was taken"
    return told.stderr


def one(objects: list, kind: str, name: str | None = None, namespace: str | None = None) -> dict:
    def fits(found: dict) -> bool:
        metadata = found["metadata"]
        return (
            found["kind"] == kind
            and name in (None, metadata["name"])
            and namespace in (None, metadata.get("namespace"))
        )

    found = [candidate for candidate in objects if fits(candidate)]
    assert found, f"no {kind} {name or ''}"
    return found[0]


def kinds(objects: list) -> set:
    return {found["kind"] for found in objects}
