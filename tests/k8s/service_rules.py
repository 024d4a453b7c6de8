"""How the server is kept running: probes, its end, its replicas."""

from collections.abc import Iterator

from tests.k8s.manifests import Manifest, Manifests, containers, name_of, of_kind, selects, title
from tests.k8s.variables import settings, variables

PROBES = {"startupProbe": "liveness", "readinessProbe": "readiness", "livenessProbe": "liveness"}
"""Which service each probe asks the health server for."""
SECONDS_TO_STOP = 5
"""What the server may need beside its drain: three for a collector that does not answer, the rest for all else."""
SECONDS_APART = 10
"""How long a replacement is ready before the next pod leaves, so that callers have found its address."""


def probes(manifests: Manifests) -> Iterator[str]:
    """The server is probed by gRPC on its health port; what restarts it is not what takes calls away from it."""
    for manifest in of_kind(manifests, "Deployment"):
        container = _server(manifest)
        ports = {port["name"]: port["containerPort"] for port in container.get("ports", ())}
        for probe, service in PROBES.items():
            if container.get(probe, {}).get("grpc") != {"port": ports.get("health"), "service": service}:
                yield f"{title(manifest)}: {probe} does not ask the health port for {service}"


def time_to_drain(manifests: Manifests) -> Iterator[str]:
    """A pod is given longer to end than the server takes to finish what has begun."""
    drain = _seconds(settings(manifests).get("IDENTITY_SERVICE_DRAIN_SECONDS", ""))
    for manifest in of_kind(manifests, "Deployment"):
        grace = manifest["spec"]["template"]["spec"].get("terminationGracePeriodSeconds", 30)
        if grace <= drain + SECONDS_TO_STOP:
            yield f"{title(manifest)}: terminationGracePeriodSeconds {grace} is not above the drain of {drain:g} s"


def _seconds(text: str) -> float:
    """Read a number of seconds; without one none suffice, and the server says itself what is wrong."""
    try:
        return float(text)
    except ValueError:
        return float("inf")


def one_writer(manifests: Manifests) -> Iterator[str]:
    """With SQLite there is one replica, and the old pod is gone before the new one starts."""
    if not _uses_sqlite(manifests):
        return
    for manifest in of_kind(manifests, "Deployment"):
        spec = manifest["spec"]
        if spec.get("replicas") != 1 or spec.get("strategy") != {"type": "Recreate"}:
            yield f"{title(manifest)}: SQLite needs replicas 1 and the strategy Recreate"
    yield from (f"{title(manifest)}: SQLite allows none" for manifest in of_kind(manifests, "HorizontalPodAutoscaler"))


def rolls_without_a_gap(manifests: Manifests) -> Iterator[str]:
    """With PostgreSQL no replica leaves before its successor is ready, and has been for as long as DNS may lag."""
    if _uses_sqlite(manifests):
        return
    for manifest in of_kind(manifests, "Deployment"):
        strategy = manifest["spec"].get("strategy", {})
        if strategy.get("type") != "RollingUpdate" or strategy.get("rollingUpdate", {}).get("maxUnavailable") != 0:
            yield f"{title(manifest)}: the strategy is not RollingUpdate with maxUnavailable 0"
        if manifest["spec"].get("minReadySeconds", 0) < SECONDS_APART:
            yield f"{title(manifest)}: minReadySeconds is below {SECONDS_APART}"


def spread(manifests: Manifests) -> Iterator[str]:
    """Several replicas stand on different machines and in different zones."""
    for manifest in _replicated(manifests):
        pod = manifest["spec"]["template"]["spec"]
        keys = {constraint["topologyKey"] for constraint in pod.get("topologySpreadConstraints", ())}
        missing = {"kubernetes.io/hostname", "topology.kubernetes.io/zone"} - keys
        yield from (f"{title(manifest)}: is not spread over {key}" for key in sorted(missing))
        if "podAntiAffinity" not in pod.get("affinity", {}):
            yield f"{title(manifest)}: has no podAntiAffinity"


