// The page of `motionhub app` in headless Chromium: node --test test/app.e2e.js. `make test-app` sets the environment:
// PYTHON with motionhub[app], FILES (of test/app_files.py), CHROMIUM. ADDRESS: a page that runs already. SHOTS: a folder
// for screenshots. VIDEO: a short video of a person.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { chromium } from "playwright-core";

const { FILES, VIDEO, SHOTS, ADDRESS, PYTHON = "python", CHROMIUM = "/usr/bin/chromium" } = process.env;
const WAIT = Number(process.env.WAIT ?? 300000); // milliseconds, of a machine that does other things too
let server, browser, address = ADDRESS;
const foreign = []; // requests to other servers, of all pages

before(async () => {
  if (!address) {
    server = spawn(PYTHON, ["-m", "motionhub.cli.main", "app", join(FILES, "given"), "--port", "0"], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const line = await new Promise(
      (done, fail) => (server.stdout.once("data", (data) => done(String(data))), server.once("exit", fail)),
    );
    address = line.split(" ")[0];
  }
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox"] });
});

after(async () => {
  await browser?.close();
  server?.kill("SIGINT");
});

async function opened(options = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, acceptDownloads: true, ...options });
  context.setDefaultTimeout(WAIT);
  const page = await context.newPage();
  page.failures = [];
  page.on("pageerror", (error) => page.failures.push(error.message));
  page.on("request", (request) => {
    if (!/^(data|blob):/.test(request.url()) && new URL(request.url()).host !== new URL(address).host)
      foreign.push(request.url());
  });
  await page.goto(address);
  await page.waitForSelector("#mh-name");
  return page;
}

const upload = async (page, place, ...names) => {
  await page.setInputFiles(`${place} input[type=file]`, names.map((name) => (name.startsWith("/") ? name : join(FILES, name))));
  await page.waitForFunction((place) => document.querySelector(`${place} .file-preview, ${place} table`), place);
};

/** Presses a button and waits for an answer that differs from the one before. */
async function pressed(page, button, place) {
  const before = await page.innerHTML(place);
  await page.click(button);
  await page.waitForFunction(([place, before]) => document.querySelector(place).innerHTML !== before
    && !document.querySelector(`${place} .pending, ${place} .generating`), [place, before]);
  return page.textContent(place);
}

const tab = (page, name) => page.click(`button[role=tab]:has-text("${name}")`);

