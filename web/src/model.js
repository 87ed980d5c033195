// The model folder: `web.json`, the graph, the text bank. Files are checked by size and checksum.

import * as ort from "onnxruntime-web/wasm";
import { ShownError } from "./clip.js";
import { checkProcessor } from "./processor.js";
import { TextBank, WordPiece } from "./texts.js";
import { ZeroShot, candidatesOf } from "./zero_shot.js";

const SCHEMA = 1;
const AGAIN = "build the page again (make web), or clear the data of this site in the browser";

/** Whether this browser runs WebAssembly with vector instructions. */
export function hasSimd() {
  const code = [
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
  ];
  return typeof WebAssembly === "object" && WebAssembly.validate(new Uint8Array(code));
}

async function fetched(url, onBytes = () => {}) {
  let answer;
  try {
    answer = await fetch(url);
  } catch {
    throw new ShownError(`${url} cannot be loaded; check the connection, then reload the page.`);
  }
  if (!answer.ok) throw new ShownError(`${url} is missing (${answer.status}); ${AGAIN}.`);
  const reader = answer.body.getReader();
  const parts = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    onBytes(value.length);
  }
  return new Uint8Array(await new Blob(parts).arrayBuffer());
}

async function checked(folder, name, facts, onBytes) {
  const bytes = await fetched(`${folder}/${name}`, onBytes);
  const expected = facts.files[name];
  if (!expected) throw new ShownError(`web.json does not list ${name}; ${AGAIN}.`);
  if (bytes.length !== expected.bytes)
    throw new ShownError(`${name} is cut off: expected ${expected.bytes} bytes, got ${bytes.length}; ${AGAIN}.`);
  if (crypto.subtle) {
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
    const text = Array.from(sum, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (text !== expected.sha256)
      throw new ShownError(`${name} is damaged: its checksum differs from web.json's; ${AGAIN}.`);
  }
  return bytes;
}

/** Refuses a model folder of another version. */
export function checkFacts(facts) {
  if (facts.schema !== SCHEMA) {
    const fix = facts.schema > SCHEMA ? "update the page" : "export the model again";
    throw new ShownError(`The model folder has format ${facts.schema}, this page reads ${SCHEMA}; ${fix}: make web.`);
  }
  if (facts.config.people !== 1)
    throw new ShownError(`The model takes ${facts.config.people} people at once, this page one; use it in Python.`);
  checkProcessor(facts.processor);
  return facts;
}

async function sessionOf(bytes, name) {
  try {
    return await ort.InferenceSession.create(bytes, { executionProviders: ["wasm"], graphOptimizationLevel: "all" });
  } catch (error) {
    throw new ShownError(`${name} cannot be run (${String(error.message ?? error).slice(0, 120)}); ${AGAIN}.`);
  }
}

/** Loads the model. `onProgress(share, text)` for the bar. */
export async function loadModel(folder, runtime, onProgress) {
  if (!hasSimd())
    throw new ShownError(
      "This browser lacks WebAssembly SIMD, which the model needs; use Chrome or Edge 91, Firefox 89, Safari 16.4 or newer.",
    );
  ort.env.wasm.wasmPaths = runtime;
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const facts = checkFacts(JSON.parse(new TextDecoder().decode(await fetched(`${folder}/web.json`))));
  const names = ["model.onnx", "text_bank.json", "text_bank.safetensors", "labels.onnx"];
  const total = names.reduce((sum, name) => sum + (facts.files[name]?.bytes ?? 0), 0);
  let loaded = 0;
  const count = (bytes) => onProgress((loaded += bytes) / total, "Loading the model");
  const [graph, bankFacts, bankVectors, labels] = await Promise.all(
    names.map((name) => checked(folder, name, facts, count)),
  );
  const name = facts.processor.layout;
  const parts = {
    processor: facts.processor,
    scoring: facts.scoring,
    config: facts.config,
    target: { ...facts.layouts[name], name },
  };
  const bank = new TextBank(JSON.parse(new TextDecoder().decode(bankFacts)), bankVectors.buffer, facts.scoring);
  const sessions = { motion: await sessionOf(graph, "model.onnx"), labels: await sessionOf(labels, "labels.onnx") };
  return new Model(folder, facts, parts, sessions, bank);
}

export class Model {
  constructor(folder, facts, parts, sessions, bank) {
    Object.assign(this, { folder, facts, sessions, bank, tower: null, towerVectors: new Map() });
    this.zeroShot = new ZeroShot(
      parts,
      (samples) => this.embed(samples),
      (motions, texts) => this.similarities(motions, texts),
    );
  }

  get hasTower() {
    return "tower.onnx" in this.facts.files;
  }

  get towerMegabytes() {
    return Math.round(this.facts.files["tower.onnx"].bytes / 1e6);
  }

  /** Embeddings of samples `{keypoints, mask, frames}`, padded to the frames of the graph. */
  async embed(samples) {
    const { frames, joints, dims } = this.facts.config;
    const longest = Math.max(...samples.map((sample) => sample.frames));
    if (longest > frames)
      throw new ShownError(
        `The model takes clips of ${frames} frames, got ${longest}; export it with --frames ${longest}.`,
      );
    const keypoints = new Float32Array(samples.length * frames * joints * dims);
    const jointMask = new Uint8Array(samples.length * frames * joints);
    const attention = new Uint8Array(samples.length * frames);
    samples.forEach((sample, row) => {
      keypoints.set(sample.keypoints, row * frames * joints * dims);
      jointMask.set(sample.mask, row * frames * joints);
      attention.fill(1, row * frames, row * frames + sample.frames);
    });
    const feeds = {
      keypoints: new ort.Tensor("float32", keypoints, [samples.length, 1, frames, joints, dims]),
      joint_mask: new ort.Tensor("bool", jointMask, [samples.length, 1, frames, joints]),
      attention_mask: new ort.Tensor("bool", attention, [samples.length, 1, frames]),
    };
    const wanted = Object.fromEntries(this.sessions.motion.inputNames.map((name) => [name, feeds[name]]));
    const output = (await this.sessions.motion.run(wanted, ["motion_embeds"])).motion_embeds;
    const size = output.dims.at(-1);
    return samples.map((_, row) => output.data.slice(row * size, (row + 1) * size));
  }

  /** Of each motion the similarity of each text; both are lists of vectors. */
  async similarities(motions, texts) {
    const tensor = (rows) =>
      new ort.Tensor("float32", Float32Array.from(rows.flatMap((row) => [...row])), [rows.length, rows[0].length]);
    const output = await this.sessions.labels.run({ motion_embeds: tensor(motions), text_features: tensor(texts) });
    const { data } = output.similarities;
    return motions.map((_, row) => Array.from(data.subarray(row * texts.length, (row + 1) * texts.length)));
  }

  /** Loads the text network, for words that the bank lacks. */
  async loadTower(onProgress) {
    const total = this.facts.files["tower.onnx"].bytes;
    let loaded = 0;
    const graph = await checked(this.folder, "tower.onnx", this.facts, (bytes) =>
      onProgress((loaded += bytes) / total, "Loading the language model"),
    );
    const words = await checked(this.folder, "vocabulary.json", this.facts);
    this.words = new WordPiece(JSON.parse(new TextDecoder().decode(words)));
    this.tower = await sessionOf(graph, "tower.onnx");
  }

  /** The vector of a text by the tower. */
  async towerVector(text) {
    if (!this.towerVectors.has(text)) {
      const ids = this.words.encode(text);
      const tensor = (values) => new ort.Tensor("int64", BigInt64Array.from(values, BigInt), [1, values.length]);
      const output = await this.tower.run({ input_ids: tensor(ids), attention_mask: tensor(ids.map(() => 1)) });
      this.towerVectors.set(text, Float64Array.from(output.vectors.data));
    }
    return this.towerVectors.get(text);
  }

  /** Labels as vectors; a sentence for those that the bank lacks while the tower is not loaded. */
  candidates(labels) {
    return candidatesOf(labels, (text) => this.textVector(text), this.bank);
  }

  async textVector(text) {
    const own = this.bank.vector(text);
    if (own) return own;
    if (this.tower) return this.towerVector(text);
    const near = this.bank
      .nearest(text)
      .map((phrase) => `"${phrase}"`)
      .join(", ");
    const way = this.hasTower ? `or switch on "Any words"` : "as this page has no language model";
    throw new ShownError(
      `The model has no phrase "${text}". Use a known one${near ? `, such as ${near}` : ""}, ${way}.`,
    );
  }
}
