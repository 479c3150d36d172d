// Transcribes a WAV file (24 kHz, mono, 16 bit) with the official JavaScript client.
//
//     npm install openai@7 ws
//     node examples/openai_javascript.mjs [BASE_URL] [WAV]
//
// Older releases, which npm prefers where Node.js is older than 22, cannot ask for transcription. This client
// connects over TLS only: start the server with --tls-cert and --tls-key, and let Node trust a certificate of
// your own with NODE_EXTRA_CA_CERTS.

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const DEMO = new URL("../realtime_asr/models/bundled/demo.wav", import.meta.url);
const [baseURL = "https://127.0.0.1:8000/v1", path = DEMO] = process.argv.slice(2);

const client = new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? "none" });
const realtime = new OpenAIRealtimeWS({ intent: "transcription" }, client);

realtime.on("session.created", () => {
  const input = { transcription: { model: "whisper-1" }, turn_detection: null };
  realtime.send({ type: "session.update", session: { type: "transcription", audio: { input } } });
  const audio = readFileSync(path).subarray(44).toString("base64"); // after 44 bytes of header
  realtime.send({ type: "input_audio_buffer.append", audio });
  realtime.send({ type: "input_audio_buffer.commit" });
});
realtime.on("conversation.item.input_audio_transcription.delta", ({ delta }) => process.stdout.write(delta));
realtime.on("conversation.item.input_audio_transcription.completed", () => {
  console.log();
  realtime.close();
});
realtime.on("conversation.item.input_audio_transcription.failed", ({ error }) => giveUp(error.message));
realtime.on("error", ({ message }) => giveUp(message));

function giveUp(message) {
  console.error(message);
  process.exit(1);
}
