"""`kubectl isochron` with nothing but a kubeconfig: through a real API server's proxy of services to a coordinator, with
the rights that the chart's roles give, and without them. Nothing runs pods here: what is asked in the pod itself is
tested up to the API server."""

import json
import os
import socket
import tempfile
import unittest
from pathlib import Path

import yaml

from kit import DEPLOY, one, run, template
from programs import environment, free_ports, running, wait
from server import Server

PLUGIN = Path(os.environ["ISOCHRON_COORDINATOR"]).with_name("kubectl-isochron")
BACKUP = """
apiVersion: federation.pingcap.com/v1alpha1
kind: VolumeBackup
metadata: {name: nightly, namespace: %s}
spec:
  clusters: [{k8sClusterName: az1, tcName: shop, tcNamespace: tidb}]
  template:
    br: {sendCredToTikv: false}
    s3: {provider: aws, region: eu-west-1, bucket: shop-bk, prefix: vol}
"""


def own_address() -> str:
    """Of this machine, but not of loopback: no Endpoints may have one of that."""
    with socket.socket(type=socket.SOCK_DGRAM) as probe:
        # Nothing is sent by it.
        probe.connect(("192.0.2.1", 9))
        return probe.getsockname()[0]


class Plugin(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()
        cls.addClassCleanup(cls.server.stop)
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.folder / "kubectl").symlink_to(os.environ["ISOCHRON_KUBECTL"])
        cls.server.kubectl("create", "namespace", "isochron")
        cls.server.kubectl("create", "namespace", "br-admin")
        cls.server.kubectl("apply", "--server-side", "-f", str(DEPLOY / "crds"))
        cls.server.kubectl("wait", "--for=condition=Established", "--timeout=60s", "crd/volumebackups.federation.pingcap.com")
        cls.rendered = template("isochron")
        port = cls.coordinator()
        roles = [one(cls.rendered, "Role", f"isochron-coordinator-{name}") for name in ("viewer", "admin")]
        service = one(cls.rendered, "Service", "isochron-coordinator-http")
        # The API server goes only where a pod is that has the address.
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "coordinator", "namespace": "isochron"},
            "spec": {"containers": [{"name": "coordinator", "image": "none"}]},
        }
        ip = own_address()
        cls.server.kubectl("apply", "-f", "-", stdin=json.dumps(pod))
        status = json.dumps({"status": {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}})
        cls.server.kubectl("-n", "isochron", "patch", "pod", "coordinator", "--subresource=status", "-p", status)
        target = {"kind": "Pod", "namespace": "isochron", "name": "coordinator"}
        endpoints = {
            "apiVersion": "v1",
            "kind": "Endpoints",
            "metadata": {"name": "isochron-coordinator-http", "namespace": "isochron"},
            "subsets": [{"addresses": [{"ip": ip, "targetRef": target}], "ports": [{"name": "http", "port": port}]}],
        }
        for found in (*roles, service, endpoints):
            cls.server.kubectl("apply", "-f", "-", stdin=json.dumps(found))

    @classmethod
    def coordinator(cls) -> int:
        """Stand-alone: what it serves on its HTTP port is the same. One VolumeBackup in each of two namespaces."""
        program, here = os.environ["ISOCHRON_COORDINATOR"], cls.folder / "coordinator"
        here.mkdir()
        for words in (["init"], ["coordinator", "isochron", "--san", "localhost"]):
            told = run([program, "pki", "--dir", here / "pki", *words], env=environment())
            assert told.returncode == 0, told.stderr
        (here / "objects").mkdir()
        for namespace in ("br-admin", "other"):
            (here / f"objects/{namespace}.yaml").write_text(BACKUP % namespace)
        (port,), (quic,) = free_ports(1), free_ports(1, socket.SOCK_DGRAM)
        config = {
            "planes": ["az1"],
            "listen": f"127.0.0.1:{quic}",
            "http": f"0.0.0.0:{port}",
            "socket": f"{here}/console.sock",
            "tls": {
                "ca": f"{here}/pki/ca.crt",
                "cert": f"{here}/pki/coordinator-isochron.crt",
                "key": f"{here}/pki/coordinator-isochron.key",
            },
        }
        (here / "config.yaml").write_text(yaml.safe_dump(config))
        serve = [program, "serve", "--config", here / "config.yaml", "--standalone", here / "objects"]
        cls.enterClassContext(running(serve, environment(), here / "log"))
        both = '"name":"nightly"'
        wait(port, "/api/v1/backups", lambda status, body: status == 200 and body.count(both) == 2, here / "log")
        return port

    def person(self, name: str, *roles: str) -> Path:
        """A kubeconfig of a ServiceAccount with these roles of the chart."""
        self.server.kubectl("-n", "isochron", "create", "serviceaccount", name)
        for role in roles:
            bound = ["create", "rolebinding", f"{name}-{role}", f"--role={role}", f"--serviceaccount=isochron:{name}"]
            self.server.kubectl("-n", "isochron", *bound)
        token = self.server.kubectl("-n", "isochron", "create", "token", name).strip()
        config = yaml.safe_load(self.server.kubeconfig.read_text())
        config["users"][0]["user"] = {"token": token}
        config["contexts"][0]["context"]["namespace"] = "br-admin"
        path = self.folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    def ask(self, kubeconfig: Path, *words: str):
        env = environment() | {"KUBECONFIG": str(kubeconfig), "PATH": f"{self.folder}:{os.environ['PATH']}"}
        env |= {"HOME": str(self.folder), "KUBERC": "off"}
        return run([PLUGIN, *words], env=env)

    def answer(self, kubeconfig: Path, *words: str):
        told = self.ask(kubeconfig, *words, "-o", "json")
        self.assertEqual(told.returncode, 0, told.stderr)
        return json.loads(told.stdout)

    def test_a_viewer_sees_everything_and_changes_nothing(self):
        viewer = self.person("viewer", "isochron-coordinator-viewer")
        self.assertEqual([row["plane"] for row in self.answer(viewer, "planes")], ["az1"])
        namespaces = lambda *words: [row["namespace"] for row in self.answer(viewer, "backups", *words)]
        self.assertEqual(namespaces(), ["br-admin"])
        self.assertEqual(namespaces("-n", "other"), ["other"])
        self.assertEqual(sorted(namespaces("-A")), ["br-admin", "other"])
        # A bare name is that of the context's namespace.
        self.assertEqual(self.answer(viewer, "show", "nightly")["record"]["request"]["namespace"], "br-admin")
        self.assertIn("clock", self.answer(viewer, "why", "nightly", "-n", "other"))
        self.assertIn("az1", self.ask(viewer, "planes").stdout)
        self.assertEqual(self.ask(viewer, "show", "none").returncode, 1)
        self.assertTrue(self.ask(viewer, "timeline", "nightly", "-o", "svg").stdout.startswith("<svg"))
        self.assertIn("br-admin/nightly", self.ask(viewer, "report", "nightly").stdout)
        cancelled = self.ask(viewer, "cancel", "nightly")
        self.assertEqual(cancelled.returncode, 3)
        self.assertIn("cannot patch resource", cancelled.stderr)
        checked = self.ask(viewer, "check")
        self.assertEqual(checked.returncode, 3)
        self.assertIn("forbidden", checked.stderr)

    def test_without_the_right_nobody_sees_anything(self):
        nobody = self.person("nobody")
        for words in (["status"], ["show", "nightly"], ["cancel", "nightly"], ["log-level"]):
            told = self.ask(nobody, *words)
            self.assertEqual(told.returncode, 3, words)
            self.assertIn("forbidden", told.stderr.lower(), words)
            self.assertEqual(told.stdout, "")
        self.assertIn("services/proxy", self.ask(nobody, "status").stderr)

    def test_who_may_patch_a_backup_may_cancel_it(self):
        self.server.kubectl("apply", "-f", "-", stdin=BACKUP % "br-admin")
        owner = self.person("owner", "isochron-coordinator-viewer")
        right = ["create", "role", "owner", "--verb=patch", "--resource=volumebackups.federation.pingcap.com"]
        self.server.kubectl("-n", "br-admin", *right)
        self.server.kubectl("-n", "br-admin", "create", "rolebinding", "owner", "--role=owner", "--serviceaccount=isochron:owner")
        self.assertEqual(self.answer(owner, "cancel", "nightly"), {"cancelling": "br-admin/nightly"})
        found = json.loads(self.server.kubectl("-n", "br-admin", "get", "volumebackups", "nightly", "-o", "json"))
        self.assertEqual(found["metadata"]["annotations"]["isochron.pingcap.com/cancel"], "true")
        gone = self.ask(owner, "cancel", "none")
        self.assertEqual(gone.returncode, 3)
        self.assertIn("not found", gone.stderr)

    def test_objects_are_written_by_the_rights_of_who_asks(self):
        manifest = self.folder / "written.yaml"
        manifest.write_text((BACKUP % "br-admin").replace("nightly", "written"))
        viewer = self.person("reader", "isochron-coordinator-viewer")
        refused = self.ask(viewer, "apply", "-f", str(manifest))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("forbidden", refused.stderr)
        writer = self.person("writer")
        verbs = "--verb=get,create,patch,delete"
        self.server.kubectl("-n", "br-admin", "create", "role", "writer", verbs, "--resource=volumebackups.federation.pingcap.com")
        self.server.kubectl("-n", "br-admin", "create", "rolebinding", "writer", "--role=writer", "--serviceaccount=isochron:writer")
        applied = lambda: self.answer(writer, "apply", "-f", str(manifest))[0]["applied"]
        self.assertEqual((applied(), applied()), ("created", "unchanged"))
        manifest.write_text(manifest.read_text().replace("bucket: shop-bk", "bucket: other-bk"))
        self.assertEqual(applied(), "configured")
        manifest.write_text(manifest.read_text().replace("provider: aws", "provider: gcp"))
        refused = self.ask(writer, "apply", "-f", str(manifest))
        self.assertEqual(refused.returncode, 1)
        self.assertIn("422", refused.stderr)
        deleted = self.answer(writer, "delete", "written")
        self.assertEqual(deleted[0]["name"], "written")
        self.assertEqual(self.ask(writer, "delete", "written").returncode, 1, "it is gone")

    def test_an_admin_comes_as_far_as_the_pod(self):
        admin = self.person("admin", "isochron-coordinator-admin")
        told = self.ask(admin, "check")
        # No Deployment is there: whoever may not ask would not be told.
        self.assertIn('deployments.apps "isochron-coordinator" not found', told.stderr)


if __name__ == "__main__":
    unittest.main()
