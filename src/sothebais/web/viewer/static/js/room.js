// The auction room: joins the live feed to the panel, the stage, the history and the chat.

import { Chat } from "./chat.js";
import { HouseClock, left, localise } from "./clock.js";
import { Connection } from "./connection.js";
import { $, pageData, write } from "./dom.js";
import { follow } from "./follow.js";
import { called, History } from "./history.js";
import { LiveLot } from "./live.js";
import { cash } from "./money.js";
import { Panel } from "./panel.js";
import { isOver, LotStore } from "./store.js";
import { picture } from "./stream/room.js";

const TICK_MS = 200;
const MINUTE_MS = 60_000;
/** Prices are spoken so often at most; what is spoken is the latest. */
const SPEAK_MS = 4_000;
/** Names are asked for a little later in each browser, so that not all ask at once. */
const SCATTER_MS = 300;
const LAMPS = 3;

const data = pageData();
const clock = new HouseClock();
clock.hear(Date.parse(data.snapshot.server_time));
const store = new LotStore(data.snapshot);
if (data.me) store.know({ id: data.me.id, handle: data.me.handle });
const history = new History(store);
for (const bid of data.bids) store.know(bid.user);

let spokenAt = 0;
let toSpeak = null;
function announce(words) {
  toSpeak = words;
  const wait = Math.max(0, spokenAt + SPEAK_MS - Date.now());
  setTimeout(() => {
    if (toSpeak === null) return;
    write($("#announcer"), toSpeak);
    toSpeak = null;
    spokenAt = Date.now();
  }, wait);
}

const panel = new Panel(store, { me: data.me, hasBid: data.has_bid, announce });
const connection = new Connection();
const chat = new Chat(store.lot.id, data.me);
follow();

const room = $("#room");
const WORDS = { SCHEDULED: "To come", ACTIVE: "On the block", CLOSING: "Fair warning", PAUSED: "Paused", CANCELLED: "Withdrawn" };
let closingSince = data.snapshot.status === "CLOSING" ? clock.now() : null;

function renderStage(lot, before) {
  room.dataset.status = lot.status;
  const word = isOver(lot) ? (lot.outcome === "SOLD" ? "Sold" : (WORDS[lot.status] ?? "Passed")) : WORDS[lot.status];
  write($("[data-state-word]"), word);
  const dot = $(".stage-live .live-dot");
  if (dot) dot.hidden = !["ACTIVE", "CLOSING"].includes(lot.status);
  if (lot.status !== "CLOSING") closingSince = null;
  else closingSince ??= clock.now();
  if (isOver(lot)) room.dataset.outcome = lot.outcome ?? lot.status;
  else delete room.dataset.outcome;
  if (lot.outcome === "SOLD" && before && before.outcome !== "SOLD") land(lot);
  if (lot.outcome !== "SOLD") $("#stamp").hidden = true;
}

function land(lot) {
  write($("[data-stamp-price]"), cash(lot.price, lot.currency));
  write($("[data-stamp-who]"), `to ${called(lot.leader?.handle)}`);
  const stamp = $("#stamp");
  stamp.hidden = false;
  stamp.classList.add("is-landing");
}

function tell(lot, before) {
  if (lot.status !== before.status || lot.outcome !== before.outcome) announce($("#status").textContent);
  else if (lot.price !== before.price) announce(`${called(lot.leader?.handle)} leads at ${cash(lot.price, lot.currency)}.`);
  if (isOver(lot) && !isOver(before)) {
    write($(".history-none"), "Nobody bid.");
    showRecordLink();
  }
}

function showRecordLink() {
  if ($("#to-record")) return;
  const link = document.createElement("a");
  link.id = "to-record";
  link.className = "button button-quiet";
  link.href = location.pathname;
  link.textContent = "See the lot’s record";
  $("#status").after(link);
}

store.listen((lot, before) => {
  renderStage(lot, before);
  tell(lot, before);
  tick();
});
renderStage(store.lot, null);

/** The countdown, the fuse and the lamps. */
function tick() {
  const { lot } = store;
  const now = clock.now();
  const opens = lot.status === "SCHEDULED";
  const end = Date.parse(opens ? lot.starts_at : lot.ends_at);
  const rest = lot.status === "PAUSED" ? end - Date.parse(lot.paused_at ?? lot.server_time) : end - now;
  const urgent = ["ACTIVE", "CLOSING"].includes(lot.status) && rest <= MINUTE_MS;
  const figure = isOver(lot) ? "closed" : left(rest);
  const label = isOver(lot) ? "Bidding" : opens ? "Opens in" : lot.status === "PAUSED" ? "Paused at" : lot.status === "CLOSING" || rest <= 0 ? "Closing" : "Closes in";
  write($("[data-clock-label]"), label);
  const place = $("[data-clock]");
  write(place, figure);
  place.toggleAttribute("data-urgent", urgent);
  write($("[data-clock-small]"), isOver(lot) ? "" : opens ? `opens in ${figure}` : figure);
  const whole = end - Date.parse(lot.starts_at);
  const fuse = $("[data-fuse]");
  const share = opens ? 1 : isOver(lot) || whole <= 0 ? 0 : Math.min(1, Math.max(0, rest / whole));
  fuse.style.transform = `scaleX(${share.toFixed(4)})`;
  fuse.parentElement.toggleAttribute("data-urgent", urgent);
  renderLamps(now);
}

function renderLamps(now) {
  const lamps = $("#lamps");
  lamps.hidden = closingSince === null;
  if (closingSince === null) return;
  const out = Math.floor(((now - closingSince) / Math.max(1, data.grace)) * LAMPS);
  [...lamps.children].forEach((lamp, at) => lamp.classList.toggle("is-out", at < out));
}
setInterval(tick, TICK_MS);
tick();
localise();

let asking = false;
function readAgain() {
  if (asking) return;
  asking = true;
  setTimeout(async () => {
    try {
      await Promise.all([live.refresh(), history.read()]);
    } catch {
      // the feed itself says when nothing answers
    } finally {
      asking = false;
    }
  }, Math.random() * SCATTER_MS);
}

const shown = picture(data.stream);
const live = new LiveLot(store.lot.id, {
  onSnapshot(lot) {
    const news = lot.bid_count !== store.lot.bid_count || lot.n > store.lot.n;
    store.adopt(lot);
    if (news) history.read().catch(() => {});
  },
  onEvent(event) {
    if (event.type === "chat:message") {
      chat.hear(event);
      return;
    }
    if (event.n === null || event.n === undefined) return;
    const moved = store.advance(event);
    const told = history.tell(event);
    if (!moved || !told) readAgain();
  },
  onTime(server) {
    clock.hear(server);
    shown.time(server);
  },
  onState: (state) => connection.show(state),
  onOther: (message) => shown.hear(message),
}, { also: ["stream", "agent"] });
live.start(store.lot.position);

// a Dutch price falls by itself
if (data.interval) setInterval(() => !isOver(store.lot) && readAgain(), Math.max(1_000, data.interval));

addEventListener("pagehide", () => live.stop());
export { panel };
