// The first page: the lot that is on, kept true.

import { HouseClock, left } from "./clock.js";
import { $, pageData, write } from "./dom.js";
import { called } from "./history.js";
import { LiveLot } from "./live.js";
import { rollTo } from "./roll.js";
import { isOver, LotStore } from "./store.js";
import { still } from "./stream/still.js";

const MINUTE_MS = 60_000;
/** After a lot has ended the page waits so long, for the applause, and shows what is next. */
const NEXT_MS = 6_000;

const data = pageData();
const hero = $(".hero[data-lot]");
if (hero) {
  const clock = new HouseClock();
  clock.hear(Date.parse(data.server_time));
  let store = null;
  let moving = false;
  const place = $("[data-clock]");

  function tick() {
    const lot = store?.lot ?? data;
    const opens = lot.status === "SCHEDULED";
    const rest = Date.parse(opens ? lot.starts_at : lot.ends_at) - clock.now();
    if (lot.status === "PAUSED") {
      write($("[data-clock-label]"), "The time");
      write(place, "stands still");
      return;
    }
    if (store && isOver(lot)) {
      write($("[data-clock-label]"), "The hammer");
      write(place, lot.outcome === "SOLD" ? "sold" : "passed");
      return;
    }
    write($("[data-clock-label]"), opens ? "Opens in" : lot.status === "CLOSING" || rest <= 0 ? "Closing" : "Closes in");
    write(place, left(rest));
    place.toggleAttribute("data-urgent", !opens && rest <= MINUTE_MS);
  }

  function show(lot) {
    rollTo($("[data-price]"), lot.price ?? lot.starting_price, lot.currency);
    write($("[data-price-label]"), lot.price ? "Current bid" : "Starting price");
    const bids = lot.bid_count === 1 ? "1 bid" : `${lot.bid_count} bids`;
    if (lot.outcome === "SOLD") write($("[data-leader]"), `Sold to ${called(lot.leader?.handle)} after ${bids}.`);
    else if (lot.leader) write($("[data-leader]"), `${called(lot.leader.handle)} leads after ${bids}.`);
    const words = { ACTIVE: "On the block", CLOSING: "Fair warning", PAUSED: "Paused" };
    write($("[data-state-word]"), isOver(lot) ? (lot.outcome === "SOLD" ? "Sold" : "Passed") : (words[lot.status] ?? "Next"));
    if (isOver(lot)) {
      delete hero.dataset.live;
      $(".hero .live-dot")?.remove();
    }
    const opened = data.status === "SCHEDULED" && lot.status !== "SCHEDULED";
    if ((isOver(lot) || opened) && !moving) {
      moving = true;
      setTimeout(() => document.hidden || location.reload(), opened ? 300 : NEXT_MS);
    }
  }

  const shown = still(data.stream);
  const live = new LiveLot(data.auction, {
    onSnapshot(lot) {
      if (store) store.adopt(lot);
      else {
        store = new LotStore(lot);
        store.listen(show);
        show(lot);
      }
    },
    onEvent(event) {
      if (event.n && store && !store.advance(event)) live.refresh().catch(() => {});
    },
    onTime: (server) => clock.hear(server),
    onState() {},
    onOther: (message) => shown.hear(message),
  }, { also: ["stream"] });
  live.start();
  setInterval(tick, 250);
  tick();
  addEventListener("pagehide", () => live.stop());
}
