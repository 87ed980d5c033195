// Frame probabilities to intervals, and intervals to CSV and SRT, as motionhub.intervals does.

/**
 * The intervals `{label, start, end, score}` of one person by the rule; one action at a time.
 * `probabilities`: frames of label probabilities; `times`: start of each frame and the end of the last.
 */
export function decodeExclusive(probabilities, times, rule) {
  const labels = probabilities[0]?.length ?? 0;
  const best = probabilities.map((row) => row.indexOf(Math.max(...row)));
  const low = rule.low_threshold ?? rule.threshold;
  const found = [];
  for (let label = 0; label < labels; label++) {
    const scores = probabilities.map((row, frame) => (best[frame] === label ? row[label] : -1));
    for (const [start, end] of joined(runsReaching(scores, rule.threshold, low), times, rule.max_gap)) {
      if (times[end] > times[start] && times[end] - times[start] >= rule.min_duration - 1e-9) {
        let sum = 0;
        for (let frame = start; frame < end; frame++) sum += probabilities[frame][label];
        found.push({ label, start, end, score: sum / (end - start) });
      }
    }
  }
  return found.sort((one, other) => one.start - other.start || one.label - other.label);
}

/** Runs of frames with at least `low` that reach `high` somewhere. */
function runsReaching(scores, high, low) {
  const runs = [];
  let start = null;
  for (let frame = 0; frame <= scores.length; frame++) {
    const inside = frame < scores.length && scores[frame] >= low;
    if (inside && start === null) start = frame;
    if (!inside && start !== null) {
      if (Math.max(...scores.slice(start, frame)) >= high) runs.push([start, frame]);
      start = null;
    }
  }
  return runs;
}

function joined(runs, times, maxGap) {
  const found = [];
  for (const [start, end] of runs) {
    const last = found.at(-1);
    if (last && times[start] - times[last[1]] <= maxGap + 1e-9) last[1] = end;
    else found.push([start, end]);
  }
  return found;
}

/** A comma-separated table with a header. Rows: `{track_id, start_s, end_s, label, score}`. */
export function asCsv(rows) {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const lines = rows.map((row) =>
    [row.track_id, row.start_s.toFixed(3), row.end_s.toFixed(3), quoted(row.label), row.score.toFixed(4)].join(","),
  );
  return ["track_id,start_s,end_s,label,score", ...lines, ""].join("\n");
}

/** SubRip subtitles in order of time. */
export function asSrt(rows) {
  const sorted = [...rows].sort((one, other) => one.start_s - other.start_s || one.end_s - other.end_s);
  const blocks = sorted.map((row, place) => {
    const label = row.label.trim().split(/\s+/).join(" ");
    return `${place + 1}\n${clock(row.start_s)} --> ${clock(row.end_s)}\nperson ${row.track_id}: ${label} (${row.score.toFixed(2)})\n`;
  });
  return blocks.join("\n");
}

function clock(seconds) {
  const all = Math.round(seconds * 1000);
  const two = (value) => String(value).padStart(2, "0");
  const whole = Math.floor(all / 1000);
  return `${two(Math.floor(whole / 3600))}:${two(Math.floor(whole / 60) % 60)}:${two(whole % 60)},${String(all % 1000).padStart(3, "0")}`;
}
