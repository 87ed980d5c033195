// The zero-shot pipelines of motionhub in JavaScript: windows, views, similarities, probabilities, intervals.
// Every constant is read from `web.json`.

import { ShownError, isMissing, partOf } from "./clip.js";
import { decodeExclusive } from "./intervals.js";
import { alignGravity, processed, turnedAboutY } from "./processor.js";
import { unit } from "./texts.js";

const largest = (values) => values.reduce((most, value) => Math.max(most, value), -Infinity);

/** `round` as Python's: halves to the even number. */
export function roundHalfEven(value) {
  const whole = Math.floor(value);
  if (value - whole !== 0.5) return Math.round(value);
  return whole % 2 ? whole + 1 : whole;
}

/** Windows [first, end) from the first to the last frame in which the person is seen. `hop` null: trimmed clips. */
export function spansOf(body, fps, seconds, hop, whole) {
  const seen = [];
  for (let frame = 0; frame < body.frames; frame++) {
    for (let joint = 0; joint < body.joints; joint++) {
      if (!isMissing(body, frame, joint)) {
        seen.push(frame);
        break;
      }
    }
  }
  if (!seen.length) return [];
  const [begin, end] = [seen[0], seen.at(-1) + 1];
  const length = Math.max(1, roundHalfEven(seconds * fps));
  if (end - begin <= (hop === null ? whole : 1) * length) return [[begin, end]];
  const step = Math.max(1, roundHalfEven((hop ?? seconds / 2) * fps));
  const starts = [];
  for (let start = begin; start < end - length; start += step) starts.push(start);
  return [...starts, end - length].map((start) => [start, start + length]);
}

/** The samples of one person: `{span, sample}` for each window and view. */
export function samplesOf(clip, row, hop, facts) {
  const { processor, scoring, config, target } = facts;
  let body = clip.person(row);
  let up = clip.up;
  if (processor.upright) {
    body = alignGravity(body, clip.layout, up, scoring);
    up = "-y";
  }
  const turned =
    up === "-y" && body.dims === 3 && processor.num_dims === 2
      ? scoring.views.map((degrees) => turnedAboutY(body, degrees))
      : [body];
  const found = [];
  for (const span of spansOf(body, clip.fps, config.window_seconds, hop, scoring.whole)) {
    for (const view of turned) {
      const sample = processed(partOf(view, ...span), clip.layout, target, processor, scoring, { ...clip, up });
      if (sample) found.push({ span, sample });
    }
  }
  return found;
}

/** Unit embeddings of each window, the mean over its views, and the windows. */
export function overViews(samples, embeds) {
  const spans = [];
  const sums = new Map();
  samples.forEach(({ span }, place) => {
    const key = span.join();
    if (!sums.has(key)) (sums.set(key, new Float64Array(embeds[place].length)), spans.push(span));
    embeds[place].forEach((value, at) => (sums.get(key)[at] += value));
  });
  return { spans, embeds: [...sums.values()].map(unit) };
}

/** Labels with their vectors, and which are new to the model. `vectorOf`: a label's text vector. */
export async function candidatesOf(labels, vectorOf, bank) {
  const vectors = (await Promise.all(labels.map(vectorOf))).map(unit);
  return { labels, vectors, isNew: vectors.map((vector) => bank.learned.length > 0 && !bank.isLearned(vector)) };
}

/** The soft maximum over the windows of a clip: one similarity per label. */
export function overWindows(table, softness) {
  return table[0].map((_, label) => {
    const values = table.map((row) => row[label] / softness);
    const most = largest(values);
    const sum = values.reduce((total, value) => total + Math.exp(value - most), 0);
    return softness * (most + Math.log(sum) - Math.log(values.length));
  });
}

