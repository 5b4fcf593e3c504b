// Recomputes a lot's log in this browser: the same sums as `sothebais verify` makes of chain, head, receipts and openings.
// It does not replay the rules of bidding; the command does.

const encoder = new TextEncoder();
const GENESIS = "0".repeat(64);
const MAXIMUM = encoder.encode("sothebais:maximum:v1");
const RESERVE = encoder.encode("sothebais:reserve:v1");
export const EVENTS_MAX = 200_000;

/** Canonical JSON: keys sorted, no white space. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value !== null && typeof value === "object") {
    const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : 1));
    return `{${keys.map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`).join(",")}}`;
  }
  if (typeof value === "number" && !Number.isSafeInteger(value)) throw new Error("a number that is not whole");
  return JSON.stringify(value);
}

export const fromHex = (text) => {
  if (typeof text !== "string" || !/^(?:[0-9a-f]{2})*$/.test(text)) throw new Error("not hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
};
const toHex = (bytes) => [...new Uint8Array(bytes)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const uuid = (text) => {
  const bytes = fromHex(String(text).replaceAll("-", ""));
  if (bytes.length !== 16) throw new Error("not a UUID");
  return bytes;
};

async function sha256(...parts) {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return toHex(await crypto.subtle.digest("SHA-256", whole));
}

/** The hash of an event: over its data, number, the hash before, time and type, in this order. */
export function chainHash(event, previous) {
  const text = `{"data":${canonical(event.data)},"n":${event.n},"prev_hash":"${previous}","timestamp":${event.timestamp},"type":"${event.type}"}`;
  return sha256(encoder.encode(text));
}

/** Lines of a log as events and the signed head, if there is one. Throws where a line is not JSON. */
export function parseLog(text) {
  const events = [];
  let head = null;
  const lines = text.split("\n").filter((line) => line.trim());
  if (lines.length > EVENTS_MAX) throw new Error(`A log of more than ${EVENTS_MAX} lines is too long for a browser.`);
  lines.forEach((line, at) => {
    let value;
    try {
      value = JSON.parse(line);
    } catch {
      throw new Error(`Line ${at + 1} is not JSON.`);
    }
    if (value?.head) head = value.head;
    else events.push(value);
  });
  return { events, head };
}

async function checkChain(events, onRow) {
  const subject = events[0]?.subject;
  let previous = GENESIS;
  for (const [at, event] of events.entries()) {
    const place = at + 1;
    let fault = null;
    if (event.n !== place) fault = event.n > place ? `Entry ${place} is missing or out of order: the log has ${event.n} in its place.` : `Entry ${place} does not follow: the log has ${event.n} in its place.`;
    else if (event.subject !== subject) fault = `Entry ${place} belongs to another lot.`;
    else if (event.prev_hash !== previous) fault = `Entry ${place} does not follow the entry before it: the chain is broken.`;
    else {
      let digest;
      try {
        digest = await chainHash(event, previous);
      } catch (error) {
        fault = `Entry ${place} is not an entry of a log: ${error.message}.`;
      }
      if (!fault && event.hash !== digest) fault = `Entry ${place} was changed: its hash does not fit its content.`;
      previous = digest;
    }
    onRow(event, place, fault);
    if (fault) return { fault, n: place };
  }
  return null;
}

