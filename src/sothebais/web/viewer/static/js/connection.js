// The banner that says how fresh the page is.

import { $, write } from "./dom.js";

const BACK_MS = 4_000;
/** Short breaks are nobody's business. */
const PATIENCE_MS = 1_500;

const WORDS = {
  polling: "The live line is down. This page reads the lot again every few seconds.",
  lost: "The house cannot be reached. What you see may be old; bids that were acknowledged are safe.",
};

export class Connection {
  #banner = $("#connection");
  #timer = null;
  #wasDown = false;

  show(state) {
    clearTimeout(this.#timer);
    document.documentElement.dataset.connection = state;
    if (state === "live") {
      if (this.#wasDown) this.#back();
      this.#wasDown = false;
      return;
    }
    this.#timer = setTimeout(() => {
      this.#wasDown = true;
      this.#banner.hidden = false;
      this.#banner.dataset.state = state;
      write(this.#banner, WORDS[state]);
    }, PATIENCE_MS);
  }

  #back() {
    this.#banner.dataset.state = "back";
    write(this.#banner, "Back in the room.");
    this.#timer = setTimeout(() => {
      this.#banner.hidden = true;
    }, BACK_MS);
  }
}
