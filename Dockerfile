# modelmeter's image: `docker build -t modelmeter .`
# Any image with Python >= 3.11 at /usr/local/bin/python serves as base, in both stages.
ARG BASE_IMAGE=python:3.11.14-slim-bookworm

FROM ${BASE_IMAGE} AS build
# requirements-arrow.lock adds the Arrow and Parquet formats (and 150 MB).
ARG LOCK=requirements.lock
WORKDIR /src
COPY requirements.lock requirements-arrow.lock requirements-build.lock ./
# The tools that build stay in a virtual environment of their own; the other has not even pip.
RUN python -m venv /build \
    && /build/bin/pip install --no-cache-dir --require-hashes -r requirements-build.lock \
    && python -m venv --without-pip /opt/modelmeter \
    && /build/bin/pip --python /opt/modelmeter/bin/python install --no-cache-dir --require-hashes -r "${LOCK}"
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
COPY prometheus/rules prometheus/rules
RUN /build/bin/pip wheel --no-cache-dir --no-deps --no-build-isolation --wheel-dir /dist . \
    && /build/bin/pip --python /opt/modelmeter/bin/python install --no-cache-dir --no-deps --no-index /dist/*.whl \
    && mkdir /state

FROM ${BASE_IMAGE}
LABEL org.opencontainers.image.title="modelmeter" \
      org.opencontainers.image.description="A Prometheus exporter beside a model server" \
      org.opencontainers.image.source="https://github.com/modelmeter/modelmeter" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /opt/modelmeter /opt/modelmeter
# The only place it writes to; everything else may be read-only.
COPY --from=build --chown=65532:65532 /state /var/lib/modelmeter
# Where GPUs are given to the container, it takes the library that reads them and nothing else.
ENV PATH=/opt/modelmeter/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NVIDIA_DRIVER_CAPABILITIES=utility
WORKDIR /var/lib/modelmeter
# Run it as the user of the model server: the process of another user shows less.
USER 65532:65532
EXPOSE 9920
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["modelmeter", "healthcheck"]
ENTRYPOINT ["modelmeter"]
CMD ["serve"]
