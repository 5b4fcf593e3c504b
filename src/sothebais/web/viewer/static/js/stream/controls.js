// What lies over the picture: its state in words, and the few things one can do to it.

import { $, element, write } from "../dom.js";
import { icon } from "./icons.js";

const IDLE_MS = 2_600;
/** Less than this is live for a person. */
const LIVE_MS = 1_500;
const VOLUME_STEP = 0.1;

const WORDS = {
  waiting: "The picture is off, because your browser spares data.",
  connecting: "The picture is on its way.",
  still: "The picture has stopped for a moment.",
  paused: "Paused. The sale goes on.",
  lost: "There is no picture just now. The sale goes on, and bids count as ever.",
  ended: "The broadcast is over.",
  impossible: "This browser cannot show the picture. The sale is all on this page.",
  playing: "",
};
const ACTIONS = { waiting: "Play the picture", lost: "Try again", paused: "Back to live" };

export class Controls {
  #stage;
  #does;
  #box;
  #words = element("span", {});
  #again = element("button", { type: "button", class: "picture-again", hidden: true });
  #message;
  #bar;
  #buttons = {};
  #slider;
  #lag = element("span", { class: "picture-lag" });
  #lagWords = element("span", {});
  #idle = null;
  #wishes = { sound: false, volume: 1, captions: false };

  constructor(stage, captions, does) {
    this.#stage = stage;
    this.#does = does;
    this.#again.addEventListener("click", () => (this.#stage.dataset.picture === "lost" ? does.again() : does.play()));
    this.#message = element("p", { class: "picture-message", role: "status" }, this.#words, this.#again);
    this.#bar = this.#makeBar();
    this.#box = element("div", { class: "picture" }, element("div", { class: "picture-screen" }), captions, this.#message, this.#bar);
    stage.append(this.#box);
    stage.tabIndex = 0;
    stage.setAttribute("role", "region");
    stage.setAttribute("aria-label", "The live picture");
    stage.setAttribute("aria-keyshortcuts", "Space M F C");
    stage.addEventListener("keydown", this.#press);
    for (const kind of ["pointermove", "pointerdown", "focusin"]) stage.addEventListener(kind, this.#stir);
    stage.addEventListener("pointerleave", this.#leave);
    document.addEventListener("fullscreenchange", this.#screen);
    this.#stir();
  }

  #makeBar() {
    const make = (name, picture, label, act) => {
      const button = element("button", { type: "button", class: `picture-button picture-${name}`, "aria-label": label, title: label }, icon(picture));
      button.addEventListener("click", act);
      this.#buttons[name] = button;
      return button;
    };
    const play = make("play", "pause", "Pause", () => this.#does.play());
    const sound = make("sound", "silent", "Sound on", () => this.#does.sound(!this.#wishes.sound, this.#wishes.volume || 1));
    sound.append(element("span", { class: "picture-sound-word" }, "Sound on"));
    this.#slider = element("input", { type: "range", class: "picture-volume", min: "0", max: "1", step: "0.05", "aria-label": "Volume", hidden: true });
    this.#slider.addEventListener("input", () => this.#does.sound(Number(this.#slider.value) > 0, Number(this.#slider.value)));
    this.#lag.append(element("i", { "aria-hidden": "true" }), this.#lagWords);
    const captions = make("captions", "captions", "Captions", () => this.#does.captions());
    const pip = make("pip", "pip", "Picture in picture", () => this.#try(this.#does.window()));
    pip.hidden = !document.pictureInPictureEnabled;
    const full = make("full", "full", "Full screen", () => this.#try(this.#does.screen()));
    return element("div", { class: "picture-bar", role: "group", "aria-label": "Controls of the picture" }, play, sound, this.#slider, this.#lag, captions, pip, full);
  }

  /** Browsers refuse windows and full screens for reasons of their own; the picture stays where it is. */
  #try(asked) {
    asked?.catch?.(() => {});
  }

  /** Take the element that shows the picture. */
  put(screen) {
    screen.setAttribute("aria-label", "Live picture of the sale");
    if (screen.tagName === "CANVAS") screen.setAttribute("role", "img");
    $(".picture-screen", this.#box).replaceChildren(screen);
  }

  state(state) {
    write(this.#words, WORDS[state]);
    this.#message.toggleAttribute("data-empty", WORDS[state] === "");
    this.#again.hidden = !(state in ACTIONS);
    write(this.#again, ACTIONS[state] ?? "");
    this.#bar.hidden = !["playing", "still", "paused"].includes(state);
    const stopped = state === "paused";
    this.#name("play", stopped ? "play" : "pause", stopped ? "Play" : "Pause");
  }

  show(wishes) {
    this.#wishes = { ...wishes };
    const { sound, volume, captions } = wishes;
    this.#name("sound", sound ? "sound" : "silent", sound ? "Sound off" : "Sound on");
    this.#buttons.sound.toggleAttribute("data-on", sound);
    this.#slider.hidden = !sound;
    this.#slider.value = String(volume);
    this.#buttons.captions.setAttribute("aria-pressed", String(captions));
  }

  /** How far behind the picture is; `vague` where the browser does not tell. */
  behind(ms, vague) {
    this.#lag.hidden = ms === null;
    if (ms === null) return;
    const live = ms < LIVE_MS;
    this.#lag.toggleAttribute("data-live", live);
    const seconds = Math.round(ms / 1000);
    write(this.#lagWords, live ? "Live" : vague ? "The picture is some seconds behind" : `The picture is behind by ${seconds} s`);
  }

  remove() {
    clearTimeout(this.#idle);
    document.removeEventListener("fullscreenchange", this.#screen);
    this.#stage.removeEventListener("keydown", this.#press);
    for (const kind of ["pointermove", "pointerdown", "focusin"]) this.#stage.removeEventListener(kind, this.#stir);
    this.#stage.removeEventListener("pointerleave", this.#leave);
    for (const name of ["tabindex", "role", "aria-label", "aria-keyshortcuts"]) this.#stage.removeAttribute(name);
    this.#box.remove();
  }

  #name(name, picture, label) {
    const button = this.#buttons[name];
    if (button.getAttribute("aria-label") === label) return;
    button.setAttribute("aria-label", label);
    button.title = label;
    button.querySelector("svg").replaceWith(icon(picture));
  }

  #press = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { sound, volume } = this.#wishes;
    const key = event.key.toLowerCase();
    const onButton = event.target !== this.#stage;
    const louder = { arrowup: VOLUME_STEP, arrowdown: -VOLUME_STEP }[key];
    if (key === " " && !onButton) this.#does.play();
    else if (key === "m") this.#does.sound(!sound, volume || 1);
    else if (key === "c") this.#does.captions();
    else if (key === "f") this.#try(this.#does.screen());
    else if (louder && !onButton && sound) this.#does.sound(true, Math.min(1, Math.max(0.05, volume + louder)));
    else return;
    event.preventDefault();
    this.#stir();
  };

  #stir = () => {
    this.#box.removeAttribute("data-idle");
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#box.setAttribute("data-idle", ""), IDLE_MS);
  };

  #leave = () => {
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#box.setAttribute("data-idle", ""), 600);
  };

  #screen = () => {
    const whole = document.fullscreenElement === this.#stage;
    this.#name("full", whole ? "small" : "full", whole ? "Leave full screen" : "Full screen");
  };
}
