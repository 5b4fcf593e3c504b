// What did not work, said at the top of a person's own pages.

import { NoAnswer, Problem } from "./api.js";
import { $, element } from "./dom.js";

const fault = $("#fault");

/** Say it, and bring it into view; null takes it away. A refusal for want of a fresh sign-in leads to one. */
export function say(error) {
  fault.hidden = error === null;
  if (error === null) return;
  const told = error instanceof Problem || error instanceof NoAnswer || error.constructor === Error;
  fault.replaceChildren(told ? error.message : "That did not work. Try again.");
  if (error.body?.sign_in_again) fault.append(" ", element("a", { href: "/sign-in?next=/me" }, "Sign in again"));
  fault.scrollIntoView({ block: "nearest" });
}
