// The steps of motionhub's SkeletonProcessor for one person: gravity, layout, rate, normalisation, frames, masks.
// Bodies are `{points (frames, joints, dims), frames, joints, dims}`; NaN means missing.

import { ShownError, isMissing } from "./clip.js";

const SUPPORTED = {
  stream: ["joint"],
  normalization: ["none", "screen", "centre"],
  padding: ["mask"],
  test_sampling: ["all", "centre-window", "uniform", "resize"],
  num_people: [null, 1],
};

/** Refuses a processor with steps that this page lacks. */
export function checkProcessor(processor) {
  for (const [name, values] of Object.entries(SUPPORTED)) {
    if (!values.includes(processor[name])) {
      throw new ShownError(
        `This page cannot prepare input for this model: ${name} is ${processor[name]}, supported are ${values.join(", ")}. Use the model in Python.`,
      );
    }
  }
}

/** Height of each joint of a standing person, by the first of the words in its name; NaN for others. */
function usualHeights(layout, scoring) {
  return layout.joints.map((joint) => scoring.heights.find(([word]) => joint.includes(word))?.[1] ?? NaN);
}

/** Keypoints with y downward, as in an image: 3-D is rotated, 2-D with y up is flipped. `up` null: found in the clip. */
export function alignGravity(body, layout, up, scoring) {
  const axis = up ?? foundUp(body, layout, scoring);
  if (axis === null || axis === "-y") return body;
  if (body.dims === 2) return axis === "y" ? mapped(body, ([x, y]) => [x, -y]) : body;
  const turn = rotationOfUp(axis);
  return mapped(body, (point) => turn.map((row) => row[0] * point[0] + row[1] * point[1] + row[2] * point[2]));
}

function mapped(body, change) {
  const points = new Float64Array(body.points.length);
  for (let at = 0; at < points.length; at += body.dims)
    points.set(change(body.points.subarray(at, at + body.dims)), at);
  return { ...body, points };
}

/** The rotation by right angles that takes an axis to -y. */
function rotationOfUp(name) {
  const start = [0, 0, 0];
  start["xyz".indexOf(name.at(-1))] = name.startsWith("-") ? -1 : 1;
  const end = [0, -1, 0];
  if (start[1] === 1)
    return [
      [1, 0, 0],
      [0, -1, 0],
      [0, 0, -1],
    ];
  // Rodrigues' formula for a quarter turn about start x end.
  const [a, b, c] = [
    start[1] * end[2] - start[2] * end[1],
    start[2] * end[0] - start[0] * end[2],
    start[0] * end[1] - start[1] * end[0],
  ];
  const cross = [
    [0, -c, b],
    [c, 0, -a],
    [-b, a, 0],
  ];
  const square = cross.map((row) =>
    [0, 1, 2].map((column) => row.reduce((sum, value, at) => sum + value * cross[at][column], 0)),
  );
  return [0, 1, 2].map((row) =>
    [0, 1, 2].map((column) => (row === column ? 1 : 0) + cross[row][column] + square[row][column]),
  );
}

/** One of y, -y, z, -z, along which the joints are ordered as in a standing person; null without two valid joints. */
function foundUp(body, layout, scoring) {
  const standing = covariances(body, usualHeights(layout, scoring));
  if (!standing) return null;
  const total = Array.from({ length: body.dims }, (_, axis) => standing.reduce((sum, row) => sum + row[axis], 0));
  let axis = 1;
  if (body.dims === 3) {
    axis = Math.abs(total[1]) >= Math.abs(total[2]) ? 1 : 2;
    const along = standing.map((row) => [Math.abs(row[1]), Math.abs(row[2])]).filter(([y, z]) => y + z > 0);
    const share = along.filter(([y, z]) => y > z).length / along.length;
    if (scoring.lying < share && share < 1 - scoring.lying) {
      const spreads = [1, 2].map((each) => floorSpread(body, each, total[each] > 0 ? 1 : -1));
      axis = spreads[0] <= spreads[1] ? 1 : 2;
    }
  }
  return `${total[axis] > 0 ? "" : "-"}${"xyz"[axis]}`;
}

