// A file through the official client in every format, each answer printed as a line of JSON.
//
//     node files.mjs BASE_URL FILE      with the credential in OPENAI_API_KEY

import { createReadStream, readFileSync } from "node:fs";
import OpenAI, { toFile } from "openai";

const [baseURL, path] = process.argv.slice(2);
const { transcriptions, translations } = new OpenAI({ baseURL, maxRetries: 0 }).audio;
const model = "whisper-1";
const open = () => createReadStream(path);
const print = (name, answer) => console.log(JSON.stringify([name, answer]));

for (const response_format of ["json", "text", "srt", "vtt", "verbose_json", "diarized_json"]) {
  print(response_format, await transcriptions.create({ file: open(), model, response_format }));
}

const streamed = [];
for await (const event of await transcriptions.create({ file: open(), model, stream: true })) {
  streamed.push(event);
}
print("stream", streamed);

print("details", await transcriptions.create({
  file: await toFile(readFileSync(path), "speech.wav"),
  model,
  language: "en",
  prompt: "A story.",
  temperature: 0,
  response_format: "verbose_json",
  timestamp_granularities: ["word", "segment"],
  chunking_strategy: { type: "server_vad", silence_duration_ms: 500 },
}));
print("logprobs", await transcriptions.create({ file: open(), model, include: ["logprobs"] }));
print("translation", await translations.create({ file: open(), model }));
