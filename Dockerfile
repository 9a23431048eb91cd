# syntax=docker/dockerfile:1
# `make image`: Debian's Python without a shell and without package managers, and the controller in /opt/workspace-ctrl.
# The local cluster builds the same without Docker (e2e/cluster/own_image.py).
# A release sets the digests of these images (`make pin-images`): the tags of the first two move with every security update.
ARG PYTHON=docker.io/library/python:3.13-slim-trixie
ARG BASE=gcr.io/distroless/python3-debian13:nonroot
ARG HELM=docker.io/alpine/helm:3.19.0@sha256:aef9b56f64e866207d9591d0abd8f6d767b36aadd12edf68f8a719716d9d29c9

FROM ${BASE} AS base
FROM ${HELM} AS helm

FROM ${PYTHON} AS build
WORKDIR /src
COPY requirements/runtime.txt requirements/build.txt requirements/
RUN pip install --require-hashes --only-binary=:all: --no-compile --target /opt/workspace-ctrl -r requirements/runtime.txt \
 && pip install --require-hashes --only-binary=:all: -r requirements/build.txt
COPY pyproject.toml README.md LICENSE ./
COPY workspace_ctrl workspace_ctrl
RUN pip install --no-deps --no-index --no-build-isolation --no-compile --target /opt/workspace-ctrl . && rm -r /opt/workspace-ctrl/bin
COPY image image
# Run once, so that what the program imports is compiled; all of the packages compiled would be 50 MB more. Compiled files contain the times
# of their sources, so these have one that is the same in each build.
RUN --mount=type=bind,from=base,target=/base \
    find /opt/workspace-ctrl -exec touch --date=@0 {} + \
 && cd / && PYTHONHASHSEED=0 PYTHONPATH=/opt/workspace-ctrl python -m workspace_ctrl run --help > /dev/null \
 && python /src/image/sbom.py /opt/workspace-ctrl --root /base > /opt/workspace-ctrl/sbom.cdx.json

FROM build AS helm-bill
RUN --mount=type=bind,from=base,target=/base --mount=type=bind,from=helm,source=/usr/bin/helm,target=/helm \
    python image/sbom.py /opt/workspace-ctrl --root /base --program "helm@$(/helm version --template '{{.Version}}')=/helm" > /sbom.cdx.json

FROM base AS controller
ARG VERSION=unknown REVISION=unknown
LABEL org.opencontainers.image.title="workspace-ctrl" \
      org.opencontainers.image.description="Kubernetes controller that serves open models behind one Gateway" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/workspace-ctrl /opt/workspace-ctrl
COPY --from=build --chmod=0755 /src/image/workspace-ctrl /usr/local/bin/workspace-ctrl
ENV PYTHONPATH=/opt/workspace-ctrl PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 65532:65532
ENTRYPOINT ["/usr/local/bin/workspace-ctrl"]
CMD ["run", "--leader-elect"]

# `make image TARGET=with-helm`: the same with helm, for whoever works with releases from inside the cluster.
FROM controller AS with-helm
COPY --from=helm /usr/bin/helm /usr/local/bin/helm
COPY --from=helm-bill /sbom.cdx.json /opt/workspace-ctrl/sbom.cdx.json

FROM controller