/** Per frame the covariance of the joints' usual heights with their coordinates; null without two valid joints. */
function covariances(body, heights) {
  let enough = false;
  const found = [];
  for (let frame = 0; frame < body.frames; frame++) {
    const valid = heights
      .map((height, joint) => (Number.isNaN(height) || isMissing(body, frame, joint) ? -1 : joint))
      .filter((joint) => joint >= 0);
    enough ||= valid.length > 1;
    const mean = valid.reduce((sum, joint) => sum + heights[joint], 0) / Math.max(valid.length, 1);
    const row = new Array(body.dims).fill(0);
    for (const joint of valid) {
      for (let axis = 0; axis < body.dims; axis++)
        row[axis] += (heights[joint] - mean) * body.points[(frame * body.joints + joint) * body.dims + axis];
    }
    found.push(row);
  }
  return enough ? found : null;
}

/** How much the lowest joint moves up and down: the 10th to the 90th percentile. */
function floorSpread(body, axis, sign) {
  const lowest = [];
  for (let frame = 0; frame < body.frames; frame++) {
    let low = Infinity;
    for (let joint = 0; joint < body.joints; joint++) {
      const value = sign * body.points[(frame * body.joints + joint) * body.dims + axis];
      if (value < low) low = value;
    }
    if (low < Infinity) lowest.push(low);
  }
  lowest.sort((one, other) => one - other);
  const quantile = (share) => {
    const place = share * (lowest.length - 1);
    const under = Math.floor(place);
    return lowest[under] + (lowest[Math.min(under + 1, lowest.length - 1)] - lowest[under]) * (place - under);
  };
  return quantile(0.9) - quantile(0.1);
}

/** A 3-D body turned about the vertical axis by degrees. */
export function turnedAboutY(body, degrees) {
  const sine = Math.sin((degrees * Math.PI) / 180);
  const cosine = Math.cos((degrees * Math.PI) / 180);
  return mapped(body, ([x, y, z]) => [x * cosine + z * sine, y, -x * sine + z * cosine]);
}

/** The body in the model's layout by the weights of `web.json`; a joint is missing where any source joint is. */
export function converted(body, layout) {
  if (layout.weights === null) {
    throw new ShownError(
      `No joint of layout ${layout.name} can become one of the model's; state the layout that the file really has.`,
    );
  }
  const { frames, joints, dims } = body;
  const wanted = layout.weights.length;
  const points = new Float64Array(frames * wanted * dims).fill(NaN);
  layout.weights.forEach((parts, row) => {
    if (!parts.length) return;
    for (let frame = 0; frame < frames; frame++) {
      for (let axis = 0; axis < dims; axis++) {
        let sum = 0;
        for (const [source, weight] of parts) sum += weight * body.points[(frame * joints + source) * dims + axis];
        points[(frame * wanted + row) * dims + axis] = sum;
      }
    }
  });
  return { points, frames, joints: wanted, dims };
}

/** The body at positions on the frame axis, linear between two frames, missing where either is. */
export function takeFrames(body, positions) {
  const size = body.joints * body.dims;
  const points = new Float64Array(positions.length * size);
  positions.forEach((position, frame) => {
    const before = Math.floor(position);
    const share = position - before;
    const after = Math.min(before + 1, body.frames - 1);
    for (let at = 0; at < size; at++) {
      const start = body.points[before * size + at];
      points[frame * size + at] = share > 0 ? start + (body.points[after * size + at] - start) * share : start;
    }
  });
  return { ...body, points, frames: positions.length };
}

