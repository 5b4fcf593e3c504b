// Exact decimal arithmetic on decimal strings, as the house does it: never a float.

const PLAIN = /^(?:0|[1-9][0-9]*)(?:\.[0-9]+)?$/;
const SCALE = 18;
const UNIT = 10n ** BigInt(SCALE);

export const isAmount = (given) => typeof given === "string" && given.length <= 39 && PLAIN.test(given);

/** What a person typed as a decimal string, or null: "1,5", " 1.50 " and ".5" are understood. */
export function understood(typed) {
  let plain = typed.trim().replace(/\s|'/g, "");
  if (/^\d{1,3}(,\d{3})+(\.\d+)?$/.test(plain)) plain = plain.replaceAll(",", "");
  else plain = plain.replace(",", ".");
  if (plain.startsWith(".")) plain = `0${plain}`;
  plain = plain.replace(/^0+(?=\d)/, "").replace(/\.$/, "");
  return isAmount(plain) && units(plain) > 0n ? text(units(plain)) : null;
}

/** An amount in its smallest parts. */
export function units(amount) {
  const [whole, part = ""] = amount.split(".");
  return BigInt(whole) * UNIT + BigInt(part.slice(0, SCALE).padEnd(SCALE, "0"));
}

/** The decimal string of an amount in its smallest parts. */
export function text(value) {
  const part = (value % UNIT).toString().padStart(SCALE, "0").replace(/0+$/, "");
  const whole = (value / UNIT).toString();
  return part ? `${whole}.${part}` : whole;
}

export const compare = (a, b) => (units(a) < units(b) ? -1 : units(a) > units(b) ? 1 : 0);
export const plus = (a, b) => text(units(a) + units(b));

/** Thousands apart, at least two decimals where there are any. */
export function shown(amount) {
  if (amount === null || amount === undefined) return "–";
  const [whole, part] = amount.split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  return part ? `${grouped}.${part.padEnd(2, "0")}` : grouped;
}

export const cash = (amount, currency) => `${shown(amount)}\u00a0${currency}`;

/** `value` times `percent` %, rounded half up or up to the currency's decimals; exact before that. */
function share(value, percent, decimals, up) {
  const step = 10n ** BigInt(SCALE - decimals);
  const product = value * units(percent);
  const divisor = 100n * UNIT * step;
  return ((product + (up ? divisor - 1n : divisor / 2n)) / divisor) * step;
}

/** How much above a price the next bid must be under the lot's increment policy. */
export function increment(price, lot) {
  const policy = lot.increment;
  const value = units(price);
  if (policy.kind === "fixed") return policy.amount;
  if (policy.kind === "percent") {
    const size = share(value, policy.percent, lot.decimals, true);
    const floor = policy.floor ? units(policy.floor) : 0n;
    return text(size > floor ? size : floor);
  }
  let size = policy.steps[0].increment;
  for (const line of policy.steps) if (value >= units(line.from_price)) size = line.increment;
  return size;
}

/** What a price costs with premium and fee. */
export function payable(price, lot) {
  const value = units(price);
  return text(value + share(value, lot.premium_percent, lot.decimals, false) + units(lot.fee));
}
