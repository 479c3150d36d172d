# The server on a CPU. From the root of the repository:
#   docker build -f docker/cpu.Dockerfile -t realtime-asr .
#   docker run -p 8000:8000 -e REALTIME_ASR_API_KEYS=sk-choose-one -v models:/models realtime-asr --model small
FROM debian:bookworm-slim

RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --uid 10001 --create-home listener \
 && install -d -o listener /models

COPY pyproject.toml README.md LICENSE /src/
COPY realtime_asr /src/realtime_asr
RUN python3 -m venv /opt/realtime-asr && /opt/realtime-asr/bin/pip install --no-cache-dir /src && rm -rf /src

USER listener
# Models fetched from the hub stay in the volume. Without API keys the server refuses to start on this address.
ENV PATH=/opt/realtime-asr/bin:$PATH HF_HOME=/models REALTIME_ASR_HOST=0.0.0.0
VOLUME /models
EXPOSE 8000
# Of this port without TLS: with other settings it needs another.
HEALTHCHECK --start-period=5m CMD ["python3", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=3)"]
ENTRYPOINT ["realtime-asr", "serve"]