/** Whether `signed` carries the signature of this key over all else in it; null where the browser cannot tell. */
export async function signatureFits(signed, publicKey) {
  const { signature, public_key: _, ...statement } = signed;
  let key;
  try {
    key = await crypto.subtle.importKey("raw", fromHex(publicKey), { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError" || error.name === "TypeError") return null;
    return false;
  }
  try {
    return await crypto.subtle.verify({ name: "Ed25519" }, key, fromHex(signature), encoder.encode(canonical(statement)));
  } catch {
    return false;
  }
}

async function checkOpenings(auction, events) {
  const bids = new Map(events.filter((event) => event.type === "auction:bid:accepted").map((event) => [event.data.bid, event]));
  const opened = new Set();
  for (const event of events) {
    for (const opening of event.data.openings ?? []) {
      const bid = bids.get(opening.bid);
      if (!bid) return { n: event.n, fault: `Entry ${event.n} opens a bid that was not accepted here.` };
      const commitment = await sha256(MAXIMUM, uuid(auction), uuid(opening.bid), encoder.encode(opening.max_amount), fromHex(opening.salt));
      if (commitment !== bid.data.max_commitment) return { n: event.n, fault: `Entry ${event.n}: the maximum opened for bid ${bid.data.number} is not the one that was sealed.` };
      opened.add(opening.bid);
    }
  }
  return { opened: opened.size, sealed: bids.size - opened.size };
}

async function checkReserve(auction, events) {
  const committed = events[0].data.terms.reserve_commitment;
  if (committed === null) return { none: true };
  for (const event of events) {
    const opening = event.type === "auction:reserve:met" ? event.data : event.data.reserve;
    if (!opening?.salt) continue;
    const commitment = await sha256(RESERVE, uuid(auction), encoder.encode(opening.reserve), fromHex(opening.salt));
    if (commitment !== committed) return { n: event.n, fault: `Entry ${event.n}: the reserve that was opened is not the one that was sealed.` };
    return { reserve: opening.reserve };
  }
  return { sealed: true };
}

/**
 * Check a log. `expected` is what the page says of the lot; `houseKey` the house's public key in hex; `receipts` what this
 * person was given. `onCheck({name, result, words, n})` is told each result (good, bad, open), `onRow(event, n, fault)` each
 * entry. Resolves to whether nothing was bad.
 */
export async function verify(text, { houseKey = null, receipts = [], expected = null, onCheck = () => {}, onRow = () => {} }) {
  let good = true;
  const tell = (name, result, words, n = null) => {
    if (result === "bad") good = false;
    onCheck({ name, result, words, n });
  };
  let parsed;
  try {
    parsed = parseLog(text);
    if (!parsed.events.length) throw new Error("The file has no entries.");
  } catch (error) {
    tell("read", "bad", error.message);
    return good;
  }
  const { events, head } = parsed;
  const broken = await checkChain(events, onRow);
  if (broken) {
    tell("chain", "bad", broken.fault, broken.n);
    return good;
  }
  tell("chain", "good", `All ${events.length} entries are there, in order, and each hash follows from its content and the entry before.`);

  const auction = String(events[0].subject).replace(/^auction:/, "");
  if (expected && auction !== expected.id) {
    tell("lot", "bad", "This is the log of another lot.", 1);
    return good;
  }
  try {
    await checkHead(events, head, auction, houseKey, tell);
    const openings = await checkOpenings(auction, events);
    if (openings.fault) tell("openings", "bad", openings.fault, openings.n);
    else tell("openings", "good", openingWords(openings));
    const reserve = await checkReserve(auction, events);
    if (reserve.fault) tell("reserve", "bad", reserve.fault, reserve.n);
    else if (reserve.reserve) tell("reserve", "good", `The reserve of ${reserve.reserve} was sealed before the bidding and is the one that was opened.`);
    else if (reserve.sealed) tell("reserve", "open", "The reserve is still sealed.");
    for (const receipt of receipts) await checkReceipt(events, receipt, houseKey, tell);
    if (expected) checkOutcome(events, expected, tell);
  } catch (error) {
    tell("shape", "bad", `An entry has not the shape of the house’s log: ${error.message}.`);
  }
  return good;
}

function openingWords({ opened, sealed }) {
  const maxima = opened === 1 ? "1 sealed maximum was opened and fits" : `${opened} sealed maxima were opened and each fits`;
  return `${maxima} what was sealed with its bid.${sealed ? ` ${sealed} stay secret: they were never beaten.` : ""}`;
}

async function checkHead(events, head, auction, houseKey, tell) {
  if (!head) {
    tell("head", "open", "The file has no signed head, so a cut-off end would not be noticed.");
    return;
  }
  const last = events.at(-1);
  if (head.auction !== auction) tell("head", "bad", "The signed head is of another lot.");
  else if (head.n > events.length) tell("head", "bad", `The log is cut off: it had ${head.n} entries and has ${events.length}.`, events.length + 1);
  else if (head.n < events.length || head.hash !== last.hash) tell("head", "bad", "The log does not end where its head says.", Math.min(head.n, events.length));
  else tell("head", "good", `The log ends where its head says, at entry ${head.n}.`);
  if (houseKey === null) {
    tell("signature", "open", "The house’s key could not be read, so the signature was not checked.");
    return;
  }
  const fits = await signatureFits(head, houseKey);
  if (fits === null) tell("signature", "open", "This browser cannot check Ed25519 signatures; the command line can.");
  else if (fits) tell("signature", "good", `The head carries the house’s signature (key ${houseKey.slice(0, 12)}…).`);
  else tell("signature", "bad", "The signature of the head is not the house’s.");
}

async function checkReceipt(events, receipt, houseKey, tell) {
  const event = events[receipt.n - 1];
  if (!event) tell("receipt", "bad", `Your receipt is for entry ${receipt.n}, which the log lacks.`, events.length + 1);
  else if (event.hash !== receipt.hash || event.data.bid !== receipt.opening.bid) tell("receipt", "bad", `Entry ${receipt.n} is not what your receipt acknowledges.`, receipt.n);
  else if (houseKey && (await signatureFits(receipt, houseKey)) === false) tell("receipt", "bad", `The signature of your receipt for entry ${receipt.n} is not the house’s.`, receipt.n);
  else tell("receipt", "good", `Your bid stands at entry ${receipt.n}, as your receipt says.`);
}

function checkOutcome(events, expected, tell) {
  const end = events.findLast((event) => event.type === "auction:end");
  const said = expected.outcome;
  if (!end || said === null) return;
  const { outcome, price, winner } = end.data;
  const fits = outcome === said && (outcome !== "SOLD" || (price === expected.price && winner === expected.leader?.id));
  if (!fits) tell("outcome", "bad", "The log ends otherwise than this page says.", end.n);
  else tell("outcome", "good", outcome === "SOLD" ? `It ends as this page says: sold for ${price} ${expected.currency}.` : "It ends as this page says: passed.");
}
