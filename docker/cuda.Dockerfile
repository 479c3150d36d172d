# The server on NVIDIA's GPUs. From the root of the repository:
#   docker build -f docker/cuda.Dockerfile -t realtime-asr:cuda .
#   docker run --gpus all -p 8000:8000 -e REALTIME_ASR_API_KEYS=sk-choose-one -v models:/models realtime-asr:cuda \
#     --model large-v3-turbo
# The host brings a driver for CUDA 12, and NVIDIA's container toolkit. Of CUDA's libraries the CTranslate2 that we
# pin opens cuBLAS alone: its wheel holds the runtime, and asks for no cuDNN.
# Where a proxy signs with an authority of its own: --secret id=certificates,src=FILE, which is read while it builds
# and stays out of the image.
FROM debian:bookworm-slim AS built
RUN apt-get update && apt-get install -y --no-install-recommends python3-pip python3-venv
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY docker/constraints.txt docker/
COPY realtime_asr realtime_asr
ARG EXTRAS=""
# Held to also by what builds the wheel.
ENV PIP_CONSTRAINT=docker/constraints.txt
RUN --mount=type=secret,id=certificates,target=/etc/ssl/certs/ca-certificates.crt \
    python3 -m venv --without-pip /opt/realtime-asr \
 && pip --python /opt/realtime-asr/bin/python install --no-cache-dir ".${EXTRAS:+[$EXTRAS]}" nvidia-cublas-cu12

FROM debian:bookworm-slim
ARG NVIDIA=/opt/realtime-asr/lib/python3.11/site-packages/nvidia
LABEL org.opencontainers.image.title="realtime-asr" \
      org.opencontainers.image.description="The drop-in for OpenAI's realtime transcription API, on NVIDIA's GPUs" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates python3 \
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
    REALTIME_ASR_DEVICE=cuda \
    LD_LIBRARY_PATH=$NVIDIA/cublas/lib:$NVIDIA/cuda_nvrtc/lib \
    NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
VOLUME ["/models", "/state"]
EXPOSE 8000
# Without TLS, and of the port in the environment: with flags for these it needs another.
HEALTHCHECK --interval=15s --timeout=5s --start-period=5m \
  CMD ["python3", "-c", "import os, urllib.request as r; r.build_opener(r.ProxyHandler({})).open('http://127.0.0.1:' + os.environ['REALTIME_ASR_PORT'] + '/readyz', timeout=4)"]
ENTRYPOINT ["realtime-asr", "serve"]
