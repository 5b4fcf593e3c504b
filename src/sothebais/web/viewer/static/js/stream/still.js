// The first page's picture: one large still of what is on air, looked at again every few seconds.

import { $ } from "../dom.js";
import { address, OnAir, spares } from "./onair.js";

const AGAIN_MS = 8_000;
const WIDTH_PX = 1_280;

export function still(given) {
  const hero = $(".hero");
  let image = $("[data-still]");
  if (!image) return { hear() {} };
  let running = Boolean(given.on_air);
  let url = given.url ?? null;

  async function look() {
    if (!running || document.hidden) return;
    url ??= await address();
    if (!url) return;
    const next = new Image();
    next.src = `${url}/frame.png?width=${WIDTH_PX}&at=${Date.now()}`;
    try {
      await next.decode();
    } catch {
      // no still at the moment: the piece itself stays on the wall
      hero.removeAttribute("data-picture");
      return;
    }
    if (!running) return;
    next.className = image.className;
    next.alt = "";
    image.replaceWith(next);
    image = next;
    hero.dataset.picture = "playing";
  }

  look();
  if (!spares()) setInterval(look, AGAIN_MS);
  document.addEventListener("visibilitychange", look);
  const onAir = new OnAir(null, {
    onAir(now) {
      running = now;
      if (now) look();
      else hero.removeAttribute("data-picture");
    },
  });
  return { hear: (message) => onAir.hear(message) };
}
