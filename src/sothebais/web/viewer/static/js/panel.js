// The bid panel: price, time, where you stand, the form. Everything shown comes from the house.

import { NoAnswer, Problem } from "./api.js";
import { placeBid, Receipts, save } from "./bid.js";
import { $, $$, element, write } from "./dom.js";
import { called } from "./history.js";
import { cash, compare, increment, payable, plus, shown, text, understood, units } from "./money.js";
import { rollTo } from "./roll.js";
import { isOver, takesBids } from "./store.js";

const REASONS = {
  ALREADY_LEADING: "You lead already. Name a higher maximum to raise it.",
  PAUSED: "The lot is paused; bids count again when it goes on.",
  ENDED: "The lot had ended when your bid arrived.",
  NOT_STARTED: "Bidding has not opened yet.",
  CANCELLED: "The lot was withdrawn.",
  BLOCKED: "This account may not bid. Ask the house.",
  SELLER: "This is your own piece.",
  WALLET_REQUIRED: "This lot asks for a linked wallet. Link one on your page.",
  DEPOSIT_REQUIRED: "This lot asks for a deposit first.",
};

export class Panel {
  #store;
  #me;
  #hasBid;
  #form = $("#bid");
  #amount = $("#amount");
  #maximum = $("#max-amount");
  #button = $("[data-bid-button]");
  #barButton = $("[data-bar-button]");
  #receipts;
  #touched = false;
  #busy = false;
  /** What the last bid came to, until the lot moves on. */
  #notice = null;
  /** A bid whose answer never came; the same key makes asking again safe. */
  #unanswered = null;
  #unfolded = false;
  #announce;

  constructor(store, { me, hasBid, announce }) {
    this.#store = store;
    this.#me = me;
    this.#hasBid = hasBid;
    this.#announce = announce;
    this.#receipts = new Receipts(store.lot.id);
    this.#listen();
    this.#showReceipts();
    this.render(store.lot, null);
    store.listen((lot, before) => this.render(lot, before));
  }

  get leads() {
    return this.#me !== null && this.#store.lot.leader?.id === this.#me.id;
  }

