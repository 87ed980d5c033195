// Keypoint files to a `Clip`: .npz and .npy, CSV, COCO JSON. What a file lacks is asked for, nothing is inferred.

import { readNpy, readNpz } from "./arrays.js";
import { Clip, ShownError, UNITS, UnstatedFact } from "./clip.js";
import { readTable } from "./csv.js";
import { trackPeople } from "./tracking.js";

const MOST_BYTES = 512 * 2 ** 20;
const MAX_GAP_SECONDS = 1;
const OTHERS = "convert it in Python first: motionhub convert FILE OUT.npz";

/** The layout of a name in `layouts`, or a sentence with the known ones. */
export function layoutNamed(name, layouts) {
  const found = layouts[name];
  if (!found)
    throw new UnstatedFact(
      "layout",
      `No layout is called ${name}; choose the one that the file has.`,
      Object.keys(layouts),
    );
  return { ...found, name };
}

/** The layout given by the visitor, else one of `joints` joints to choose. */
export function layoutOf(joints, given, layouts) {
  const fits = (layout) => layout.joints.length === joints || layout.file_joints === joints;
  if (given) {
    if (fits(layouts[given] ?? { joints: [] })) return layoutNamed(given, layouts);
    throw new UnstatedFact(
      "layout",
      `Layout ${given} does not have ${joints} joints a person; choose another.`,
      Object.keys(layouts).filter((name) => fits(layouts[name])),
    );
  }
  const choices = Object.keys(layouts).filter((name) => fits(layouts[name]));
  if (!choices.length)
    throw new ShownError(`The file has ${joints} joints a person, and no known layout has as many; ${OTHERS}.`);
  throw new UnstatedFact(
    "layout",
    `The file has ${joints} joints a person and does not say which; choose its layout.`,
    choices,
  );
}

/** The first stated fact; asks where the file and the visitor lack it. */
export function factOf(option, stated, given) {
  const found = stated ?? given;
  const texts = {
    fps: "The file does not state its frame rate; type it in frames per second.",
    unit: "The file does not state the unit of its coordinates; choose it.",
  };
  if (found === null || found === undefined || found === "")
    throw new UnstatedFact(option, texts[option], option === "unit" ? Object.keys(UNITS) : []);
  return found;
}

/**
 * The clip of a keypoint file. `given`: `{layout, fps, unit}` stated by the visitor; `layouts`: of `web.json`.
 * Throws `UnstatedFact` where one is needed, `ShownError` for what cannot be read.
 */