async function shot(page, name, options = {}) {
  if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}.png`), ...options });
}

test("a recording is named, and the bar, the table and the keys move it", async () => {
  const page = await opened({ colorScheme: "light" });
  await shot(page, "app");
  await upload(page, "#mh-file", "wave and squat ü.npz");
  await page.fill("#mh-labels textarea", "wave, squat");
  const text = await pressed(page, "#mh-name", "#mh-answer");
  assert.match(text, /Person 0: .*wave/);
  assert.match(text, /wave and squat ü\.npz, 5\.6 s/);
  await page.waitForFunction(() => document.querySelector("#mh-video video")?.readyState > 0);
  const length = await page.evaluate(() => document.querySelector("#mh-video video").duration);
  assert.ok(Math.abs(length - 5.6) < 0.2, String(length));
  await shot(page, "app_result", { fullPage: true });

  const now = () => page.evaluate(() => document.querySelector("#mh-video video").currentTime);
  const bar = page.locator("#mh-answer .mh-bar").last();
  await bar.click();
  const wanted = Number(await bar.getAttribute("data-seek"));
  assert.ok(Math.abs((await now()) - wanted) < 0.1);
  await page.locator(".mh-time").first().focus();
  await page.keyboard.press("Enter");
  assert.ok((await now()) < wanted);
  await page.locator(".mh-scrub").focus();
  await page.keyboard.press("End");
  assert.ok(Math.abs((await now()) - 5.6) < 0.2);
  assert.match(await page.textContent(".mh-clock"), /5\.6 s/);
  assert.deepEqual(page.failures, []);

  const links = page.locator("a[download]");
  const names = await links.evaluateAll((all) => all.map((each) => each.getAttribute("download")));
  assert.ok(names.some((name) => name.endsWith(".csv")) && names.some((name) => name.endsWith(".srt")), String(names));
  const [download] = await Promise.all([page.waitForEvent("download"), links.filter({ hasText: "" }).nth(names.findIndex((name) => name.endsWith(".csv"))).click()]);
  const table = readFileSync(await download.path(), "utf8");
  assert.match(table, /^track_id,start_s,end_s,label,score\n0,/);
  await page.context().close();
});

test("bad input is a sentence that says what to do, and labels are text, never HTML", async () => {
  const page = await opened();
  assert.match(await pressed(page, "#mh-name", "#mh-answer"), /No recording: choose/);
  await upload(page, "#mh-file", "empty.npz");
  assert.match(await pressed(page, "#mh-name", "#mh-answer"), /empty \(0 bytes\)/);
  await shot(page, "app_error");
  await page.click("#mh-file button[aria-label=Clear], #mh-file button[aria-label=Remove]");
  await upload(page, "#mh-file", "wave and squat ü.npz");
  await page.fill("#mh-labels textarea", " , ");
  assert.match(await pressed(page, "#mh-name", "#mh-answer"), /No labels/);
  await page.fill("#mh-labels textarea", "wave, <img src=x onerror=window.bad=1>${window.bad=2}{{value}}");
  const text = await pressed(page, "#mh-name", "#mh-answer");
  await page.click("text=More");
  await page.check("text=Never answer");
  await page.fill("#mh-labels textarea", "wave <img src=x onerror=window.bad=1>${window.bad=2}{{value}}");
  assert.match(await pressed(page, "#mh-name", "#mh-answer"), /wave <img src=x onerror=window\.bad=1>\$\{window\.bad=2\}\{\{value\}\}/);
  assert.equal(await page.evaluate(() => window.bad), undefined);
  assert.equal(await page.locator("#mh-answer img").count(), 0);
  assert.ok(text.length > 10);
  await page.context().close();
});

test("two visitors at once get their own answers", async () => {
  const pages = await Promise.all([opened(), opened()]);
  const answers = await Promise.all(pages.map(async (page, place) => {
    await upload(page, "#mh-file", ["given/wave.npz", "given/kick.npz"][place]);
    await page.fill("#mh-labels textarea", "wave, kick");
    return pressed(page, "#mh-name", "#mh-answer");
  }));
  assert.match(answers[0], /wave\.npz.*Person 0: wave/s);
  assert.match(answers[1], /kick\.npz.*Person 0: kick/s);
  for (const page of pages) await page.context().close();
});

test("text finds a motion, two are compared, and quality says why it has no score", async () => {
  const page = await opened({ colorScheme: "dark" });
  await tab(page, "Search by text");
  await page.fill("#mh-text textarea, #mh-text input", "someone kicks");
  assert.match(await pressed(page, "#mh-search", "#mh-found"), /similarity.*?kick/s);
  await shot(page, "app_dark");
  await tab(page, "Compare two");
  await upload(page, "#mh-first", "squat.npz");
  await upload(page, "#mh-second", "squat slower.npz");
  assert.match(await pressed(page, "#mh-compare", "#mh-compared"), /Joint angles differ by/);
  await tab(page, "Movement quality");
  await upload(page, "#mh-repetition", "squat.npz");
  assert.match(await pressed(page, "#mh-judge", "#mh-judged"), /No model of movement quality/);
  await page.context().close();
});

test("a phone has the whole page in its width", async () => {
  const page = await opened({ viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true });
  await upload(page, "#mh-file", "wave and squat ü.npz");
  await page.fill("#mh-labels textarea", "wave, squat");
  await pressed(page, "#mh-name", "#mh-answer");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  assert.ok(wide <= 391, `${wide} pixels wide`);
  await page.locator("#mh-answer").scrollIntoViewIfNeeded();
  await shot(page, "app_phone");
  await page.context().close();
});

test("a file over the limit is refused by the page, not sent", { skip: !process.env.LARGE }, async () => {
  const page = await opened();
  await page.setInputFiles("#mh-file input[type=file]", process.env.LARGE);
  await page.waitForSelector("text=/exceeds|too large|maximum/i");
  await page.context().close();
});

test("a video has its skeleton drawn and is as long as before", { skip: !VIDEO }, async () => {
  const page = await opened();
  await upload(page, "#mh-file", VIDEO);
  await page.fill("#mh-labels textarea", "walk, wave, jump");
  assert.match(await pressed(page, "#mh-name", "#mh-answer"), /Person 0/);
  await page.waitForFunction(() => document.querySelector("#mh-video video")?.videoWidth > 100);
  await page.context().close();
});

test("no page has asked another server for anything", () => assert.deepEqual(foreign, []));
