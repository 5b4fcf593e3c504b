// A person's own page: wishes are kept as they are changed, wallets linked, the sign-in ended.

import { ask, NoAnswer, Problem } from "./api.js";
import { localise } from "./clock.js";
import { $, $$, element, write } from "./dom.js";
import { offerPush } from "./push.js";
import { hasWallet, proveWallet } from "./wallet.js";

const YEAR_S = 31_536_000;
const fault = $("#fault");

function say(error) {
  fault.hidden = false;
  write(fault, error instanceof Problem || error instanceof NoAnswer ? error.message : "That did not work. Try again.");
}

const form = $("#preferences");
const zones = $("#time-zone");
if (Intl.supportedValuesOf) {
  const chosen = zones.dataset.value;
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  zones.replaceChildren(element("option", { value: "UTC" }, `As my device (${own})`));
  for (const zone of Intl.supportedValuesOf("timeZone")) if (zone !== "UTC") zones.append(element("option", { value: zone }, zone.replaceAll("_", " ")));
  zones.value = chosen;
}

form.addEventListener("change", async (event) => {
  const { name, type, checked, value } = event.target;
  const saved = $("#saved");
  try {
    await ask("/api/v1/me/preferences", { method: "PATCH", body: { [name]: type === "checkbox" ? checked : value } });
    write(saved, "Kept.");
    fault.hidden = true;
  } catch (error) {
    write(saved, "Not kept.");
    if (type === "checkbox") event.target.checked = !checked;
    say(error);
    return;
  }
  const root = document.documentElement;
  if (name === "theme") {
    if (value === "system") delete root.dataset.theme;
    else root.dataset.theme = value;
    document.cookie = `sothebais_theme=${value === "system" ? "" : value}; path=/; max-age=${value === "system" ? 0 : YEAR_S}; samesite=lax`;
  }
  if (name === "time_zone") {
    if (value === "UTC") delete root.dataset.zone;
    else root.dataset.zone = value;
    localise();
  }
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

const link = $("#link-wallet");
link.hidden = !hasWallet();
link.addEventListener("click", async () => {
  link.disabled = true;
  try {
    await ask("/api/v1/me/wallets", { method: "POST", body: await proveWallet("Link this wallet to your name at SothebAIs.") });
    location.reload();
  } catch (error) {
    say(error);
  } finally {
    link.disabled = false;
  }
});
for (const button of $$("[data-unlink]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await ask(`/api/v1/me/wallets/${button.dataset.unlink}`, { method: "DELETE" });
      button.closest("li").remove();
    } catch (error) {
      say(error);
    }
  });
}

for (const button of $$("[data-end-session]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await ask(`/api/v1/me/sessions/${button.dataset.endSession}`, { method: "DELETE" });
      button.closest("li").remove();
    } catch (error) {
      say(error);
    }
  });
}

if ($(".told .is-new")) ask("/api/v1/me/notifications/read", { method: "POST", body: { all: true } }).catch(() => {});
