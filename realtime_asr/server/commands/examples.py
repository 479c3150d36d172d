"""What people type most often, shown below the help of each command."""

import argparse
from collections.abc import Mapping
from typing import Final

EXAMPLES: Final[Mapping[str, str]] = {
    "serve": """\
  realtime-asr serve --model small
  realtime-asr serve --config /etc/realtime-asr.toml
  REALTIME_ASR_API_KEYS=sk-one,sk-two realtime-asr serve --host 0.0.0.0
  realtime-asr serve --serve-model fast=tiny --serve-model exact=large-v3
  realtime-asr serve --engine openai_http --remote-url http://127.0.0.1:8080/v1 --model whisper-1
""",
    "demo": """\
  realtime-asr demo
  realtime-asr demo --once --port 0
""",
    "config": """\
  realtime-asr config --show
  realtime-asr config --check --config /etc/realtime-asr.toml
""",
    "transcribe": """\
  realtime-asr transcribe interview.mp3
  realtime-asr transcribe --model small --format srt --output subtitles one.mp4 two.mp4
  realtime-asr transcribe --timestamps --language de --prompt 'Alles Gute' talk.flac
  realtime-asr transcribe --format json call.ogg | jq -r '.words[].word'
  ffmpeg -i film.mkv -f wav - | realtime-asr transcribe - > film.txt
""",
    "microphone": """\
  realtime-asr microphone --model small --language en
  realtime-asr microphone --list-inputs
  realtime-asr microphone --input 'USB Audio' >> minutes.txt
""",
    "bench": """\
  realtime-asr bench --streams 8
  realtime-asr bench --url https://asr.example.com/v1 --streams 4 --html report.html
""",
    "capacity": """\
  realtime-asr capacity --model small
  realtime-asr capacity --p95-ms 800 --margin 20
""",
    "harvest": """\
  realtime-asr harvest --model small
  realtime-asr harvest --minutes 5 --into phrases
""",
    "replay": """\
  realtime-asr replay journal/sess_123.jsonl
  realtime-asr replay --show journal/sess_123.jsonl | jq .
""",
    "completion": """\
  eval "$(realtime-asr completion bash)"
  realtime-asr completion zsh > "${fpath[1]}/_realtime-asr"
  realtime-asr completion tcsh > ~/.realtime-asr.tcsh
""",
}


class Help(argparse.HelpFormatter):
    """Wraps text, but leaves examples as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        return text if "\n" in text else super()._fill_text(text, width, indent)


def with_examples(commands: Mapping[str, argparse.ArgumentParser]) -> None:
    for name, command in commands.items():
        command.formatter_class = Help
        command.epilog = f"examples:\n{EXAMPLES[name]}"
