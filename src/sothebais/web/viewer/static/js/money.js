// Exact decimal arithmetic on decimal strings, as the house does it: never a float.

const PLAIN = /^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const SCALE = 18;
const UNIT = 10n ** BigInt(SCALE);

export const isAmount = (text) => typeof text === "string" && text.length <= 39 && PLAIN.test(text);

/** What a person typed as a decimal string, or null: "1,5", " 1.50 " and ".5" are understood. */
export function understood(text) {
  let plain = text.trim().replace(/\s|'/g, "");
  if (/^\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain)) plain = plain.replaceAll(",", "");
  else plain = plain.replace(",", ".");
  if (plain.startsWith(".")) plain = `0${plain}`;
  plain = plain.replace(/^0+(?=\d)/, "").replace(/\.$/, "");
  return isAmount(plain) && units(plain) > 0n ? text_(units(plain)) : null;
}

/** An amount in its smallest parts. */
export function units(text) {
  const [whole, part = ""] = text.split(".");
  return BigInt(whole) * UNIT + BigInt(part.slice(0, SCALE).padEnd(SCALE, "0"));
}

function text_(value) {
  const part = (value % UNIT).toString().padStart(SCALE, "0").replace(/0+$/, "");
  const whole = (value / UNIT).toString();
  return part ? `${whole}.${part}` : whole;
}

export const text = text_;
export const compare = (a, b) => (units(a) < units(b) ? -1 : units(a) > units(b) ? 1 : 0);
export const plus = (a, b) => text_(units(a) + units(b));

/** Thousands apart, at least two decimals where there are any. */
export function shown(amount) {
  if (amount === null || amount === undefined) return "–";
  const [whole, part] = amount.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part ? `${grouped}.${part.padEnd(2, "0")}` : grouped;
}

export const cash = (amount, currency) => `${shown(amount)}\u00a0${currency}`;

function rounded(value, decimals, up) {
  const step = 10n ** BigInt(SCALE - decimals);
  const rest = value % step;
  if (rest === 0n) return value;
  const more = up ? rest > 0n : rest * 2n >= step;
  return value - rest + (more ? step : 0n);
}

/** One step above a price under the lot's increment policy. */
export function step(price, lot) {
  const policy = lot.increment;
  const value = units(price);
  let size;
  if (policy.kind === "fixed") size = units(policy.amount);
  else if (policy.kind === "percent") {
    size = (value * units(policy.percent)) / UNIT / 100n;
    const floor = policy.floor ? units(policy.floor) : 0n;
    if (size < floor) size = floor;
  } else {
    size = 0n;
    for (const line of policy.steps) if (value >= units(line.from_price)) size = units(line.increment);
  }
  return text_(rounded(size || 1n, lot.decimals, true));
}

/** What a price costs with premium and fee. */
export function payable(price, lot) {
  const value = units(price);
  const premium = (value * units(lot.premium_percent)) / UNIT;
  const exact = premium / 100n;
  return text_(rounded(value + rounded(exact, lot.decimals, false) + units(lot.fee), lot.decimals, false));
}
