// The page in headless Chromium: node --test test/page.e2e.js, with PAGE (the built folder) and REFERENCE (of reference.py).
// CAMERA (a .y4m of a person) and VIDEO (a short clip) are optional; `make test-web` sets all.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { PAGE, REFERENCE, CAMERA, VIDEO, PYTHON = "python", CHROMIUM = "/usr/bin/chromium" } = process.env;
const SHOTS = process.env.SHOTS; // a folder: screenshots are written there
const TOLERANCE = 1e-3;
const WAIT = Number(process.env.WAIT ?? 300000); // milliseconds, of a machine that does other things too
const answers = JSON.parse(readFileSync(join(REFERENCE, "answers.json"), "utf8"));
let server, address, browser;

async function serve(port = 0) {
  const made = spawn(PYTHON, ["-m", "motionhub.cli.main", "web", PAGE, "--port", String(port)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const line = await new Promise(
    (done, fail) => (made.stdout.once("data", (data) => done(String(data))), made.once("exit", fail)),
  );
  return [made, line.split(" ")[0]];
}

const launch = (...args) => chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", ...args] });

before(async () => {
  [server, address] = await serve();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  server?.kill();
});

/** A new page of the site; `options` of the browser context. */
async function opened(options = {}, prepare = async () => {}, from = browser) {
  const context = await from.newContext({ viewport: { width: 1200, height: 900 }, acceptDownloads: true, ...options });
  const page = await context.newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error.message));
  await prepare(page);
  await page.goto(address);
  return page;
}

/** Waits for a result or an error, and returns the sentence of the error, or "". */
async function settled(page, timeout = WAIT) {
  await page.waitForFunction(() => !document.body.hasAttribute("aria-busy"), null, { timeout });
  return (await page.isVisible("#error")) ? page.textContent("#error") : "";
}

const ready = async (page) => assert.equal(await settled(page), "");
const useLabels = (page, labels) =>
  page.evaluate((given) => ((window.motionhub.words.labels = given), window.motionhub.words.draw()), labels);
const recording = (name) => join(REFERENCE, name);

async function read(page, file, given = {}) {
  await page.setInputFiles("#file", recording(file));
  let error = await settled(page);
  for (let asked = 0; asked < 3 && (await page.isVisible("#facts")); asked++) {
    if (await page.isVisible("#fact-number")) await page.fill("#fact-number", String(given.fps));
    else await page.selectOption("#fact-choice", given.unit ?? given.layout);
    await page.click("#facts button");
    error = await settled(page);
  }
  return error;
}

async function shot(page, name, options = {}) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
}

