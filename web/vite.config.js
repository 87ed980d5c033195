// Builds the static folder: page, wasm files, pose network, model, and the service worker's list of them.

import { createHash } from "node:crypto";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = fileURLToPath(new URL(".", import.meta.url));
const out = process.env.WEB_OUT ?? join(here, "..", "build", "web");
const model = process.env.WEB_MODEL ?? join(here, "..", "build", "web_model");
const poses = join(here, "..", "src", "motionhub", "poses", "estimators", "pose_landmarker");
const LATER = ["model/tower.onnx", "model/vocabulary.json"];
const LICENCES = ["onnxruntime-web", "@mediapipe/tasks-vision", "fflate"];

function filesOf(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}

function copied(from, to, names) {
  mkdirSync(join(out, to), { recursive: true });
  for (const name of names) copyFileSync(join(from, name), join(out, to, name));
}

function licences() {
  const texts = LICENCES.map((name) => {
    const facts = JSON.parse(readFileSync(join(here, "node_modules", name, "package.json"), "utf8"));
    return `${name} ${facts.version}: ${facts.license}`;
  });
  return `${texts.join("\n")}\n\n${readFileSync(join(poses, "NOTICE"), "utf8")}\n${readFileSync(join(poses, "LICENSE"), "utf8")}`;
}

const complete = {
  name: "motionhub-files",
  apply: "build",
  closeBundle() {
    if (!existsSync(join(model, "web.json")))
      throw new Error(`${model} has no web.json: run python web/model_folder.py CHECKPOINT ${model}, or make web`);
    copied(join(here, "node_modules", "onnxruntime-web", "dist"), "ort", [
      "ort-wasm-simd-threaded.wasm",
      "ort-wasm-simd-threaded.mjs",
    ]);
    copied(join(here, "node_modules", "@mediapipe", "tasks-vision", "wasm"), "mediapipe", [
      "vision_wasm_internal.js",
      "vision_wasm_internal.wasm",
    ]);
    copied(poses, "mediapipe", ["pose_landmarker_full.task"]);
    cpSync(model, join(out, "model"), { recursive: true });
    writeFileSync(join(out, "licences.txt"), licences());
    const files = filesOf(out)
      .map((path) => relative(out, path).replaceAll("\\", "/"))
      .sort();
    const sum = createHash("sha256");
    for (const name of files) sum.update(name).update(readFileSync(join(out, name)));
    const kept = files.filter((name) => !LATER.includes(name));
    const worker = readFileSync(join(here, "src", "service_worker.js"), "utf8")
      .replace("__BUILD__", `motionhub-${sum.digest("hex").slice(0, 16)}`)
      .replace("__FILES__", JSON.stringify(kept))
      .replace("__LATER__", JSON.stringify(files.filter((name) => LATER.includes(name))));
    writeFileSync(join(out, "service_worker.js"), worker);
    const size = files.reduce((total, name) => total + statSync(join(out, name)).size, 0);
    console.log(`${out}: ${files.length} files, ${(size / 1e6).toFixed(1)} MB`);
  },
};

export default defineConfig({
  base: "./",
  resolve: { conditions: ["onnxruntime-web-use-extern-wasm", "module", "browser", "import", "default"] },
  build: {
    outDir: out,
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  plugins: [complete],
});
