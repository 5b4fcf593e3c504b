// The addresses of the overlays as somebody wants them, to be copied.

import { $, $$, write } from "../js/dom.js";

const USUAL = { theme: "dark", scale: "1", align: "top-left" };
const COPIED_MS = 2_000;
const wishes = $("#wishes");

function render() {
  const given = Object.fromEntries(new FormData(wishes));
  const query = new URLSearchParams(Object.entries(given).filter(([name, value]) => value !== USUAL[name]));
  const asked = query.size ? `?${query}` : "";
  for (const field of $$("[data-address]")) field.value = `${location.origin}/overlays/${field.dataset.address}${asked}`;
  for (const view of $$("[data-view]")) {
    const address = `/overlays/${view.dataset.view}${asked}`;
    if (view.getAttribute("src") !== address) view.src = address;
  }
  for (const size of $$("[data-size]")) {
    const [width, height] = size.dataset.size.split(" ").map((side) => Math.ceil(Number(side) * Number(given.scale)));
    write(size, `${width} × ${height}`);
  }
}

for (const button of $$("[data-copy]")) {
  button.hidden = !navigator.clipboard;
  button.addEventListener("click", async () => {
    const field = $(`[data-address="${button.dataset.copy}"]`);
    try {
      await navigator.clipboard.writeText(field.value);
    } catch {
      field.select();
      write($("#copied"), "The browser does not let pages copy. The address is selected.");
      return;
    }
    write(button, "Copied");
    write($("#copied"), "The address is copied.");
    setTimeout(() => write(button, "Copy"), COPIED_MS);
  });
}
for (const field of $$("[data-address]")) field.addEventListener("focus", () => field.select());
wishes.addEventListener("change", render);
wishes.addEventListener("submit", (event) => event.preventDefault());
render();