test("ten recordings have the labels and scores of Python", async () => {
  const page = await opened();
  await ready(page);
  for (const answer of answers) {
    await useLabels(page, answer.labels);
    if (answer.file.includes("words")) {
      assert.match(
        await read(page, answer.file, answer.given),
        /no phrase "juggle three oranges".*switch on "Any words"/,
      );
      await page.check("#tower");
    }
    assert.equal(
      answer.file.includes("words") ? await settled(page) : await read(page, answer.file, answer.given),
      "",
      answer.file,
    );
    const found = await page.evaluate(() => ({ rows: window.motionhub.rows, scores: window.motionhub.scores }));
    assert.deepEqual(
      found.scores.map((each) => each.track_id),
      answer.classification.map((each) => each.track_id),
      answer.file,
    );
    answer.classification.forEach((person, row) => {
      assert.equal(found.scores[row].scores[0].label, person.scores[0].label, answer.file);
      for (const { label, score } of person.scores) {
        const own = found.scores[row].scores.find((each) => each.label === label).score;
        assert.ok(Math.abs(own - score) < TOLERANCE, `${answer.file} ${label}: ${own} and ${score}`);
      }
    });
    assert.equal(found.rows.length, answer.segmentation.length, answer.file);
    answer.segmentation.forEach((row, place) => {
      assert.equal(found.rows[place].label, row.label);
      for (const key of ["track_id", "start_s", "end_s", "score"])
        assert.ok(Math.abs(found.rows[place][key] - row[key]) < TOLERANCE, `${answer.file} ${key}`);
    });
  }
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("the downloads are those of write_intervals", async () => {
  const page = await opened();
  await ready(page);
  const [answer] = answers.toSorted((one, other) => other.segmentation.length - one.segmentation.length);
  assert.ok(answer.segmentation.length > 0);
  await useLabels(page, answer.labels);
  assert.equal(await read(page, answer.file, answer.given), "");
  for (const kind of ["csv", "srt"]) {
    const [download] = await Promise.all([page.waitForEvent("download"), page.click(`#${kind}`)]);
    assert.equal(readFileSync(await download.path(), "utf8"), answer[kind]);
    assert.equal(download.suggestedFilename(), answer.file.replace(/\.\w+$/, `.${kind}`));
  }
  await page.context().close();
});

test("no request leaves for another host, and nothing can be sent to the own one", async () => {
  const page = await opened();
  const urls = [];
  page.context().on("request", (request) => urls.push(request.url()));
  await ready(page);
  await page.waitForFunction(() => navigator.serviceWorker.controller);
  await page.click("#example");
  assert.equal(await settled(page), "");
  const tried = await page.evaluate(async () => {
    const blocked = [];
    document.addEventListener("securitypolicyviolation", (event) => blocked.push(event.effectiveDirective));
    const fails = (promise) =>
      promise.then(
        (answer) => answer.status ?? "sent",
        () => "blocked",
      );
    const found = {
      fetch: await fails(fetch("https://example.com/", { method: "POST", body: "x", mode: "no-cors" })),
    };
    found.own = await fails(fetch("./collect", { method: "POST", body: "x" }));
    found.query = await fails(fetch("./model/web.json?pose=1"));
    found.beacon = navigator.sendBeacon("https://example.com/", "x");
    try {
      new WebSocket("wss://example.com/");
    } catch {
      /* refused at once */
    }
    const image = new Image();
    await new Promise((done) => ((image.onerror = done), (image.src = "https://example.com/a.png")));
    const script = document.createElement("script");
    await new Promise(
      (done) => ((script.onerror = done), (script.src = "https://example.com/a.js"), document.head.append(script)),
    );
    const frame = document.createElement("iframe");
    frame.src = "https://example.com/";
    document.body.append(frame);
    const form = document.createElement("form");
    Object.assign(form, { action: "https://example.com/", method: "post" });
    document.body.append(form);
    form.submit();
    try {
      eval("1");
      found.eval = "run";
    } catch {
      found.eval = "blocked";
    }
    for (let waits = 0; waits < 100 && !blocked.includes("frame-src"); waits++)
      await new Promise((done) => setTimeout(done, 200));
    return { ...found, blocked: [...new Set(blocked)] };
  });
  assert.equal(tried.fetch, "blocked");
  assert.deepEqual([tried.own, tried.query], [403, 403]);
  assert.equal(tried.eval, "blocked");
  for (const directive of ["connect-src", "img-src", "script-src-elem", "frame-src"])
    assert.ok(tried.blocked.includes(directive), `${directive} of ${tried.blocked}`);
  assert.equal(page.url(), address, "the form was not sent");
  const foreign = urls.filter((url) => !url.startsWith(address) && !/^(blob|data):/.test(url));
  assert.deepEqual(
    foreign.filter((url) => !url.includes("example.com")),
    [],
  );
  assert.equal(await page.getAttribute("#private", "aria-checked"), "true");
  await page.context().close();
});

test("after the first load it works without a server", async () => {
  const [own, url] = await serve();
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 } });
  const page = await context.newPage();
  await page.goto(url);
  await ready(page);
  await page.waitForFunction(
    () => navigator.serviceWorker.controller && document.body.dataset.offline === "ready",
    null,
    { timeout: WAIT },
  );
  own.kill();
  await new Promise((done) => own.once("exit", done));
  await page.reload();
  await ready(page);
  await page.click("#example");
  assert.equal(await settled(page), "");
  assert.match(await page.textContent("#status"), /4 actions of 1 person/);
  if (VIDEO) {
    const found = await page.evaluate(() =>
      fetch("./mediapipe/pose_landmarker_full.task")
        .then((answer) => answer.arrayBuffer())
        .then((bytes) => bytes.byteLength),
    );
    assert.ok(found > 9e6);
  }
  await context.close();
});