  #listen() {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#amount.addEventListener("input", () => {
      this.#touched = true;
      this.#renderForm();
    });
    this.#maximum.addEventListener("input", () => this.#renderForm());
    this.#amount.addEventListener("keydown", (event) => {
      const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
      if (!way) return;
      event.preventDefault();
      this.#step(way);
    });
    for (const button of $$("[data-step]")) button.addEventListener("click", () => this.#step(Number(button.dataset.step)));
    this.#barButton?.addEventListener("click", () => this.#submit());
    // one button at a time: the bar leaves while the form's own is in view
    new IntersectionObserver(([seen]) => $("#bar").classList.toggle("is-needless", seen.isIntersecting), { rootMargin: "0px 0px -24px" }).observe(this.#button);
    $("[data-buy-now]").addEventListener("click", () => this.#buyNow());
  }

  render(lot, before) {
    if (before && (lot.price !== before.price || lot.leader?.id !== before.leader?.id)) this.#notice = null;
    if (before && lot.status !== before.status) this.#notice = null;
    rollTo($("[data-price]"), lot.price ?? lot.starting_price, lot.currency, { still: before === null });
    write($("[data-price-label]"), lot.bidder_count !== null ? "Starting price, sealed bids" : lot.price ? (isOver(lot) && lot.outcome === "SOLD" ? "Sold for" : "Current bid") : "Starting price");
    write($("[data-leader]"), this.#leaderLine(lot));
    const reserve = $("[data-reserve]");
    reserve.hidden = !lot.has_reserve;
    write(reserve, lot.reserve_met ? "Reserve met" : "Reserve not met yet");
    reserve.toggleAttribute("data-met", lot.reserve_met);
    write($("[data-price-small]"), cash(lot.price ?? lot.starting_price, lot.currency));
    write($("[data-leader-small]"), lot.leader ? (this.leads ? "You lead" : `${called(lot.leader.handle)} leads`) : "");
    this.#renderStatus(lot, before);
    this.#renderForm();
  }

  #leaderLine(lot) {
    const bids = lot.bid_count === 1 ? "1 bid" : `${lot.bid_count} bids`;
    if (lot.bidder_count !== null) return lot.bidder_count === 1 ? "1 bidder" : `${lot.bidder_count} bidders`;
    if (!lot.leader) return "Nobody leads yet";
    return `${called(lot.leader.handle)} ${isOver(lot) ? (lot.outcome === "SOLD" ? "won" : "led") : "leads"}, ${bids}`;
  }

  /** Where you stand, in one sentence and a tone. */
  #standing(lot) {
    const next = lot.next_valid_amount;
    const leader = lot.leader ? called(lot.leader.handle) : null;
    if (lot.status === "CANCELLED") return ["plain", "This lot was withdrawn."];
    if (isOver(lot)) {
      if (lot.outcome === "SOLD") return this.leads ? ["lead", `Sold to you for ${cash(lot.price, lot.currency)}.`] : ["plain", `Sold to ${leader} for ${cash(lot.price, lot.currency)}.`];
      return ["plain", lot.bid_count ? "Passed. The reserve was not met." : "Passed. Nobody bid."];
    }
    if (lot.status === "SCHEDULED") return ["plain", "Bidding has not opened yet."];
    if (lot.status === "PAUSED") return ["plain", this.leads ? "Paused. You lead; the remaining time stands still." : "Paused. The remaining time stands still."];
    if (lot.status === "CLOSING" && this.leads) return ["lead", "Fair warning. You lead."];
    if (this.leads) return ["lead", `You lead at ${cash(lot.price, lot.currency)}.`];
    if (lot.bidder_count !== null) return ["plain", this.#hasBid ? "Your sealed bid stands. A later one replaces it." : "Sealed bids: nobody sees them before the end."];
    if (lot.status === "CLOSING") return ["urgent", "Fair warning. Only bids made in time still count."];
    if (leader && this.#hasBid) return ["outbid", `Outbid by ${leader}: ${cash(next, lot.currency)} to lead.`];
    if (leader) return ["plain", `${leader} leads: ${cash(next, lot.currency)} to lead.`];
    return ["plain", `${cash(next, lot.currency)} opens the bidding.`];
  }

  #renderStatus(lot, before) {
    const [tone, words] = this.#busy ? ["busy", this.#busy] : (this.#notice ?? this.#standing(lot));
    const status = $("#status");
    status.dataset.tone = tone;
    write($("[data-status-words]"), words);
    if (before && before.leader?.id === this.#me?.id && this.#me && !this.leads && !isOver(lot)) status.animate?.([{ transform: "translateX(-4px)" }, { transform: "none" }], { duration: 180, easing: "ease-out" });
  }

  #renderForm() {
    const { lot } = { lot: this.#store.lot };
    const open = takesBids(lot) && this.#me !== null;
    this.#form.hidden = !open;
    const signIn = $("#panel-sign-in");
    if (signIn) signIn.hidden = isOver(lot);
    this.#renderBar(lot, open);
    if (!open) return;
    // a field the person has changed is theirs
    if (!this.#touched && document.activeElement !== this.#maximum) this.#prefill(lot);
    const slip = this.#slip();
    const hint = $("[data-hint]");
    hint.hidden = !slip.fault;
    write(hint, slip.fault ?? "");
    this.#amount.setAttribute("aria-invalid", String(Boolean(slip.fault)));
    for (const part of $$("[data-amount-part]")) part.hidden = this.leads;
    const nothing = !slip.amount && !slip.max_amount;
    this.#button.disabled = Boolean(this.#busy) || Boolean(slip.fault) || (nothing && !this.#unanswered);
    if (this.#barButton) this.#barButton.disabled = this.#button.disabled;
    const words = this.#unanswered ? "Ask again about this bid" : this.#buttonWords(lot, slip);
    write(this.#button, words);
    if (this.#barButton) write(this.#barButton, nothing && this.leads ? "You lead" : slip.amount ? `Bid ${cash(slip.amount, lot.currency)}` : "Raise maximum");
    const sum = slip.max_amount ?? slip.amount;
    const total = $("[data-total]");
    if (slip.fault || !sum) write(total, "");
    else {
      const most = slip.max_amount ? "at most " : "";
      const premium = lot.premium_percent !== "0" ? `, with ${lot.premium_percent} % premium` : lot.fee !== "0" ? ", with the fee" : "";
      write(total, `${most}${cash(payable(sum, lot), lot.currency)} in all${premium}`);
    }
    const buy = $("[data-buy-now]");
    buy.hidden = !lot.buy_now_on_offer;
    if (lot.buy_now_on_offer) write(buy, `Buy now for ${cash(lot.buy_now, lot.currency)}`);
  }

  #renderBar(lot, open) {
    const bar = $("#bar");
    bar.hidden = isOver(lot);
    document.body.classList.toggle("has-bar", !bar.hidden);
    if (this.#barButton) this.#barButton.hidden = !open;
  }

  #prefill(lot) {
    // a leader can only raise the maximum
    const value = this.leads ? "" : (lot.next_valid_amount ?? "");
    if (this.#amount.value !== value) this.#amount.value = value;
    this.#unfold();
  }

  /** A leader can only raise the maximum, so its field is opened for them, and folded again when they are outbid. */
  #unfold() {
    const fold = $("#maximum");
    if (this.leads && !fold.open) {
      fold.open = this.#unfolded = true;
    } else if (!this.leads && this.#unfolded) {
      this.#unfolded = false;
      if (!this.#maximum.value) fold.open = false;
    }
  }

  #buttonWords(lot, slip) {
    if (slip.amount && slip.max_amount) return `Bid ${cash(slip.amount, lot.currency)}, up to ${cash(slip.max_amount, lot.currency)}`;
    if (slip.max_amount) return this.leads ? `Raise my maximum to ${cash(slip.max_amount, lot.currency)}` : `Bid up to ${cash(slip.max_amount, lot.currency)}`;
    if (slip.amount) return `Bid ${cash(slip.amount, lot.currency)}`;
    return this.leads ? "You lead" : "Bid";
  }

  /** What the fields say: amounts, or what is wrong with them. */
  #slip() {
    const lot = this.#store.lot;
    const typed = this.#amount.value.trim();
    const typedMaximum = this.#maximum.value.trim();
    const amount = typed ? understood(typed) : null;
    const maximum = typedMaximum ? understood(typedMaximum) : null;
    if (typed && !amount) return { fault: "Write an amount such as 1.25." };
    if (typedMaximum && !maximum) return { fault: "Write a maximum such as 2.5." };
    for (const value of [amount, maximum]) {
      if (value && (value.split(".")[1]?.length ?? 0) > lot.decimals) return { fault: `${lot.currency} has ${lot.decimals} decimals.` };
    }
    if (!amount && !maximum) return this.leads ? { fault: null } : { fault: this.#touched ? "Write an amount." : null };
    const least = lot.next_valid_amount;
    if (amount && least && compare(amount, least) < 0 && !this.leads) return { fault: `${cash(least, lot.currency)} is the least that counts now.` };
    if (amount && maximum && compare(maximum, amount) < 0) return { fault: "The maximum is below the bid." };
    if (!amount && maximum && least && compare(maximum, least) < 0 && !this.leads) return { fault: `${cash(least, lot.currency)} is the least that counts now.` };
    return { amount, max_amount: maximum, fault: null };
  }

  #step(way) {
    const lot = this.#store.lot;
    const least = lot.next_valid_amount ?? lot.starting_price;
    const now = understood(this.#amount.value) ?? least;
    let next;
    if (way > 0) next = plus(now, increment(now, lot));
    else {
      const lower = units(now) - units(increment(now, lot));
      next = lower > 0n ? text(lower) : least;
    }
    if (compare(next, least) < 0) next = least;
    this.#amount.value = next;
    this.#touched = next !== least;
    this.#renderForm();
  }

  async #buyNow() {
    const lot = this.#store.lot;
    const sure = await this.#confirm(`You buy the piece at once for ${cash(lot.buy_now, lot.currency)}, ${cash(payable(lot.buy_now, lot), lot.currency)} in all.`, `Buy for ${cash(lot.buy_now, lot.currency)}`, "Buy it now?");
    if (sure) await this.#send({ amount: lot.buy_now, currency: lot.currency });
  }

  async #submit() {
    if (this.#busy || this.#form.hidden) return;
    if (this.#unanswered) {
      await this.#send(this.#unanswered.slip, this.#unanswered.key);
      return;
    }
    const { amount, max_amount: maximum, fault } = this.#slip();
    if (fault || (!amount && !maximum)) {
      this.#amount.focus();
      this.#renderForm();
      return;
    }
    const slip = { currency: this.#store.lot.currency };
    // with a maximum and an untouched field the house itself offers the least that counts, even if the price has moved
    if (amount && (this.#touched || !maximum)) slip.amount = amount;
    if (maximum) slip.max_amount = maximum;
    await this.#send(slip);
  }

  async #send(slip, key = undefined) {
    this.#busy = "Handing your bid to the house.";
    this.#notice = null;
    this.render(this.#store.lot, this.#store.lot);
    try {
      const answer = await placeBid(this.#store.lot.id, slip, {
        key,
        onWait: () => {
          this.#busy = "No answer yet. Asking again with the same slip: it counts once.";
          this.#renderStatus(this.#store.lot, null);
        },
      });
      this.#accepted(answer);
    } catch (error) {
      await this.#failed(error, slip);
    }
  }

  #accepted(answer) {
    this.#busy = false;
    this.#unanswered = null;
    this.#hasBid = true;
    this.#touched = false;
    this.#maximum.value = "";
    this.#receipts.keep(answer.receipt);
    this.#showReceipts();
    this.#store.adopt(answer.auction);
    const lot = this.#store.lot;
    if (answer.bid.status !== "WINNING" && lot.bidder_count === null && !this.leads && lot.leader) {
      this.#notice = ["outbid", `Your bid counts, and ${called(lot.leader.handle)}’s maximum beat it at once: ${cash(lot.next_valid_amount, lot.currency)} to lead.`];
    }
    this.render(lot, lot);
    this.#announce(`Your bid is accepted. ${$("#status").textContent}`);
  }

  async #failed(error, slip) {
    this.#busy = false;
    this.#unanswered = null;
    const { lot } = this.#store;
    if (error instanceof NoAnswer) {
      this.#unanswered = error.cause?.key ? error.cause : null;
      this.#notice = ["refused", "The house has not answered. Ask again: the same bid cannot count twice."];
    } else if (error.status === 401) {
      location.assign(`/sign-in?next=${encodeURIComponent(location.pathname)}`);
      return;
    } else if (error.body.reason === "CONFIRMATION_REQUIRED") {
      const named = slip.max_amount ?? slip.amount;
      this.#notice = ["plain", "Not bid yet: the house asks first."];
      this.render(lot, lot);
      const sure = await this.#confirm(`You wrote ${cash(named, lot.currency)}. The next valid bid is ${cash(error.body.next_valid_amount ?? lot.next_valid_amount, lot.currency)}.`, `Bid ${cash(named, lot.currency)}`, "That is a large bid.");
      if (sure) {
        await this.#send({ ...slip, confirm: true });
        return;
      }
      this.#notice = ["plain", "Nothing was bid. Change the amount as you like."];
      this.#amount.focus();
    } else if (error.body.reason === "BELOW_MINIMUM") {
      this.#touched = false;
      this.#notice = ["refused", `The price moved on: ${cash(error.body.next_valid_amount, lot.currency)} to lead now.`];
    } else if (error instanceof Problem) {
      this.#notice = ["refused", REASONS[error.body.reason] ?? error.message];
    } else throw error;
    this.render(this.#store.lot, this.#store.lot);
  }

  async #confirm(words, yes, title) {
    const dialog = $("#confirm");
    write($("#confirm-title"), title);
    write($("[data-confirm-words]"), words);
    write($("[data-confirm-yes]"), yes);
    dialog.returnValue = "no";
    dialog.showModal();
    await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
    return dialog.returnValue === "yes";
  }

  #showReceipts() {
    const place = $("#receipts");
    const kept = this.#receipts.all();
    place.hidden = kept.length === 0;
    if (!kept.length) return;
    const latest = kept[0];
    const button = element("button", { type: "button", class: "button button-text" }, "Save");
    button.addEventListener("click", () => save(latest, `receipt-${latest.auction}-${latest.n}.json`));
    place.replaceChildren(
      element(
        "div",
        { class: "receipt" },
        element("span", {}, `Receipt for entry ${latest.n}, signed by the house`),
        button,
        element("span", { class: "mono", title: latest.hash }, `${latest.hash.slice(0, 18)}…`),
      ),
    );
    if (kept.length > 1) place.append(element("p", { class: "note" }, `and ${kept.length - 1} earlier in this tab`));
  }
}

export const spoken = (lot) => `${shown(lot.price)} ${lot.currency}`;
