"""Both programs on what the charts render: the configuration of their ConfigMaps, and certificates made as their
Certificates ask cert-manager for them."""

import os
import shutil
import socket
import tempfile
import unittest
from pathlib import Path

from kit import DEPLOY, merged, one, run, template
from programs import environment, free_ports, running, wait

ISSUER = {"certManager": {"enabled": True, "issuerRef": {"name": "isochron"}}}
USAGES = {"server auth": "serverAuth", "client auth": "clientAuth"}


def openssl(*words):
    told = run(["openssl", *words])
    assert told.returncode == 0, told.stderr


def authority(folder: Path):
    openssl("genpkey", "-algorithm", "ed25519", "-out", folder / "ca.key")
    made = ["req", "-x509", "-new", "-key", folder / "ca.key", "-subj", "/CN=isochron", "-days", "30"]
    usage = "keyUsage=critical,digitalSignature,keyEncipherment,keyCertSign"
    openssl(*made, "-out", folder / "ca.crt", "-addext", "basicConstraints=critical,CA:TRUE", "-addext", usage)


def certificate(spec: dict, authority_of: Path, folder: Path):
    """As cert-manager: no subject, so the names are critical; what is not asked for is not there."""
    assert spec["privateKey"]["algorithm"] == "Ed25519" and spec["usages"][0] == "digital signature"
    names = [f"URI:{uri}" for uri in spec["uris"]] + [f"DNS:{name}" for name in spec.get("dnsNames", [])]
    extensions = [
        "basicConstraints=critical,CA:FALSE",
        "keyUsage=critical,digitalSignature",
        f"extendedKeyUsage={USAGES[spec['usages'][1]]}",
        f"subjectAltName=critical,{','.join(names)}",
    ]
    (folder / "extensions").write_text("\n".join(extensions))
    openssl("genpkey", "-algorithm", "ed25519", "-out", folder / "tls.key")
    openssl("req", "-new", "-key", folder / "tls.key", "-subj", "/", "-out", folder / "request")
    signed = ["x509", "-req", "-in", folder / "request", "-days", "20", "-extfile", folder / "extensions"]
    signed += ["-out", folder / "tls.crt"]
    openssl(*signed, "-CA", authority_of / "ca.crt", "-CAkey", authority_of / "ca.key", "-CAcreateserial")
    shutil.copy(authority_of / "ca.crt", folder / "ca.crt")


def mounted(chart: str, values: dict, root: Path) -> Path:
    """The pod's files: its configuration, and what cert-manager would put into its Secret."""
    folder = root / chart
    folder.mkdir()
    objects = template(chart, merged(ISSUER, values))
    certificate(one(objects, "Certificate")["spec"], root, folder)
    config = one(objects, "ConfigMap")["data"]["config.yaml"].replace("/etc/isochron/tls", str(folder))
    (folder / "config.yaml").write_text(config)
    return folder


class Programs(unittest.TestCase):
    def test_certificates_as_cert_manager_is_asked_for_them_let_a_plane_in(self):
        plane = "arn:aws:eks:eu-west-1:123456789012:cluster/prod az1"
        with tempfile.TemporaryDirectory() as name:
            root = Path(name)
            authority(root)
            coordinator = mounted("isochron", {"planes": [plane]}, root)
            actor = mounted("isochron-plane", {"plane": plane, "ledgerName": "isochron-plane-x"}, root)
            (root / "objects").mkdir()
            shutil.copy(DEPLOY / "examples/topology.yaml", root / "topology.yaml")
            (quic,), (leads, ready) = free_ports(1, socket.SOCK_DGRAM), free_ports(2)
            serve = [os.environ["ISOCHRON_COORDINATOR"], "serve", "--config", coordinator / "config.yaml"]
            serve += ["--standalone", root / "objects"]
            work = [os.environ["ISOCHRON_PLANE_ACTOR"], "run", "--config", actor / "config.yaml"]
            here = {
                "ISOCHRON_LISTEN": f"127.0.0.1:{quic}",
                "ISOCHRON_HTTP": f"127.0.0.1:{leads}",
                "ISOCHRON_SOCKET": f"{root}/console.sock",
            }
            there = {
                "ISOCHRON_COORDINATOR": f"127.0.0.1:{quic}",
                "ISOCHRON_HTTP": f"127.0.0.1:{ready}",
                "ISOCHRON_STANDALONE": f"{root}/topology.yaml",
            }
            with (
                running(serve, environment(**here), root / "coordinator.log"),
                running(work, environment(**there), root / "plane.log"),
            ):
                wait(leads, "/leadz", lambda status, _: status == 200, root / "coordinator.log")
                wait(ready, "/readyz", lambda status, _: status == 200, root / "plane.log")
                connected = "isochron_planes_connected 1\n"
                wait(leads, "/metrics", lambda _, body: connected in body, root / "coordinator.log")
