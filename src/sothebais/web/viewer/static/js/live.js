// What happens in the house, as it happens: the live feed, and reading again where there is none.

import { ask, watched } from "./api.js";

const RETRY_MS_MIN = 500;
const RETRY_MS_MAX = 15_000;
/** The house says the time every ten seconds; longer silence is a dead line. */
const SILENCE_MS_MAX = 26_000;
const POLL_MS = 2_500;
const POLL_MS_MAX = 15_000;

/** Where the feed is: the house's own word, else beside the page; after a failure the other of the two. */
async function addresses() {
  const own = new URL("/api/v1/live", location.href);
  own.protocol = own.protocol === "https:" ? "wss:" : "ws:";
  try {
    const config = await ask("/api/v1/config", { patience: 4_000 });
    return [config.live_url ?? own.href, config.live_fallback_url ?? own.href];
  } catch {
    return [own.href];
  }
}

/**
 * Follow a lot.
 *
 * `onSnapshot(snapshot)` and `onEvent(event)` come in order; `onTime(milliseconds)` is the house's time; `onState` is told
 * `live` (events come as they happen), `polling` (read again every few seconds) or `lost` (nothing answers). Messages of
 * the topics `also` are given to `onOther` as they are.
 */
export class LiveLot {
  #path;
  #topic;
  #also;
  #handlers;
  #socket = null;
  #position = null;
  #attempt = 0;
  #heardAt = 0;
  #addresses = null;
  #poll;
  #pollTimer = null;
  #pollMs = POLL_MS;
  #stopped = false;
  #state = null;

  constructor(auction, handlers, { also = [] } = {}) {
    this.#also = also;
    this.#path = `/api/v1/auctions/${auction}`;
    this.#topic = `auction:${auction}`;
    this.#handlers = handlers;
    this.#poll = watched(this.#path);
  }

  start(position = null) {
    this.#position = position;
    this.#connect();
    this.#watch = setInterval(() => {
      const silent = this.#socket?.readyState === WebSocket.OPEN && Date.now() - this.#heardAt > SILENCE_MS_MAX;
      if (silent) this.#socket.close();
    }, 5_000);
    addEventListener("online", () => this.#soon());
    document.addEventListener("visibilitychange", () => document.hidden || this.#soon());
  }

  #watch = null;

  stop() {
    this.#stopped = true;
    clearInterval(this.#watch);
    clearTimeout(this.#pollTimer);
    this.#socket?.close();
  }

  /** Read the lot afresh now, for example after a gap. */
  async refresh() {
    const snapshot = await ask(this.#path);
    this.#take(snapshot);
  }

  #tell(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#handlers.onState(state);
  }

  #soon() {
    if (this.#stopped || this.#socket?.readyState === WebSocket.OPEN) return;
    this.#pollMs = POLL_MS;
    this.#readAgain(0);
  }

  async #connect() {
    if (this.#stopped) return;
    this.#addresses ??= await addresses();
    if (this.#stopped) return;
    let socket;
    try {
      socket = new WebSocket(this.#addresses[this.#attempt % this.#addresses.length]);
    } catch {
      this.#lost();
      return;
    }
    this.#socket = socket;
    socket.addEventListener("open", () => {
      this.#heardAt = Date.now();
      socket.send(JSON.stringify({ op: "subscribe", topics: [this.#topic], since: this.#position }));
      if (this.#also.length) socket.send(JSON.stringify({ op: "subscribe", topics: this.#also }));
      // where nothing was missed nothing is sent; the answer to this says that the line holds
      socket.send(JSON.stringify({ op: "ping" }));
    });
    socket.addEventListener("message", (message) => this.#hear(JSON.parse(message.data)));
    socket.addEventListener("close", () => {
      if (this.#socket === socket) this.#lost();
    });
  }

  #lost() {
    this.#socket = null;
    if (this.#stopped) return;
    const wait = Math.min(RETRY_MS_MAX, RETRY_MS_MIN * 2 ** this.#attempt) * (0.5 + Math.random() / 2);
    this.#attempt += 1;
    // the house may have moved when it does not answer at either
    if (this.#attempt % 4 === 0) this.#addresses = null;
    setTimeout(() => this.#connect(), wait);
    if (this.#pollTimer === null) this.#readAgain(0);
  }

  #hear(message) {
    this.#heardAt = Date.now();
    if (message.op === "time") this.#handlers.onTime(message.server);
    if (this.#also.includes(message.topic)) this.#handlers.onOther(message);
    if (message.op === "resync" && message.topic === this.#topic) this.#position = null;
    if (message.op === "pong") this.#holds();
    if (message.topic !== this.#topic) return;
    if (message.op !== "snapshot" && message.op !== "event") return;
    this.#holds();
    this.#position = message.position;
    if (message.op === "snapshot") this.#handlers.onSnapshot(message.data);
    else this.#handlers.onEvent(message.event);
  }

  #holds() {
    this.#attempt = 0;
    clearTimeout(this.#pollTimer);
    this.#pollTimer = null;
    this.#tell("live");
  }

  #take(snapshot) {
    if (snapshot === null) return;
    if (snapshot.server_time) this.#handlers.onTime(Date.parse(snapshot.server_time));
    this.#position = snapshot.position;
    this.#handlers.onSnapshot(snapshot);
  }

  #readAgain(wait) {
    clearTimeout(this.#pollTimer);
    this.#pollTimer = setTimeout(async () => {
      try {
        this.#take(await this.#poll());
        this.#pollMs = POLL_MS;
        if (this.#socket?.readyState !== WebSocket.OPEN) this.#tell("polling");
      } catch {
        this.#pollMs = Math.min(POLL_MS_MAX, this.#pollMs * 1.5);
        if (this.#socket?.readyState !== WebSocket.OPEN) this.#tell("lost");
      }
      if (this.#pollTimer !== null && !this.#stopped) this.#readAgain(this.#pollMs);
    }, wait);
  }
}
