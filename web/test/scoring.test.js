import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { Clip } from "../src/clip.js";
import { asCsv, asSrt, decodeExclusive } from "../src/intervals.js";
import { checkFacts } from "../src/model.js";
import { TextBank, WordPiece, checkedLabels, normalisedSpelling } from "../src/texts.js";
import { bestPairs, closeSpans, trackPeople } from "../src/tracking.js";
import { overFrames, overWindows, probabilities } from "../src/zero_shot.js";

const CONFIG = { score_temperature: 0.5, calibrated_stacking: 1, rejection_threshold: 1 };

test("probabilities sum to one, and none of these is the more probable the lower the similarities are", () => {
  const candidates = { isNew: [false, true] };
  const [high, low] = [3, 0].map((value) => probabilities([value, value - 1], candidates, CONFIG, 1));
  for (const row of [high, low]) assert.ok(Math.abs(row.reduce((sum, value) => sum + value) - 1) < 1e-12);
  assert.ok(low[2] > 0.5 && high[2] < 0.1);
  assert.ok(Math.abs(high[0] - high[1]) < 1e-12, "the bonus of a new label makes up for one unit");
});

test("the soft maximum lies between the mean and the largest", () => {
  const [value] = overWindows([[1], [3], [1]], 0.35);
  assert.ok(value > 5 / 3 && value < 3);
  assert.ok(Math.abs(overWindows([[2], [2]], 0.35)[0] - 2) < 1e-12);
});

test("a frame in two windows has a mean of both", () => {
  const { frames, begin } = overFrames(
    [[1], [0]],
    [
      [5, 9],
      [7, 11],
    ],
  );
  assert.equal(begin, 5);
  assert.equal(frames[0][0], 1);
  assert.ok(frames[2][0] > 0 && frames[3][0] < frames[2][0]);
});

test("short actions are dropped and short gaps closed", () => {
  const rows = [1, 1, 1, 1, 0, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, 0].map((on) => (on ? [0.9, 0.1] : [0.2, 0.8]));
  const times = Array.from({ length: 17 }, (_, at) => at / 10);
  const found = decodeExclusive(rows, times, { threshold: 0, low_threshold: null, min_duration: 0.4, max_gap: 0.15 });
  assert.deepEqual(
    found.map(({ label, start, end }) => [label, start, end]),
    [
      [0, 0, 9],
      [1, 9, 16],
    ],
  );
});

test("tables quote commas, subtitles have one line a label", () => {
  const rows = [{ track_id: 2, start_s: 3661.5, end_s: 3662.25, label: 'sit, "down"', score: 0.5 }];
  assert.equal(asCsv(rows), 'track_id,start_s,end_s,label,score\n2,3661.500,3662.250,"sit, ""down""",0.5000\n');
  assert.equal(asSrt(rows), '1\n01:01:01,500 --> 01:01:02,250\nperson 2: sit, "down" (0.50)\n');
});

test("phrases match by spelling, aliases and after a person is", () => {
  const header = new TextEncoder().encode('{"embeddings":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}');
  const bytes = new Uint8Array([
    header.length,
    0,
    0,
    0,
    0,
    0,
    0,
    0,
    ...header,
    ...new Uint8Array(Float32Array.from([2, 0, 0, 3]).buffer),
  ]);
  const facts = { phrases: ["sit down", "wave the left hand"], aliases: { sits: "sit down" }, learned: ["sit down"] };
  const bank = new TextBank(facts, bytes.buffer, { same_meaning: 0.9, subject: "^(?:(?:a|the) person)(?: is)? " });
  assert.deepEqual([...bank.vector("Sit_Down ")], [1, 0]);
  assert.deepEqual([...bank.vector("a person sits")], [1, 0]);
  assert.equal(bank.vector("fly"), null);
  assert.deepEqual([bank.isLearned([1, 0]), bank.isLearned([0, 1])], [true, false]);
  assert.deepEqual(bank.complete("le"), ["wave the left hand"]);
  assert.deepEqual(bank.nearest("sit dwn"), ["sit down"]);
});

