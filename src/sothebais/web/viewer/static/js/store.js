// The lot as this page knows it: the server's snapshot, moved on by the server's events, never by guesses.

import { payable } from "./money.js";

const iso = (milliseconds) => new Date(milliseconds).toISOString();

/** What an event says of the lot; null where the snapshot must be read again. */
export function after(lot, event, names) {
  if (event.n !== lot.n + 1) return null;
  const data = event.data;
  const next = { ...lot, n: event.n, position: event.position ?? lot.position };
  const named = (user) => (user === null ? null : names.has(user) ? { id: user, handle: names.get(user) } : undefined);
  if ("status" in data) next.status = data.status;
  if ("ends_at" in data) next.ends_at = iso(data.ends_at);
  if ("starts_at" in data) next.starts_at = iso(data.starts_at);
  if ("hard_close_at" in data) next.hard_close_at = iso(data.hard_close_at);
  for (const name of ["extension_count", "bid_count", "bidder_count", "reserve_met", "outcome"])
    if (name in data) next[name] = data[name];
  if ("next_valid_amount" in data) next.next_valid_amount = data.next_valid_amount;
  if ("price" in data && "leader" in data) {
    next.price = data.price;
    if ("previous_price" in data) next.previous_price = data.previous_price;
    next.leader = named(data.leader);
    next.leading_bid_id = data.leading_bid;
    if (next.leader === undefined) return null;
    if (lot.buy_now_on_offer) return null;
  }
  if (event.type === "auction:reserve:met") next.reserve_met = true;
  if (event.type === "auction:paused") next.paused_at = iso(event.timestamp);
  if (event.type === "auction:resumed") next.paused_at = null;
  if (event.type === "auction:cancelled") next.status = "CANCELLED";
  if (["ENDED", "SETTLED", "CANCELLED"].includes(next.status)) next.next_valid_amount = null;
  next.next_total_payable = next.next_valid_amount === null ? null : payable(next.next_valid_amount, next);
  return next;
}

export const isOver = (lot) => ["ENDED", "SETTLED", "CANCELLED"].includes(lot.status);
export const takesBids = (lot) => ["ACTIVE", "CLOSING"].includes(lot.status);

/** Holds the lot; listeners get the lot and the one before it. */
export class LotStore {
  #lot;
  #listeners = new Set();
  names = new Map();

  constructor(lot) {
    this.#lot = lot;
    this.#learn(lot);
  }

  get lot() {
    return this.#lot;
  }

  listen(listener) {
    this.#listeners.add(listener);
  }

  know(person) {
    if (person?.handle) this.names.set(person.id, person.handle);
  }

  #learn(lot) {
    this.know(lot.leader);
  }

  /** Take a snapshot, unless it is older than what is known. */
  adopt(lot) {
    this.#learn(lot);
    if (lot.n < this.#lot.n) return;
    const before = this.#lot;
    this.#lot = lot;
    for (const listener of this.#listeners) listener(lot, before);
  }

  /** Take an event; false where a snapshot is needed. */
  advance(event) {
    if (event.n <= this.#lot.n) return true;
    const moved = after(this.#lot, event, this.names);
    if (moved === null) return false;
    this.adopt(moved);
    return true;
  }
}
