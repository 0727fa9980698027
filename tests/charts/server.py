"""A real kube-apiserver with its own etcd, on loopback; as tests/src/servers/kube.rs has it."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from kit import helm, run
from programs import free_ports

# Until it is ready, beside other tests.
LIMIT = 120
TOKEN = "isochron-tests-admin"

# Kinds of others, which only have to be there: their own definitions are no part of this.
OTHERS = [
    ("monitoring.coreos.com", "v1", "ServiceMonitor", "servicemonitors"),
    ("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules"),
    ("cert-manager.io", "v1", "Certificate", "certificates"),
]


def definition(group: str, version: str, kind: str, plural: str) -> str:
    return f"""
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {{name: {plural}.{group}}}
spec:
  group: {group}
  scope: Namespaced
  names: {{kind: {kind}, listKind: {kind}List, plural: {plural}, singular: {kind.lower()}}}
  versions:
  - name: {version}
    served: true
    storage: true
    schema: {{openAPIV3Schema: {{type: object, x-kubernetes-preserve-unknown-fields: true}}}}
"""


class Server:
    """Started by the constructor; `stop` ends it."""

    def __init__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="isochron-kube-")
        here = Path(self.folder.name)
        port, client, peer = free_ports(3)
        (here / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")
        key, certificates = here / "service-accounts.key", here / "certificates"
        self.kubeconfig = here / "kubeconfig.yaml"
        self.kubeconfig.write_text(
            f"""apiVersion: v1
kind: Config
clusters:
- name: t
  cluster: {{server: "https://127.0.0.1:{port}", certificate-authority: "{certificates}/apiserver.crt"}}
users: [{{name: t, user: {{token: {TOKEN}}}}}]
contexts: [{{name: t, context: {{cluster: t, user: t}}}}]
current-context: t
"""
        )
        command = [
            os.environ["ISOCHRON_KUBE"],
            "kube-apiserver",
            f"--etcd-dir={here}/etcd",
            f"--etcd-client-url=http://127.0.0.1:{client}",
            f"--etcd-peer-url=http://127.0.0.1:{peer}",
            f"--cert-dir={certificates}",
            f"--secure-port={port}",
            "--bind-address=127.0.0.1",
            "--service-account-issuer=https://localhost",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--token-auth-file={here}/tokens.csv",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.0.0.0/24",
            "--disable-admission-plugins=ServiceAccount",
        ]
        self.log = open(here / "log", "w+")
        self.program = subprocess.Popen(command, stdout=self.log, stderr=self.log)
        try:
            self._ready()
        except BaseException:
            self.stop()
            raise

    def _ready(self):
        until = time.monotonic() + LIMIT
        while self.try_kubectl("get", "--raw", "/readyz").returncode != 0:
            if self.program.poll() is not None or time.monotonic() > until:
                self.log.seek(0)
                raise AssertionError("kube-apiserver is not ready:\n" + self.log.read()[-2000:])
            time.sleep(0.3)

    def stop(self):
        self.program.kill()
        self.program.wait()
        self.log.close()
        self.folder.cleanup()

    def try_kubectl(self, *words, stdin: str = "") -> subprocess.CompletedProcess:
        env = os.environ | {"HOME": self.folder.name, "KUBERC": "off"}
        return run([os.environ["ISOCHRON_KUBECTL"], "--kubeconfig", self.kubeconfig, *words], stdin=stdin, env=env)

    def kubectl(self, *words, stdin: str = "") -> str:
        told = self.try_kubectl(*words, stdin=stdin)
        assert told.returncode == 0, f"kubectl {words}: {told.stderr}"
        return told.stdout

    def try_helm(self, *words, values: dict | None = None) -> subprocess.CompletedProcess:
        return helm(*words, values=values, env={"KUBECONFIG": str(self.kubeconfig)})

    def helm(self, *words, values: dict | None = None) -> str:
        told = self.try_helm(*words, values=values)
        assert told.returncode == 0, f"helm {words}: {told.stderr}"
        return told.stdout

    def know_others(self):
        """Makes the kinds of others known, and waits until they are."""
        self.kubectl("apply", "-f", "-", stdin="---".join(definition(*other) for other in OTHERS))
        for group, _, _, plural in OTHERS:
            self.kubectl("wait", "--for=condition=Established", "--timeout=60s", f"crd/{plural}.{group}")
