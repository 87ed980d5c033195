// The page: a recording, the visitor's words, and who does what when.

import { ShownError, UnstatedFact } from "./clip.js";
import { drawPeople } from "./draw.js";
import { asCsv, asSrt } from "./intervals.js";
import { loadModel } from "./model.js";
import { Player } from "./player.js";
import {
  MOST_SECONDS,
  RATE,
  clipOfDetections,
  closeCamera,
  detectVideo,
  loadPoses,
  openCamera,
  openVideo,
  peopleIn,
} from "./poses.js";
import { watchPrivacy } from "./privacy.js";
import { layoutNamed, readKeypoints } from "./readers.js";
import { drawRibbons, element, fillTable, listPeople } from "./ribbon.js";
import { closeSpans } from "./tracking.js";
import { Words } from "./words.js";

const FIRST_WORDS = ["walk", "sit down", "stand up", "wave", "fall down"];
const VIDEO = /\.(mp4|m4v|mov|webm|ogv|avi|mkv|wmv|mpe?g|3gp)$/i;
const LIVE_EVERY = 1; // seconds
const $ = (selector) => document.querySelector(selector);

const state = { model: null, clip: null, people: null, rows: [], name: "", isStopped: false, run: 0 };
const player = new Player();
const words = new Words(FIRST_WORDS, {
  onChange: () => label(),
  complete: (text) => state.model?.bank.complete(text) ?? [],
  onError: show,
});

/** Shows an error as a sentence; what is no `ShownError` is a defect, and says so. */
function show(error) {
  const text =
    error instanceof ShownError
      ? error.message
      : `This should not happen: ${error.message ?? error}. Reload the page, and report it with the steps that led here.`;
  if (!(error instanceof ShownError)) console.error(error);
  $("#error").textContent = text;
  $("#error").hidden = false;
  say("");
}

/** The status line, and the bar: a share, or null without one. */
function say(text, share = null) {
  $("#status").textContent = text;
  $("#bar").hidden = share === null;
  if (share !== null) $("#bar").value = share;
}

function tell(notes) {
  $("#notes").replaceChildren(...notes.map((text) => element("li", {}, text)));
  $("#notes").hidden = !notes.length;
}

/** Runs a step of the visitor; of two at once the later counts. */
async function step(work) {
  const run = ++state.run;
  state.isStopped = false;
  $("#error").hidden = true;
  document.body.setAttribute("aria-busy", "true");
  try {
    await work(() => run !== state.run || state.isStopped);
  } catch (error) {
    if (run === state.run) show(error);
  } finally {
    if (run === state.run) {
      $("#stop").hidden = true;
      document.body.removeAttribute("aria-busy");
    }
  }
}

async function modelLoaded() {
  state.loading ??= loadModel("./model", new URL("./ort/", document.baseURI).href, (share, text) => say(text, share));
  state.model = await state.loading;
  return state.model;
}

/** Opens a file: a video, or keypoints. `given`: what the visitor states about it. */
function open(file, given = {}) {
  return step(async (isOver) => {
    $("#facts").hidden = true;
    leaveCamera();
    tell([]);
    await modelLoaded();
    state.name = file.name.replace(/\.\w+$/, "");
    if (file.type.startsWith("video/") || VIDEO.test(file.name)) return openedVideo(file, isOver);
    say(`Reading ${file.name}`);
    try {
      await analyse(await readKeypoints(file, given, state.model.facts.layouts), false, isOver);
    } catch (error) {
      if (!(error instanceof UnstatedFact)) throw error;
      ask(file, given, error);
    }
  });
}

async function openedVideo(file, isOver) {
  const video = $("#video");
  say(`Opening ${file.name}`, 0);
  $("#results").hidden = true;
  await openVideo(video, file);
  say("Loading the pose network", 0);
  await loadPoses(state.model.facts.poses);
  const size = [video.videoWidth, video.videoHeight];
  prepareStage(size);
  $("#stop").hidden = false;
  const frames = await detectVideo(video, isOver, (share, people) => {
    say(`Finding people: ${Math.round(100 * Math.min(share, 1))} %`, share);
    drawLive(people, size);
  });
  if (isOver() && !state.isStopped) return;
  const notes =
    video.duration > MOST_SECONDS
      ? [`Only the first ${MOST_SECONDS / 60} minutes of the video are looked at; cut it to see the rest.`]
      : [];
  if (state.isStopped)
    notes.push(`Stopped after ${(frames.length / RATE).toFixed(1)} s of ${video.duration.toFixed(1)} s.`);
  await analyse(
    clipOfDetections(frames, state.model.facts.poses, state.model.facts.layouts, size),
    true,
    () => false,
    notes,
  );
}

