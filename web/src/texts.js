// The text bank of a checkpoint: phrases and their unit vectors, found by normalised spelling; completion; a tower.

import { readSafetensors } from "./arrays.js";
import { ShownError } from "./clip.js";

/** Lower case with single spaces: "Drink_From-Cup " -> "drink from cup"; every script keeps its letters. */
export function normalisedSpelling(phrase) {
  // Lower case twice: of the upper case too, as casefold makes "ss" of the German sharp s.
  const folded = phrase.normalize("NFKC").toUpperCase().toLowerCase().replaceAll("\u2019", "'");
  return folded
    .replace(/[^\p{L}\p{N}\p{M}']+/gu, " ")
    .trim()
    .replace(/ +/g, " ");
}

/** A vector divided by its length. */
export function unit(vector) {
  const length = Math.sqrt(vector.reduce((sum, value) => sum + value * value, 0)) || 1;
  return Float64Array.from(vector, (value) => value / length);
}

export function dot(one, other) {
  let sum = 0;
  for (let at = 0; at < one.length; at++) sum += one[at] * other[at];
  return sum;
}

export class TextBank {
  /** `facts`: text_bank.json; `buffer`: text_bank.safetensors; `scoring`: of web.json. */
  constructor(facts, buffer, scoring) {
    const { embeddings } = readSafetensors(buffer, "text_bank.safetensors");
    Object.assign(this, { phrases: facts.phrases, learned: facts.learned ?? [], sameMeaning: scoring.same_meaning });
    this.size = embeddings.shape[1];
    if (embeddings.shape[0] !== facts.phrases.length)
      throw new ShownError("text_bank.json and text_bank.safetensors do not fit; copy the model folder again.");
    this.values = embeddings.values;
    this.subject = new RegExp(scoring.subject, "u");
    this.places = new Map();
    facts.phrases.forEach((phrase, place) => this.places.set(normalisedSpelling(phrase), place));
    for (const [alias, phrase] of Object.entries(facts.aliases ?? {})) {
      const spelling = normalisedSpelling(alias);
      if (!this.places.has(spelling)) this.places.set(spelling, this.places.get(normalisedSpelling(phrase)));
    }
    this.learnedVectors = null;
  }

  /** The row of a phrase, also after "a person is"; undefined if the bank lacks it. */
  place(phrase) {
    const spelling = normalisedSpelling(phrase);
    return this.places.get(spelling) ?? this.places.get(spelling.replace(this.subject, ""));
  }

  /** The unit vector of a phrase, or null. */
  vector(phrase) {
    const place = this.place(phrase);
    return place === undefined ? null : unit(this.values.subarray(place * this.size, (place + 1) * this.size));
  }

  /** Whether the model was trained with a text near this vector. */
  isLearned(vector) {
    this.learnedVectors ??= this.learned.map((phrase) => this.vector(phrase));
    return this.learnedVectors.some((each) => dot(each, vector) > this.sameMeaning);
  }

  /** Phrases that complete what is typed: those that begin with it, then those with a word that does, then the rest. */
  complete(text, most = 8) {
    const wanted = normalisedSpelling(text);
    if (!wanted) return [];
    const rank = (spelling) =>
      spelling.startsWith(wanted) ? 0 : spelling.includes(` ${wanted}`) ? 1 : spelling.includes(wanted) ? 2 : 3;
    const found = [];
    for (const [spelling, place] of this.places)
      if (rank(spelling) < 3) found.push([rank(spelling), spelling.length, place]);
    found.sort((one, other) => one[0] - other[0] || one[1] - other[1]);
    return [...new Set(found.map(([, , place]) => this.phrases[place]))].slice(0, most);
  }

  /** Known phrases that share the most letter pairs with a text, best first. */
  nearest(text, most = 3) {
    const pairs = (spelling) =>
      new Set(Array.from({ length: Math.max(spelling.length - 1, 0) }, (_, at) => spelling.slice(at, at + 2)));
    const wanted = pairs(normalisedSpelling(text).slice(0, 80));
    const scored = [...this.places].map(([spelling, place]) => {
      const own = pairs(spelling);
      const shared = [...wanted].filter((pair) => own.has(pair)).length;
      return [(2 * shared) / Math.max(wanted.size + own.size, 1), this.phrases[place]];
    });
    scored.sort((one, other) => other[0] - one[0]);
    return [...new Set(scored.filter(([share]) => share > 0.4).map(([, phrase]) => phrase))].slice(0, most);
  }
}

/** Labels one a line or separated by commas, without blank ones; two that are spelled alike are refused. */
export function checkedLabels(texts) {
  const labels = texts.map((text) => text.trim()).filter(Boolean);
  const seen = new Map();
  for (const label of labels) {
    const spelling = normalisedSpelling(label) || label;
    if (seen.has(spelling))
      throw new ShownError(`Labels must differ, got "${seen.get(spelling)}" and "${label}"; leave one out.`);
    seen.set(spelling, label);
  }
  if (!labels.length) throw new ShownError("Add at least one action, such as sit down.");
  return labels;
}

/** WordPiece, as BERT's tokenizer: `vocabulary.json` of the model folder. */
export class WordPiece {
  constructor(facts) {
    Object.assign(this, facts);
    this.numbers = new Map(facts.tokens.map((token, number) => [token, number]));
  }

  /** Token ids of a text, with the marks of start and end. */
  encode(text) {
    let plain = this.prompt
      .replace("{}", text.trim())
      .replace(/[\u0000\ufffd]|\p{Cc}/gu, (char) => (/\s/.test(char) ? " " : ""));
    plain = plain.replace(/[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u{20000}-\u{2fa1f}]/gu, " $& ");
    if (this.lowercase)
      plain = plain
        .toLowerCase()
        .normalize("NFD")
        .replace(/\p{Mn}/gu, "");
    const words = plain
      .split(/\s+/)
      .flatMap((word) => word.split(/([!-/:-@[-`{-~]|\p{P})/u))
      .filter(Boolean);
    const pieces = words.flatMap((word) => this.pieces(word)).slice(0, this.most - 2);
    return [this.start, ...pieces, this.end].map((token) => this.numbers.get(token));
  }

  pieces(word) {
    const letters = [...word];
    if (letters.length > 100) return [this.unknown];
    const found = [];
    for (let start = 0; start < letters.length;) {
      let end = letters.length;
      const piece = () => (start ? "##" : "") + letters.slice(start, end).join("");
      while (end > start && !this.numbers.has(piece())) end--;
      if (end === start) return [this.unknown];
      found.push(piece());
      start = end;
    }
    return found;
  }
}
