// Following a lot or a campaign.

import { ask, Problem } from "./api.js";
import { $, write } from "./dom.js";

/** Bring the page's follow button to life. */
export function follow() {
  const button = $("[data-follow]");
  if (!button) return;
  button.hidden = false;
  const path = `/api/v1/${button.dataset.follow}/follow`;
  button.addEventListener("click", async () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    button.disabled = true;
    try {
      await ask(path, { method: on ? "POST" : "DELETE" });
      button.setAttribute("aria-pressed", String(on));
      write($("[data-follow-word]"), on ? "Following" : "Follow");
    } catch (error) {
      if (error instanceof Problem && error.status === 401) location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
      else write($("[data-follow-word]"), "Not possible now");
    } finally {
      button.disabled = false;
    }
  });
}

if (!document.getElementById("room")) follow();
