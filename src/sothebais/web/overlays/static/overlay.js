// An overlay: follows one lot, or whatever is on the block, and shows one thing of it.

import { ask } from "../js/api.js";
import { HouseClock, left } from "../js/clock.js";
import { $, element, pageData, write } from "../js/dom.js";
import { called } from "../js/history.js";
import { LiveLot } from "../js/live.js";
import { cash } from "../js/money.js";
import { rollTo } from "../js/roll.js";
import { isOver, LotStore } from "../js/store.js";

const TICK_MS = 200;
const MINUTE_MS = 60_000;
const LOOK_MS = 2_500;
const LAMPS = 3;
const TICKER_MAX = 5;

const given = pageData();
const follows = given.auction === "current";
const place = $("#overlay");
const { kind } = place.dataset;
document.documentElement.style.setProperty("--scale", given.scale);

const clock = new HouseClock();
let label = null;
let store = null;
let live = null;
let overSince = null;

const RENDER = {
  price(lot) {
    const words = lot.outcome === "SOLD" ? "Sold for" : isOver(lot) ? "Passed" : lot.price ? "Current bid" : lot.bidder_count !== null ? "Sealed bids from" : "Starting price";
    write($("[data-price-label]"), words);
    rollTo($("[data-price]"), lot.price ?? lot.starting_price, lot.currency);
  },
  countdown() {},
  async ticker(lot, before) {
    if (before?.bid_count === lot.bid_count && before.leading_bid_id === lot.leading_bid_id) return;
    const asked = lot.id;
    const { items } = await ask(`/api/v1/auctions/${lot.id}/bids?limit=${TICKER_MAX}`);
    if (label?.id === asked) showBids(items, lot);
  },
  lot() {
    write($("[data-number]"), `Lot ${label.number}`);
    write($("[data-title]"), label.title);
    write($("[data-artist]"), label.artist ?? "");
    write($("[data-traits]"), label.traits.join(" · "));
    const picture = $("[data-picture]");
    picture.hidden = !label.picture;
    if (label.picture && picture.getAttribute("src") !== label.picture) picture.src = label.picture;
  },
  leader(lot) {
    const name = lot.leader ? called(lot.leader.handle) : lot.bidder_count !== null ? "Sealed bids" : "Nobody";
    const sold = lot.outcome === "SOLD";
    write($("[data-leader]"), isOver(lot) && !sold ? "Passed" : name);
    write($("[data-leader-word]"), sold ? `won at ${cash(lot.price, lot.currency)}` : isOver(lot) ? "" : lot.leader ? "leads" : lot.bidder_count !== null ? "until the end" : "leads yet");
  },
};

function showBids(items, lot) {
  const list = $("[data-ticker]");
  const known = new Set([...list.children].map((row) => row.dataset.bid));
  const first = known.size === 0;
  list.replaceChildren(
    ...items
      .filter((bid) => bid.status !== "VOIDED")
      .map((bid) => {
        const who = element("b", { class: bid.proxy ? "is-proxy" : null }, called(bid.user.handle));
        const sum = element("span", { class: "ticker-sum" }, bid.amount === null ? "sealed" : cash(bid.amount, lot.currency));
        const row = element("li", { "data-bid": bid.id }, who, sum);
        row.classList.toggle("is-new", !first && !known.has(bid.id));
        return row;
      }),
  );
  $("[data-none]").hidden = list.children.length > 0;
}

function render(lot, before) {
  place.hidden = false;
  place.classList.remove("is-leaving");
  place.dataset.status = lot.status;
  if (isOver(lot)) place.dataset.outcome = lot.outcome ?? lot.status;
  else delete place.dataset.outcome;
  if (follows && isOver(lot) && overSince === null) setTimeout(look, given.hold_s * 1000 + 50);
  overSince = isOver(lot) ? (overSince ?? Date.now()) : null;
  // a reading that failed is made again with the next change
  Promise.resolve(RENDER[kind](lot, before)).catch(() => {});
  tick();
}

function tick() {
  if (kind !== "countdown" || !store) return;
  const { lot } = store;
  const now = clock.now();
  const opens = lot.status === "SCHEDULED";
  const end = Date.parse(opens ? lot.starts_at : lot.ends_at);
  const rest = lot.status === "PAUSED" ? end - Date.parse(lot.paused_at) : end - now;
  const running = ["ACTIVE", "CLOSING"].includes(lot.status);
  const words = isOver(lot) ? "The hammer" : opens ? "Opens in" : lot.status === "PAUSED" ? "Paused at" : lot.status === "CLOSING" ? "Fair warning" : rest <= 0 ? "Closing" : "Closes in";
  write($("[data-clock-label]"), words);
  write($("[data-clock]"), isOver(lot) ? (lot.outcome === "SOLD" ? "sold" : "passed") : left(rest));
  place.toggleAttribute("data-urgent", running && rest <= MINUTE_MS);
  const whole = end - Date.parse(lot.starts_at);
  const share = opens ? 1 : isOver(lot) || whole <= 0 ? 0 : Math.min(1, Math.max(0, rest / whole));
  $("[data-ring]").style.setProperty("--left", share.toFixed(4));
  const lamps = $("[data-lamps]");
  lamps.hidden = lot.status !== "CLOSING";
  if (lamps.hidden) return;
  const out = Math.floor(((now - end) / Math.max(1, label.grace_ms)) * LAMPS);
  [...lamps.children].forEach((lamp, at) => lamp.classList.toggle("is-out", at < out));
}

function take(next) {
  live?.stop();
  label = next;
  store = overSince = null;
  if (!next) {
    place.hidden = true;
    return;
  }
  const feed = new LiveLot(
    next.id,
    {
      onSnapshot(lot) {
        if (live !== feed) return;
        if (store) {
          store.adopt(lot);
          return;
        }
        store = new LotStore(lot);
        store.listen(render);
        render(lot, null);
      },
      onEvent(event) {
        if (live === feed && event.n && store && !store.advance(event)) feed.refresh().catch(() => {});
      },
      onTime: (server) => clock.hear(server),
      onState: (state) => {
        document.documentElement.dataset.connection = state;
      },
      onOther: (message) => message.op === "event" && look(),
    },
    { also: follows ? ["schedule"] : [] },
  );
  live = feed;
  feed.start();
}

let looking = false;
/** Which lot to show now. A lot that runs is shown to its end, and what it came to is left standing for a while. */
async function look() {
  if (store && ["ACTIVE", "CLOSING", "PAUSED"].includes(store.lot.status)) return;
  if (looking || (overSince !== null && Date.now() - overSince < given.hold_s * 1000)) return;
  looking = true;
  try {
    const { lot } = await ask(`/overlays/lot.json?auction=${given.auction}`, { patience: 5_000 });
    if (lot?.id === label?.id) return;
    place.classList.add("is-leaving");
    take(lot);
  } catch {
    // what is shown stays; the next look may be answered
  } finally {
    looking = false;
  }
}

look();
setInterval(() => (follows || !label) && look(), LOOK_MS);
setInterval(tick, TICK_MS);
addEventListener("pagehide", () => live?.stop());
