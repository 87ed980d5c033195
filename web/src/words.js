// The list of actions: chips, and an input that completes phrases of the bank.

import { ShownError } from "./clip.js";
import { element } from "./ribbon.js";
import { checkedLabels } from "./texts.js";

const COLOURS = 8;

export class Words {
  /** `onChange(labels)` after every change; `complete(text)`: known phrases; `onError(error)`. */
  constructor(labels, { onChange, complete, onError }) {
    Object.assign(this, { labels, onChange, complete, onError, chosen: -1 });
    this.list = document.querySelector("#labels");
    this.input = document.querySelector("#word");
    this.known = document.querySelector("#known");
    document.querySelector("#add").addEventListener("submit", (event) => {
      event.preventDefault();
      this.add(this.chosen >= 0 ? this.known.children[this.chosen].textContent : this.input.value);
    });
    this.input.addEventListener("input", () => this.open());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.input.addEventListener("blur", () => setTimeout(() => this.close(), 150));
    this.draw();
  }

  /** Label -> class of its colour. */
  get colours() {
    return new Map(this.labels.map((label, place) => [label, `c${place % COLOURS}`]));
  }

  add(text) {
    const labels = text
      .split(/[,\n]/)
      .map((label) => label.trim())
      .filter(Boolean);
    if (!labels.length) return;
    try {
      this.labels = checkedLabels([...this.labels, ...labels]);
    } catch (error) {
      if (!(error instanceof ShownError)) throw error;
      return this.onError(error);
    }
    this.input.value = "";
    this.close();
    this.draw();
    this.onChange(this.labels);
  }

  remove(label) {
    if (this.labels.length === 1) return this.onError(new ShownError("One action must stay; add another first."));
    this.labels = this.labels.filter((each) => each !== label);
    this.draw();
    this.input.focus();
    this.onChange(this.labels);
  }

  draw() {
    const colours = this.colours;
    this.list.replaceChildren(
      ...this.labels.map((label) => {
        const button = element("button", { type: "button", "aria-label": `Remove ${label}` }, "\u00d7");
        button.addEventListener("click", () => this.remove(label));
        return element("li", { className: colours.get(label) }, label, button);
      }),
    );
  }

  open() {
    const found = this.complete(this.input.value);
    this.chosen = -1;
    this.known.replaceChildren(
      ...found.map((phrase, place) => {
        const item = element("li", { id: `known-${place}`, role: "option", "aria-selected": "false" }, phrase);
        item.addEventListener("mousedown", (event) => (event.preventDefault(), this.add(phrase)));
        return item;
      }),
    );
    this.known.hidden = !found.length;
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.input.removeAttribute("aria-activedescendant");
  }

  close() {
    this.known.hidden = true;
    this.chosen = -1;
    this.input.setAttribute("aria-expanded", "false");
  }

  key(event) {
    const items = [...this.known.children];
    if (event.key === "Escape") this.close();
    if (this.known.hidden || !["ArrowDown", "ArrowUp"].includes(event.key)) return;
    event.preventDefault();
    this.chosen = (this.chosen + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length;
    items.forEach((item, place) => item.setAttribute("aria-selected", String(place === this.chosen)));
    this.input.setAttribute("aria-activedescendant", `known-${this.chosen}`);
  }
}
