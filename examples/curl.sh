#!/usr/bin/env bash
# Everything that works without a WebSocket: lists the models, mints a client secret, and has a WAV file
# (24 kHz, mono, 16 bit) transcribed by a single POST.
#
#     examples/curl.sh [BASE_URL] [WAV]
set -euo pipefail

base_url=${1:-http://127.0.0.1:8000/v1}
wav=${2:-$(dirname "$0")/../realtime_asr/models/bundled/demo.wav}

ask() { # PATH, then what else curl should know
  curl --silent --show-error --fail-with-body "$base_url$1" "${@:2}" \
    --header "Authorization: Bearer ${OPENAI_API_KEY:-none}" --header "Content-Type: application/json" \
    --write-out '\n'
}

ask /models

ask /realtime/client_secrets --data '{"session": {"type": "transcription"}}'

audio=$(tail -c +45 "$wav" | base64 | tr -d '\n') # after 44 bytes of header
printf '{"type": "input_audio_buffer.append", "audio": "%s"}' "$audio" |
  ask /realtime/intent=transcription --data-binary @-
