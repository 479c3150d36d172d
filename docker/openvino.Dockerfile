# The server on Intel's processors, their GPUs included. From the root of the repository:
#   docker build -f docker/openvino.Dockerfile -t realtime-asr:openvino .
#   docker run -p 8000:8000 -e REALTIME_ASR_API_KEYS=sk-choose-one -v models:/models --device /dev/dri \
#     --group-add "$(stat -c %g /dev/dri/renderD128)" realtime-asr:openvino --device GPU \
#     --model OpenVINO/whisper-base-int8-ov
# OpenVINO reaches GPUs by OpenCL. Debian's runtime knows those up to Arc A. For later ones (Arc B, Core Ultra 200) take
# Intel's own packages: --build-arg INTEL_GPU=jammy, which is the newest of their releases that runs on this Debian.
# For NPUs Debian has no driver: mount the host's.
# Where a proxy signs with an authority of its own: --secret id=certificates,src=FILE, which is read while it builds
# and stays out of the image.
FROM debian:bookworm-slim AS built
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY docker/constraints.txt docker/
COPY realtime_asr realtime_asr
ARG EXTRAS=openvino,webrtc
# Held to also by what builds the wheel.
ENV PIP_CONSTRAINT=docker/constraints.txt
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv --without-pip /opt/realtime-asr \
 && pip --python /opt/realtime-asr/bin/python install --no-cache-dir ".${EXTRAS:+[$EXTRAS]}"

FROM debian:bookworm-slim
LABEL org.opencontainers.image.title="realtime-asr" \
      org.opencontainers.image.description="The drop-in for OpenAI's realtime transcription API, on Intel's CPUs and GPUs" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates ocl-icd-libopencl1 python3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log
ARG INTEL_GPU=""
# Or a mirror of it.
ARG INTEL_PACKAGES=https://repositories.intel.com/gpu
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    if [ -n "$INTEL_GPU" ]; then \
      python3 -c "import sys, urllib.request as r; r.urlretrieve(*sys.argv[1:])" \
        "$INTEL_PACKAGES/intel-graphics.key" /usr/share/keyrings/intel-graphics.asc \
   && echo "deb [arch=amd64 signed-by=/usr/share/keyrings/intel-graphics.asc] $INTEL_PACKAGES/ubuntu $INTEL_GPU unified" \
        > /etc/apt/sources.list.d/intel-graphics.list; \
    fi \
 && apt-get update \
 && apt-get install -y --no-install-recommends intel-opencl-icd \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt /var/log/apt /var/log/dpkg.log \
 && useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent listener \
 && install -d -o listener -g listener /models /state
COPY --from=built /opt/realtime-asr /opt/realtime-asr

# By number, since Kubernetes looks whether it is root's.
USER 10001:10001
# Models fetched from the hub stay in one volume, what the server finds out about itself in the other. Without
# API keys it refuses to start on this address. Nothing is told to those who made the libraries.
ENV PATH=/opt/realtime-asr/bin:$PATH \
    HF_HOME=/models \
    HF_HUB_DISABLE_TELEMETRY=1 \
    ORT_DISABLE_TELEMETRY=1 \
    REALTIME_ASR_HOST=0.0.0.0 \
    REALTIME_ASR_PORT=8000 \
    REALTIME_ASR_STATE_FOLDER=/state \
    REALTIME_ASR_ENGINE=openvino
VOLUME ["/models", "/state"]
EXPOSE 8000
# Without TLS, and of the port in the environment: with flags for these it needs another.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5m \
  CMD ["python3", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['REALTIME_ASR_PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["realtime-asr", "serve"]
