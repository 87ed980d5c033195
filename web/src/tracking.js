// Follows people on keypoints alone, as motionhub.skeletons.tracking: detections of each frame become one row a person.

const TOLERANCE = 0.15; // standard deviation of the prediction error, in body diagonals
const TOLERANCE_GROWTH = 0.1; // per frame without a detection
const MIN_LIKENESS = 0.1; // lower is another person
const VELOCITY_FRAMES = 8;
const SAME_BODY = 0.1; // of the body's diagonal: mean distance below which two detections are one body
const CLOSE = 0.5; // of the body's diagonal: people nearer than this may be exchanged

const isValid = (point) => point !== null && point.every(Number.isFinite);

/** Diagonal of the box around a pose (list of points or null). */
export function bodySize(pose) {
  const valid = pose.filter(isValid);
  if (!valid.length) return NaN;
  const spans = valid[0].map((_, axis) => {
    const values = valid.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  return Math.hypot(...spans);
}

function medianMove(now, then) {
  const pairs = now
    .map((point, joint) => [point, then[joint]])
    .filter(([one, other]) => isValid(one) && isValid(other));
  if (!pairs.length) return null;
  return pairs[0][0].map((_, axis) => {
    const moved = pairs.map(([one, other]) => one[axis] - other[axis]).sort((one, other) => one - other);
    return (moved[Math.floor((moved.length - 1) / 2)] + moved[Math.floor(moved.length / 2)]) / 2;
  });
}

function newPerson(index, frame, pose) {
  return {
    index,
    frame,
    size: bodySize(pose),
    last: pose,
    velocity: pose.find(isValid).map(() => 0),
    history: [[frame, pose]],
  };
}

function predicted(person, frame) {
  const steps = frame - person.frame;
  return person.last.map((point) =>
    isValid(point) ? point.map((value, axis) => value + person.velocity[axis] * steps) : null,
  );
}

function see(person, frame, pose) {
  const expected = predicted(person, frame);
  person.last = pose.map((point, joint) => (isValid(point) ? point : expected[joint]));
  person.frame = frame;
  person.size = Math.max(0.9 * person.size, bodySize(pose));
  person.history = [...person.history, [frame, pose]].slice(-VELOCITY_FRAMES);
  person.velocity = person.velocity.map(() => 0);
  for (const [then, old] of person.history) {
    const moved = then < frame ? medianMove(pose, old) : null;
    if (moved) {
      person.velocity = moved.map((value) => value / (frame - then));
      break;
    }
  }
}

/** The mean over the common joints of a Gaussian of their distance, 0..1. */
function likeness(person, pose, frame) {
  const size = Math.max(person.size * TOLERANCE * (1 + TOLERANCE_GROWTH * (frame - person.frame - 1)), 1e-9);
  let sum = 0;
  let common = 0;
  predicted(person, frame).forEach((point, joint) => {
    if (!isValid(point) || !isValid(pose[joint])) return;
    const squared = point.reduce((total, value, axis) => total + (value - pose[joint][axis]) ** 2, 0);
    sum += Math.exp(-squared / (2 * size * size));
    common++;
  });
  return sum / Math.max(common, 1);
}

/** Pairs [row, column] of the greatest total of a table, by the Hungarian method. */
export function bestPairs(table) {
  if (!table.length || !table[0].length) return [];
  if (table.length > table[0].length) {
    return bestPairs(table[0].map((_, column) => table.map((row) => row[column]))).map(([one, other]) => [other, one]);
  }
  const [rows, columns] = [table.length, table[0].length];
  const rowPrice = new Array(rows + 1).fill(0);
  const columnPrice = new Array(columns + 1).fill(0);
  const owner = new Array(columns + 1).fill(0);
  for (let row = 1; row <= rows; row++) {
    owner[0] = row;
    const least = new Array(columns + 1).fill(Infinity);
    const way = new Array(columns + 1).fill(0);
    const used = new Array(columns + 1).fill(false);
    let column = 0;
    do {
      used[column] = true;
      let delta = Infinity;
      let next = 0;
      for (let each = 1; each <= columns; each++) {
        if (used[each]) continue;
        const cost = -table[owner[column] - 1][each - 1] - rowPrice[owner[column]] - columnPrice[each];
        if (cost < least[each]) ((least[each] = cost), (way[each] = column));
        if (least[each] < delta) ((delta = least[each]), (next = each));
      }
      for (let each = 0; each <= columns; each++) {
        if (used[each]) ((rowPrice[owner[each]] += delta), (columnPrice[each] -= delta));
        else least[each] -= delta;
      }
      column = next;
    } while (owner[column] !== 0);
    for (; column; column = way[column]) owner[column] = owner[way[column]];
  }
  return owner
    .slice(1)
    .map((row, column) => [row - 1, column])
    .filter(([row]) => row >= 0);
}

/** The person number of each detection of each frame; -1 for one without valid joints. Poses are lists of points. */
export function trackPeople(frames, maxGap) {
  let people = [];
  let count = 0;
  return frames.map((poses, frame) => {
    people = people.filter((person) => frame - person.frame <= maxGap + 1);
    const numbers = poses.map(() => -1);
    const seen = poses.map((_, place) => place).filter((place) => poses[place].some(isValid));
    const table = people.map((person) => seen.map((place) => likeness(person, poses[place], frame)));
    for (const [row, column] of bestPairs(table)) {
      if (table[row][column] < MIN_LIKENESS) continue;
      see(people[row], frame, poses[seen[column]]);
      numbers[seen[column]] = people[row].index;
    }
    for (const place of seen.filter((each) => numbers[each] < 0)) {
      numbers[place] = count;
      people.push(newPerson(count++, frame, poses[place]));
    }
    return numbers;
  });
}

/** Detections `{points, confidence}` of a frame without the less confident of two of one body. */
export function eachBodyOnce(detections) {
  const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const kept = [];
  for (const person of [...detections].sort((one, other) => mean(other.confidence) - mean(one.confidence))) {
    const isTwin = (other) => {
      const distances = person.points
        .map((point, joint) => [point, other.points[joint]])
        .filter(([a, b]) => isValid(a) && isValid(b))
        .map(([a, b]) => Math.hypot(a[0] - b[0], a[1] - b[1]));
      return distances.length > 0 && mean(distances) < SAME_BODY * bodySize(other.points);
    };
    if (!kept.some(isTwin)) kept.push(person);
  }
  return kept;
}

/** Spans of frames [first, end) in which two people of a clip are so near that they may be exchanged. */
export function closeSpans(clip) {
  const middle = (row, frame) => {
    const valid = clip.pose(row, frame).filter(isValid);
    return valid.length
      ? [0, 1].map((axis) => valid.reduce((sum, point) => sum + point[axis], 0) / valid.length)
      : null;
  };
  const spans = [];
  for (let frame = 0; frame < clip.frames; frame++) {
    let near = false;
    for (let one = 0; one < clip.people; one++) {
      for (let other = 0; other < one; other++) {
        const [a, b] = [middle(one, frame), middle(other, frame)];
        near ||= Boolean(a && b && Math.hypot(a[0] - b[0], a[1] - b[1]) < CLOSE * bodySize(clip.pose(one, frame)));
      }
    }
    if (near && spans.at(-1)?.[1] === frame) spans.at(-1)[1] = frame + 1;
    else if (near) spans.push([frame, frame + 1]);
  }
  return spans;
}
