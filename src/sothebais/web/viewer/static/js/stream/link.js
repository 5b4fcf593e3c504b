// The line to the preview: opened again when it breaks, and when nothing comes although it holds.

import { unpack } from "./wire.js";

const RETRY_MS_MIN = 400;
const RETRY_MS_MAX = 15_000;
/** The picture has a constant rate, so silence is a broken line. */
const SILENCE_MS_MAX = 4_000;
const LOOK_MS = 1_000;
/** A line that held so long was good: the next attempt is soon again. */
const GOOD_MS = 5_000;

/**
 * `onHello(message)`, `onPacket(packet)`, `onNote(message)` for other text messages, `onBye()` where the
 * server takes its leave, `onLost(attempts)` when the line is down. Nothing is called after `stop`.
 */
export class Link {
  #url;
  #handlers;
  #socket = null;
  #attempt = 0;
  #openedAt = 0;
  #heardAt = 0;
  #retry = null;
  #watch = null;

  constructor(url, handlers) {
    this.#url = url;
    this.#handlers = handlers;
  }

  get running() {
    return this.#watch !== null;
  }

  start() {
    if (this.running) return;
    this.#attempt = 0;
    this.#watch = setInterval(() => {
      if (this.#socket && Date.now() - this.#heardAt > SILENCE_MS_MAX) this.#drop();
    }, LOOK_MS);
    this.#open();
  }

  stop() {
    clearInterval(this.#watch);
    clearTimeout(this.#retry);
    this.#watch = null;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /** Try at once. */
  hurry() {
    if (!this.running || this.#socket) return;
    clearTimeout(this.#retry);
    this.#attempt = 0;
    this.#open();
  }

  #open() {
    let socket;
    try {
      socket = new WebSocket(this.#url);
    } catch {
      this.#lost();
      return;
    }
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    this.#openedAt = this.#heardAt = Date.now();
    socket.addEventListener("message", (message) => {
      if (this.#socket !== socket) return;
      this.#heardAt = Date.now();
      if (typeof message.data === "string") this.#hear(JSON.parse(message.data));
      else {
        const packet = unpack(message.data);
        if (packet) this.#handlers.onPacket(packet);
      }
    });
    socket.addEventListener("close", () => {
      if (this.#socket === socket) this.#drop();
    });
  }

  #hear(message) {
    if (message.op === "hello") this.#handlers.onHello(message);
    else if (message.op === "bye") this.#handlers.onBye();
    else this.#handlers.onNote(message);
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    if (Date.now() - this.#openedAt > GOOD_MS) this.#attempt = 0;
    this.#lost();
  }

  #lost() {
    if (!this.running) return;
    const wait = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    this.#retry = setTimeout(() => this.#open(), wait);
    this.#handlers.onLost(this.#attempt);
  }
}