/** Positions of the frames of a sample, as the processor's test sampling takes them. */
export function samplePositions(frames, processor) {
  const sampling = processor.test_sampling;
  const wanted = processor.test_num_frames ?? (sampling === "all" ? null : processor.num_frames);
  const all = (begin, length) => Array.from({ length }, (_, place) => begin + place);
  if (wanted === null || sampling === "all") return all(0, frames);
  if (sampling === "resize") {
    return wanted === 1
      ? [(frames - 1) / 2]
      : Array.from({ length: wanted }, (_, place) => (place * (frames - 1)) / (wanted - 1));
  }
  if (sampling === "uniform") {
    return Array.from({ length: wanted }, (_, place) =>
      Math.min(Math.floor((place + 0.5) * (frames / wanted)), frames - 1),
    );
  }
  const begin = Math.floor(Math.max(frames - wanted, 0) / 2);
  return all(begin, Math.min(wanted, frames - begin));
}

/** `(points - centre) / scale`, in place of the processor's normalisation. */
function normalized(body, processor, target, imageSize) {
  if (processor.normalization === "none") return body;
  if (processor.normalization === "screen") {
    const size = imageSize ?? processor.default_image_size;
    if (!size)
      throw new ShownError(
        "This model needs the size of the image, and the file does not state it; drop the video itself, or save image_size in the .npz.",
      );
    return mapped(body, ([x, y]) => [(x - size[0] / 2) / (size[0] / 2), (y - size[1] / 2) / (size[0] / 2)]);
  }
  const joint = processor.centre_joint === null ? target.root : target.joints.indexOf(processor.centre_joint);
  const path = centrePath(body, joint, processor.centring ?? "per-frame");
  const points = body.points.slice();
  const size = body.joints * body.dims;
  for (let at = 0; at < points.length; at++) points[at] -= path[Math.floor(at / size) * body.dims + (at % body.dims)];
  const centred = { ...body, points };
  const scale = measuredScale(centred, target, processor.scale);
  for (let at = 0; at < points.length; at++) points[at] /= scale;
  return centred;
}

/** (frames, dims) of a joint, its last position where it is missing; never valid: of the mean of the valid joints. */
function centrePath(body, joint, centring) {
  const { frames, dims } = body;
  const joints = Array.from({ length: body.joints }, (_, each) => each);
  const meanOf = (chosen, frame, axis) => {
    const values = chosen
      .map((each) => body.points[(frame * body.joints + each) * dims + axis])
      .filter((value) => !Number.isNaN(value));
    return values.length ? values.reduce((sum, value) => sum + value, 0) / values.length : NaN;
  };
  for (const chosen of [[joint], joints]) {
    const path = Float64Array.from({ length: frames * dims }, (_, at) =>
      meanOf(chosen, Math.floor(at / dims), at % dims),
    );
    const first = Array.from({ length: frames }, (_, frame) => frame).find(
      (frame) => !Number.isNaN(path[frame * dims]),
    );
    if (first === undefined) continue;
    let last = first;
    for (let frame = 0; frame < frames; frame++) {
      if (centring === "per-frame" && !Number.isNaN(path[frame * dims])) last = frame;
      for (let axis = 0; axis < dims; axis++)
        path[frame * dims + axis] = path[(centring === "first-frame" ? first : last) * dims + axis];
    }
    return path;
  }
  return new Float64Array(frames * dims);
}

/** The length that becomes 1. */
function measuredScale(body, target, scale) {
  if (scale === "none") return 1;
  const { frames, joints, dims } = body;
  const distance = (frame, one, other) => {
    let sum = 0;
    for (let axis = 0; axis < dims; axis++) {
      const origin = other === null ? 0 : body.points[(frame * joints + other) * dims + axis];
      sum += (body.points[(frame * joints + one) * dims + axis] - origin) ** 2;
    }
    return sum;
  };
  let lengths = [];
  if (scale === "extent") {
    for (let frame = 0; frame < frames; frame++)
      for (let joint = 0; joint < joints; joint++) lengths.push(distance(frame, joint, null));
    const mean = meanOfValid(lengths);
    return Math.sqrt(mean) > 0 ? Math.sqrt(mean) : 1;
  }
  for (const [child, parent] of target.bones.filter(([one, other]) => one !== other)) {
    const own = Array.from({ length: frames }, (_, frame) => Math.sqrt(distance(frame, child, parent))).filter(
      (value) => !Number.isNaN(value),
    );
    own.sort((one, other) => one - other);
    if (own.length) lengths.push(own[Math.floor((own.length - 1) / 2)]); // the lower median, as torch's
  }
  const mean = meanOfValid(lengths);
  return mean > 0 ? mean : 1;
}

