# The server in a container; compose.yaml shows what it runs beside. Everything is installed by hash from the lock file.
FROM node:22-bookworm-slim AS assets
WORKDIR /assets
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM python:3.12-slim-bookworm AS build
WORKDIR /build
COPY contrib/requirements-server.lock ./
RUN python -m venv /opt/surefoot \
 && /opt/surefoot/bin/pip install --no-cache-dir --disable-pip-version-check --require-hashes --no-deps \
      --requirement requirements-server.lock
COPY pyproject.toml README.md LICENSE ./
COPY src src
COPY scripts/fetch_assets.py scripts/
COPY package.json package-lock.json ./
COPY --from=assets /assets/node_modules node_modules
RUN /opt/surefoot/bin/python scripts/fetch_assets.py node_modules
RUN /opt/surefoot/bin/pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM python:3.12-slim-bookworm
# The server runs it by itself; Debian starts no service in a container.
RUN apt-get update && apt-get install --yes --no-install-recommends mosquitto && rm -rf /var/lib/apt/lists/*
RUN useradd --system --uid 10001 --home-dir /var/lib/surefoot --create-home surefoot
COPY --from=build /opt/surefoot /opt/surefoot
USER surefoot
VOLUME /var/lib/surefoot
ENV PATH=/opt/surefoot/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SUREFOOT_DATA_DIR=/var/lib/surefoot \
    SUREFOOT_HOST=0.0.0.0 \
    SUREFOOT_LOG_FORMAT=json
EXPOSE 8443 8883 8884
# The certificate is the fleet's own, which only the data directory knows.
HEALTHCHECK --interval=10s --timeout=5s CMD ["python", "-c", "import ssl, urllib.request as r; r.urlopen('https://localhost:8443/healthz', timeout=4, context=ssl.create_default_context(cafile='/var/lib/surefoot/tls/ca.pem'))"]
# `surefoot up` stops in order on SIGINT and SIGTERM alike.
ENTRYPOINT ["python", "-m", "surefoot.server"]
