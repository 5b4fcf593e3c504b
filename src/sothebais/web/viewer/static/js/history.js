// The bids of a lot in words, newest first; the house's own raises explained.

import { ask } from "./api.js";
import { stamp } from "./clock.js";
import { $, element } from "./dom.js";
import { cash } from "./money.js";

const SHOWN_MAX = 200;

export const called = (handle) => (!handle ? "somebody" : /^(@|0x)|[ …]/.test(handle) ? handle : `@${handle}`);

function words(bid, currency) {
  const who = element("b", {}, called(bid.user.handle));
  const line = element("span", { class: "history-words" });
  if (bid.amount === null) line.append(who, " placed a sealed bid");
  else {
    const [figures, unit] = cash(bid.amount, currency).split("\u00a0");
    const sum = [element("span", { class: "figure" }, figures), "\u00a0", element("span", { class: "unit" }, unit)];
    if (bid.proxy) line.append("The house raised ", who, " to ", ...sum, ": their maximum stands");
    else line.append(who, " bid ", ...sum, bid.status === "VOIDED" ? ", taken out by the house" : "");
  }
  return line;
}

/** The list; rows are known by their bid's id. */
export class History {
  #list = $("#history-list");
  #none = $(".history-none");
  #auction;
  #currency;
  #store;

  constructor(store) {
    this.#store = store;
    this.#auction = store.lot.id;
    this.#currency = store.lot.currency;
    store.listen((lot, before) => lot.leading_bid_id !== before.leading_bid_id && this.#mark());
  }

  /** Add rows, newest first, that are not there yet; rows that are take their new state. */
  show(bids, { news = false } = {}) {
    for (const bid of [...bids].reverse()) {
      this.#store.know(bid.user);
      const known = this.#list.querySelector(`[data-bid="${CSS.escape(bid.id)}"]`);
      if (known) {
        known.classList.toggle("is-voided", bid.status === "VOIDED");
        continue;
      }
      const row = element("li", { class: "history-bid", "data-bid": bid.id }, words(bid, this.#currency), stamp(bid.decided_at, "seconds"));
      row.classList.toggle("is-proxy", bid.proxy);
      row.classList.toggle("is-voided", bid.status === "VOIDED");
      row.classList.toggle("is-new-bid", news);
      this.#list.prepend(row);
    }
    while (this.#list.children.length > SHOWN_MAX) this.#list.lastElementChild.remove();
    this.#none.hidden = this.#list.children.length > 0;
    this.#mark();
  }

  /** Rows an event tells of; false where a name is missing and the list must be read. */
  tell(event) {
    if (event.type !== "auction:bid:accepted") return event.type !== "auction:bid:voided";
    const { data } = event;
    const names = this.#store.names;
    if (![data.user, ...data.raises.map((raise) => raise.user)].every((user) => names.has(user))) return false;
    const row = (bid, number, user, amount, proxy) => ({
      id: bid,
      number,
      user: { id: user, handle: names.get(user) },
      amount,
      proxy,
      status: "ACCEPTED",
      decided_at: event.timestamp,
    });
    const rows = [
      row(data.bid, data.number, data.user, data.amount, false),
      ...data.raises.map((raise) => row(raise.bid, raise.number, raise.user, raise.amount, true)),
    ];
    this.show(rows.sort((a, b) => b.number - a.number), { news: true });
    return true;
  }

  async read() {
    const page = await ask(`/api/v1/auctions/${this.#auction}/bids?limit=50`);
    this.show(page.items, { news: true });
  }

  #mark() {
    const leading = this.#store.lot.leading_bid_id;
    for (const row of this.#list.children) row.classList.toggle("is-winning", row.dataset.bid === leading);
  }
}