function meanOfValid(values) {
  const valid = values.filter((value) => !Number.isNaN(value));
  return valid.length ? valid.reduce((sum, value) => sum + value, 0) / valid.length : NaN;
}

/** Points without NaN: "zero", "previous" or "interpolate" in time; a joint without valid frames is zero. */
export function fillMissing(body, fill) {
  const { frames, joints, dims } = body;
  const points = body.points.slice();
  for (let joint = 0; joint < joints && fill !== "zero" && frames > 1; joint++) {
    const seen = Array.from({ length: frames }, (_, frame) => frame).filter((frame) => !isMissing(body, frame, joint));
    if (!seen.length || seen.length === frames) continue;
    let place = 0;
    for (let frame = 0; frame < frames; frame++) {
      while (place + 1 < seen.length && seen[place + 1] <= frame) place++;
      const before = seen[place];
      const after = fill === "interpolate" && frame > before ? (seen[place + 1] ?? before) : before;
      const share = (frame - before) / Math.max(after - before, 1);
      for (let axis = 0; axis < dims; axis++) {
        const start = body.points[(before * joints + joint) * dims + axis];
        const end = body.points[(after * joints + joint) * dims + axis];
        points[(frame * joints + joint) * dims + axis] = after === before ? start : start + (end - start) * share;
      }
    }
  }
  for (let at = 0; at < points.length; at++) if (Number.isNaN(points[at])) points[at] = 0;
  return points;
}

/**
 * The model's input for one person: `{keypoints, mask, frames}` flat, or null without a valid joint.
 * `source`: the layout of the body; `target`: the model's; `facts`: `{unit, fps, imageSize, up}` of the clip.
 */
export function processed(body, source, target, processor, scoring, facts) {
  if (body.dims < processor.num_dims)
    throw new ShownError(`This model needs ${processor.num_dims}-D keypoints, and the file has ${body.dims}-D.`);
  if (processor.unit !== null && processor.unit !== facts.unit)
    throw new ShownError(`This model takes coordinates in ${processor.unit}s, and the file has ${facts.unit}s.`);
  let own = processor.upright ? alignGravity(body, source, facts.up, scoring) : body;
  if (own.dims > processor.num_dims) own = cutDims(own, processor.num_dims);
  own = source.name === target.name ? own : converted(own, source);
  if (processor.fps !== null && processor.fps !== facts.fps) {
    const count = Math.floor(((own.frames - 1) * processor.fps) / facts.fps + 1e-9) + 1;
    own = takeFrames(
      own,
      Array.from({ length: count }, (_, place) => Math.min((place * facts.fps) / processor.fps, own.frames - 1)),
    );
  }
  own = takeFrames(normalized(own, processor, target, facts.imageSize), samplePositions(own.frames, processor));
  const mask = Uint8Array.from({ length: own.frames * own.joints }, (_, at) =>
    Number.isNaN(own.points[at * own.dims]) ? 0 : 1,
  );
  if (!mask.includes(1)) return null;
  return { keypoints: Float32Array.from(fillMissing(own, processor.fill)), mask, frames: own.frames };
}

function cutDims(body, dims) {
  const points = new Float64Array(body.frames * body.joints * dims);
  for (let at = 0; at < body.frames * body.joints; at++) {
    for (let axis = 0; axis < dims; axis++) points[at * dims + axis] = body.points[at * body.dims + axis];
  }
  return { ...body, points, dims };
}
