"""What the charts render, and what they refuse. helm alone."""

import json
import os
import re
import tempfile
import unittest

import yaml

from full import AWS, IDENTITIES, POLICY_RULES, PRICES
from kit import CHARTS, DEPLOY, ROOT, helm, kinds, merged, one, plain_values, refusal, run, template
from programs import environment

# Set by the charts themselves.
CHARTS_OWN = {"listen", "http", "socket", "namespace", "standalone", "tls.ca", "tls.cert", "tls.key", "tls.crl"}

# Defaults that a chart has otherwise than its program, on purpose.
OTHER_DEFAULTS = {("isochron-plane", "serverName"): "isochron"}

PROGRAMS = {
    "isochron": ("ISOCHRON_COORDINATOR", "serve"),
    "isochron-plane": ("ISOCHRON_PLANE_ACTOR", "run"),
}

ARN = "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1"


# Keys whose order is the program's.
SETS = {"planes", "objects.namespaces"}

# Keys of a chart that have names with a default and take others beside them.
OPEN = {"isochron.prices.volumes"}

# Keys below which the user chooses the names.
FREE = {"aws.tags", "aws.volumes.quotaGib"}


def leaves(tree: dict, path: str = "") -> dict:
    found = {}
    for key, value in tree.items():
        at = f"{path}{key}"
        inner = isinstance(value, dict) and value and at not in FREE
        found |= leaves(value, f"{at}.") if inner else {at: value}
    return found


def settings_of(chart: str, config: str) -> dict:
    """What the program takes a configuration file for: every key with its value."""
    variable, verb = PROGRAMS[chart]
    command = [os.environ[variable], verb, "--print-config", "--config", "/dev/stdin"]
    told = run(command, stdin=config, env=environment())
    assert told.returncode == 0, told.stderr
    return leaves(yaml.safe_load(told.stdout))


def config_of(objects: list) -> str:
    return one(objects, "ConfigMap")["data"]["config.yaml"]


class Plain(unittest.TestCase):
    def test_manifests_and_tables_are_what_the_charts_render(self):
        told = run([DEPLOY / "charts/render", "--check"])
        self.assertEqual(told.returncode, 0, told.stdout + told.stderr)

    def test_lint_finds_nothing(self):
        for chart, folder in CHARTS.items():
            for values in ({}, plain_values(chart)):
                told = helm("lint", "--strict", folder, values=values)
                self.assertEqual(told.returncode, 0, told.stdout + told.stderr)
                self.assertNotRegex(told.stdout, "WARNING|ERROR")

    def test_charts_and_images_are_of_the_version_of_the_programs(self):
        version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        for folder in CHARTS.values():
            chart = yaml.safe_load((folder / "Chart.yaml").read_text())
            image = yaml.safe_load((folder / "values.yaml").read_text())["image"]
            self.assertEqual((chart["version"], chart["appVersion"]), (version, version))
            self.assertTrue(image.endswith(f":{version}"), image)


