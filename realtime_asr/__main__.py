"""`python -m realtime_asr` is the command `realtime-asr`, whatever the PATH."""

import sys

from realtime_asr.server.cli import main

if __name__ == "__main__":
    sys.exit(main())
