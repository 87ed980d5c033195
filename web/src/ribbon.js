// Who does what, when: a bar per person that scrubs, scores of the whole, and a table. No innerHTML: labels are text.

/** An element with properties and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role" || key === "scope") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

const time = (seconds) => `${seconds.toFixed(1)} s`;
const percent = (score) => `${Math.round(100 * score)} %`;

/** Draws a bar for each person. `colours`: label -> class; `onSeek(seconds)`. */
export function drawRibbons(place, people, rows, duration, colours, onSeek) {
  place.replaceChildren(
    ...people.map(({ track_id: track }) => {
      const bar = element("div", { className: "track", role: "group", "aria-label": `Actions of person ${track}` });
      bar.addEventListener("click", (event) => {
        const box = bar.getBoundingClientRect();
        if (event.target === bar) onSeek(((event.clientX - box.left) / box.width) * duration);
      });
      for (const row of rows.filter((each) => each.track_id === track)) {
        const name = `${row.label}, ${time(row.start_s)} to ${time(row.end_s)}, score ${percent(row.score)}`;
        const button = element(
          "button",
          { className: colours.get(row.label), title: name, "aria-label": name },
          row.label,
        );
        button.style.left = `${(100 * row.start_s) / duration}%`;
        button.style.width = `${(100 * (row.end_s - row.start_s)) / duration}%`;
        button.addEventListener("click", () => onSeek(row.start_s));
        bar.append(button);
      }
      bar.append(element("div", { className: "cursor" }));
      return element("div", { className: "ribbon" }, element("h3", {}, `Person ${track}`), bar);
    }),
  );
}

/** Moves the cursors of all bars. */
export function moveCursors(place, share) {
  place.querySelectorAll(".cursor").forEach((cursor) => (cursor.style.left = `${100 * share}%`));
}

/** The scores of each person over the whole recording. */
export function listPeople(place, people) {
  place.replaceChildren(
    ...people.map(({ track_id: track, scores, coverage }) => {
      const entries = scores.flatMap(({ label, score }) => [
        element("dt", {}, label),
        element(
          "dd",
          {},
          element("meter", { min: 0, max: 1, value: score, "aria-label": `${label}: ${percent(score)}` }),
        ),
        element("dd", { className: "number" }, percent(score)),
      ]);
      const seen = coverage < 0.9 ? ` (${percent(coverage)} of the joints seen)` : "";
      return element(
        "div",
        {},
        element("h3", {}, `Person ${track}, the whole recording${seen}`),
        element("dl", {}, ...entries),
      );
    }),
  );
}

/** The rows as a table; a start is a button that seeks. */
export function fillTable(body, rows, onSeek) {
  const made = rows.map((row) => {
    const start = element("button", { "aria-label": `Go to ${time(row.start_s)}: ${row.label}` }, time(row.start_s));
    start.addEventListener("click", () => onSeek(row.start_s));
    const cells = [`${row.track_id}`, start, time(row.end_s), row.label, percent(row.score)];
    return element("tr", {}, ...cells.map((cell) => element("td", {}, cell)));
  });
  const empty = element("tr", {}, element("td", { colSpan: 5 }, "No action of your list was found."));
  body.replaceChildren(...(made.length ? made : [empty]));
}