function prepareStage([width, height]) {
  $("#results").hidden = false;
  $("#results").classList.add("busy");
  $("#stage").classList.remove("bare");
  $("#canvas").width = Math.round((960 * width) / Math.max(width, height));
  $("#canvas").height = Math.round((960 * height) / Math.max(width, height));
}

function drawLive(people, [width, height]) {
  const { bones } = layoutNamed(state.model.facts.poses.layout, state.model.facts.layouts);
  const poses = people.map((person, number) => ({ pose: person.points, number }));
  drawPeople($("#canvas"), poses, bones, { left: 0, top: 0, width, height, flip: false }, 1);
}

/** Asks for what a file lacks, then reads it again. */
function ask(file, given, fact) {
  say("");
  $("#facts").hidden = false;
  $("#facts-text").textContent = fact.message;
  $("#fact-number-label").hidden = fact.option !== "fps";
  $("#fact-choice-label").hidden = fact.option === "fps";
  $("#fact-choice").replaceChildren(...fact.choices.map((choice) => element("option", { value: choice }, choice)));
  $("#facts").onsubmit = (event) => {
    event.preventDefault();
    open(file, {
      ...given,
      [fact.option]: fact.option === "fps" ? Number($("#fact-number").value) : $("#fact-choice").value,
    });
  };
  $(fact.option === "fps" ? "#fact-number" : "#fact-choice").focus();
}

/** Looks at a clip by the model, then names the actions. */
async function analyse(clip, hasVideo, isOver, notes = []) {
  const found = await state.model.zeroShot.look(clip, (share) => say("Looking at the motion", share));
  if (isOver()) return;
  Object.assign(state, { clip, people: found });
  tell([...notes, ...notesOf(clip, found)]);
  if (!found.length) {
    $("#results").hidden = true;
    throw new ShownError(
      "Nobody was found: show a person from head to feet, larger than a quarter of the picture, and well lit.",
    );
  }
  $("#results").hidden = false;
  player.show(clip, hasVideo);
  await named();
}

function notesOf(clip, people) {
  const notes = [...clip.notes];
  const close =
    clip.people > 1
      ? closeSpans(clip).map(([first, end]) => `${(first / clip.fps).toFixed(1)}-${(end / clip.fps).toFixed(1)} s`)
      : [];
  if (close.length)
    notes.push(
      `Two people are close together at ${close.slice(0, 4).join(", ")}${close.length > 4 ? ", ..." : ""}: they may be exchanged there; check who is who.`,
    );
  const lost = people.length ? clip.layout.lost : [];
  if (lost.length) notes.push(`Joints of the model that ${clip.layout.name} lacks: ${lost.join(", ")}.`);
  const few = people.filter((person) => person.coverage < 0.6);
  if (few.length)
    notes.push(
      `Of person ${few.map((person) => person.track).join(", ")} less than 60 % of the joints are seen: trust these actions less.`,
    );
  return notes;
}

/** Names the actions of the clip by the words; needs no model run. */
async function named() {
  const model = state.model;
  const candidates = await model.candidates(words.labels);
  const none = $("#none").checked;
  state.rows = await model.zeroShot.segment(state.people, candidates, none, state.clip.fps);
  state.scores = await model.zeroShot.classify(state.people, candidates, none);
  drawRibbons($("#ribbons"), state.scores, state.rows, state.clip.duration, words.colours, (seconds) =>
    player.seek(seconds),
  );
  listPeople($("#people"), state.scores);
  fillTable($("#table tbody"), state.rows, (seconds) => player.seek(seconds));
  player.draw();
  const count = state.rows.length;
  say(
    `${count} action${count === 1 ? "" : "s"} of ${state.people.length} ${state.people.length === 1 ? "person" : "people"} in ${state.clip.duration.toFixed(1)} s.`,
  );
}

function label() {
  if (state.people?.length && !state.camera) step(named);
  else $("#error").hidden = true;
}

