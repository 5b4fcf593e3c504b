// What the host says, in words, at the time the picture shows.

import { element, write } from "../dom.js";

const LINE_LENGTH_MAX = 84;
/** Words stay so long after the last one. */
const STAY_MS = 1_200;
const SPEECHES_MAX = 8;

/** A speech in lines that can be read at a glance: `{ text, from, until }` in the house's time. */
export function lines(speech) {
  const found = [];
  let words = [];
  const close = () => {
    if (!words.length) return;
    found.push({ text: words.map((word) => word.text).join(" "), from: speech.starts_at + words[0].start, until: speech.starts_at + words.at(-1).end });
    words = [];
  };
  for (const word of speech.words) {
    const length = words.reduce((sum, one) => sum + one.text.length + 1, word.text.length);
    if (length > LINE_LENGTH_MAX) close();
    words.push(word);
    if (/[.!?…]$/.test(word.text) && length > LINE_LENGTH_MAX / 2) close();
  }
  close();
  found.forEach((line, at) => {
    line.until = found[at + 1]?.from ?? line.until + STAY_MS;
  });
  return found;
}

export class Captions {
  place = element("p", { class: "picture-speech", hidden: true }, element("span"));
  #on;
  #speeches = [];

  constructor(on) {
    this.#on = on;
  }

  turn(on) {
    this.#on = on;
    if (!on) this.place.hidden = true;
    return on;
  }

  hear(speech) {
    this.#speeches.push(lines(speech));
    if (this.#speeches.length > SPEECHES_MAX) this.#speeches.shift();
  }

  /** Show what is said at `now`. */
  draw(now) {
    if (!this.#on) return;
    const line = this.#speeches.flat().find((one) => one.from <= now && now < one.until);
    this.place.hidden = !line;
    if (line) write(this.place.firstElementChild, line.text);
  }
}
