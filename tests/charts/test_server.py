"""What a real API server makes of the charts: every value on and off, the first install over what is there, upgrades,
the way back, and the end."""

import json
import os
import re
import unittest
from pathlib import Path

import yaml

from full import FULL
from kit import CHARTS, DEPLOY, MANIFESTS, merged, one, plain_values, run, template
from server import Server

NAMESPACES = ["isochron", "tidb", "br-admin"]
DEFINITIONS = [f"volume{kind}.federation.pingcap.com" for kind in ("backups", "backupschedules", "restores")]
PREVIOUS = Path(__file__).parent / "previous"

# As the chart has them from the release before.
OWNED = ["configmaps", "deployments", "services", "roles", "rolebindings", "serviceaccounts", "poddisruptionbudgets"]

# Roles for people, which the release before had not.
NEW = {("Role", "isochron", f"isochron-coordinator-{name}") for name in ("viewer", "admin")}


def at(path: tuple, value) -> dict:
    for key in reversed(path):
        value = {key: value}
    return value


def values_of(tree: dict, path: tuple):
    for key in path:
        tree = tree[key]
    return tree


class Case(unittest.TestCase):
    """One server for the tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.server.know_others()
        for namespace in NAMESPACES:
            cls.server.kubectl("create", "namespace", namespace)

    def applied(self, objects: list, *words: str):
        """Strictly: an unknown field is a fault."""
        text = "\n---\n".join(json.dumps(found) for found in objects)
        told = self.server.try_kubectl("apply", "--server-side", "--validate=strict", *words, "-f", "-", stdin=text)
        self.assertEqual(told.returncode, 0, told.stderr)
        return told


class EveryValue(Case):
    def test_each_value_alone_and_all_together(self):
        for chart, folder in CHARTS.items():
            defaults = yaml.safe_load((folder / "values.yaml").read_text())
            schema = json.loads((folder / "values.schema.json").read_text())
            # A Service's type: the full one's class wants the default, the others follow below.
            paths = [path for path in sections_end(schema) if path not in {("global",), ("service", "type")}]
            for path in paths:
                mine = values_of(FULL[chart], path)
                self.assertNotEqual(mine, values_of(defaults, path), f"{chart}: full.py turns {path}")
            # Alone, on top of the plain values; what another value is needed for comes with that.
            needed = {
                "certManager": at(("certManager", "issuerRef", "name"), "isochron"),
                "plane": {"ledgerName": "x"},
                "extraVolumeMounts": {"extraVolumes": FULL[chart]["extraVolumes"]},
            }
            types = ["NodePort", "ClusterIP"] if chart == "isochron" else []
            given = [merged(needed.get(path[0], {}), at(path, values_of(FULL[chart], path))) for path in paths]
            objects = {}
            for values in (*given, *({"service": {"type": kind}} for kind in types)):
                for found in template(chart, values):
                    objects[json.dumps(found, sort_keys=True)] = found
            self.assertGreater(len(objects), 60)
            # Each rendering has objects of the same names: a dry run keeps none of them.
            for found in (template(chart, FULL[chart]), *one_of_each(list(objects.values()))):
                self.applied(found, "--dry-run=server")

    def test_pods_are_restricted(self):
        label = "pod-security.kubernetes.io/enforce=restricted"
        self.server.kubectl("label", "namespace", "br-admin", label)
        for chart in CHARTS:
            for values in ({}, FULL[chart]):
                pod = one(template(chart, values), "Deployment")["spec"]["template"]
                pod |= {"apiVersion": "v1", "kind": "Pod"}
                pod["metadata"] |= {"name": "p", "namespace": "br-admin"}
                told = self.applied([pod], "--dry-run=server")
                self.assertNotIn("Warning", told.stderr)
        del pod["spec"]["securityContext"]["seccompProfile"]
        told = self.server.try_kubectl("apply", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        self.assertIn('violates PodSecurity "restricted', told.stderr, "the server does look")


def sections_end(schema: dict, path: tuple = ()) -> list:
    """Every value that has no values below it."""
    found = []
    for key, value in schema["properties"].items():
        below = (*path, key)
        found += sections_end(value, below) if "properties" in value else [below]
    return found


def one_of_each(objects: list) -> list:
    """The objects in as few lists as hold no name twice: a list is one call of kubectl."""
    lists: list = []
    for found in objects:
        name = (found["kind"], found["metadata"].get("namespace"), found["metadata"]["name"])
        fitting = next((names for names in lists if name not in names), None)
        if fitting is None:
            lists.append(fitting := {})
        fitting[name] = found
    return [list(names.values()) for names in lists]


class Releases(Case):
    """In order of their names: a control plane's and a plane's life."""

    def counted(self) -> set:
        listed = json.loads(self.server.kubectl("get", ",".join(OWNED), "-A", "-o", "json"))["items"]
        return {(found["kind"], found["metadata"]["namespace"], found["metadata"]["name"]) for found in listed}

    def definitions(self) -> dict:
        made = json.loads(self.server.kubectl("get", "crd", *DEFINITIONS, "-o", "json"))["items"]
        return {found["metadata"]["name"]: found["spec"]["versions"][0]["schema"] for found in made}

    def test_1_the_manifests_follow_on_those_of_before(self):
        self.server.kubectl("create", "-f", "-", stdin=old_definitions())
        for name in MANIFESTS:
            self.server.kubectl("apply", "-f", PREVIOUS / f"{name}.yaml")
        before = self.counted()
        for name in MANIFESTS:
            told = self.server.try_kubectl("apply", "-f", DEPLOY / f"{name}.yaml")
            self.assertEqual(told.returncode, 0, told.stderr)
            self.assertNotIn("Warning", told.stderr)
        self.assertEqual(self.counted(), before | NEW, "nothing is left over, nothing else is new")

    def test_2_a_release_takes_over_what_is_there(self):
        before = self.counted()
        for chart in CHARTS:
            values = merged(plain_values(chart), {"crds": {"install": True}} if chart == "isochron" else {})
            words = ("install", chart, CHARTS[chart], "-n", "isochron")
            refused = self.server.try_helm(*words, values=values)
            self.assertIn("invalid ownership metadata", refused.stderr)
            notes = self.server.helm(*words, "--take-ownership", values=values).split("NOTES:")[1]
            self.assertEqual(notes.count("kubectl -n isochron "), 2, notes)
        after = {name for name in self.counted() if not name[2].startswith("sh.helm.release")}
        self.assertEqual(after, before)
        printed = run([os.environ["ISOCHRON_COORDINATOR"], "crd"]).stdout
        ours = {found["metadata"]["name"]: found for found in yaml.safe_load_all(printed) if found}
        for name, schema in self.definitions().items():
            self.assertEqual(schema, ours[name]["spec"]["versions"][0]["schema"], f"{name} is not ours")

    def test_3_a_release_is_upgraded_and_rolled_back(self):
        for chart in CHARTS:
            plain = merged(plain_values(chart), {"crds": {"install": True}} if chart == "isochron" else {})
            # Not what never changes: a Deployment's selector, which has a name of one's own, and a balancer's class.
            kept = {"fullnameOverride": "", "crds": {"install": True}, "service": {"loadBalancerClass": ""}}
            full = merged(FULL[chart], {key: value for key, value in kept.items() if key in FULL[chart]})
            for values in (full, plain):
                self.server.helm("upgrade", chart, CHARTS[chart], "-n", "isochron", values=values)
            self.server.helm("upgrade", chart, CHARTS[chart], "-n", "isochron", values=full)
            self.server.helm("rollback", chart, "1", "-n", "isochron")
            told = self.server.helm("get", "manifest", chart, "-n", "isochron")
            rendered = [found for found in yaml.safe_load_all(told) if found]
            self.assertEqual(one(rendered, "Deployment"), one(template(chart), "Deployment"))
            live = json.loads(self.server.kubectl("get", "deployment", "-n", "isochron", "-o", "json"))["items"]
            images = {found["spec"]["template"]["spec"]["containers"][0]["image"] for found in live}
            self.assertIn(one(rendered, "Deployment")["spec"]["template"]["spec"]["containers"][0]["image"], images)

    def test_4_backups_outlive_the_release(self):
        example = (DEPLOY / "examples/backup-access-key.yaml").read_text()
        self.server.kubectl("apply", "-f", "-", stdin=example)
        for chart in CHARTS:
            self.server.helm("uninstall", chart, "-n", "isochron")
        self.assertIn("shop-2024-05-01", self.server.kubectl("get", "vbk", "-n", "br-admin", "-o", "name"))
        for plural in DEFINITIONS:
            # The end of a definition takes a while: it must not have begun.
            metadata = json.loads(self.server.kubectl("get", "crd", plural, "-o", "json"))["metadata"]
            self.assertNotIn("deletionTimestamp", metadata)
        left = [name for name in self.counted() if "isochron" in name[2]]
        self.assertEqual(left, [])
        # And the next release takes its own again.
        values = merged(plain_values("isochron"), {"crds": {"install": True}})
        self.server.helm("install", "isochron", CHARTS["isochron"], "-n", "isochron", values=values)


def old_definitions() -> str:
    """Names, versions and maker of the old manager's; much smaller."""
    text = {"type": "string"}
    status = {"type": "object", "properties": {"phase": text, "commitTs": text, "lastBackup": text}}
    spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"metadata": {"type": "object"}, "spec": spec, "status": status}}
    made = []
    for kind, short in (("VolumeBackup", "vbk"), ("VolumeBackupSchedule", "vbks")):
        plural = f"{kind.lower()}s"
        names = {"kind": kind, "listKind": f"{kind}List", "plural": plural, "singular": kind.lower()}
        version = {"name": "v1alpha1", "served": True, "storage": True, "subresources": {}}
        spec = {"group": "federation.pingcap.com", "scope": "Namespaced", "names": names | {"shortNames": [short]}}
        spec["versions"] = [version | {"schema": {"openAPIV3Schema": schema}}]
        definition = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "spec": spec}
        made.append(json.dumps(definition | {"metadata": {"name": f"{plural}.federation.pingcap.com"}}))
    return "\n---\n".join(made)
