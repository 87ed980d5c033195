// `Clip`: keypoints of some people over time, as motionhub's SkeletonSequence. NaN means missing.

/** An error whose text is shown to the visitor as it is: expected, got, what to do. */
export class ShownError extends Error {}

/** A file lacks metadata that the visitor can state: `option` is "layout", "fps" or "unit". */
export class UnstatedFact extends ShownError {
  constructor(option, text, choices = []) {
    super(text);
    this.option = option;
    this.choices = choices;
  }
}

export const UNITS = {
  pixel: ["pixel", 1],
  normalised: ["normalised", 1],
  metre: ["metre", 1],
  centimetre: ["metre", 0.01],
  millimetre: ["metre", 0.001],
};
const MOST_VALUES = 2 ** 26;

export class Clip {
  /**
   * `keypoints`: flat (people, frames, joints, dims); `layout`: an entry of `web.json` with its name; `up`: the axis
   * that points up ("-y" in images) or null. A joint with one unknown coordinate is missing as a whole.
   */
  constructor({
    keypoints,
    people,
    frames,
    dims,
    layout,
    fps,
    unit,
    up = null,
    imageSize = null,
    trackIds = null,
    notes = [],
  }) {
    const joints = layout.joints.length;
    if (!(dims === 2 || dims === 3)) throw new ShownError(`Keypoints have 2 or 3 coordinates a joint, got ${dims}.`);
    if (people * frames * joints * dims > MOST_VALUES)
      throw new ShownError(`The clip has more than ${MOST_VALUES} numbers; split the recording.`);
    if (keypoints.length !== people * frames * joints * dims) {
      throw new ShownError(
        `Layout ${layout.name} has ${joints} joints, but ${keypoints.length} numbers are not ${people} people x ${frames} frames x ${joints} x ${dims}; state the layout that the file really has.`,
      );
    }
    if (!(fps > 0 && fps < Infinity)) throw new ShownError(`The frame rate must be a positive number, got ${fps}.`);
    if (!(unit in UNITS))
      throw new ShownError(`The unit must be one of ${Object.keys(UNITS).join(", ")}, got ${unit}.`);
    const [kept, factor] = UNITS[unit];
    const points = new Float32Array(keypoints.length);
    for (let start = 0; start < points.length; start += dims) {
      let finite = true;
      for (let axis = 0; axis < dims; axis++) {
        points[start + axis] = keypoints[start + axis] * factor;
        finite &&= Number.isFinite(points[start + axis]);
      }
      if (!finite) points.fill(NaN, start, start + dims);
    }
    Object.assign(this, {
      keypoints: points,
      people,
      frames,
      joints,
      dims,
      layout,
      fps,
      unit: kept,
      up,
      imageSize,
      notes,
    });
    this.trackIds = trackIds ?? Array.from({ length: people }, (_, row) => row);
  }

  get duration() {
    return this.frames / this.fps;
  }

  /** The body of one person, by position: `points` flat (frames, joints, dims). */
  person(row) {
    const size = this.frames * this.joints * this.dims;
    const points = Float64Array.from(this.keypoints.subarray(row * size, (row + 1) * size));
    return { points, frames: this.frames, joints: this.joints, dims: this.dims };
  }

  /** The pose of a person in a frame: one [x, y(, z)] or null per joint. */
  pose(row, frame) {
    const found = [];
    for (let joint = 0; joint < this.joints; joint++) {
      const at = ((row * this.frames + frame) * this.joints + joint) * this.dims;
      found.push(Number.isNaN(this.keypoints[at]) ? null : Array.from(this.keypoints.subarray(at, at + this.dims)));
    }
    return found;
  }

  /** Whether anything of a person is seen in a frame. */
  isSeen(row, frame) {
    const at = (row * this.frames + frame) * this.joints * this.dims;
    for (let joint = 0; joint < this.joints; joint++)
      if (!Number.isNaN(this.keypoints[at + joint * this.dims])) return true;
    return false;
  }
}

/** Frames `first` up to, not including, `end` of a body. */
export function partOf(body, first, end) {
  const size = body.joints * body.dims;
  return { ...body, points: body.points.slice(first * size, end * size), frames: end - first };
}

export function isMissing(body, frame, joint) {
  return Number.isNaN(body.points[(frame * body.joints + joint) * body.dims]);
}
