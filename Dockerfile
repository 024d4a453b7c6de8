# The server's image. `make image` builds it. Any base with Python >= 3.11, its venv module and glibc will do.
ARG BASE_IMAGE=python:3.12-slim-bookworm

# Wheels of our own two distributions, and everything they need by its hash, in one folder.
FROM ${BASE_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /source
COPY service/requirements.txt service/requirements-build.txt service/
RUN python3 -m venv /build \
    && /build/bin/python -m pip install -q --require-hashes -r service/requirements-build.txt \
    && python3 -m venv --without-pip /opt/identity-service \
    && /build/bin/python -m pip --python /opt/identity-service/bin/python install -q --require-hashes \
       -r service/requirements.txt
COPY proto/pyproject.toml proto/
COPY proto/gen proto/gen
COPY service/pyproject.toml service/
COPY service/identity_service service/identity_service
COPY service/embedded_aws service/embedded_aws
RUN for distribution in proto service; do \
        (cd "${distribution}" && /build/bin/python -m hatchling build -t wheel -d /wheels) || exit 1; \
    done \
    && /build/bin/python -m pip --python /opt/identity-service/bin/python install -q --no-deps --no-index /wheels/*.whl

# What runs: no compiler, no package cache, no root. The root file system may be read-only; state is in the volume.
FROM ${BASE_IMAGE} AS server
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/identity-service
COPY --from=build /opt/identity-service /opt/identity-service
ENV PATH=/opt/identity-service/bin:/usr/local/bin:/usr/bin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    IDENTITY_SERVICE_LISTEN_ADDRESS=0.0.0.0:8443 \
    IDENTITY_SERVICE_STORE_URL=sqlite:////var/lib/identity-service/identity-service.sqlite3
USER 65532:65532
WORKDIR /var/lib/identity-service
VOLUME ["/var/lib/identity-service"]
# RPCs, and health: Kubernetes probes the latter, so that the image needs no HEALTHCHECK.
EXPOSE 8443 8444
STOPSIGNAL SIGTERM
ENTRYPOINT ["identity-service"]
