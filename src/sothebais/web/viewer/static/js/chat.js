// The room's conversation.

import { ask, Problem } from "./api.js";
import { stamp } from "./clock.js";
import { $, element, write } from "./dom.js";
import { called } from "./history.js";

const SHOWN_MAX = 200;
const READ_AGAIN_MS = 8_000;

export class Chat {
  #path;
  #section = $("#chat");
  #list = $("#chat-list");
  /** The number of the last line shown. */
  #last = 0;

  constructor(auction) {
    this.#path = `/api/v1/auctions/${auction}/chat`;
    this.#start();
  }

  async #start() {
    try {
      await this.#read();
    } catch {
      // a house without chat shows none
      return;
    }
    this.#section.hidden = false;
    $("#chat-form")?.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#say($("#chat-text"));
    });
    setInterval(() => document.hidden || this.#read().catch(() => {}), READ_AGAIN_MS);
  }

  /** A line was written: read what is new. Or one was hidden, perhaps an old one: take it away. */
  hear(event) {
    if (event.data.hidden) {
      this.#list.querySelector(`[data-line="${CSS.escape(event.data.message)}"]`)?.remove();
      return;
    }
    if (!this.#section.hidden) this.#read().catch(() => {});
  }

  async #read() {
    const since = this.#last ? `?since=${this.#last}` : "";
    const page = await ask(`${this.#path}${since}`);
    for (const line of [...page.items].sort((a, b) => a.number - b.number)) this.#show(line);
    if (!this.#list.children.length) this.#list.append(element("li", { class: "note", "data-quiet": true }, "Quiet so far."));
  }

  #show(line) {
    const known = this.#list.querySelector(`[data-line="${CSS.escape(line.id)}"]`);
    if (line.hidden) {
      known?.remove();
      return;
    }
    this.#last = Math.max(this.#last, line.number);
    if (known) return;
    this.#list.querySelector("[data-quiet]")?.remove();
    const log = $("#chat-log");
    const atEnd = log.scrollTop + log.clientHeight >= log.scrollHeight - 40;
    const who = element("b", {}, line.host ? line.user.handle : called(line.user.handle));
    const role = line.host
      ? element("span", { class: "chat-host", title: "The house’s host, an AI" }, "AI host")
      : line.staff
        ? element("span", { class: "chat-staff" }, "of the house ")
        : null;
    this.#list.append(element("li", { "data-line": line.id, class: line.host ? "is-host" : "" }, who, role, line.text, " ", stamp(line.created_at, "time")));
    while (this.#list.children.length > SHOWN_MAX) this.#list.firstElementChild.remove();
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  async #say(field) {
    const text = field.value.trim();
    if (!text) return;
    const note = $("#chat-note");
    note.hidden = true;
    try {
      const made = await ask(this.#path, { method: "POST", body: { text } });
      field.value = "";
      this.#show(made);
    } catch (error) {
      note.hidden = false;
      write(note, error instanceof Problem ? error.message : "The house did not answer. Your words are still in the field.");
    }
  }
}
