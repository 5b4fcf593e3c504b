// On every page: times in the reader's zone, light and dark, the page that is shown without a connection.

import { localise } from "./clock.js";
import { $, write } from "./dom.js";

const YEAR_S = 31_536_000;

localise();

function shownTheme() {
  const chosen = document.documentElement.dataset.theme;
  if (chosen) return chosen;
  return matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark";
}

const themeSwitch = $("[data-theme-switch]");
function nameSwitch() {
  write($("[data-theme-word]"), shownTheme() === "dark" ? "Light pages" : "Dark pages");
}
if (themeSwitch) {
  themeSwitch.hidden = false;
  nameSwitch();
  themeSwitch.addEventListener("click", () => {
    const theme = shownTheme() === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    document.cookie = `sothebais_theme=${theme}; path=/; max-age=${YEAR_S}; samesite=lax`;
    nameSwitch();
  });
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", nameSwitch);
}

const tonight = $("[data-tonight]");
if (tonight) {
  const day = (instant) => new Date(instant).toDateString();
  const starts = Date.parse(tonight.dataset.tonight);
  const soon = starts - Date.now() < 18 * 3_600_000;
  const words = day(starts) === day(Date.now()) ? (new Date(starts).getHours() < 17 ? "Today" : "Tonight") : soon ? "Tonight" : "The next sale";
  write(tonight, words);
}

if ("serviceWorker" in navigator && isSecureContext) navigator.serviceWorker.register("/worker.js").catch(() => {});
