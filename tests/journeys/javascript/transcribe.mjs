// A session of the official client, each event it hears printed as a line of JSON.
//
//     node transcribe.mjs ws|browser BASE_URL PCM_FILE      with the credential in OPENAI_API_KEY

import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWebSocket } from "openai/realtime/websocket";
import { OpenAIRealtimeWS } from "openai/realtime/ws";

const [variant, baseURL, path] = process.argv.slice(2);
const STEP = 4800; // bytes in 100 ms

const Realtime = { ws: OpenAIRealtimeWS, browser: OpenAIRealtimeWebSocket }[variant];
const realtime = new Realtime({ intent: "transcription" }, new OpenAI({ baseURL }));

realtime.on("event", (event) => console.log(JSON.stringify(event)));
realtime.on("error", (error) => {
  console.error(error.message);
  process.exit(1);
});
realtime.on("session.created", () => {
  const input = {
    transcription: { model: "whisper-1", language: "en" },
    turn_detection: { type: "server_vad", silence_duration_ms: 500 },
  };
  realtime.send({ type: "session.update", session: { type: "transcription", audio: { input } } });
});
realtime.on("session.updated", () => {
  const audio = readFileSync(path);
  for (let start = 0; start < audio.length; start += STEP) {
    const piece = audio.subarray(start, start + STEP).toString("base64");
    realtime.send({ type: "input_audio_buffer.append", audio: piece });
  }
});
realtime.on("conversation.item.input_audio_transcription.completed", () => realtime.close());
