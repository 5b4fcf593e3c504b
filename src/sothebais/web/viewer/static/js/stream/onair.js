// Whether there is a broadcast, where it is, and how many watch it.

import { ask } from "../api.js";

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

/**
 * Follows the topics `stream` and `agent` of the live feed.
 *
 * `onAir(true|false)` when it becomes known or changes; `onWatching(count)`; `onSpeech(data)`.
 */
export class OnAir {
  #handlers;
  #running = null;

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
    if (type === "stream:start") this.#set(true);
    else if (type === "stream:end") this.#set(false);
    else if (type === "stream:viewers" && data.origin === "TOTAL") this.#count(data.viewers);
    else if (type === "agent:speech") this.#handlers.onSpeech?.(data);
  }

  /** Ask the stream itself how many watch, as long as there is one and somebody looks. */
  watch(url) {
    const look = async () => {
      if (!this.#running || document.hidden) return;
      try {
        const answer = await fetch(url, { signal: AbortSignal.timeout(4_000) });
        if (answer.ok) this.#count((await answer.json()).stream?.viewers);
      } catch {
        // the next answer counts
      }
    };
    setTimeout(look, 2_000 + Math.random() * 2_000);
    setInterval(look, WATCHING_MS * (0.9 + Math.random() / 5));
  }

  #set(running) {
    if (running === this.#running) return;
    this.#running = running;
    this.#handlers.onAir?.(running);
  }

  #count(viewers) {
    if (Number.isInteger(viewers)) this.#handlers.onWatching?.(viewers);
  }
}
