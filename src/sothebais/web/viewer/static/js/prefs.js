// A person's own page: wishes are kept as they are changed, offers answered, the sign-in ended.

import { ask } from "./api.js";
import { localise } from "./clock.js";
import { $, $$, element, write } from "./dom.js";
import { say } from "./fault.js";
import { offerPush } from "./push.js";

const YEAR_S = 31_536_000;

const form = $("#preferences");
const zones = $("#time-zone");
const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (Intl.supportedValuesOf) {
  const chosen = zones.dataset.value;
  zones.replaceChildren(element("option", { value: "UTC" }, `As my device (${own})`));
  for (const zone of Intl.supportedValuesOf("timeZone")) if (zone !== "UTC") zones.append(element("option", { value: zone }, zone.replaceAll("_", " ")));
  zones.value = chosen;
}

/** Show times as that zone has them. */
function inZone(zone) {
  zones.value = zone;
  write($("#quiet-zone"), zone === "UTC" ? "By the clock of UTC, until you choose a time zone." : `By the clock of ${zone.replaceAll("_", " ")}.`);
  if (zone === "UTC") delete document.documentElement.dataset.zone;
  else document.documentElement.dataset.zone = zone;
  localise();
}

/** Keep some wishes, and say whether they were; a box that was not kept goes back. */
async function keep(wishes, box) {
  const saved = $("#saved");
  try {
    await ask("/api/v1/me/preferences", { method: "PATCH", body: wishes });
    write(saved, "Kept.");
    say(null);
    return true;
  } catch (error) {
    write(saved, "Not kept.");
    if (box?.type === "checkbox") box.checked = !box.checked;
    say(error);
    return false;
  }
}

const [quiet, from, to] = [$("#quiet"), $("#quiet-from"), $("#quiet-to")];

form.addEventListener("change", async (event) => {
  if (event.target.closest("[data-quiet]")) {
    const whole = from.value !== "" && to.value !== "";
    if (event.target !== quiet && !(quiet.checked && whole)) return;
    const wishes = { quiet_hours: quiet.checked ? { from: from.value, to: to.value } : null };
    // the house cannot look at a device's clock while its owner sleeps
    if (quiet.checked && zones.value === "UTC" && own !== "UTC") wishes.time_zone = own;
    if ((await keep(wishes, event.target)) && wishes.time_zone) inZone(own);
    return;
  }
  const { name, type, checked, value } = event.target;
  if (!(await keep({ [name]: type === "checkbox" ? checked : value }, event.target))) return;
  const root = document.documentElement;
  if (name === "theme") {
    if (value === "system") delete root.dataset.theme;
    else root.dataset.theme = value;
    document.cookie = `sothebais_theme=${value === "system" ? "" : value}; path=/; max-age=${value === "system" ? 0 : YEAR_S}; samesite=lax`;
  }
  if (name === "time_zone") inZone(value);
});

// a lot that the winner did not pay for, offered to this person
for (const button of $$("[data-answer]"))
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      await ask(button.dataset.answer, { method: "POST" });
      location.reload();
    } catch (error) {
      button.disabled = false;
      say(error);
    }
  });

offerPush(say);

const out = $("[data-sign-out]");
out.hidden = false;
out.addEventListener("click", async () => {
  try {
    await ask("/api/v1/auth/logout", { method: "POST" });
    location.assign("/");
  } catch (error) {
    say(error);
  }
});

if ($(".told .is-new")) ask("/api/v1/me/notifications/read", { method: "POST", body: { all: true } }).catch(() => {});