class Values(unittest.TestCase):
    def test_every_key_of_the_programs_is_a_value_with_the_same_default(self):
        for chart, folder in CHARTS.items():
            values = yaml.safe_load((folder / "values.yaml").read_text())
            schema = json.loads((folder / "values.schema.json").read_text())["properties"]
            programs = {key: value for key, value in settings_of(chart, "{}").items() if key not in CHARTS_OWN}
            self.assertGreaterEqual(len(programs), 4)
            for key, default in programs.items():
                of, known = values, {"properties": schema}
                for word in key.split("."):
                    of, known = of[word], known["properties"][word]
                self.assertEqual(of, OTHER_DEFAULTS.get((chart, key), default), f"{chart}: {key}")

    def test_every_value_reaches_the_program(self):
        pd = [{"namespace": "tidb", "name": "a", "urls": ["http://pd:2379"], "tlsSecret": "mine"}]
        given = {
            "isochron": {
                "planes": [ARN, "b, c", "1", "1e3", "- x", "null"],
                "trustDomain": "example.org",
                "identities": IDENTITIES,
                "tcp": "[::]:7555",
                "name": "second",
                "objects": {"namespaces": ["shop", "1e3"], "labelSelector": "isochron in (second), tier!=test"},
                "timezone": "Europe/Berlin",
                "stopGraceSeconds": 86400,
                "ui": False,
                "prices": PRICES | {"snapshotGibMonth": 1.25},
                "verify": {"enabled": False, "newestHours": 1, "restHours": 87600},
                "scan": {"enabled": False, "hours": 87600},
                "tracing": {"endpoint": "https://collector:4318/otlp", "ca": "/etc/collector/ca.crt"},
                "policy": {"httpEndpoints": True, "rules": POLICY_RULES},
            },
            "isochron-plane": {
                "plane": "1e3",
                "coordinator": ["[::1]:7443", "c.example:7443"],
                "serverName": "",
                "fallback": {"tcp": ["c.example:7444", "[fd00::1]:7444"], "afterSeconds": 86400},
                "trustDomain": "example.org",
                "identities": IDENTITIES,
                "pd": pd,
                "clusterDomain": "k8s.example",
                "aws": AWS,
                "sharingPlanes": 3,
                "restore": {"enabled": True},
                "cleanQuietSeconds": 1000000,
            },
        }
        for chart, values in given.items():
            read = settings_of(chart, config_of(template(chart, values)))
            wanted = leaves(values)
            programs = {key for key in settings_of(chart, "{}") if key not in CHARTS_OWN}
            self.assertEqual(set(wanted), programs, "this test gives each of them")
            for key, value in wanted.items():
                found = read[key]
                if key in SETS:
                    found, value = sorted(found), sorted(value)
                self.assertEqual(found, value, key)

    def test_every_value_is_in_the_schema_and_every_key_of_the_schema_has_a_default(self):
        def same(values: dict, schema: dict, at: str):
            self.assertIs(bool(schema.get("additionalProperties", True)), at in OPEN, at)
            self.assertEqual(set(values), set(schema["properties"]) - {"global"}, at)
            for key, value in schema["properties"].items():
                if "properties" in value:
                    same(values[key], value, f"{at}.{key}")

        for chart, folder in CHARTS.items():
            values = yaml.safe_load((folder / "values.yaml").read_text())
            same(values, json.loads((folder / "values.schema.json").read_text()), chart)

    def test_refusals_name_what_is_wrong(self):
        wrong = [
            ("isochron", {"replicas": "two"}, "at '/replicas': got string, want integer"),
            ("isochron", {"planes": "prod-az1"}, "at '/planes': got string, want array"),
            ("isochron", {"timeZone": "UTC"}, "additional properties 'timeZone' not allowed"),
            ("isochron", {"tls": {"secretname": "x"}}, "at '/tls': additional properties 'secretname' not allowed"),
            ("isochron", {"brFederationManager": {"replicas": 1}}, "'brFederationManager' not allowed"),
            ("isochron", {"planes": []}, "planes: the list is empty"),
            ("isochron", {"identities": [{"uri": "https://m/x", "is": "plane/a"}]}, "at '/identities/0/uri': 'https://m/x' does not match"),
            ("isochron-plane", {"identities": [{"uri": "spiffe://m/x", "is": "admin/a"}]}, "at '/identities/0/is': 'admin/a' does not match"),
            ("isochron", {"certManager": {"enabled": True}}, "certManager.issuerRef.name: missing"),
            ("isochron", {"service": {"type": "ExternalName"}}, "at '/service/type'"),
            ("isochron-plane", {"plane": ""}, "plane: missing"),
            ("isochron-plane", {"coordinator": []}, "coordinator: missing"),
            ("isochron-plane", {"coordinator": ["host"]}, "at '/coordinator/0'"),
            ("isochron-plane", {"plane": ARN}, f"`coordinator pki plane '{ARN}'` prints"),
            ("isochron-plane", {"namespaces": [{"tidbClusters": ["a"]}]}, "missing property 'name'"),
            ("isochron-plane", {"replicas": 2}, "additional properties 'replicas' not allowed"),
        ]
        for chart, values, why in wrong:
            self.assertIn(why, refusal(chart, values), values)
        self.assertIn("planes: the list is empty", refusal("isochron", {}, plain=False))
        self.assertIn("plane: missing", refusal("isochron-plane", {}, plain=False))


