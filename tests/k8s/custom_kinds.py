"""The structure of the kinds that are not Kubernetes' own, as far as our manifests use them; all else is a mistake."""

from collections.abc import Mapping

from tests.k8s.manifests import Manifest

TEXT: Manifest = {"type": "string", "minLength": 1}
LABELS: Manifest = {"type": "object", "additionalProperties": TEXT}
DURATION: Manifest = {"type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?([0-9]+s)?$", "minLength": 2}
DNS_NAME: Manifest = {"type": "string", "pattern": r"^[a-z0-9-]+(\.[a-z0-9-]+)*$"}


def _object(required: Manifest, optional: Manifest | None = None) -> Manifest:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(items: Manifest) -> Manifest:
    return {"type": "array", "items": items, "minItems": 1}


def _kind(api_version: str, kind: str, spec: Manifest) -> tuple[tuple[str, str], Manifest]:
    metadata = _object({"name": DNS_NAME}, {"namespace": DNS_NAME, "labels": LABELS, "annotations": LABELS})
    schema = {"apiVersion": {"const": api_version}, "kind": {"const": kind}, "metadata": metadata, "spec": spec}
    return (api_version, kind), _object(schema)


SELECTOR = _object({"matchLabels": {**LABELS, "minProperties": 1}})

CERTIFICATE = _object(
    {
        "secretName": DNS_NAME,
        "dnsNames": _list(DNS_NAME),
        "issuerRef": _object(
            {"name": DNS_NAME, "kind": {"enum": ["Issuer", "ClusterIssuer"]}}, {"group": {"const": "cert-manager.io"}}
        ),
        "usages": _list({"enum": ["digital signature", "server auth"]}),
        "duration": DURATION,
        "renewBefore": DURATION,
        "privateKey": _object(
            {
                "algorithm": {"enum": ["ECDSA", "RSA", "Ed25519"]},
                "rotationPolicy": {"enum": ["Always", "Never"]},
            },
            {"size": {"type": "integer"}},
        ),
    },
    {"uris": _list({"type": "string", "pattern": "^spiffe://"})},
)

SERVICE_MONITOR = _object(
    {
        "selector": SELECTOR,
        "endpoints": _list(
            _object(
                {"port": DNS_NAME, "path": {"const": "/metrics"}}, {"interval": DURATION, "scrapeTimeout": DURATION}
            )
        ),
    }
)

RULE = {
    "oneOf": [
        _object({"alert": TEXT, "expr": TEXT, "labels": LABELS, "annotations": LABELS}, {"for": DURATION}),
        _object({"record": {"type": "string", "pattern": "^[a-z_:]+[a-z0-9_:]*$"}, "expr": TEXT}, {"labels": LABELS}),
    ]
}
PROMETHEUS_RULE = _object(
    {"groups": _list(_object({"name": TEXT, "rules": _list(RULE)}, {"interval": DURATION}))},
)

CLUSTER_SPIFFE_ID = _object(
    {
        "spiffeIDTemplate": {"type": "string", "pattern": "^spiffe://"},
        "dnsNameTemplates": _list(TEXT),
        "namespaceSelector": SELECTOR,
        "podSelector": SELECTOR,
    },
    {"className": TEXT},
)

CUSTOM_KINDS: Mapping[tuple[str, str], Manifest] = dict(
    [
        _kind("cert-manager.io/v1", "Certificate", CERTIFICATE),
        _kind("monitoring.coreos.com/v1", "PrometheusRule", PROMETHEUS_RULE),
        _kind("monitoring.coreos.com/v1", "ServiceMonitor", SERVICE_MONITOR),
        _kind("spire.spiffe.io/v1alpha1", "ClusterSPIFFEID", CLUSTER_SPIFFE_ID),
    ]
)
