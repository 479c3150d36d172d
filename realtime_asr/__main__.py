"""`python -m realtime_asr` is the command `realtime-asr`, whatever the PATH."""

from realtime_asr.server.commands.cli import run

if __name__ == "__main__":
    run()
