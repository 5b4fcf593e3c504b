// Who a person is to the house: name, address, ways to sign in; and being forgotten.

import { ask } from "./api.js";
import { $, $$, write } from "./dom.js";
import { say } from "./fault.js";
import { hasWallet, proveWallet } from "./wallet.js";

const identity = $("#identity");
const kept = $("#identity-kept");
for (const button of $$("[data-waits]")) button.disabled = false;

identity.addEventListener("submit", async (event) => {
  event.preventDefault();
  const email = $("#email").value.trim();
  try {
    const me = await ask("/api/v1/me", { method: "PATCH", body: { name: $("#name").value, email: email === "" ? null : email } });
    $("#name").value = me.name;
    write($("#called"), /[@ ]|^0x|…/.test(me.name) ? me.name : `@${me.name}`);
    for (const forgetting of $$("[data-name]")) forgetting.dataset.name = me.name;
    write($("#forget strong"), me.name);
    write(kept, "Kept.");
    say(null);
  } catch (error) {
    write(kept, "Not kept.");
    say(error);
  }
});
identity.addEventListener("input", () => write(kept, ""));

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

/** A button that takes its line away, once the house has. */
function removes(selector, path) {
  for (const button of $$(selector)) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await ask(path(button.dataset), { method: "DELETE" });
        button.closest("li").remove();
        say(null);
      } catch (error) {
        say(error);
      }
    });
  }
}
removes("[data-unlink]", (data) => data.unlink);
removes("[data-end-session]", (data) => `/api/v1/me/sessions/${data.endSession}`);

$("#forget").addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = $("#forget-name");
  if (name.value.trim() !== name.dataset.name) {
    say(new Error(`Write ${name.dataset.name} exactly, so that nobody is forgotten by a slip.`));
    name.focus();
    return;
  }
  try {
    await ask("/api/v1/me", { method: "DELETE" });
    location.assign("/");
  } catch (error) {
    say(error);
  }
});
