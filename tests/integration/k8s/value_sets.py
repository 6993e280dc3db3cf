"""Values that people would install the chart with."""

from __future__ import annotations

from typing import Any

Values = dict[str, Any]

LEAST: Values = {
    "secrets": {"existingSecret": "flownexus"},
    "database": {"host": "db.example.org"},
    "nats": {"tls": {"existingSecret": "flownexus-nats-tls"}},
}
"""What the chart cannot know."""

TRIAL: Values = {
    "secrets": {"existingSecret": "flownexus"},
    "timescaledb": {"enabled": True},
    "nats": {"tls": {"enabled": False}},
    "gateway": {"plainCoap": "open", "replicas": 1, "service": {"type": "NodePort"}},
    "networkPolicy": {"enabled": False},
    "podDisruptionBudget": {"enabled": False},
    "metrics": {"annotations": False},
    "console": {"cookieSecure": False},
}

WHOLE: Values = {
    "image": {"repository": "registry.example.org:5000/iot/flownexus", "digest": "sha256:" + "0f" * 32},
    "imagePullSecrets": [{"name": "registry"}],
    "secrets": {"existingSecret": "flownexus"},
    "bindAddress": "::",
    "database": {"host": "db.example.org", "port": 6432, "caSecret": "db-ca", "createRoles": False},
    "nats": {"tls": {"certManager": {"enabled": True, "issuerRef": {"kind": "ClusterIssuer", "name": "internal"}}}},
    "gateway": {
        "replicas": 3,
        "plainCoap": "10.0.0.0/8,2001:db8::/32",
        "dtls": {"certificateSecret": "gateway-tls", "clientCa": True, "namedBy": "common-name"},
        "service": {"loadBalancerSourceRanges": ["10.0.0.0/8"], "annotations": {"a.example.org/b": "c"}},
        "firmwareCoapUrl": "coap://devices.example.org",
        "firmwareCoapsUrl": "coaps://devices.example.org:5684",
        "firmwareHttpUrl": "https://devices.example.org",
        "extraEnv": [{"name": "FLOWNEXUS_DTLS_MTU", "value": "1000"}],
    },
    "operations": {"replicas": 3},
    "api": {
        "trustedProxies": ["10.244.0.0/16"],
        "corsOrigins": ["https://my.example.org"],
        "ingress": {"enabled": True, "className": "nginx", "host": "api.example.org", "tlsSecret": "api-tls"},
        "extraEnv": [
            {"name": "FLOWNEXUS_OIDC_ISSUER", "value": "https://id.example.org"},
            {
                "name": "FLOWNEXUS_OIDC_CLIENT_SECRET",
                "valueFrom": {"secretKeyRef": {"name": "oidc", "key": "secret"}},
            },
        ],
    },
    "console": {
        "trustedProxies": ["10.244.0.0/16"],
        "ingress": {"enabled": True, "host": "console.example.org", "tlsSecret": "console-tls"},
    },
    "migrate": {"auditDays": 365},
    "networkPolicy": {
        "consoleFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        "apiFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}],
        "metricsFrom": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}],
        "natsFrom": [{"ipBlock": {"cidr": "10.1.0.0/16"}}],
        "apiEgress": [{"ports": [{"port": 443, "protocol": "TCP"}]}],
    },
    "metrics": {"podMonitor": {"enabled": True, "labels": {"release": "prometheus"}}},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "iot", "operator": "Exists"}],
    "podLabels": {"team": "iot"},
    "podAnnotations": {"example.org/owner": "iot"},
}

EXTERNAL: Values = {
    "secrets": {"existingSecret": "flownexus"},
    "database": {"host": "db.example.org", "sslMode": "require"},
    "nats": {
        "enabled": False,
        "servers": ["nats-1.example.org:4222", "nats-2.example.org:4222"],
        "tls": {"existingSecret": "nats-ca", "serverName": "nats.example.org"},
    },
    "gateway": {"hostNetwork": True, "service": {"type": "ClusterIP"}},
}

SETS = {"least": LEAST, "trial": TRIAL, "whole": WHOLE, "external": EXTERNAL}


def changed(values: Values, path: str, value: object) -> Values:
    """A copy with another value at `a.b.c`."""
    head, _, rest = path.partition(".")
    inner = values.get(head, {})
    return values | {head: changed(inner if isinstance(inner, dict) else {}, rest, value) if rest else value}
