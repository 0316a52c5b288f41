# Build: docker build -t incidentd .
# Run:   see config/docker.yaml for the secrets and volumes that the container expects.

# Pinned by digest (of the index, so for every platform): the tag alone is another image after each rebuild of it. Renew it
# with each release: docker buildx imagetools inspect python:3.12-slim. This one is 3.12.14 on Debian 13 (trixie).
FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# Dependencies first: this layer is rebuilt only when a lock file changes. Nothing unpinned or unhashed gets in.
COPY requirements.lock requirements-build.lock ./
RUN python -m venv /opt/incidentd \
 && /opt/incidentd/bin/pip install --require-hashes --only-binary :all: -r requirements.lock \
 && pip install --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY incidentd/ incidentd/
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
 && /opt/incidentd/bin/pip install --no-deps --no-index dist/*.whl \
 && /opt/incidentd/bin/python -m compileall -q /opt/incidentd/lib \
 && /opt/incidentd/bin/pip uninstall --yes --quiet pip

FROM python:3.12-slim@sha256:78387bc3881b8273120a12ebe6c1ab22b018ccc2c9adf565ae1ac9b536e184ea
# A fixed uid, so that a volume's owner can be set from outside; no shell, no home to write to.
RUN groupadd --gid 10001 incidentd \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /data --shell /usr/sbin/nologin incidentd \
 && install -d -o incidentd -g incidentd -m 0750 /data
COPY --from=build /opt/incidentd /opt/incidentd
COPY config/docker.yaml /etc/incidentd/incidentd.yaml
# Not below /etc/incidentd: a folder of configuration that is mounted there would hide them.
COPY runbooks/ /usr/share/incidentd/runbooks/
# Runs with a read-only root filesystem: only /data, and /tmp when it is given, are written to.
ENV PATH=/opt/incidentd/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    INCIDENTD_CONFIG=/etc/incidentd/incidentd.yaml
USER 10001:10001
WORKDIR /data
VOLUME ["/data"]
EXPOSE 8650
# SIGTERM makes the daemon refuse new work, finish what is in flight and hand back its leases.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["incidentd", "healthcheck"]
ENTRYPOINT ["incidentd"]
CMD ["serve", "--config", "/etc/incidentd/incidentd.yaml"]