class Names(unittest.TestCase):
    def test_the_ledger_is_called_as_the_program_calls_it(self):
        with tempfile.TemporaryDirectory() as folder:
            pki = [os.environ["ISOCHRON_COORDINATOR"], "pki"]
            here = ["--dir", f"{folder}/pki"]
            self.assertEqual(run([*pki, "init", *here]).returncode, 0)
            for plane in ["prod-az1", "gke_shop-project_europe-west1-b_prod", "A.b", "a.-b_.c", ARN]:
                made = run([*pki, "plane", plane, *here])
                self.assertEqual(made.returncode, 0, made.stderr)
                ledger = re.search(r"isochron-plane-\S+", made.stdout)[0]
                values = {"plane": plane, "ledgerName": ledger if plane == ARN else ""}
                role = one(template("isochron-plane", values), "Role", "isochron-plane-actor", "isochron")
                self.assertEqual(role["rules"][0]["resourceNames"], [ledger], plane)

    def test_cert_manager_is_asked_for_the_identity_of_the_certificate(self):
        issuer = {"certManager": {"enabled": True, "issuerRef": {"name": "isochron"}}}
        values = {"plane": f"{ARN} a+b~ä", "ledgerName": "x"}
        asked = one(template("isochron-plane", merged(values, issuer)), "Certificate")["spec"]
        segment = "arn%3Aaws%3Aeks%3Aeu-west-1%3A123456789012%3Acluster%2Fprod-az1%20a%2Bb~%C3%A4"
        self.assertEqual(asked["uris"], [f"spiffe://isochron.local/plane/{segment}"])
        self.assertEqual(asked["usages"], ["digital signature", "client auth"])
        objects = template("isochron", merged(issuer, {"certManager": {"dnsNames": ["i.example.com"]}}))
        asked = one(objects, "Certificate")["spec"]
        self.assertEqual(asked["uris"], ["spiffe://isochron.local/coordinator/isochron"])
        self.assertEqual((asked["dnsNames"], asked["usages"][1]), (["isochron", "i.example.com"], "server auth"))
        # It makes no list of revoked certificates.
        self.assertNotIn("crl", yaml.safe_load(config_of(objects))["tls"])
        for chart in CHARTS:
            objects = template(chart, merged(issuer, {"tls": {"crlSecretName": "isochron-crl"}}))
            self.assertEqual(yaml.safe_load(config_of(objects))["tls"]["crl"], "/etc/isochron/tls/crl.pem")
            volumes = one(objects, "Deployment")["spec"]["template"]["spec"]["volumes"]
            sources = next(volume for volume in volumes if volume["name"] == "tls")["projected"]["sources"]
            self.assertEqual(sources[1]["secret"]["name"], "isochron-crl")


