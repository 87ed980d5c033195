// A CSV table with a row per person and frame, as motionhub writes it: frame, time, person, nose_x, nose_y, ...

import { Clip, ShownError, UnstatedFact } from "./clip.js";
import { factOf, layoutOfNames } from "./readers.js";

const COLUMN = /^(.+?)_(x|y|z|confidence|conf|score|visibility)(?:_(px|pixels?|m|cm|mm))?$/i;
const UNIT_OF = { px: "pixel", pixel: "pixel", pixels: "pixel", m: "metre", cm: "centimetre", mm: "millimetre" };
const ROLES = {
  frame: ["frame", "frame_number", "frame_id", "image"],
  time: ["time", "timestamp", "seconds", "t", "time_s"],
  person: ["person", "person_id", "track", "track_id", "id", "subject"],
};
const MISSING = new Set(["", "na", "nan", "null", "none", "n/a", "-"]);

/** The clip of a table. `given`, `layouts`: as of `readKeypoints`. */
export function readTable(text, given, layouts) {
  const lines = text.split(/\r?\n/).filter((line) => line.trim() && !line.startsWith("#"));
  const separator = [",", ";", "\t"].reduce(
    (best, each) => ((lines[0] ?? "").split(each).length > (lines[0] ?? "").split(best).length ? each : best),
    ",",
  );
  const rows = lines.map((line) => line.split(separator).map((cell) => cell.trim().replace(/^"(.*)"$/, "$1")));
  const columns = columnsOf(rows[0] ?? []);
  if (rows.length < 2) throw new ShownError("The table has no rows; export it again.");
  rows.slice(1).forEach((row, place) => {
    if (row.length !== rows[0].length)
      throw new ShownError(
        `Line ${place + 2} has ${row.length} cells, the header has ${rows[0].length}; the file is cut off or has commas inside cells.`,
      );
  });
  return clipOf(rows.slice(1), columns, given, layouts);
}

function columnsOf(names) {
  const joints = new Map();
  const found = { joints, units: new Set() };
  names.forEach((name, column) => {
    const plain = name.toLowerCase().replaceAll(" ", "_");
    const role = Object.keys(ROLES).find((each) => ROLES[each].includes(plain));
    if (role) return void (found[role] ??= column);
    const part = COLUMN.exec(name);
    if (!part) return;
    const kind = "xyz".includes(part[2].toLowerCase()) ? part[2].toLowerCase() : "confidence";
    const own = joints.get(part[1]) ?? {};
    if (kind in own)
      throw new ShownError(
        `The column ${name} occurs twice; name the columns of another person in rows of their own, with a column person.`,
      );
    joints.set(part[1], { ...own, [kind]: column });
    if (part[3]) found.units.add(UNIT_OF[part[3].toLowerCase()]);
  });
  for (const [joint, own] of joints) if (!("x" in own && "y" in own)) joints.delete(joint);
  if (!joints.size)
    throw new ShownError(
      `Expected columns such as nose_x, nose_y, got ${names.slice(0, 8).join(", ") || "an empty file"}; other tables: motionhub convert FILE OUT.npz.`,
    );
  if (found.units.size > 1)
    throw new ShownError(`Expected one unit in the names of the columns, got ${[...found.units].join(", ")}.`);
  return found;
}

