"""Every value of both charts set to something that is not its default, and every switch turned the other way."""

PEERS = [{"namespaceSelector": {"matchLabels": {"team": "db"}}}, {"ipBlock": {"cidr": "10.0.0.0/8"}}]
OUT = [{"to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}], "ports": [{"protocol": "UDP", "port": 7443}]}]

ACTIONS = ["createSnapshots", "createSnapshot", "deleteSnapshot", "describeByIds", "describeByFilter"]
AWS = {
    "region": "r",
    "ec2Endpoint": "http://e",
    "s3Endpoint": "http://s",
    "stsEndpoint": "http://t",
    "ebsEndpoint": "http://b",
    "tags": {"cost-centre": "42"},
    "copyVolumeTags": False,
    "quotas": {"snapshots": 250000, "pendingSnapshots": 400},
    "volumes": {"quotaGib": {"gp3": 51200}, "initializationMibPerSecond": 10000},
    "budgets": {action: {"burst": 300 + at, "perSecond": 20 + at} for at, action in enumerate(ACTIONS)},
}

GP3 = {"gibMonth": 0.0952, "iopsMonth": 0.006, "freeIops": 3001, "mibMonth": 0.048, "freeMib": 126}
PRICES = {
    "snapshotGibMonth": 0.054,
    "currency": "EUR",
    "volumes": {"gp3": GP3},
    "initializationGibMib": 0.00001,
}

POLICY_RULES = [
    {
        "namespaces": ["shop"],
        "planes": ["az*"],
        "tidbNamespaces": ["tidb"],
        "buckets": ["shop-*"],
        "roles": ["arn:aws:iam::1:role/*"],
        "endpoints": ["https://s3.example"],
    }
]

IDENTITIES = [
    {"uri": "spiffe://mesh.example/ns/isochron/sa/coordinator", "is": "coordinator/second"},
    {"uri": "spiffe://mesh.example/ns/isochron/sa/plane-{name}", "is": "plane/{name}"},
]

BOTH = {
    "image": "registry.example/isochron@sha256:" + "0" * 64,
    "imagePullPolicy": "Always",
    "imagePullSecrets": [{"name": "registry"}],
    "fullnameOverride": "second",
    "log": {"level": "info,shared=debug", "format": "json"},
    "rbac": {"create": False},
    "serviceAccount": {"create": False, "name": "theirs", "annotations": {"a": "b"}},
    "tls": {"secretName": "tls", "crl": False, "crlSecretName": "crl", "fileMode": 256},
    "podDisruptionBudget": {"enabled": False, "maxUnavailable": 2},
    "prometheusRule": {"enabled": True, "runbookUrl": "https://wiki.example/r", "labels": {"release": "kps"}},
    "serviceMonitor": {"enabled": True, "interval": "10s", "labels": {"release": "kps"}},
    "resources": {"requests": {"cpu": "1", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
    "priorityClassName": "system-cluster-critical",
    "nodeSelector": {"kubernetes.io/arch": "arm64"},
    "tolerations": [{"key": "dedicated", "operator": "Exists", "effect": "NoSchedule"}],
    "affinity": {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "z", "operator": "In", "values": ["1"]}]}]
            }
        }
    },
    "topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podAnnotations": {"x": "y"},
    "podLabels": {"team": "db"},
    "securityContext": {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "fsGroup": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    },
    "containerSecurityContext": {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
    },
    "env": [
        {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
        {"name": "NODE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
    ],
    "extraVolumes": [{"name": "roots", "configMap": {"name": "roots"}}],
    "extraVolumeMounts": [{"name": "roots", "mountPath": "/etc/ssl/certs", "readOnly": True}],
    "extraObjects": [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "extra", "namespace": "{{ .Release.Namespace }}"},
        },
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: text, namespace: '{{ .Release.Namespace }}'}",
    ],
}

ISSUER = {"name": "isochron", "kind": "ClusterIssuer", "group": "pki.example"}
HOURS = {"duration": "2160h", "renewBefore": "240h"}

FULL = {
    "isochron": BOTH
    | {
        "planes": ["arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1", "b"],
        "trustDomain": "example.org",
        "identities": IDENTITIES,
        "tcp": "[::]:7555",
        "name": "second",
        "objects": {"namespaces": ["shop", "bank"], "labelSelector": "isochron in (second), tier!=test"},
        "timezone": "Europe/Berlin",
        "stopGraceSeconds": 1000,
        "ui": False,
        "prices": PRICES,
        "verify": {"enabled": False, "newestHours": 12, "restHours": 720},
        "scan": {"enabled": False, "hours": 48},
        "policy": {
            "httpEndpoints": True,
            "rules": POLICY_RULES,
        },
        "tracing": {"endpoint": "https://collector:4318", "ca": "/etc/collector/ca.crt"},
        "replicas": 2,
        "crds": {"install": False, "statusSubresource": True},
        "certManager": {"enabled": True, "issuerRef": ISSUER, "name": "second", "dnsNames": ["x.example"]} | HOURS,
        "service": {
            "type": "LoadBalancer",
            "port": 443,
            "tcpPort": 444,
            "nlb": {"enabled": False, "scheme": "internet-facing"},
            "annotations": {"a": "b"},
            "loadBalancerClass": "service.k8s.aws/nlb",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
        },
        "networkPolicy": {"enabled": True, "from": PEERS, "httpFrom": PEERS, "egress": OUT},
        "dashboard": {"enabled": True, "labels": {"grafana": "yes"}, "annotations": {"folder": "backup"}},
        "prometheusRule": BOTH["prometheusRule"] | {"backupMaxAgeSeconds": 600},
    },
    "isochron-plane": BOTH
    | {
        "plane": "arn:aws:eks:eu-west-1:123456789012:cluster/prod-az1",
        "ledgerName": "isochron-plane-arn-aws-1",
        "coordinator": ["[fd00::1]:7443", "c.example:443"],
        "serverName": "second",
        "fallback": {"tcp": ["c.example:444"], "afterSeconds": 60},
        "trustDomain": "example.org",
        "identities": IDENTITIES,
        "pd": [{"namespace": "tidb", "name": "a", "urls": ["https://pd:2379"], "tlsSecret": "mine"}],
        "clusterDomain": "k8s.example",
        "aws": AWS,
        "sharingPlanes": 3,
        "restore": {"enabled": True},
        "cleanQuietSeconds": 600,
        "namespaces": [
            {"name": "tidb", "tidbClusters": ["a", "b"], "secrets": ["k"], "serviceAccounts": ["s"]},
            {"name": "isochron", "tidbClusters": ["own"]},
        ],
        "certManager": {"enabled": True, "issuerRef": ISSUER} | HOURS,
        "networkPolicy": {"enabled": True, "httpFrom": PEERS, "egress": OUT},
    },
}