test("a phone shows all of it without scrolling sideways", async () => {
  const page = await opened({
    viewport: { width: 360, height: 740 },
    colorScheme: "light",
    deviceScaleFactor: 2,
    isMobile: true,
    hasTouch: true,
  });
  await ready(page);
  await page.click("#example");
  assert.equal(await settled(page), "");
  assert.ok((await page.evaluate(() => document.documentElement.scrollWidth)) <= 360);
  const small = await page.evaluate(() =>
    [...document.querySelectorAll("button, input:not([type=checkbox]):not([hidden]), select")]
      .filter((each) => each.offsetParent && !each.closest(".track") && each.getBoundingClientRect().height < 24)
      .map((each) => each.id || each.textContent),
  );
  assert.deepEqual(small, []);
  await shot(page, "web-phone", { fullPage: true, scale: "css" });
  await page.context().close();
});

test("everything has a name, and the keyboard reaches and moves it", async () => {
  const page = await opened();
  await ready(page);
  await page.focus("#example");
  await page.keyboard.press("Enter");
  assert.equal(await settled(page), "");
  const nameless = await page.evaluate(() =>
    [...document.querySelectorAll("button, input:not([hidden]), select, video, canvas, progress, meter")]
      .filter((each) => !(each.getAttribute("aria-label") || each.textContent.trim() || each.labels?.length))
      .map((each) => each.outerHTML.slice(0, 80)),
  );
  assert.deepEqual(nameless, []);
  const levels = await page.evaluate(() =>
    [...document.querySelectorAll("h1, h2, h3")]
      .filter((each) => each.offsetParent)
      .map((each) => Number(each.tagName[1])),
  );
  levels.forEach((level, place) => assert.ok(level <= (levels[place - 1] ?? 0) + 1, "headings skip no level"));
  await page.focus("#time");
  const start = await page.evaluate(() => Number(document.querySelector("#time").value));
  await page.keyboard.press("PageUp");
  assert.ok((await page.evaluate(() => Number(document.querySelector("#time").value))) > start);
  await page.focus(".track button >> nth=-1");
  await page.keyboard.press("Enter");
  const seconds = await page.evaluate(() => [
    Number(document.querySelector("#time").value),
    window.motionhub.rows.at(-1).start_s,
  ]);
  assert.ok(Math.abs(seconds[0] - seconds[1]) < 0.02);
  await page.fill("#word", "drink wat");
  await page.focus("#word");
  await page.waitForSelector("#known li");
  await page.keyboard.press("ArrowDown");
  const offered = await page.textContent("#known li[aria-selected=true]");
  await page.keyboard.press("Enter");
  assert.equal(await settled(page), "");
  assert.ok((await page.textContent("#labels")).includes(offered));
  await page.focus(`[aria-label="Remove ${offered}"]`);
  await page.keyboard.press("Enter");
  await settled(page);
  assert.ok(!(await page.textContent("#labels")).includes(offered));
  const reached = new Set();
  await page.focus("#private");
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
  }
  for (const id of ["choose", "camera", "word", "none", "tower", "play", "time", "csv", "srt"])
    assert.ok(reached.has(id), `${id} is reached by Tab`);
  await page.context().close();
});

test("light and dark are both drawn", async () => {
  const papers = [];
  for (const colorScheme of ["light", "dark"]) {
    const page = await opened({ colorScheme });
    await ready(page);
    const name = await page.evaluate(() => window.motionhub.model.facts.checkpoint);
    assert.doesNotMatch(name, /\.(onnx|safetensors|json)$/, "the page names the checkpoint, not one of its files");
    await shot(page, `web-${colorScheme}`);
    await page.click("#example");
    assert.equal(await settled(page), "");
    await page.evaluate(() => document.querySelector("#results").scrollIntoView());
    await page.focus(".track button >> nth=1");
    await page.keyboard.press("Enter");
    if (colorScheme === "light") await shot(page, "web-result");
    papers.push(await page.evaluate(() => getComputedStyle(document.body).backgroundColor));
    await page.context().close();
  }
  assert.notEqual(papers[0], papers[1]);
});

