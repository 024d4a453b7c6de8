"""Makes all generated code of the contract: `python proto/generate.py [--check | --release]`.

What is made, from `proto/identity_provisioning/v1/*.proto`:

- `proto/gen/identity_provisioning/v1/`: Python messages, stubs and their types, without the constraints, so that
  a client needs no `buf` package; the messages show no secret in their text, see `message_text.py`;
- `service/identity_service/rpc/contract.binpb`: the full image, constraints included, with which the server
  validates requests;
- `docs/api.md`: the API's guide, from the comments; see `guide.py`.

Third-party protos come from the descriptors of installed packages; nothing is vendored. `--check` makes
everything in a temporary folder, lints the contract, looks for changes that break callers of the last release,
and compares with the tree. `--release` records the contract as that of the last release, in `proto/release.binpb`.
"""

import argparse
import filecmp
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from google.api import field_behavior_pb2
from google.protobuf import any_pb2, descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from google.rpc import status_pb2
from grpc_tools import protoc
from guide import write_guide
from protovalidate._gen.buf.validate import validate_pb

PROTO = Path(__file__).resolve().parent
ROOT = PROTO.parent
PACKAGE = Path("identity_provisioning/v1")
CONTRACT = Path("service/identity_service/rpc/contract.binpb")
GUIDE = Path("docs/api.md")
RELEASE = PROTO / "release.binpb"
MESSAGE_TEXT = "message_text.py"
HIDE_SECRETS = """
# Of proto/generate.py: no text of these messages shows a secret.
from identity_provisioning.message_text import hide_secrets
hide_secrets(DESCRIPTOR)
"""
VALIDATE = "buf/validate/validate.proto"
THIRD_PARTY = (any_pb2, descriptor_pb2, duration_pb2, field_behavior_pb2, field_mask_pb2, status_pb2, timestamp_pb2)


def main() -> int:
    """Make the generated files in the tree, compare them with it, or record a release."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--check", action="store_true", help="change nothing; fail if something is wrong or out of date")
    mode.add_argument("--release", action="store_true", help="record the contract as that of the last release")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder)
        image = generate(made)
        if arguments.check:
            return lint(image) or find_breaking_changes(made) or compare(made)
        if arguments.release:
            return release(image, made)
        install(made)
        return 0


def generate(made: Path) -> Path:
    """Make everything below `made`, laid out as in the tree; return the full image with source information."""
    image = made / "image.binpb"
    dependencies = made / "dependencies.binpb"
    dependencies.write_bytes(third_party_descriptors().SerializeToString())
    run_protoc(
        dependencies,
        f"-I{PROTO}",
        "--include_imports",
        "--include_source_info",
        f"--descriptor_set_out={image}",
        *sources(),
    )
    full = descriptor_pb2.FileDescriptorSet.FromString(image.read_bytes())

    plain_image = made / "plain.binpb"
    plain_image.write_bytes(without_constraints(full).SerializeToString())
    code = made / "proto" / "gen"
    code.mkdir(parents=True)
    run_protoc(
        plain_image,
        f"--python_out={code}",
        f"--grpc_python_out={code}",
        f"--mypy_out=quiet:{code}",
        f"--mypy_grpc_out=quiet:{code}",
        *sources(),
    )
    for package in (PACKAGE.parent, PACKAGE):
        (code / package / "__init__.py").write_text('"""Generated from proto/; see proto/generate.py."""\n')
        (code / package / "py.typed").touch()
    copied = f"# Generated: a copy of proto/{MESSAGE_TEXT}.\n{(PROTO / MESSAGE_TEXT).read_text()}"
    (code / PACKAGE.parent / MESSAGE_TEXT).write_text(copied)
    for module in sorted((code / PACKAGE).glob("*_pb2.py")):
        module.write_text(module.read_text() + HIDE_SECRETS)

    contract = made / CONTRACT
    contract.parent.mkdir(parents=True)
    contract.write_bytes(without_source_information(full).SerializeToString(deterministic=True))

    guide = made / GUIDE
    guide.parent.mkdir(parents=True)
    guide.write_text(write_guide(image.read_bytes()), encoding="utf-8")
    return image


def sources() -> list[str]:
    """Name the contract's files as protoc knows them."""
    return sorted(str(path.relative_to(PROTO)) for path in (PROTO / PACKAGE).glob("*.proto"))


