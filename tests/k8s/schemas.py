"""Each manifest against the schema of its kind, in which every field that is not known is a mistake."""

from collections.abc import Collection, Iterator
from functools import cache

import kubernetes_validate
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types

from tests.k8s.custom_kinds import CUSTOM_KINDS
from tests.k8s.manifests import Manifest, Manifests, title

KUBERNETES_VERSIONS = ("1.30", "1.37")
"""The oldest that the manifests are for, and the newest whose schemas we have."""

# It reads a megabyte of definitions for each manifest.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)


def schema_problems(manifests: Manifests, unchecked: Collection[str] = ()) -> Iterator[str]:
    """Yield what is wrong with each manifest; those of the kinds `unchecked` have no schema here."""
    for manifest in manifests:
        if manifest["kind"] in unchecked:
            continue
        schema = CUSTOM_KINDS.get((manifest["apiVersion"], manifest["kind"]))
        found = _built_in(manifest) if schema is None else _custom(manifest, schema)
        yield from (f"{title(manifest)}: {problem}" for problem in found)


def _built_in(manifest: Manifest) -> Iterator[str]:
    for version in KUBERNETES_VERSIONS:
        try:
            kubernetes_validate.validate(manifest, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            yield f"Kubernetes {version}: {'.'.join(map(str, error.absolute_path))}: {error.message}"
        except kubernetes_validate.SchemaNotFoundError:
            yield (
                f"Kubernetes {version} has no {manifest['kind']} in {manifest['apiVersion']}; "
                f"--kind {manifest['kind']} leaves it unchecked"
            )


def _custom(manifest: Manifest, schema: Manifest) -> Iterator[str]:
    for error in Draft202012Validator(schema).iter_errors(manifest):
        yield f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