test("bad input ends in a sentence that says what to do", async () => {
  const page = await opened();
  await ready(page);
  const named = (name, content) => {
    const path = join(tmpdir(), name);
    writeFileSync(path, content);
    return path;
  };
  for (const [path, reason] of [
    [named("codec.avi", "RIFF but no video"), /cannot play codec\.avi.*ffmpeg -i codec\.avi/],
    [named("cut.json", '[{"image_id": 0, "keyp'), /no valid JSON.*Export it again/],
    [
      named("other.csv", "time,tail_x_m,tail_y_m,fin_x_m,fin_y_m\n0,1,2,3,4\n0.1,1,2,3,4\n"),
      /layout that this page knows.*motionhub convert/,
    ],
    [recording("nobody.npz"), /Nobody was found: show a person/],
  ]) {
    await page.setInputFiles("#file", path);
    assert.match(await settled(page), reason);
  }
  await useLabels(page, ["walk", "fly to the moon"]);
  await page.click("#example");
  assert.match(await settled(page), /no phrase "fly to the moon"/);
  await page.fill("#word", "Walk");
  await page.click("#add button");
  assert.match(await page.textContent("#error"), /Labels must differ/);
  assert.deepEqual(page.failures, []);
  await page.context().close();
});

test("a truncated, damaged or other model, a browser without SIMD and a refused camera are explained", async () => {
  const graph = readFileSync(join(PAGE, "model", "model.onnx"));
  const facts = JSON.parse(readFileSync(join(PAGE, "model", "web.json"), "utf8"));
  const routed = (name, body) => (page) => page.route(`**/model/${name}`, (route) => route.fulfill({ body }));
  const damaged = Buffer.from(graph);
  damaged[2000] ^= 1;
  for (const [prepare, reason] of [
    [routed("model.onnx", graph.subarray(0, 1e6)), /model\.onnx is cut off: expected \d+ bytes, got 1000000/],
    [routed("model.onnx", damaged), /model\.onnx is damaged/],
    [
      routed("web.json", JSON.stringify({ ...facts, schema: 99 })),
      /has format 99, this page reads 1; update the page/,
    ],
    [
      (page) => page.route("**/model/text_bank.json", (route) => route.fulfill({ status: 404 })),
      /text_bank\.json is missing \(404\)/,
    ],
    [
      (page) => page.addInitScript(() => (WebAssembly.validate = () => false)),
      /lacks WebAssembly SIMD.*Chrome or Edge 91/,
    ],
  ]) {
    const page = await opened({ serviceWorkers: "block" }, prepare);
    assert.match(await settled(page), reason);
    assert.deepEqual(page.failures, []);
    await page.context().close();
  }
  const page = await opened();
  await ready(page);
  await page.click("#camera");
  assert.match(await settled(page), /camera is not allowed|No camera was found/);
  await page.context().close();
});

test("a camera is named as it goes, and the whole when it ends", { skip: CAMERA ? false : "no CAMERA" }, async () => {
  const fake = await launch(
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
    `--use-file-for-fake-video-capture=${CAMERA}`,
  );
  const page = await opened({ permissions: ["camera"] }, undefined, fake);
  await ready(page);
  await page.click("#camera");
  await page.waitForFunction(() => /Person \d+: .+ %/.test(document.querySelector("#live").textContent), null, {
    timeout: WAIT,
  });
  await page.waitForTimeout(2000);
  await page.click("#camera");
  assert.equal(await settled(page), "");
  assert.match(await page.textContent("#status"), /actions? of \d+ pe/);
  assert.equal(await page.evaluate(() => document.querySelector("#video").srcObject), null);
  assert.ok(
    await page.evaluate(
      () => window.motionhub.clip.frames > 15 && window.motionhub.clip.layout.name === "mediapipe-33",
    ),
  );
  await fake.close();
});

test("a video shows skeletons that follow the picture", { skip: VIDEO ? false : "no VIDEO" }, async () => {
  const page = await opened();
  await ready(page);
  await page.setInputFiles("#file", VIDEO);
  await page.waitForSelector("#stop:not([hidden])", { timeout: WAIT });
  assert.equal(await settled(page), "");
  const [clip, video] = await page.evaluate(() => [
    window.motionhub.clip.imageSize,
    [document.querySelector("#video").videoWidth, document.querySelector("#video").videoHeight],
  ]);
  assert.deepEqual(clip, video);
  const box = await page.evaluate(() =>
    ["#canvas", "#video"]
      .map((name) => document.querySelector(name).getBoundingClientRect())
      .map(({ width, height }) => width / height),
  );
  assert.ok(Math.abs(box[0] - box[1]) < 0.02, "the drawing has the shape of the picture");
  await page.fill("#time", "1");
  await page.waitForFunction(() => Math.abs(document.querySelector("#video").currentTime - 1) < 0.05);
  await shot(page, "web-video");
  await page.context().close();
});
