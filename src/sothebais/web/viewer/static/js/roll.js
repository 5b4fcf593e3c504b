// A price that rolls once to its new figures.

import { element, prefersStillness } from "./dom.js";
import { shown } from "./money.js";

const ROLL_MS = 400;
const EASE = "cubic-bezier(0.16, 1, 0.3, 1)";

/** Show an amount in `target`; figures that changed roll, up when it rose. */
export function rollTo(target, amount, currency, { still = false } = {}) {
  const figures = shown(amount);
  const old = target.dataset.figures ?? target.querySelector(".figure")?.textContent ?? "";
  if (old === figures) return;
  target.dataset.figures = figures;
  const place = element("span", { class: "figure" });
  const unit = element("span", { class: "unit" }, currency);
  if (still || prefersStillness() || old.length !== figures.length || document.hidden) {
    place.textContent = figures;
    target.replaceChildren(place, "\u00a0", unit);
    if (!still && !prefersStillness()) place.animate([{ opacity: 0.2 }, { opacity: 1 }], { duration: ROLL_MS, easing: EASE });
    return;
  }
  [...figures].forEach((figure, at) => {
    if (figure === old[at]) {
      place.append(figure);
      return;
    }
    const was = element("span", { class: "roll-old", "aria-hidden": "true" }, old[at]);
    const is = element("span", {}, figure);
    place.append(element("span", { class: "roll" }, was, is));
    const timing = { duration: ROLL_MS, easing: EASE, fill: "forwards" };
    was.animate([{ transform: "none" }, { transform: "translateY(-100%)" }], timing);
    is.animate([{ transform: "translateY(100%)" }, { transform: "none" }], timing);
  });
  target.replaceChildren(place, "\u00a0", unit);
  setTimeout(() => {
    if (target.contains(place)) place.textContent = figures;
  }, ROLL_MS + 50);
}
