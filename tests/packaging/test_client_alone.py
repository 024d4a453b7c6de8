"""The client is installed alone, as another service's developer does it, and brings nothing of the server."""

import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

BROUGHT_BY_VENV = {"pip", "setuptools"}
PLAIN_CLIENT = {
    "googleapis-common-protos",
    "grpcio",
    "identity-provisioning-api",
    "identity-provisioning-client",
    "protobuf",
    "typing-extensions",
}
IMPORT_EVERYTHING = """
import importlib, importlib.util, json, pkgutil, sys
import identity_client, identity_provisioning.v1

def import_all(package, without=()):
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        if module.name not in without:
            imported = importlib.import_module(module.name)
            if module.ispkg:
                import_all(imported)

import_all(identity_provisioning.v1)
import_all(identity_client, without=EXTRAS)
print(json.dumps({
    "client": identity_client.__file__,
    "modules": sorted({name.partition(".")[0] for name in sys.modules}),
    "findable": [name for name in SERVER_MODULES if importlib.util.find_spec(name)],
}))
"""
# What needs the extra [cli], and so is no part of the plain client.
EXTRAS = ("identity_client.cli",)
SERVER_MODULES = (
    "boto3",
    "botocore",
    "buf",
    "embedded_aws",
    "identity_service",
    "moto",
    "opentelemetry",
    "protovalidate",
    "pydantic",
    "sqlalchemy",
    "structlog",
    "tenacity",
)


@pytest.fixture(scope="module")
def client_python(root: Path, build_wheel: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a clean environment that holds the plain client and nothing else; from the package index."""
    environment = tmp_path_factory.mktemp("client") / "environment"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    python = environment / "bin" / "python"
    install = [str(python), "-I", "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    requirements = root / "clients" / "python" / "requirements.txt"
    wheels = [str(build_wheel("proto")), str(build_wheel("clients/python"))]
    subprocess.run([*install, "--require-hashes", "-r", str(requirements)], check=True)
    subprocess.run([*install, "--no-deps", *wheels], check=True)
    return python


@pytest.fixture(scope="module")
def imported(client_python: Path) -> dict[str, list[str]]:
    """What a process saw that imported the whole client and the whole contract."""
    program = f"EXTRAS = {EXTRAS!r}\nSERVER_MODULES = {SERVER_MODULES!r}\n{IMPORT_EVERYTHING}"
    done = subprocess.run([str(client_python), "-I", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seen: dict[str, list[str]] = json.loads(done.stdout)
    return seen


def test_plain_client_install_is_six_distributions(client_python: Path) -> None:
    """A plain client install holds gRPC, protobuf, the common protos and us, and no server dependency."""
    call = [str(client_python), "-I", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"]
    listed = json.loads(subprocess.run(call, check=True, capture_output=True, text=True).stdout)
    assert {package["name"].replace("_", "-") for package in listed} - BROUGHT_BY_VENV == PLAIN_CLIENT


def test_pip_finds_no_broken_requirement(client_python: Path) -> None:
    """The client's metadata ask for nothing that the hashed list does not bring."""
    subprocess.run([str(client_python), "-I", "-m", "pip", "check", "--disable-pip-version-check"], check=True)


def test_whole_client_and_contract_import_without_the_server(imported: dict[str, list[str]]) -> None:
    """Every module of client and contract imports where no module of the server, nor `buf`, can be found."""
    assert "environment" in imported["client"]
    assert imported["findable"] == []
    assert not set(imported["modules"]) & set(SERVER_MODULES)


def test_generated_code_imports_no_constraints(build_wheel: Callable[[str], Path]) -> None:
    """No generated module of the contract's wheel imports the package of the constraints."""
    with zipfile.ZipFile(build_wheel("proto")) as wheel:
        modules = [name for name in wheel.namelist() if name.endswith((".py", ".pyi"))]
        guilty = [name for name in modules if b"buf.validate" in wheel.read(name) or b"import buf" in wheel.read(name)]
    assert len(modules) > 40
    assert guilty == []


@pytest.mark.parametrize(
    ("folder", "promised"),
    [
        ("proto", "identity_provisioning/v1/py.typed"),
        ("clients/python", "identity_client/py.typed"),
        ("service", "identity_service/rpc/contract.binpb"),
    ],
)
def test_wheel_holds_what_users_need_beside_code(
    folder: str, promised: str, build_wheel: Callable[[str], Path]
) -> None:
    """Each wheel holds the files that are no Python: the mark of types, the contract with its constraints."""
    with zipfile.ZipFile(build_wheel(folder)) as wheel:
        names = wheel.namelist()
    assert promised in names
    assert not [name for name in names if "test" in name or "__pycache__" in name]