test("labels that are spelled alike are refused", () => {
  assert.deepEqual(checkedLabels([" walk ", "", "Geh\u00b4n"]), ["walk", "Geh\u00b4n"]);
  assert.throws(() => checkedLabels(["Sit down", "sit_down"]), /Labels must differ/);
  assert.throws(() => checkedLabels([" "]), /at least one action/);
  assert.equal(normalisedSpelling("Stra\u00dfe-QUER"), "strasse quer");
});

test("words are cut to the longest known pieces", () => {
  const words = new WordPiece({
    tokens: ["[UNK]", "[CLS]", "[SEP]", "jug", "##gle", "etude", "!"],
    unknown: "[UNK]",
    start: "[CLS]",
    end: "[SEP]",
    lowercase: true,
    most: 256,
    prompt: "{}",
  });
  assert.deepEqual(words.encode("Juggle \u00c9tude! xyz"), [1, 3, 4, 5, 6, 0, 2]);
});

test("pairs have the greatest total, not the greatest first", () => {
  assert.deepEqual(
    bestPairs([
      [0.9, 0.8],
      [0.8, 0.1],
    ]).sort(),
    [
      [0, 1],
      [1, 0],
    ],
  );
  assert.deepEqual(bestPairs([[0.1], [0.9], [0.5]]), [[1, 0]]);
});

test("two people who cross keep their numbers, and the crossing is reported", () => {
  const pose = (x) => [
    [x, 0],
    [x, 40],
    [x + 10, 80],
  ];
  const frames = Array.from({ length: 40 }, (_, frame) => [pose(5 * frame), pose(200 - 5 * frame)]);
  const numbers = trackPeople(frames, 15);
  assert.ok(numbers.every(([one, other]) => one === 0 && other === 1));
  const keypoints = [0, 1].flatMap((person) => frames.flatMap((people) => people[person].flat()));
  const layout = { joints: ["a", "b", "c"] };
  const spans = closeSpans(new Clip({ keypoints, people: 2, frames: 40, dims: 2, layout, fps: 15, unit: "pixel" }));
  assert.equal(spans.length, 1);
  assert.ok(spans[0][0] < 20 && spans[0][1] > 20 && spans[0][1] - spans[0][0] < 20);
});

test("a model folder of another version, or with steps that the page lacks, is refused in one sentence", () => {
  const processor = {
    stream: "joint",
    normalization: "centre",
    padding: "mask",
    test_sampling: "resize",
    num_people: 1,
  };
  const facts = { schema: 1, config: { people: 1 }, processor };
  assert.equal(checkFacts(facts), facts);
  assert.throws(() => checkFacts({ ...facts, schema: 2 }), /has format 2, this page reads 1; update the page/);
  assert.throws(() => checkFacts({ ...facts, processor: { ...processor, stream: "bone" } }), /stream is bone/);
  assert.throws(() => checkFacts({ ...facts, config: { people: 2 } }), /takes 2 people at once/);
});

test("text has the contrast that WCAG asks for, in light and dark", () => {
  const css = readFileSync(new URL("../src/style.css", import.meta.url), "utf8");
  const luminance = (hex) => {
    const parts = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255);
    const [r, g, b] = parts.map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const [light, dark] = [...css.matchAll(/:root \{([^}]*)\}/g)].map(([, text]) =>
    Object.fromEntries([...text.matchAll(/--(\w[\w-]*): (#\w{6})/g)].map(([, name, value]) => [name, value])),
  );
  for (const colours of [light, dark]) {
    const pairs = [
      ["ink", "paper"],
      ["ink", "card"],
      ["ink", "track"],
      ["soft", "paper"],
      ["soft", "card"],
      ["on-accent", "accent"],
      ["error", "error-paper"],
      ...Array.from({ length: 8 }, (_, at) => ["ink", `c${at}`]),
    ];
    for (const [text, paper] of pairs)
      assert.ok(
        contrast(colours[text], colours[paper]) >= 4.5,
        `${text} on ${paper}: ${contrast(colours[text], colours[paper]).toFixed(2)}`,
      );
  }
});
