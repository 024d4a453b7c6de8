"""The migrations, carried out: the Job on a real PostgreSQL, the container before the server on a SQLite store."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from identity_service.adapters.store import migrate
from identity_service.adapters.store.migration import FOLDER
from tests.k8s.conftest import Rendered
from tests.k8s.manifests import Manifest, of_kind
from tests.k8s.variables import settings
from tests.support.postgres import database_folder, new_database, start_postgres
from tests.support.processes import run


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """The URL of an empty database."""
    with (
        database_folder() as directory,
        start_postgres(directory) as server,
        new_database(server) as url,
    ):
        yield url


@pytest.fixture
def job(rendered: Rendered) -> Manifest:
    """The only container of the migration."""
    (manifest,) = of_kind(rendered("production"), "Job")
    container: Manifest = manifest["spec"]["template"]["spec"]["containers"][0]
    return container


def test_job_makes_the_tables(job: Manifest, database: str, tmp_path: Path) -> None:
    """The Job's arguments and variables bring an empty database to a schema, and change nothing a second time."""
    service_file = tmp_path / "pg_service.conf"
    service_file.write_text(_service(sa.make_url(database)))
    first, second = _run(job, service_file), _run(job, service_file)
    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert first.stdout == second.stdout
    engine = sa.create_engine(database)
    assert "alembic_version" in sa.inspect(engine).get_table_names()
    engine.dispose()


def test_job_without_its_secret_fails(job: Manifest, tmp_path: Path) -> None:
    """A Job whose Secret lacks the file fails, so that Kubernetes tries again, and says which setting it was."""
    done = _run(job, tmp_path / "absent.conf")
    assert done.returncode != 0
    assert "IDENTITY_SERVICE_STORE_URL" in done.stderr


def test_pod_with_sqlite_migrates_an_older_store(rendered: Rendered, tmp_path: Path) -> None:
    """What runs before the server brings an older release's store to this one's schema, and makes an absent one."""
    manifests = rendered("local")
    (deployment,) = of_kind(manifests, "Deployment")
    (container,) = deployment["spec"]["template"]["spec"]["initContainers"]
    url = settings(manifests)["IDENTITY_SERVICE_STORE_URL"]
    state = next(mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "state")
    for name, make in (("older", _make_older_store), ("absent", lambda path: None)):
        (tmp_path / name).mkdir()
        here = url.replace(state, str(tmp_path / name))
        make(here)
        done = _run_with(container, {"IDENTITY_SERVICE_STORE_URL": here})
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"identity-service: the store has schema version {migrate(here)}\n"
        assert _versions(here) == [migrate(f"sqlite:///{tmp_path / 'new.sqlite3'}")]


def _make_older_store(url: str) -> None:
    engine = sa.create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    assert _versions(url) == ["0001"]


def _versions(url: str) -> list[str]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        found = [str(version) for version in connection.scalars(sa.text("SELECT version_num FROM alembic_version"))]
    engine.dispose()
    return found


def _run(job: Manifest, service_file: Path) -> subprocess.CompletedProcess[str]:
    variables = {variable["name"]: variable["value"] for variable in job["env"]}
    return _run_with(job, variables | {"PGSERVICEFILE": str(service_file)})


def _run_with(container: Manifest, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")} | variables
    return run("identity_service", *container["args"], env=environment)


def _service(url: sa.URL) -> str:
    """Write libpq's file for a database: its URL names host, user and the like."""
    given = {"host": url.host, "port": url.port, "user": url.username, "password": url.password, "dbname": url.database}
    named = {name: value for name, value in {**given, **url.query}.items() if value}
    return "\n".join(["[identity-service]", *(f"{name}={value}" for name, value in named.items()), ""])
