// The lot after its sale: the log, checked by this browser before the reader's eyes.

import { ask } from "./api.js";
import { Receipts } from "./bid.js";
import { stamp } from "./clock.js";
import { $, element, pageData, write } from "./dom.js";
import { verify } from "./verify.js";

const FILE_BYTES_MAX = 64 * 1024 * 1024;
const NAMES = {
  "auction:scheduled": "The lot and its terms",
  "auction:start": "Opened",
  "auction:bid:accepted": "Bid accepted",
  "auction:bid:rejected": "Bid refused",
  "auction:bid:voided": "Bid taken out",
  "auction:reserve:met": "Reserve met",
  "auction:timer:updated": "The end moved",
  "auction:paused": "Paused",
  "auction:resumed": "Went on",
  "auction:closing": "Fair warning",
  "auction:end": "The hammer",
  "auction:winner": "The winner",
  "auction:settled": "Settled",
  "auction:cancelled": "Withdrawn",
  "auction:reopened": "Opened again",
};

const { snapshot } = pageData();
const actions = $("#proof-actions");
if (globalThis.crypto?.subtle) {
  actions.hidden = false;
  $("[data-verify]").addEventListener("click", () => check(fetchLog));
  $("[data-verify-file]").addEventListener("change", (event) => {
    const [file] = event.target.files;
    if (file) check(() => readFile(file));
    event.target.value = "";
  });
} else {
  $(".proof .lede").append(" Browsers allow this over HTTPS only; here, save the log and use the command.");
}

async function fetchLog() {
  const answer = await fetch(`/api/v1/auctions/${snapshot.id}/log`, { signal: AbortSignal.timeout(30_000) });
  if (!answer.ok) throw new Error("The log could not be read.");
  return answer.text();
}

async function readFile(file) {
  if (file.size > FILE_BYTES_MAX) throw new Error("This file is too large to be a log of ours.");
  return file.text();
}

async function check(read) {
  const button = $("[data-verify]");
  const checks = $("#checks");
  const rows = $("#log-rows");
  const verdict = $("#verdict");
  button.disabled = true;
  checks.hidden = false;
  checks.replaceChildren();
  rows.replaceChildren();
  verdict.hidden = false;
  delete verdict.dataset.good;
  write(verdict, "Computing.");
  try {
    const [text, key] = await Promise.all([read(), ask("/api/v1/house-key").catch(() => null)]);
    let faulty = null;
    const good = await verify(text, {
      houseKey: key?.public_key ?? null,
      receipts: new Receipts(snapshot.id).all(),
      expected: snapshot,
      onCheck(result) {
        if (result.result === "bad") faulty ??= result.n;
        checks.append(element("li", { class: "check", "data-result": result.result, "data-check": result.name }, line(result)));
      },
      onRow: (event, n, fault) => rows.append(row(event, n, fault)),
    });
    verdict.dataset.good = good ? "yes" : "no";
    write(verdict, good ? "Everything fits." : faulty ? `This log does not hold. The first fault is at entry ${faulty}.` : "This log does not hold.");
    if (faulty) mark(faulty);
    $("#log").hidden = rows.children.length === 0;
    $("#log").open = Boolean(faulty);
  } catch (error) {
    verdict.dataset.good = "no";
    write(verdict, error.message || "The log could not be read.");
  } finally {
    button.disabled = false;
  }
}

const SPOKEN = { good: "Fits: ", bad: "Does not fit: ", open: "Not checked: " };

function line({ result, words }) {
  return element("p", {}, element("span", { class: "visually-hidden" }, SPOKEN[result]), words);
}

function row(event, n, fault) {
  const at = Number.isSafeInteger(event.timestamp) ? stamp(event.timestamp, "seconds") : "";
  const made = element(
    "tr",
    { "data-n": n },
    element("td", {}, String(event.n)),
    element("td", {}, NAMES[event.type] ?? String(event.type)),
    element("td", {}, at),
    element("td", { class: "mono" }, `${String(event.hash).slice(0, 12)}…`),
    element("td", {}, fault ? "× no" : "✓ yes"),
  );
  if (fault) made.setAttribute("data-faulty", "");
  return made;
}

function mark(n) {
  const found = $(`#log-rows tr[data-n="${n}"]`);
  if (!found) return;
  found.setAttribute("data-faulty", "");
  found.lastElementChild.textContent = "× no";
}
