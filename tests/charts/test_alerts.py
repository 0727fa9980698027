"""Alerts and dashboard: they lead to the runbook, ask for what is told, and fire when they should.

What a coordinator tells is compared in coordinator/src/metrics/tests/rules.rs, where every series can be made.
"""

import json
import os
import re
import shutil
import tempfile
import unittest
from pathlib import Path

import yaml

from kit import DEPLOY, MANIFESTS, ROOT, one, run, template
from programs import environment, free_ports, running, wait

RUNBOOK = (DEPLOY / "runbook.md").read_text()
TESTS = ROOT / "tests/charts/alerts"
REASON = "{{ $labels.reason | toLower }}"


def rules(name: str) -> list:
    groups = yaml.safe_load((DEPLOY / f"alerts/{name}.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def headings(level: int) -> list:
    return re.findall(rf"^{'#' * level} (.*)$", RUNBOOK, re.MULTILINE)


def anchor(heading: str) -> str:
    """As a renderer of Markdown makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def asked(text: str) -> set:
    return set(re.findall(r"\b(?:isochron|fed_volume_backup)_\w+", text))


class Rules(unittest.TestCase):
    def test_each_says_how_bad_what_and_where_to_read_on(self):
        anchors = {anchor(heading) for level in range(1, 5) for heading in headings(level)}
        # The table of reasons is compared with these in shared/tests/reasons.rs.
        reasons = {anchor(heading) for heading in headings(3)}
        self.assertGreater(len(reasons), 40)
        linked = set()
        for rule in (rule for name in MANIFESTS for rule in rules(name)):
            self.assertIn(rule["labels"]["severity"], {"critical", "warning", "info"}, rule)
            self.assertTrue(rule["annotations"]["summary"].strip(), rule)
            page, _, section = rule["annotations"]["runbook_url"].partition("#")
            self.assertEqual(page, "deploy/runbook.md")
            if section != REASON:
                self.assertIn(section, anchors, rule["alert"])
                linked.add(section)
        own = {anchor(heading) for heading in headings(4) if heading.startswith("Isochron")}
        self.assertEqual(own - linked, set(), "sections that no alert leads to")

    def test_the_operators_rules_are_the_same(self):
        for name, chart in MANIFESTS.items():
            url = "https://wiki.example/isochron"
            values = {"prometheusRule": {"enabled": True, "runbookUrl": url, "labels": {"release": "kps"}}}
            made = one(template(chart, values), "PrometheusRule")
            self.assertEqual(made["metadata"]["labels"]["release"], "kps")
            text = json.dumps(made["spec"]).replace(url, "deploy/runbook.md")
            self.assertEqual([rule for group in json.loads(text)["groups"] for rule in group["rules"]], rules(name))
        aged = template("isochron", {"prometheusRule": {"enabled": True, "backupMaxAgeSeconds": 1000000}})
        text = json.dumps(one(aged, "PrometheusRule")["spec"])
        self.assertIn("> 1000000", text)
        self.assertIn('"1000000s"', text)
        for placeholder in ("MAX_AGE", "RUNBOOK"):
            self.assertNotIn(placeholder, text)

    def test_the_dashboard_of_the_chart_is_the_file(self):
        objects = template("isochron", {"dashboard": {"enabled": True, "annotations": {"folder": "backup"}}})
        made = one(objects, "ConfigMap", "isochron-coordinator-dashboard")
        self.assertEqual(made["metadata"]["labels"]["grafana_dashboard"], "1")
        shown = json.loads(made["data"]["isochron.json"])
        self.assertEqual(shown, json.loads((DEPLOY / "dashboards/isochron.json").read_text()))
        numbers = [panel["id"] for panel in shown["panels"]]
        self.assertEqual(len(numbers), len(set(numbers)))


class Told(unittest.TestCase):
    def test_a_plane_tells_what_its_alerts_ask_for(self):
        told = plane_metrics()
        for rule in rules("plane-actor"):
            self.assertTrue(asked(rule["expr"]) <= told, f"{rule['alert']}: {told}")
        dashboard = asked((DEPLOY / "dashboards/isochron.json").read_text())
        self.assertTrue({name for name in dashboard if name.startswith("isochron_plane_")} <= told)


@unittest.skipUnless(shutil.which("promtool"), "NOT RUN: promtool is missing (Debian: prometheus)")
class Played(unittest.TestCase):
    def test_promtool_reads_the_rules(self):
        told = run(["promtool", "check", "rules", *sorted((DEPLOY / "alerts").glob("*.yaml"))])
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_alerts_fire_and_are_silent(self):
        for name in MANIFESTS:
            files = sorted(TESTS.glob(f"{name}*.test.yaml"))
            told = run(["promtool", "test", "rules", *files])
            self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
            played = [test for file in files for test in yaml.safe_load(file.read_text())["tests"]]
            cases = [case for test in played for case in test["alert_rule_test"]]
            names = {rule["alert"] for rule in rules(name)}
            self.assertEqual({case["alertname"] for case in cases if case.get("exp_alerts")}, names, "each fires")
            quiet = {case["alertname"] for case in cases if not case.get("exp_alerts")}
            self.assertEqual(quiet, names, "each is silent when all is well")


def plane_metrics() -> set:
    """Names that a plane actor tells, alone and without a coordinator: of series, and of those that have none yet."""
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder)
        pki = [os.environ["ISOCHRON_COORDINATOR"], "pki"]
        for made in (["init"], ["plane", "prod-az1"]):
            assert run([*pki, *made, "--dir", here / "pki"]).returncode == 0
        shutil.copy(DEPLOY / "examples/topology.yaml", here / "topology.yaml")
        port, nobody = free_ports(2)
        certificate = here / "pki/plane-prod-az1"
        config = {
            "plane": "prod-az1",
            "coordinator": [f"127.0.0.1:{nobody}"],
            "http": f"127.0.0.1:{port}",
            "standalone": f"{here}/topology.yaml",
            "tls": {"ca": f"{here}/pki/ca.crt", "cert": f"{certificate}.crt", "key": f"{certificate}.key"},
        }
        (here / "config.yaml").write_text(json.dumps(config))
        command = [os.environ["ISOCHRON_PLANE_ACTOR"], "run", "--config", here / "config.yaml"]
        with running(command, environment(), here / "log"):
            # Once certificates are told, everything is.
            told = "isochron_certificate_expiry_timestamp_seconds{"
            text = wait(port, "/metrics", lambda _, body: told in body, here / "log")
    lines = (line.removeprefix("# TYPE ") for line in text.splitlines())
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}
