import assert from "node:assert/strict";
import { test } from "node:test";
import { readNpy, readSafetensors } from "../src/arrays.js";
import { ShownError, UnstatedFact } from "../src/clip.js";
import { readKeypoints } from "../src/readers.js";

const LAYOUTS = {
  pair: {
    joints: ["left_hand", "right_hand"],
    bones: [],
    root: 0,
    dims: null,
    file_joints: null,
    kept: [0, 1],
    weights: [],
    lost: [],
    names: {
      left_hand: "left_hand",
      lefthand: "left_hand",
      l_hand: "left_hand",
      right_hand: "right_hand",
      r_hand: "right_hand",
    },
  },
  triple: {
    joints: ["a", "b", "c"],
    bones: [],
    root: 0,
    dims: null,
    file_joints: 5,
    kept: [0, 2, 4],
    weights: [],
    lost: [],
    names: { a: "a", b: "b", c: "c" },
  },
};
const read = (text, name, given = {}) => readKeypoints(new File([text], name), given, LAYOUTS);

/** The bytes of a .npy file of float32. */
function npy(shape, values) {
  const header = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(", ")},), }`.padEnd(117) + "\n";
  return new Uint8Array([
    0x93,
    ...new TextEncoder().encode("NUMPY"),
    1,
    0,
    header.length,
    0,
    ...new TextEncoder().encode(header),
    ...new Uint8Array(Float32Array.from(values).buffer),
  ]);
}

test("a table gives people, times and gaps", async () => {
  const clip = await read(
    "frame,time,person,left_hand_x,left_hand_y,R_Hand_x,R_Hand_y\n0,0,4,1,2,3,4\n1,0.1,4,1,2,,\n3,0.3,9,5,6,7,8\n",
    "a.csv",
    { unit: "pixel" },
  );
  assert.deepEqual([clip.people, clip.frames, clip.fps, clip.trackIds], [2, 4, 10, [4, 9]]);
  assert.deepEqual(clip.pose(0, 1), [[1, 2], null]);
  assert.deepEqual(clip.pose(1, 3), [
    [5, 6],
    [7, 8],
  ]);
  assert.equal(clip.isSeen(1, 0), false);
});

test("uneven time stamps give each row a frame of its own", async () => {
  const rows = [0, 0.1, 0.19, 0.3, 0.31, 0.4, 0.5, 0.6].map((time) => `${time},1,2,3,4`).join("\n");
  const clip = await read(`time,left_hand_x,left_hand_y,right_hand_x,right_hand_y\n${rows}\n`, "a.csv", {
    unit: "pixel",
  });
  assert.equal(Array.from({ length: clip.frames }, (_, frame) => clip.isSeen(0, frame)).filter(Boolean).length, 8);
});

test("two rows of one person at one moment are an error", async () => {
  const text = "frame,person,left_hand_x,left_hand_y,right_hand_x,right_hand_y\n0,1,1,2,3,4\n0,1,1,2,3,4\n";
  await assert.rejects(
    read(text, "a.csv", { unit: "pixel", fps: 30 }),
    /Line 3: the same person and frame occur twice/,
  );
});

test("a cut line is an error with its number", async () => {
  await assert.rejects(
    read("frame,left_hand_x,left_hand_y,right_hand_x,right_hand_y\n0,1,2,3,4\n1,1,2\n", "a.csv", {
      unit: "pixel",
      fps: 30,
    }),
    /Line 3 has 3 cells/,
  );
});

test("what a file does not state is asked for, one at a time", async () => {
  const text = "frame,left_hand_x,left_hand_y,right_hand_x,right_hand_y\n0,1,2,3,4\n";
  await assert.rejects(read(text, "a.csv"), (error) => error instanceof UnstatedFact && error.option === "fps");
  await assert.rejects(
    read(text, "a.csv", { fps: 30 }),
    (error) => error instanceof UnstatedFact && error.option === "unit",
  );
  const bytes = npy([2, 2, 2], [1, 2, 3, 4, 5, 6, 7, 8]);
  await assert.rejects(
    read(bytes, "a.npy", { unit: "pixel" }),
    (error) => error.option === "layout" && error.choices.join() === "pair",
  );
});

test("joints of face and hands are cut to the body", async () => {
  const clip = await read(npy([1, 5, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), "a.npy", {
    unit: "pixel",
    fps: 30,
    layout: "triple",
  });
  assert.deepEqual(clip.pose(0, 0), [
    [0, 1],
    [4, 5],
    [8, 9],
  ]);
});

test("every third frame of 30 per second is a clip of 10, and it says so", async () => {
  const people = [0, 3, 6].map((image) => ({ image_id: image, keypoints: [1, 2, 1, 3, 4, 1] }));
  const clip = await read(JSON.stringify(people), "a.json", { fps: 30, layout: "pair" });
  assert.deepEqual([clip.frames, clip.fps, clip.notes.length], [3, 10, 1]);
});

test("files of another layout, cut off, empty or too large end in one sentence", async () => {
  const cases = [
    [npy([1, 7, 2], new Array(14).fill(0)), "a.npy", /7 joints a person, and no known layout/],
    [npy([1, 2, 2], [1, 2]), "a.npy", /cut off/],
    ['[{"image_id": 0, "keypoints": [1', "a.json", /no valid JSON/],
    ["", "a.json", /is empty/],
    ["x,y\n1,2\n", "a.csv", /Expected columns such as nose_x/],
    ['{"version": 1}', "a.json", /Expected COCO JSON/],
    ["tail_x,tail_y,fin_x,fin_y,time\n1,2,3,4,0\n", "a.csv", /no layout that this page knows/],
    [new Uint8Array([0x50, 0x4b, 3, 4, 0, 0]), "a.npz", /cannot be unpacked/],
    [new Uint8Array([0, 1, 2, 3]), "a.bin", /neither a video/],
  ];
  for (const [content, name, reason] of cases) {
    await assert.rejects(
      read(content, name, { unit: "pixel", fps: 30 }),
      (error) => error instanceof ShownError && reason.test(error.message),
      name,
    );
  }
  const large = { name: "a.npz", size: 2 * 2 ** 30, arrayBuffer: () => assert.fail("read into memory") };
  await assert.rejects(readKeypoints(large, {}, LAYOUTS), /2\.0 GB; keypoint files of at most 512 MB/);
});

test("pickled objects are refused", () => {
  const bytes = npy([1], [0]);
  const text = new TextDecoder("latin1").decode(bytes).replace("'<f4'", "'|O' ");
  assert.throws(() => readNpy(Uint8Array.from(text, (char) => char.charCodeAt(0))), ShownError);
});

test("a safetensors file that is cut off is an error", () => {
  const header = new TextEncoder().encode('{"a":{"dtype":"F16","shape":[2],"data_offsets":[0,4]}}');
  const bytes = new Uint8Array([header.length, 0, 0, 0, 0, 0, 0, 0, ...header, 0, 60, 0, 192]);
  assert.deepEqual([...readSafetensors(bytes.buffer).a.values], [1, -2]);
  assert.throws(() => readSafetensors(bytes.buffer.slice(0, bytes.length - 1)), /cut off/);
});
