# The server and its workers. The weights are inside the wheel, so nothing is fetched at run time.
# docs/server.md says how it is run; compose.yaml runs it with Redis and two workers.

FROM python:3.11-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
# The environment has no pip of its own: what runs cannot install anything.
RUN pip wheel --no-deps --wheel-dir dist . \
    && python -m venv --without-pip /opt/tintype \
    && pip --python /opt/tintype install --constraint constraints.txt "$(echo dist/*.whl)[server]"

FROM python:3.11-slim
# A fixed number, so that folders outside can be given to it: chown 10001:10001.
RUN groupadd --gid 10001 tintype \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent \
        --shell /usr/sbin/nologin tintype \
    && install -d -m 700 -o 10001 -g 10001 /data /data/tmp
COPY --from=build /opt/tintype /opt/tintype
# ONNX Runtime's official builds send telemetry unless they are told not to.
# Temporary files go to TMPDIR: on the volume they cost disk, in /tmp (a tmpfs) they would cost memory.
ENV PATH=/opt/tintype/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    TMPDIR=/data/tmp \
    ORT_DISABLE_TELEMETRY=1
USER 10001:10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
# tintype is process 1 itself and heeds the signal: requests are finished, jobs go on elsewhere.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
ENTRYPOINT ["tintype"]
CMD ["serve", "--host", "0.0.0.0", "--data", "/data"]