export async function readKeypoints(file, given, layouts) {
  if (file.size > MOST_BYTES)
    throw new ShownError(
      `${file.name} has ${(file.size / 2 ** 30).toFixed(1)} GB; keypoint files of at most 512 MB are read. Split the recording.`,
    );
  if (!file.size) throw new ShownError(`${file.name} is empty; export it again.`);
  const bytes = new Uint8Array(await file.arrayBuffer());
  if (bytes[0] === 0x50 && bytes[1] === 0x4b) return fromNpz(readNpz(bytes), given, layouts);
  if (bytes[0] === 0x93) return fromNpz({ keypoints: () => readNpy(bytes) }, given, layouts);
  if (bytes.subarray(0, 1000).includes(0))
    throw new ShownError(
      `${file.name} is neither a video that this browser plays nor a keypoint file (.npz, .csv, COCO .json); ${OTHERS}.`,
    );
  const text = new TextDecoder().decode(bytes).replace(/^\ufeff/, "");
  if (!/^\s*[[{]/.test(text)) return readTable(text, given, layouts);
  let content;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ShownError(`${file.name} is no valid JSON (${error.message}); it may be cut off. Export it again.`);
  }
  return fromJson(content, given, layouts);
}

function fromNpz(arrays, given, layouts) {
  const key = ["keypoints", "kpts"].find((name) => arrays[name]);
  if (!key)
    throw new ShownError(
      `The archive has no array called keypoints, got ${Object.keys(arrays).slice(0, 10).join(", ")}; save keypoints (people, frames, joints, dims).`,
    );
  const { shape, values } = arrays[key]();
  if (![3, 4].includes(shape.length) || ![2, 3].includes(shape.at(-1))) {
    throw new ShownError(
      `Expected keypoints (people, frames, joints, 2 or 3), got (${shape.join(", ")}); save them in that order.`,
    );
  }
  const fact = (name) => arrays[name]?.().values[0] ?? null;
  const [people, frames, joints, dims] = shape.length === 3 ? [1, ...shape] : shape;
  const fromSsta = key === "kpts"; // pixels in COCO order, (0, 0) is missing
  const unit = factOf("unit", fact("unit") ?? (fromSsta ? "pixel" : null), given.unit);
  if (dims === 3 && unit === "pixel" && Number(fact("num_dims")) !== 3) {
    throw new ShownError(
      "Three columns in pixels: if the third is a confidence, save keypoints=array[..., :2] and confidence=array[..., 2] as .npz.",
    );
  }
  const layout = arrays.joints
    ? ownLayout(arrays, layouts)
    : fact("layout")
      ? layoutNamed(fact("layout"), layouts)
      : fromSsta && !given.layout
        ? layoutNamed("coco-17", layouts)
        : layoutOf(joints, given.layout, layouts);
  let points = Float64Array.from(values);
  if (fromSsta)
    for (let at = 0; at < points.length; at += 2) if (points[at] === 0 && points[at + 1] === 0) points[at] = NaN;
  points = bodyPart(points, people * frames, joints, dims, layout);
  const size = arrays.image_size?.().values;
  const fps = Number(factOf("fps", fact("fps"), given.fps));
  const trackIds = arrays.track_ids ? Array.from(arrays.track_ids().values) : null;
  const up = fact("up") ?? (layout.name === "humanml3d-22" ? "y" : null);
  return new Clip({
    keypoints: points,
    people,
    frames,
    dims,
    layout,
    fps,
    unit,
    up,
    imageSize: size ? [...size] : null,
    trackIds,
  });
}

/** A layout that the file declares is read where its joints are those of a known one. */
function ownLayout(arrays, layouts) {
  return layoutOfNames(arrays.joints().values, null, layouts).layout;
}

/** The known layout with these joint names in any spelling, and the position of each of its joints among the names. */
export function layoutOfNames(names, given, layouts) {
  const plain = (name) =>
    String(name)
      .toLowerCase()
      .replace(/[\s_.-]+/g, "_");
  for (const [name, layout] of Object.entries(layouts)) {
    if (given && given !== name) continue;
    const spelled = names.map(
      (each) => layout.names[plain(each)] ?? layout.names[plain(each).replaceAll("_", "")] ?? plain(each),
    );
    const same =
      layout.joints.every((joint) => spelled.includes(joint)) && (given || spelled.length === layout.joints.length);
    if (same) return { layout: { ...layout, name }, order: layout.joints.map((joint) => spelled.indexOf(joint)) };
  }
  const shown = names.slice(0, 8).join(", ");
  throw new ShownError(
    `The joints ${shown}${names.length > 8 ? ", ..." : ""} are those of no layout that this page knows${given ? ` by the name ${given}` : ""}; ${OTHERS}.`,
  );
}

/** Points of files with face and hands cut to the body. */
function bodyPart(points, poses, joints, dims, layout) {
  if (joints === layout.joints.length || joints !== layout.file_joints) return points;
  const found = new Float64Array(poses * layout.kept.length * dims);
  for (let pose = 0; pose < poses; pose++) {
    layout.kept.forEach((place, joint) => {
      for (let axis = 0; axis < dims; axis++)
        found[(pose * layout.kept.length + joint) * dims + axis] = points[(pose * joints + place) * dims + axis];
    });
  }
  return found;
}

function fromJson(content, given, layouts) {
  const isResults =
    Array.isArray(content) &&
    content.length &&
    content.every((entry) => entry && Array.isArray(entry.keypoints) && Number.isInteger(entry.image_id));
  if (isResults) return fromResults(content, given, layouts);
  if (!Array.isArray(content) && Array.isArray(content.images) && Array.isArray(content.annotations))
    return fromAnnotations(content, given, layouts);
  if (Array.isArray(content) && !content.length)
    throw new ShownError("The list is empty: no person was detected in any frame.");
  throw new ShownError(
    `Expected COCO JSON (a list with image_id and keypoints, or images and annotations); ${OTHERS}.`,
  );
}

/** A detector's result list: x, y, score of each joint; a joint at (0, 0) with score 0 is missing. */
function fromResults(entries, given, layouts) {
  if (new Set(entries.map((entry) => entry.video_id ?? entry.vid_id ?? folderOf(entry.file_name))).size > 1) {
    throw new ShownError("The file holds several recordings; save each in a file of its own.");
  }
  const joints = entries[0].keypoints.length / 3;
  const layout =
    given.layout || joints !== 17 ? layoutOf(joints, given.layout, layouts) : layoutNamed("coco-17", layouts);
  const detections = entries.map((entry) => detectionOf(entry, joints, layout, null, false));
  return ofDetections(
    entries.map((entry) => entry.image_id),
    detections,
    layout,
    given,
    null,
  );
}

function fromAnnotations(content, given, layouts) {
  const entries = content.annotations.filter((entry) => Array.isArray(entry.keypoints));
  if (!entries.length || !content.images.length)
    throw new ShownError(
      `Expected images and keypoints, got ${content.images.length} images and ${entries.length} people with keypoints.`,
    );
  if (new Set(content.images.map((image) => image.video_id ?? image.vid_id ?? folderOf(image.file_name))).size > 1) {
    throw new ShownError("The file holds several recordings; save each in a file of its own.");
  }
  const category =
    (content.categories ?? []).find((each) => Array.isArray(each.keypoints) && each.id === entries[0].category_id) ??
    (content.categories ?? []).find((each) => Array.isArray(each.keypoints));
  const joints = entries[0].keypoints.length / 3;
  const named = category
    ? layoutOfNames(category.keypoints, given.layout, layouts)
    : { layout: layoutOf(joints, given.layout, layouts), order: null };
  const flags = entries.every((entry) =>
    entry.keypoints.every((value, place) => place % 3 !== 2 || [0, 1, 2].includes(value)),
  );
  const ids = content.images.map((image) => image.id);
  let numbers = content.images.map((image) =>
    Number.isInteger(image.frame_id) ? image.frame_id : (lastNumber(image.file_name) ?? image.id),
  );
  if (new Set(numbers).size < numbers.length) numbers = ids;
  const numberOf = new Map(ids.map((id, place) => [id, numbers[place]]));
  const missing = entries.find((entry) => !numberOf.has(entry.image_id));
  if (missing) throw new ShownError(`There is no image with the id ${missing.image_id}; the file is incomplete.`);
  const detections = entries.map((entry) => detectionOf(entry, joints, named.layout, named.order, flags));
  const sizes = new Set(content.images.map((image) => `${image.width}x${image.height}`));
  const { width, height } = content.images[0];
  const imageSize = sizes.size === 1 && width > 0 && height > 0 ? [width, height] : null;
  return ofDetections(
    entries.map((entry) => numberOf.get(entry.image_id)),
    detections,
    named.layout,
    given,
    imageSize,
    numbers,
  );
}

const folderOf = (name) => (typeof name === "string" ? name.split("/").slice(0, -1).join("/") : "");
const lastNumber = (name) =>
  typeof name === "string"
    ? (/(\d+)\D*$/.exec(name.replace(/\.\w+$/, "")) ?? [])[1] &&
      Number(/(\d+)\D*$/.exec(name.replace(/\.\w+$/, ""))[1])
    : undefined;

function detectionOf(entry, joints, layout, order, flags) {
  if (entry.keypoints.length !== 3 * joints)
    throw new ShownError(`Expected ${joints} joints of everybody, got ${entry.keypoints.length / 3}; split the file.`);
  const places = order ?? (layout.joints.length === joints ? layout.joints.map((_, place) => place) : layout.kept);
  const points = places.map((place) => {
    const [x, y, score] = entry.keypoints.slice(3 * place, 3 * place + 3);
    const missing = flags ? score === 0 : x === 0 && y === 0 && !(score > 0);
    return missing ? null : [x, y];
  });
  const track = entry.track_id ?? entry.attributes?.track_id;
  return { points, track: Number.isInteger(track) && track >= 0 ? track : null };
}

/** Detections with frame numbers as one clip; every third frame of 30 per second is a clip of 10. */
function ofDetections(numbers, detections, layout, given, imageSize, every = numbers) {
  const ordered = [...new Set(every)].sort((one, other) => one - other);
  const step =
    ordered.length > 2 ? ordered.reduce((divisor, number) => commonDivisor(divisor, number - ordered[0]), 0) : 1;
  const frames = (ordered.at(-1) - ordered[0]) / step + 1;
  if (frames > 100 * ordered.length + 10000)
    throw new ShownError(
      `${ordered.length} frames carry numbers from ${ordered[0]} to ${ordered.at(-1)}: these are not the frames of one recording.`,
    );
  const notes = [];
  const rate = Number(factOf("fps", null, given.fps)) / step;
  if (step > 1) notes.push(`One in ${step} frames: a clip of ${rate.toPrecision(4)} frames per second.`);
  const perFrame = Array.from({ length: frames }, () => []);
  numbers.forEach((number, row) => perFrame[(number - ordered[0]) / step].push(detections[row]));
  const tracked =
    detections.every((each) => each.track !== null) &&
    perFrame.every((each) => new Set(each.map((one) => one.track)).size === each.length);
  if (!tracked && detections.some((each) => each.track !== null))
    notes.push("The person numbers of the file identify nobody, so people are followed by their keypoints.");
  const owners = tracked
    ? perFrame.map((each) => each.map((one) => one.track))
    : trackPeople(
        perFrame.map((each) => each.map((one) => one.points)),
        Math.ceil(MAX_GAP_SECONDS * rate),
      );
  return stacked(perFrame, owners, { layout, fps: rate, unit: given.unit || "pixel", up: "-y", imageSize, notes });
}

function commonDivisor(one, other) {
  while (other) [one, other] = [other, one % other];
  return one;
}

/** The clip of detections `{points}` per frame and the person number of each; negative ones are left out. */
export function stacked(perFrame, owners, facts) {
  const trackIds = [...new Set(owners.flat().filter((owner) => owner >= 0))];
  const rowOf = new Map(trackIds.map((track, row) => [track, row]));
  const [joints, frames, dims] = [facts.layout.joints.length, perFrame.length, facts.dims ?? 2];
  const keypoints = new Float64Array(trackIds.length * frames * joints * dims).fill(NaN);
  perFrame.forEach((people, frame) =>
    people.forEach((person, place) => {
      const row = rowOf.get(owners[frame][place]);
      if (row === undefined) return;
      person.points.forEach(
        (point, joint) => point && keypoints.set(point, ((row * frames + frame) * joints + joint) * dims),
      );
    }),
  );
  return new Clip({ keypoints, people: trackIds.length, frames, dims, trackIds, ...facts });
}
