"""The file of `--faults`: a list of faults that meet the calls from the start."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from embedded_aws.faults import EFFECTS, Fault
from embedded_aws.service_models import SERVICE_OF_API_VERSION, service_model
from embedded_aws.yaml_files import FileError, YamlFile


def _known(pattern: str) -> str:
    operations = [
        name for service in SERVICE_OF_API_VERSION.values() for name in service_model(service).operation_names
    ]
    if not any(fnmatchcase(operation, pattern) for operation in operations):
        raise ValueError(f"no operation of IAM or STS is called {pattern}")
    return pattern


class _Entry(BaseModel):
    """One fault as people write it: `effect` names the kind, the other settings of the effect stand beside it."""

    model_config = ConfigDict(extra="forbid")

    operation: Annotated[str, AfterValidator(_known)] = "*"
    effect: dict[str, dict[str, Any]] = Field(min_length=1, max_length=1)
    parameters: dict[str, Any] = Field(default_factory=dict)
    times: int | None = Field(default=None, ge=1)
    skip: int = Field(default=0, ge=0)
    probability: float = Field(default=1.0, gt=0, le=1)
    seed: int = 0


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid")

    faults: list[_Entry]


def read_faults(path: Path) -> list[Fault]:
    """The faults of a file. Unlike one that is planted by the control API, they last unless `times` is given."""
    file = YamlFile(path)
    return [_fault(file, number, entry) for number, entry in enumerate(file.as_(_File).faults)]


def _fault(file: YamlFile, number: int, entry: _Entry) -> Fault:
    ((kind, settings),) = entry.effect.items()
    place = ("faults", number, "effect", kind)
    if kind not in EFFECTS:
        raise FileError(file.complaint(place, f"there is no such effect; there are {', '.join(sorted(EFFECTS))}"))
    unknown = settings.keys() - EFFECTS[kind].__dataclass_fields__.keys()
    if unknown:
        raise FileError(file.complaint((*place, min(unknown)), "the effect has no such setting"))
    try:
        effect: Any = TypeAdapter(EFFECTS[kind]).validate_python(settings)
    except ValidationError as error:
        first = error.errors()[0]
        raise FileError(file.complaint((*place, *first["loc"]), first["msg"])) from None
    scope = entry.model_dump(exclude={"effect"})
    return Fault(effect=effect, **scope)
