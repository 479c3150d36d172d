"""Has each turn of live speech answered by a megaservice, or a language model, as soon as it was spoken.

OPEA's orchestrator carries no streams. So the server posts each finished turn to this program, which checks
who posts, asks for a chat completion, and prints it. `--ask` is OPEA's ChatQnA here; anything else that takes
OpenAI's chat completions will do.

    pip install openai
    export REALTIME_ASR_HOOK_SECRET=$(openssl rand -hex 32)
    realtime-asr serve --hook http://127.0.0.1:9400/heard &
    python examples/opea/realtime.py --ask http://127.0.0.1:8888/v1/chatqna
"""

import argparse
import json
import os
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

from openai import InvalidWebhookSignatureError, OpenAI

CLIENT = OpenAI(api_key="none", webhook_secret=os.environ["REALTIME_ASR_HOOK_SECRET"])
HEARD: SimpleQueue[dict[str, Any]] = SimpleQueue()
KNOWN: deque[str] = deque(maxlen=1000)
"""Webhooks by their names: one may come twice, as answers get lost."""


class Receiver(BaseHTTPRequestHandler):
    """Answers at once, and leaves the work to others: the server waits 15 seconds, and then posts again."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        try:
            CLIENT.webhooks.verify_signature(body, dict(self.headers))
        except (InvalidWebhookSignatureError, ValueError):
            self.send_error(401)
            return
        name = self.headers["webhook-id"]
        if name not in KNOWN:
            KNOWN.append(name)
            HEARD.put(json.loads(body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


def answer(text: str, url: str, model: str) -> str:
    asked = {"model": model, "messages": [{"role": "user", "content": text}], "stream": False}
    request = Request(url, json.dumps(asked).encode(), {"content-type": "application/json"})  # noqa: S310  the user's own
    try:
        with urlopen(request) as answered:  # noqa: S310  as above
            return str(json.load(answered)["choices"][0]["message"]["content"])
    except OSError as error:
        return f"(no answer: {error})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Answers what is said.")
    parser.add_argument("--ask", default="http://127.0.0.1:8888/v1/chatqna", metavar="URL")
    parser.add_argument("--model", default="Intel/neural-chat-7b-v3-3")
    parser.add_argument("--port", type=int, default=9400)
    asked = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", asked.port), Receiver)
    Thread(target=server.serve_forever, daemon=True).start()
    print(f"listening on http://127.0.0.1:{server.server_port}/heard", flush=True)
    while True:
        text = HEARD.get()["data"]["transcript"]
        print(f"> {text}\n{answer(text, asked.ask, asked.model)}", flush=True)


if __name__ == "__main__":
    main()
