import assert from "node:assert/strict";
import { test } from "node:test";
import { alignGravity, fillMissing, processed, samplePositions, takeFrames, turnedAboutY } from "../src/processor.js";
import { roundHalfEven, spansOf } from "../src/zero_shot.js";

const LAYOUT = {
  name: "leg",
  joints: ["mid_hip", "left_knee", "left_ankle"],
  bones: [
    [1, 0],
    [2, 1],
  ],
  root: 0,
  weights: null,
};
const SCORING = {
  lying: 0.1,
  heights: [
    ["ankle", 0.04],
    ["knee", 0.28],
    ["hip", 0.53],
  ],
};
const PROCESSOR = {
  num_dims: 2,
  unit: null,
  upright: true,
  fps: null,
  normalization: "centre",
  centring: null,
  centre_joint: null,
  scale: "extent",
  fill: "interpolate",
  test_sampling: "resize",
  num_frames: 4,
  test_num_frames: null,
};

/** A standing leg of some frames; `point(frame, height)` places a joint. */
function leg(frames, point) {
  const points = [];
  for (let frame = 0; frame < frames; frame++)
    for (const height of [0.9, 0.5, 0.1]) points.push(...point(frame, height));
  return { points: Float64Array.from(points), frames, joints: 3, dims: points.length / (3 * frames) };
}

test("a standing body whose z is up becomes y down, whatever is stated", () => {
  const body = leg(3, (frame, height) => [frame, 0, height]);
  for (const up of [null, "z"]) {
    const turned = alignGravity(body, LAYOUT, up, SCORING);
    assert.deepEqual(
      [...turned.points].slice(0, 3).map((value) => value + 0),
      [0, -0.9, 0],
    );
  }
});

test("a half turn about the vertical keeps heights and mirrors neither", () => {
  const body = leg(1, (_, height) => [1, height, 2]);
  const turned = turnedAboutY(body, 180);
  assert.ok(
    Math.abs(turned.points[0] + 1) < 1e-12 &&
      Math.abs(turned.points[1] - 0.9) < 1e-12 &&
      Math.abs(turned.points[2] + 2) < 1e-12,
  );
});

test("a frame between two is missing where either is, and a whole frame needs no other", () => {
  const body = leg(2, (frame, height) => (frame ? [NaN, NaN] : [4, height]));
  const taken = takeFrames(body, [0, 0.5]);
  assert.equal(taken.points[0], 4);
  assert.ok(Number.isNaN(taken.points[6]));
});

test("gaps in time are bridged in a line and are constant outside", () => {
  const body = leg(5, (frame, height) => (frame === 1 || frame === 3 ? [2 * frame, height] : [NaN, NaN]));
  const xs = [0, 1, 2, 3, 4].map((frame) => fillMissing(body, "interpolate")[frame * 6]);
  assert.deepEqual(xs, [2, 2, 4, 6, 6]);
  assert.deepEqual(
    [0, 1, 2, 3, 4].map((frame) => fillMissing(body, "previous")[frame * 6]),
    [2, 2, 2, 6, 6],
  );
});

test("position and size of a body do not matter to the model's input", () => {
  const facts = { unit: "pixel", fps: 30, imageSize: null, up: "-y" };
  const one = processed(
    leg(6, (frame, height) => [height * frame, -height]),
    LAYOUT,
    LAYOUT,
    PROCESSOR,
    SCORING,
    facts,
  );
  const other = processed(
    leg(6, (frame, height) => [70 + 300 * height * frame, 20 - 300 * height]),
    LAYOUT,
    LAYOUT,
    PROCESSOR,
    SCORING,
    facts,
  );
  one.keypoints.forEach((value, at) => assert.ok(Math.abs(value - other.keypoints[at]) < 1e-5));
});

test("a body without a valid joint gives no input", () => {
  const facts = { unit: "pixel", fps: 30, imageSize: null, up: null };
  assert.equal(
    processed(
      leg(2, () => [NaN, NaN]),
      LAYOUT,
      LAYOUT,
      PROCESSOR,
      SCORING,
      facts,
    ),
    null,
  );
});

test("resizing takes the first and the last frame", () => {
  assert.deepEqual(samplePositions(7, PROCESSOR), [0, 2, 4, 6]);
});

test("windows cover the frames in which the person is seen, and the last ends with them", () => {
  const body = leg(100, (frame, height) => (frame < 10 ? [NaN, NaN] : [0, height]));
  const spans = spansOf(body, 10, 2, 0.5, 1.6);
  assert.deepEqual(spans[0], [10, 30]);
  assert.deepEqual(spans.at(-1), [80, 100]);
  assert.deepEqual(spansOf(body, 10, 2, null, 1.6).length, 8);
  assert.deepEqual(spansOf(body, 10, 6, null, 1.6), [[10, 100]]);
});

test("halves are rounded to the even number, as in Python", () => {
  assert.deepEqual([0.5, 1.5, 2.5, 2.4].map(roundHalfEven), [0, 2, 2, 2]);
});
