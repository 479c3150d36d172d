# The server on a CPU. From the repository's root:
#   docker build -f docker/cpu.Dockerfile -t realtime-asr .
#   docker run -p 8000:8000 -e REALTIME_ASR_API_KEYS=sk-choose-one -v realtime-asr-models:/models realtime-asr --model small
FROM python:3.11-slim-bookworm

RUN useradd --uid 10001 --create-home listener && mkdir /models && chown listener /models
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY realtime_asr realtime_asr
RUN pip install --no-cache-dir . && rm -rf /src

USER listener
WORKDIR /home/listener
# Models fetched from the hub stay in the volume; without API keys the server refuses to start on this host.
ENV HF_HOME=/models REALTIME_ASR_HOST=0.0.0.0
VOLUME /models
EXPOSE 8000
HEALTHCHECK --start-period=5m CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/readyz')"]
ENTRYPOINT ["realtime-asr", "serve"]
