// llama.cpp by node-llama-cpp, for gguf_test.cpp:  node llamacpp_peer.mjs MODULES MODEL.gguf CASES.json
// CASES.json has "texts", "prompts" (ids) and "tokens"; one JSON object comes back: "ids" of the texts without special
// tokens, "greedy" (that many ids behind each prompt, ends of text included), "bos", "eos", "chat_template".
import fs from "node:fs";
import path from "node:path";
import {pathToFileURL} from "node:url";

const [modules, file, casesFile] = process.argv.slice(2);
const home = path.resolve(modules, "node-llama-cpp/dist/index.js");
const {getLlama, LlamaLogLevel} = await import(pathToFileURL(home));
const cases = JSON.parse(fs.readFileSync(casesFile, "utf8"));

const llama = await getLlama({gpu: false, build: "never", skipDownload: true, logLevel: LlamaLogLevel.error, maxThreads: 1});
const model = await llama.loadModel({modelPath: path.resolve(file)});
const context = await model.createContext({threads: 1, contextSize: 128, sequences: 1});
const sequence = context.getSequence();
const greedy = [];
for (const prompt of cases.prompts) {
  await sequence.clearHistory();
  const ids = [];
  for await (const id of sequence.evaluate(prompt, {temperature: 0, yieldEogToken: true})) {
    ids.push(id);
    if (ids.length >= cases.tokens) break;
  }
  greedy.push(ids);
}
const result = {
  ids: cases.texts.map((text) => [...model.tokenize(text, false)]),
  greedy,
  bos: model.tokens.bos,
  eos: model.tokens.eos,
  chat_template: model.fileInfo.metadata.tokenizer?.chat_template ?? null
};
process.stdout.write(JSON.stringify(result) + "\n", () => process.exit(0));
