// Whether there is a broadcast, where it is, and how many watch it.

import { ask } from "../api.js";

const STREAM = "/api/v1/stream";
const FIRST_MS = 1_500;
const WATCHING_MS = 20_000;
const RUNNING = new Set(["STARTING", "LIVE", "SLATE"]);

/** Whether somebody asked their browser to spare data. */
export const spares = () => matchMedia("(prefers-reduced-data: reduce)").matches || navigator.connection?.saveData === true;

/** Where the stream's addresses begin; null where the house does not answer. */
export async function address() {
  try {
    return (await ask("/api/v1/config", { patience: 4_000 })).stream_url ?? null;
  } catch {
    return null;
  }
}

/** Whether there is a broadcast; null where the house does not answer. */
export async function running() {
  try {
    return (await ask(STREAM, { patience: 4_000 })).stream !== null;
  } catch {
    return null;
  }
}

/**
 * Follows the topics `stream` and `agent` of the live feed.
 *
 * `onAir(true|false)` when it becomes known or changes, and now and then while there is one; `onWatching(count)`; `onSpeech(data)`.
 */
export class OnAir {
  #handlers;
  #running = null;
  #look = null;

  constructor(running, handlers) {
    this.#handlers = handlers;
    if (running !== null) this.#set(running);
  }

  hear(message) {
    if (message.op === "snapshot" && message.topic === "stream") {
      this.#set(RUNNING.has(message.data.stream?.status));
      this.#count(message.data.viewers?.total);
    }
    if (message.op !== "event") return;
    const { type, data } = message.event;
    if (type === "stream:start") {
      this.#set(true);
      this.#soon();
    } else if (type === "stream:end") this.#set(false);
    else if (type === "stream:viewers" && data.origin === "TOTAL") this.#count(data.viewers);
    else if (type === "agent:speech") this.#handlers.onSpeech?.(data);
  }

  /** Ask how many watch, and whether there still is a broadcast, as long as somebody looks. */
  watch() {
    this.#look = async () => {
      if (document.hidden) return;
      try {
        const { stream } = await ask(STREAM, { patience: 4_000 });
        this.#set(stream !== null, { again: true });
        this.#count(stream?.viewers?.total);
      } catch {
        // the next answer counts
      }
    };
    this.#soon();
    setInterval(this.#look, WATCHING_MS * (0.9 + Math.random() / 5));
  }

  /** Each browser a little later or earlier, so that not all ask at once. */
  #soon() {
    setTimeout(() => this.#look?.(), FIRST_MS * (0.5 + Math.random()));
  }

  #set(running, { again = false } = {}) {
    if (running === this.#running && !(again && running)) return;
    this.#running = running;
    this.#handlers.onAir?.(running);
  }

  #count(viewers) {
    if (Number.isInteger(viewers)) this.#handlers.onWatching?.(viewers);
  }
}