/** The position of each row in the clip, and the frame rate. */
function momentsOf(rows, columns, given) {
  const numbers = (column, name) =>
    rows.map((row, place) => {
      const value = Number(row[column]);
      if (row[column] === "" || !Number.isFinite(value))
        throw new ShownError(`Line ${place + 2}: expected a number in the column ${name}, got "${row[column]}".`);
      return value;
    });
  const frames = columns.frame === undefined ? null : numbers(columns.frame, "frame");
  const times = columns.time === undefined ? null : numbers(columns.time, "time");
  if (!frames && !times && columns.person !== undefined)
    throw new ShownError("A table with a column person needs a column frame or time.");
  const moments = times ?? frames ?? rows.map((_, place) => place);
  const ordered = [...new Set(moments)].sort((one, other) => one - other);
  if (!times) {
    const step = ordered.length > 2 ? Math.min(...ordered.slice(1).map((value, place) => value - ordered[place])) : 1;
    const even = ordered.every((value) => Number.isInteger((value - ordered[0]) / step));
    return {
      positions: moments.map((value) => (value - ordered[0]) / (even ? step : 1)),
      fps: Number(factOf("fps", null, given.fps)) / (even ? step : 1),
    };
  }
  if (ordered.length < 2) return { positions: moments.map(() => 0), fps: Number(factOf("fps", null, given.fps)) };
  const steps = ordered
    .slice(1)
    .map((value, place) => value - ordered[place])
    .sort((one, other) => one - other);
  const usual = steps[Math.floor(steps.length * 0.3)];
  const placeOf = new Map([[ordered[0], 0]]); // stamps may come early or late, and frames may be missing
  ordered
    .slice(1)
    .forEach((value, place) =>
      placeOf.set(value, placeOf.get(ordered[place]) + Math.max(Math.round((value - ordered[place]) / usual), 1)),
    );
  let rate = placeOf.get(ordered.at(-1)) / (ordered.at(-1) - ordered[0]);
  if (rate > 1000)
    throw new ShownError(`The times state ${rate.toFixed(0)} frames per second; expected seconds in the column time.`);
  if (Math.abs(rate - Math.round(rate)) < 2e-4 * Math.round(rate)) rate = Math.round(rate);
  return { positions: moments.map((value) => placeOf.get(value)), fps: rate };
}

function clipOf(rows, columns, given, layouts) {
  const { positions, fps } = momentsOf(rows, columns, given);
  const names = [...columns.joints.keys()];
  if (names.every((name) => /^\d+$/.test(name)))
    throw new UnstatedFact(
      "layout",
      "The joints are numbers; convert the file in Python with its layout: motionhub convert FILE OUT.npz --layout NAME.",
    );
  const { layout, order } = layoutOfNames(names, given.layout, layouts);
  const own = [...columns.joints.values()];
  const dims = own.every((each) => "z" in each) ? 3 : 2;
  const unit = factOf("unit", [...columns.units][0] ?? null, given.unit);
  const people = [
    ...new Set(rows.map((row) => (columns.person === undefined ? "0" : row[columns.person].replace(/\.0+$/, "")))),
  ];
  const frames = Math.max(...positions) + 1;
  if (frames > 100 * rows.length + 10000)
    throw new ShownError(`${rows.length} rows span ${frames} frames: these are not the frames of one recording.`);
  const keypoints = new Float64Array(people.length * frames * layout.joints.length * dims).fill(NaN);
  const taken = new Set();
  rows.forEach((row, place) => {
    const person = people.indexOf(columns.person === undefined ? "0" : row[columns.person].replace(/\.0+$/, ""));
    if (taken.has(`${person} ${positions[place]}`))
      throw new ShownError(
        `Line ${place + 2}: the same person and frame occur twice; remove the row, or name the column of people "person".`,
      );
    taken.add(`${person} ${positions[place]}`);
    order.forEach((source, joint) => {
      const point = pointOf(row, own[source], dims, place, unit);
      if (point) keypoints.set(point, ((person * frames + positions[place]) * layout.joints.length + joint) * dims);
    });
  });
  const trackIds = people.every((name) => /^\d+$/.test(name)) ? people.map(Number) : null;
  return new Clip({ keypoints, people: people.length, frames, dims, layout, fps, unit, trackIds });
}

function pointOf(row, kinds, dims, place, unit) {
  const cells = ["x", "y", "z"].slice(0, dims).map((axis) => row[kinds[axis]]);
  if (cells.some((cell) => MISSING.has(cell.toLowerCase()))) return null;
  const point = cells.map(Number);
  if (point.some(Number.isNaN)) throw new ShownError(`Line ${place + 2}: expected numbers, got "${cells.join(" ")}".`);
  const unsure = kinds.confidence === undefined ? unit === "pixel" : !(Number(row[kinds.confidence]) > 0);
  return unsure && point.every((value) => value === 0) ? null : point;
}