def disruption_budget(manifests: Manifests) -> Iterator[str]:
    """Of several replicas, whoever drains machines takes one at a time, and is never stopped for ever."""
    budgets = of_kind(manifests, "PodDisruptionBudget")
    for manifest in _replicated(manifests):
        labels = manifest["spec"]["template"]["metadata"]["labels"]
        mine = [budget for budget in budgets if selects(budget["spec"].get("selector", {}), labels)]
        if [budget["spec"].get("maxUnavailable") for budget in mine] != [1]:
            yield f"{title(manifest)}: has not one PodDisruptionBudget of maxUnavailable 1"


def one_scaler(manifests: Manifests) -> Iterator[str]:
    """Who scales a Deployment exists, keeps at least two, and is not contradicted by the Deployment."""
    deployments = {name_of(manifest): manifest for manifest in of_kind(manifests, "Deployment")}
    for scaler in of_kind(manifests, "HorizontalPodAutoscaler"):
        target = deployments.get(scaler["spec"]["scaleTargetRef"]["name"])
        if target is None or "replicas" in target["spec"]:
            yield f"{title(scaler)}: its target is not there, or says replicas itself"
        if scaler["spec"].get("minReplicas", 1) < 2:
            yield f"{title(scaler)}: minReplicas is below 2"


def migration(manifests: Manifests) -> Iterator[str]:
    """The server's very image brings its very store to the schema: a Job that ends, or with SQLite what runs before."""
    images = {_server(manifest)["image"] for manifest in of_kind(manifests, "Deployment")}
    steps = list(_migrations(manifests))
    if len(steps) != 1:
        yield f"there are {len(steps)} containers that migrate"
    for owner, container in steps:
        given = {each.name: each.value for each in variables(manifests) if each.owner == owner}
        if images != {container["image"]}:
            yield f"{owner}: its image is not the server's"
        yield from (
            f"{owner}: {name} is not the server's"
            for name in ("IDENTITY_SERVICE_STORE_URL", "PGSERVICEFILE")
            if given.get(name) != settings(manifests).get(name)
        )
    for job in of_kind(manifests, "Job"):
        if "activeDeadlineSeconds" not in job["spec"]:
            yield f"{title(job)}: has no activeDeadlineSeconds"


def role_of_the_server(manifests: Manifests) -> Iterator[str]:
    """Only the server's pods run as the ServiceAccount that AWS knows."""
    servers = {_account(manifest) for manifest in of_kind(manifests, "Deployment")}
    for manifest in of_kind(manifests, "Job"):
        if _account(manifest) in servers:
            yield f"{title(manifest)}: runs as the server's ServiceAccount"


def _account(manifest: Manifest) -> object:
    return manifest["spec"]["template"]["spec"].get("serviceAccountName")


def _migrations(manifests: Manifests) -> Iterator[tuple[str, Manifest]]:
    """Yield what migrates before the server starts: a Job beside it, or with SQLite a container in the pod itself."""
    kind = "Deployment/" if _uses_sqlite(manifests) else "Job/"
    for owner, container in containers(manifests):
        if owner.startswith(kind) and container.get("args") == ["migrate"]:
            yield owner, container


def _server(manifest: Manifest) -> Manifest:
    """Return the only container that is not a sidecar."""
    (container,) = manifest["spec"]["template"]["spec"]["containers"]
    only: Manifest = container
    return only


def _uses_sqlite(manifests: Manifests) -> bool:
    return settings(manifests).get("IDENTITY_SERVICE_STORE_URL", "sqlite").startswith("sqlite")


def _replicated(manifests: Manifests) -> list[Manifest]:
    scaled = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in of_kind(manifests, "HorizontalPodAutoscaler")}
    return [
        manifest
        for manifest in of_kind(manifests, "Deployment")
        if manifest["spec"].get("replicas", 1) > 1 or name_of(manifest) in scaled
    ]


SERVICE_RULES = (
    probes,
    time_to_drain,
    one_writer,
    rolls_without_a_gap,
    spread,
    disruption_budget,
    one_scaler,
    migration,
    role_of_the_server,
)
