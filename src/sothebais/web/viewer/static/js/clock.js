// The house's time as this browser knows it, and honest countdowns by it.

const SAMPLES_MAX = 8;

export class HouseClock {
  #samples = [];

  /** The house said it was `server` (milliseconds) just now. Delay only makes samples smaller, so the largest is best. */
  hear(server) {
    this.#samples.push(server - Date.now());
    if (this.#samples.length > SAMPLES_MAX) this.#samples.shift();
  }

  now() {
    return Date.now() + (this.#samples.length ? Math.max(...this.#samples) : 0);
  }
}

/** Time left as people read it: 1:04:09, 4:09, 0:09. Rounded up, so that 0:00 means that it is over. */
export function left(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const two = (value) => String(value).padStart(2, "0");
  if (h >= 48) return `${Math.floor(h / 24)} days`;
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

const zone = () => document.documentElement.dataset.zone || undefined;

const STYLES = {
  time: { hour: "2-digit", minute: "2-digit" },
  seconds: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  date: { day: "numeric", month: "long", year: "numeric" },
  weekday: { weekday: "long", day: "numeric", month: "long" },
  short: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  datetime: { day: "numeric", month: "long", year: "numeric", hour: "2-digit", minute: "2-digit" },
};

/** An instant in the reader's own zone. */
export function local(instant, style = "datetime") {
  const date = new Date(instant);
  try {
    return new Intl.DateTimeFormat("en-GB", { ...STYLES[style], timeZone: zone(), hourCycle: "h23" }).format(date);
  } catch {
    return new Intl.DateTimeFormat("en-GB", { ...STYLES[style], hourCycle: "h23" }).format(date);
  }
}

/** Write every `<time data-style>` below `root` in the reader's zone; the exact instant stays in the tooltip. */
export function localise(root = document) {
  for (const stamp of root.querySelectorAll("time[data-style]")) {
    const instant = stamp.getAttribute("datetime");
    stamp.textContent = local(instant, stamp.dataset.style);
    stamp.title = local(instant, "datetime");
  }
  for (const label of root.querySelectorAll("[data-instant]")) label.textContent = local(Number(label.dataset.instant), "time");
}

/** A `<time>` for something that just happened. */
export function stamp(instant, style) {
  const made = document.createElement("time");
  made.setAttribute("datetime", new Date(instant).toISOString());
  made.dataset.style = style;
  made.textContent = local(instant, style);
  return made;
}