function softmax(values) {
  const most = largest(values);
  const powers = values.map((value) => Math.exp(value - most));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** Probabilities of the labels, "none of these" last where `level` is a number; one label applies. */
export function probabilities(row, candidates, config, level) {
  const stacked = row.map(
    (value, label) => (value + (candidates.isNew[label] ? config.calibrated_stacking : 0)) / config.score_temperature,
  );
  const among = softmax(stacked);
  if (level === null) return among;
  const nothing = softmax([...row, level].map((value) => value / config.score_temperature)).at(-1);
  return [...among.map((value) => value * (1 - nothing)), nothing];
}

/** Probabilities of frames from those of windows: the mean weighted by a triangle; and the first frame. */
export function overFrames(likely, spans) {
  const begin = spans[0][0];
  const end = largest(spans.map(([, last]) => last));
  const totals = Array.from({ length: end - begin }, () => new Array(likely[0].length).fill(0));
  const weights = new Array(end - begin).fill(0);
  spans.forEach(([first, last], window) => {
    for (let frame = first; frame < last; frame++) {
      const place = (frame - first + 0.5) / (last - first);
      const weight = 1 - Math.abs(2 * place - 1) + 1e-3;
      likely[window].forEach((value, label) => (totals[frame - begin][label] += weight * value));
      weights[frame - begin] += weight;
    }
  });
  const frames = totals.map((row, at) =>
    row.map((value) => Math.min(Math.max(value / Math.max(weights[at], 1e-9), 0), 1)),
  );
  return { frames, begin };
}

/** Share of the model's joints that were seen, averaged over samples. */
function coverageOf(samples) {
  const shares = samples.map(({ sample }) => sample.mask.reduce((sum, seen) => sum + seen, 0) / sample.mask.length);
  return shares.reduce((sum, share) => sum + share, 0) / Math.max(shares.length, 1);
}

/** The probabilities of one window, with 0 for labels that by themselves are "none of these". */
function supported(likely, similarities, level) {
  if (level === null) return likely;
  return likely.map((value, label) => (label < similarities.length && similarities[label] < level ? 0 : value));
}

export class ZeroShot {
  /**
   * `facts`: `{processor, scoring, config, target}`; `embed`: samples -> embeddings; `similarities`: motions and text
   * vectors -> of each motion a list with the similarity of each text.
   */
  constructor(facts, embed, similarities) {
    Object.assign(this, { facts, embed, similarities });
  }

  /** Window embeddings of every person: kept, so that other labels need no model. */
  async look(clip, onProgress = () => {}) {
    const { scoring } = this.facts;
    const people = [];
    const jobs = [];
    for (let row = 0; row < clip.people; row++) {
      const short = samplesOf(clip, row, null, this.facts);
      if (!short.length) continue;
      const long = samplesOf(clip, row, scoring.hop, this.facts);
      people.push({ row, track: clip.trackIds[row], coverage: coverageOf(short), short, long });
      jobs.push(...short, ...long);
    }
    const embeds = new Map();
    for (let start = 0; start < jobs.length; start += scoring.batch) {
      onProgress(start / jobs.length);
      const some = jobs.slice(start, start + scoring.batch);
      (await this.embed(some.map(({ sample }) => sample))).forEach((vector, place) => embeds.set(some[place], vector));
      checkFinite(some, embeds);
      await new Promise((done) => setTimeout(done));
    }
    onProgress(1);
    return people.map(({ row, track, coverage, short, long }) => ({
      row,
      track,
      coverage,
      whole: overViews(
        short,
        short.map((each) => embeds.get(each)),
      ),
      windows: overViews(
        long,
        long.map((each) => embeds.get(each)),
      ),
    }));
  }

  /** Of each person the probabilities over the whole clip, best first: `{label, score}`. */
  async classify(people, candidates, none) {
    const { config, scoring } = this.facts;
    const level = none ? (config.rejection_threshold ?? null) : null;
    const found = [];
    for (const person of people) {
      const table = await this.similarities(person.whole.embeds, candidates.vectors);
      const scores = probabilities(overWindows(table, scoring.softness), candidates, config, level);
      const labels = [...candidates.labels, scoring.none];
      const entries = scores.map((score, place) => ({ label: labels[place], score }));
      entries.sort((one, other) => other.score - one.score);
      found.push({ track_id: person.track, coverage: person.coverage, scores: entries });
    }
    return found;
  }

  /** Rows `{track_id, start_s, end_s, label, score}`, by person, then by time. */
  async segment(people, candidates, none, fps) {
    const { config, scoring } = this.facts;
    const level = none ? (config.window_rejection_threshold ?? config.rejection_threshold ?? null) : null;
    // Without "none of these" every frame has a label.
    const rule = level === null ? { ...scoring.rule, threshold: 0, low_threshold: 0 } : scoring.rule;
    const rows = [];
    for (const person of people) {
      const table = await this.similarities(person.windows.embeds, candidates.vectors);
      const likely = table.map((row) => supported(probabilities(row, candidates, config, level), row, level));
      const { frames, begin } = overFrames(likely, person.windows.spans);
      const times = Array.from({ length: frames.length + 1 }, (_, at) => (begin + at) / fps);
      for (const { label, start, end, score } of decodeExclusive(frames, times, rule)) {
        if (label >= candidates.labels.length) continue; // none of these
        rows.push({
          track_id: person.track,
          start_s: times[start],
          end_s: times[end],
          label: candidates.labels[label],
          score,
        });
      }
    }
    return rows;
  }
}

function checkFinite(jobs, embeds) {
  if (jobs.every((job) => embeds.get(job).every(Number.isFinite))) return;
  throw new ShownError("The model's output is not finite; check the unit and the coordinates of the file.");
}
