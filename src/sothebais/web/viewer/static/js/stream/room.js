// The live picture in the room: it takes the still's place while there is a broadcast.

import { $, write } from "../dom.js";
import { address, OnAir } from "./onair.js";
import { Player } from "./player.js";

/** `given.on_air` is what the server knew when it made the page. */
export function picture(given) {
  const stage = $("#stage");
  const note = $("#stage-note");
  let player = null;
  let opening = false;

  async function open() {
    if (player) {
      player.revive();
      return;
    }
    if (opening) return;
    opening = true;
    const url = given.url ?? (await address());
    opening = false;
    if (!url || player) return;
    player = new Player(stage, url);
    note.hidden = false;
    $("[data-sound-on]").addEventListener("click", () => player?.unmute());
    onAir.watch();
  }

  const onAir = new OnAir(null, {
    onAir: (running) => (running ? open() : player?.end()),
    onWatching(count) {
      const place = $("[data-watching]");
      place.hidden = count < 1;
      write(place, `${count.toLocaleString("en-GB")} watching`);
    },
    onSpeech: (speech) => player?.hear(speech),
  });
  if (given.on_air) open();
  addEventListener("pagehide", () => {
    player?.close();
    player = null;
  });
  return { hear: (message) => onAir.hear(message), time: (server) => player?.time(server) };
}
