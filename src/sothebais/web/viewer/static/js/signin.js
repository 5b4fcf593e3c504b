// The door: by handle in a rehearsal, with a wallet, and the staff's own way in.

import { ask, NoAnswer, Problem } from "./api.js";
import { $, write } from "./dom.js";
import { hasWallet, proveWallet } from "./wallet.js";

const next = $(".door").dataset.next;
const fault = $("#fault");

function say(error) {
  fault.hidden = false;
  // wallets number a person's refusal so
  if (error?.code === 4001) write(fault, "The wallet did not sign. Nothing happened.");
  else if (error instanceof Problem || error instanceof NoAnswer) write(fault, error.message);
  else write(fault, "That did not work. Try again.");
}

/** Run a step of signing in; its button rests meanwhile. */
async function attempt(button, work) {
  fault.hidden = true;
  button.disabled = true;
  try {
    await work();
  } catch (error) {
    say(error);
  } finally {
    button.disabled = false;
  }
}

const enter = () => location.assign(next);

$("#sandbox")?.addEventListener("submit", (event) => {
  event.preventDefault();
  const handle = $("#handle").value.trim();
  attempt(event.submitter ?? $("#sandbox button"), async () => {
    await ask("/api/v1/auth/sandbox", { method: "POST", body: { handle } });
    enter();
  });
});

const wallet = $("#wallet");
if (!hasWallet()) {
  wallet.disabled = true;
  $("#wallet-none").hidden = false;
}
wallet.addEventListener("click", () =>
  attempt(wallet, async () => {
    await ask("/api/v1/auth/siwe", { method: "POST", body: await proveWallet("Sign in to SothebAIs.") });
    enter();
  }),
);

// Staff: a password, then a second proof with the ticket it earned.
let recovery = false;
let ticket = null;
const passkey = $("#passkey");

$("#staff").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt($("#staff button"), async () => {
    const body = { login: $("#email").value.trim(), password: $("#password").value };
    const step = await ask("/api/v1/auth/login", { method: "POST", body });
    ticket = step.ticket;
    $("#staff").hidden = true;
    $("#second").hidden = false;
    passkey.hidden = !step.methods.includes("passkey") || !window.PublicKeyCredential?.parseRequestOptionsFromJSON;
    $("#recovery").hidden = !step.methods.includes("recovery");
    $("#code").focus();
  });
});
$("#second").addEventListener("submit", (event) => {
  event.preventDefault();
  attempt($("#second button"), async () => {
    const body = { ticket, code: $("#code").value.trim() };
    await ask(`/api/v1/auth/login/${recovery ? "recovery" : "totp"}`, { method: "POST", body });
    enter();
  });
});
passkey.addEventListener("click", () =>
  attempt(passkey, async () => {
    const options = await ask("/api/v1/auth/login/passkey/options", { method: "POST", body: { ticket } });
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey });
    await ask("/api/v1/auth/login/passkey", { method: "POST", body: { ticket, credential: credential.toJSON() } });
    enter();
  }),
);
$("#recovery").addEventListener("click", () => {
  recovery = !recovery;
  write($("#code-label"), recovery ? "Recovery code" : "Code from your authenticator");
  write($("#recovery"), recovery ? "Use the authenticator" : "Use a recovery code");
  $("#code").inputMode = recovery ? "text" : "numeric";
  $("#code").value = "";
  $("#code").focus();
});

// before this line a button would have sent its form to nowhere
for (const button of document.querySelectorAll("[data-waits]")) button.disabled = false;