/** Labels the camera as it goes; the second press ends it and shows the whole. */
function camera() {
  if (state.camera) return void (state.camera.isOver = true);
  return step(async (isOver) => {
    const video = $("#video");
    await modelLoaded();
    say("Loading the pose network", 0);
    await loadPoses(state.model.facts.poses);
    say("Opening the camera");
    video.removeAttribute("src");
    await openCamera(video);
    state.camera = { isOver: false };
    state.name = "camera";
    $("#camera").textContent = "Stop the camera";
    $("#live").hidden = false;
    say("The camera is on; nothing is recorded or sent.");
    const frames = await watch(video, state.camera);
    const size = [video.videoWidth, video.videoHeight];
    if (isOver()) return;
    leaveCamera();
    await analyse(
      clipOfDetections(frames, state.model.facts.poses, state.model.facts.layouts, size),
      false,
      () => false,
    );
  });
}

async function watch(video, own) {
  const size = [video.videoWidth, video.videoHeight];
  prepareStage(size);
  const started = performance.now();
  const frames = [];
  let named = 0;
  while (!own.isOver && frames.length < MOST_SECONDS * RATE) {
    const seconds = (performance.now() - started) / 1000;
    const people = peopleIn(video);
    drawLive(people, size);
    while (frames.length < Math.floor(seconds * RATE)) frames.push([]);
    if (frames.length === Math.floor(seconds * RATE)) frames.push(people);
    if (seconds - named > LIVE_EVERY) {
      named = seconds;
      await nameNow(frames, size);
    }
    await new Promise((done) => requestAnimationFrame(done));
  }
  return frames;
}

/** The actions of the last window, in one line. */
async function nameNow(frames, size) {
  const { model } = state;
  const last = frames.slice(-Math.round(RATE * model.facts.config.window_seconds));
  const clip = clipOfDetections(last, model.facts.poses, model.facts.layouts, size);
  const people = await model.zeroShot.look(clip);
  const found = people.length
    ? await model.zeroShot.classify(people, await model.candidates(words.labels), $("#none").checked)
    : [];
  const text = found
    .map(({ track_id: track, scores: [best] }) => `Person ${track}: ${best.label} (${Math.round(100 * best.score)} %)`)
    .join("; ");
  if ($("#live").textContent !== text) $("#live").textContent = text || "Nobody in view";
}

function leaveCamera() {
  if (!state.camera) return;
  state.camera.isOver = true;
  state.camera = null;
  closeCamera($("#video"));
  $("#camera").textContent = "Use the camera";
  $("#live").hidden = true;
}

function save(text, suffix, type) {
  const link = element("a", {
    href: URL.createObjectURL(new Blob([text], { type })),
    download: `${state.name}${suffix}`,
  });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

async function anyWords() {
  if (!$("#tower").checked) {
    state.model.tower = null;
    return label();
  }
  await step(async () => {
    await (await modelLoaded()).loadTower((share, text) => say(text, share));
    say("Any words are understood now.");
    if (state.people?.length) await named();
  });
  if (!state.model?.tower) $("#tower").checked = false;
}

function wire() {
  $("#choose").addEventListener("click", () => $("#file").click());
  $("#file").addEventListener(
    "change",
    ({ target }) => target.files[0] && open(target.files[0]).finally(() => (target.value = "")),
  );
  $("#camera").addEventListener("click", camera);
  $("#example").addEventListener("click", () =>
    step(async () => {
      const answer = await fetch("./model/example.npz");
      if (!answer.ok) throw new ShownError("The example is missing from this page; drop a file of your own.");
      const file = new File([await answer.blob()], "example.npz");
      await open(file);
    }),
  );
  $("#stop").addEventListener("click", () => (state.isStopped = true));
  $("#none").addEventListener("change", label);
  $("#tower").addEventListener("change", anyWords);
  $("#csv").addEventListener("click", () => save(asCsv(state.rows), ".csv", "text/csv"));
  $("#srt").addEventListener("click", () => save(asSrt(state.rows), ".srt", "application/x-subrip"));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      $("#drop").classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length > 1) show(new ShownError("Drop one file at a time."));
      else if (name === "drop" && event.dataTransfer.files[0]) open(event.dataTransfer.files[0]);
    });
  }
}

wire();
watchPrivacy($("#private"), $("#private-text"));
step(async () => {
  const model = await modelLoaded();
  $("#tower-label").hidden = !model.hasTower;
  if (model.hasTower)
    $("#tower-text").textContent = `Any words (loads a language model once, ${model.towerMegabytes} MB)`;
  $("#about").textContent =
    `Model ${model.facts.checkpoint}, motionhub ${model.facts.motionhub}; ${model.bank.phrases.length} known phrases.`;
  say("Ready.");
});
window.motionhub = Object.assign(state, { words }); // for tests and the console