def run_protoc(descriptors: Path, *arguments: str) -> None:
    """Run protoc over a descriptor set, with the plugins of this environment; raise SystemExit if it fails."""
    plugins = [
        f"--plugin={plugin}={Path(sys.executable).parent / plugin}"
        for plugin in ("protoc-gen-mypy", "protoc-gen-mypy_grpc")
    ]
    if protoc.main(["protoc", f"--descriptor_set_in={descriptors}", *plugins, *arguments]) != 0:
        raise SystemExit("protoc failed")


def third_party_descriptors() -> descriptor_pb2.FileDescriptorSet:
    """Collect the protos that the contract imports, in an order in which each comes after what it imports."""
    collected: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for file in with_imports(module.DESCRIPTOR for module in THIRD_PARTY):
        collected[file.name] = descriptor_pb2.FileDescriptorProto.FromString(file.serialized_pb)
    validate = descriptor_pb2.FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    return descriptor_pb2.FileDescriptorSet(file=[*collected.values(), validate])


def with_imports(descriptors: Iterable[FileDescriptor]) -> Iterator[FileDescriptor]:
    """Yield each descriptor after the descriptors that it imports."""
    for descriptor in descriptors:
        yield from with_imports(descriptor.dependencies)
        yield descriptor


def without_constraints(full: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """Leave out buf/validate and every constraint.

    The constraints' options are unknown fields here, because this process has not registered them.
    """
    plain = descriptor_pb2.FileDescriptorSet()
    for file in full.file:
        if file.name == VALIDATE:
            continue
        copy = plain.file.add()
        copy.CopyFrom(file)
        if VALIDATE in copy.dependency:
            copy.dependency.remove(VALIDATE)
            copy.DiscardUnknownFields()
    return plain


def without_source_information(full: descriptor_pb2.FileDescriptorSet) -> descriptor_pb2.FileDescriptorSet:
    """Leave out comments and positions, which the server does not need."""
    bare = descriptor_pb2.FileDescriptorSet()
    bare.CopyFrom(full)
    for file in bare.file:
        file.ClearField("source_code_info")
    return bare


def generated_files(below: Path) -> set[Path]:
    """Name what is generated below a folder laid out as the tree, relative to it."""
    code = below / "proto" / "gen" / PACKAGE.parent
    found = {
        path.relative_to(below) for path in code.rglob("*") if path.suffix in (".py", ".pyi") or path.name == "py.typed"
    }
    return found | {CONTRACT, GUIDE}


def install(made: Path) -> None:
    """Put the generated files into the tree in place of the old ones."""
    shutil.rmtree(PROTO / "gen" / PACKAGE.parent, ignore_errors=True)
    for path in sorted(generated_files(made)):
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(made / path, ROOT / path)
    print(f"generated {len(generated_files(made))} files")


def compare(made: Path) -> int:
    """Say which files of the tree are not what would be generated; return the exit code."""
    stale = [
        path
        for path in sorted(generated_files(made) | generated_files(ROOT))
        if not (
            (made / path).is_file() and (ROOT / path).is_file() and filecmp.cmp(made / path, ROOT / path, shallow=False)
        )
    ]
    for path in stale:
        print(f"not up to date, run `make generate`: {path}", file=sys.stderr)
    return 1 if stale else 0


def lint(image: Path) -> int:
    """Lint the contract with buf; return the exit code."""
    return run_buf("lint", image)


def find_breaking_changes(made: Path) -> int:
    """Compare the contract with that of the last release, if there is one; return the exit code."""
    return run_buf("breaking", made / CONTRACT, "--against", RELEASE) if RELEASE.exists() else 0


def release(image: Path, made: Path) -> int:
    """Record the contract as that of the last release, unless it is faulty or breaks callers; return the exit code."""
    code = lint(image) or find_breaking_changes(made)
    if code == 0:
        shutil.copyfile(made / CONTRACT, RELEASE)
        print(f"recorded the contract in {RELEASE.relative_to(ROOT)}")
    return code


def run_buf(command: str, image: Path, *arguments: str | Path) -> int:
    """Run a buf command over our own files of an image; return the exit code."""
    buf = Path(sys.executable).parent / "buf"
    options = ("--config", PROTO / "buf.yaml", "--path", PACKAGE)
    call = [buf, command, image, *arguments, *options]
    return subprocess.run(call, check=False, cwd=PROTO).returncode  # noqa: S603 - buf of this environment, no shell


if __name__ == "__main__":
    sys.exit(main())
