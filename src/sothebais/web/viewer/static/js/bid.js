// Placing a bid so that it counts once, whatever the line does.

import { ask, freshKey, NoAnswer, Problem } from "./api.js";

const WAITS_MS = [400, 1_000, 2_000, 4_000];

/**
 * Place a bid and keep asking with the same Idempotency-Key until the house has answered: the key makes it one bid.
 * `onWait` is told when an answer is missing. Throws Problem for a refusal, NoAnswer when the house stays silent.
 */
export async function placeBid(auction, slip, { key = freshKey(), onWait = () => {} } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await ask(`/api/v1/auctions/${auction}/bids`, {
        method: "POST",
        body: slip,
        headers: { "idempotency-key": key, "x-sothebais-client": "web" },
      });
    } catch (error) {
      const silent = error instanceof NoAnswer || (error instanceof Problem && error.status >= 500);
      if (!silent) throw error;
      if (attempt >= WAITS_MS.length) {
        throw new NoAnswer("The house has not answered. Your bid may or may not have arrived.", { cause: { key, slip } });
      }
      onWait(attempt);
      const asked = error instanceof Problem ? (error.body.retry_after ?? 0) * 1_000 : 0;
      await new Promise((resolve) => setTimeout(resolve, Math.max(asked, WAITS_MS[attempt])));
    }
  }
}

/** The receipts this tab was given for a lot. They hold one's own maximum, so they go with the tab. */
export class Receipts {
  static KEPT_MAX = 50;
  #name;

  constructor(auction) {
    this.#name = `sothebais.receipts.${auction}`;
  }

  all() {
    try {
      return JSON.parse(sessionStorage.getItem(this.#name) ?? "[]");
    } catch {
      return [];
    }
  }

  keep(receipt) {
    const kept = [receipt, ...this.all().filter((known) => known.hash !== receipt.hash)].slice(0, Receipts.KEPT_MAX);
    try {
      sessionStorage.setItem(this.#name, JSON.stringify(kept));
    } catch {
      // a browser without storage still shows the receipt and lets it be saved
    }
    return kept;
  }
}

/** Hand a value to the person as a JSON file. */
export function save(value, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([`${JSON.stringify(value, null, 2)}\n`], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