class Rights(unittest.TestCase):
    def test_no_list_of_names_is_ever_empty(self):
        """In RBAC that would mean all of them."""
        bare = {"namespaces": [{"name": "tidb"}, {"name": "isochron", "tidbClusters": ["own"]}]}
        objects = template("isochron-plane", bare)
        for role in (found for found in objects if found["kind"] == "Role"):
            for rule in role["rules"]:
                self.assertNotEqual(rule.get("resourceNames", ["-"]), [], role["metadata"])
                named = set(rule["resources"]) & {"secrets", "serviceaccounts", "serviceaccounts/token"}
                self.assertTrue(not named or rule.get("resourceNames"), role["metadata"])
        # Where TiKV and the plane actor share a namespace, both roles are there.
        one(objects, "Role", "isochron-plane-actor-tidb", "isochron")
        one(objects, "Role", "isochron-plane-actor", "isochron")

    def test_rights_of_restores_are_given_where_they_are_asked_for(self):
        name = "isochron-plane-actor-restore"
        named = lambda objects: [found for found in objects if found["metadata"]["name"] == name]
        self.assertEqual(named(template("isochron-plane")), [])
        self.assertEqual(named(template("isochron-plane", {"restore": {"enabled": True}, "rbac": {"create": False}})), [])
        objects = template("isochron-plane", {"restore": {"enabled": True}})
        self.assertEqual(len(named(objects)), 4)
        role, cluster = one(objects, "Role", name, "tidb"), one(objects, "ClusterRole", name)
        self.assertEqual([rule["verbs"] for rule in role["rules"]], [["create", "delete"], ["delete"], ["patch"]])
        self.assertEqual([rule["verbs"] for rule in cluster["rules"]], [["create", "delete", "get", "list"], ["get"]])
        for binding in (one(objects, "RoleBinding", name, "tidb"), one(objects, "ClusterRoleBinding", name)):
            self.assertEqual(binding["roleRef"]["name"], name)
            self.assertEqual(binding["subjects"][0]["name"], "isochron-plane-actor")

    def test_everything_can_be_left_to_others(self):
        off = {"rbac": {"create": False}, "serviceAccount": {"create": False, "name": "theirs"}}
        for chart in CHARTS:
            objects = template(chart, merged(off, {"podDisruptionBudget": {"enabled": False}}))
            left = {"ConfigMap", "Deployment"} | ({"Service"} if chart == "isochron" else set())
            self.assertEqual(kinds(objects), left)
            account = one(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"]
            self.assertEqual(account, "theirs")


class Definitions(unittest.TestCase):
    def test_the_definitions_stay_when_the_release_goes(self):
        objects = template("isochron", {"crds": {"install": True}})
        made = [found for found in objects if found["kind"] == "CustomResourceDefinition"]
        printed = run([os.environ["ISOCHRON_COORDINATOR"], "crd"]).stdout
        self.assertEqual(len(made), 3)
        for found in made:
            self.assertEqual(found["metadata"].pop("annotations"), {"helm.sh/resource-policy": "keep"})
        self.assertEqual(made, [found for found in yaml.safe_load_all(printed) if found])

    def test_a_status_is_kept_apart_where_that_is_asked_for(self):
        objects = template("isochron", {"crds": {"install": True, "statusSubresource": True}})
        made = [found for found in objects if found["kind"] == "CustomResourceDefinition"]
        printed = run([os.environ["ISOCHRON_COORDINATOR"], "crd", "--status-subresource"]).stdout
        for found in made:
            self.assertEqual(found["metadata"].pop("annotations"), {"helm.sh/resource-policy": "keep"})
        self.assertEqual(made, [found for found in yaml.safe_load_all(printed) if found])
        self.assertEqual([found["spec"]["versions"][0]["subresources"] for found in made], [{"status": {}}] * 3)


class Pods(unittest.TestCase):
    def test_a_pod_starts_anew_for_what_it_reads_only_at_its_start(self):
        def sum_of(chart: str, values: dict) -> str:
            metadata = one(template(chart, values), "Deployment")["spec"]["template"]["metadata"]
            return metadata["annotations"]["checksum/config"]

        before = sum_of("isochron", {})
        self.assertEqual(sum_of("isochron", {"planes": ["another"]}), before)
        self.assertNotEqual(sum_of("isochron", {"timezone": "Asia/Tokyo"}), before)
        self.assertNotEqual(sum_of("isochron-plane", {"sharingPlanes": 2}), sum_of("isochron-plane", {}))

    def test_kubernetes_leaves_the_grace_that_is_configured(self):
        pod = one(template("isochron", {"stopGraceSeconds": 3600}), "Deployment")["spec"]["template"]["spec"]
        self.assertGreaterEqual(pod["terminationGracePeriodSeconds"], 3620)
        balancer = one(template("isochron", {"stopGraceSeconds": 3600}), "Service")["metadata"]["annotations"]
        self.assertIn("deregistration_delay.timeout_seconds=3630", balancer.values())

    def test_tcp_has_its_ports_where_it_is_set_and_nowhere_else(self):
        for tcp, wanted in [(None, set()), ("[::]:7555", {444, 7555, "tcp"})]:
            values = {"tcp": tcp, "service": {"tcpPort": 444}, "networkPolicy": {"enabled": True}}
            objects = template("isochron", values)
            service = one(objects, "Service", "isochron-coordinator")["spec"]["ports"]
            pod = one(objects, "Deployment")["spec"]["template"]["spec"]["containers"][0]["ports"]
            policy = [port for rule in one(objects, "NetworkPolicy")["spec"]["ingress"] for port in rule["ports"]]
            found = {port["port"] for port in service if port["protocol"] == "TCP"}
            found |= {port["containerPort"] for port in pod if port["name"] == "tcp"}
            found |= {port["port"] for port in policy if port["port"] == "tcp"}
            self.assertEqual(found, wanted)
