// Being told by this browser itself, even with no page open.

import { ask } from "./api.js";
import { $, write } from "./dom.js";

const bytes = (text) => {
  const plain = text.replaceAll("-", "+").replaceAll("_", "/");
  return Uint8Array.from(atob(plain), (character) => character.charCodeAt(0));
};

/** Bring the button to life where the browser can be pushed to. */
export async function offerPush(say) {
  const button = $("#push");
  if (!button || !("serviceWorker" in navigator) || !("PushManager" in window) || !isSecureContext) return;
  const worker = await navigator.serviceWorker.ready;
  let subscription = await worker.pushManager.getSubscription();
  const name = () => write(button, subscription ? "Stop telling me in this browser" : "Tell me in this browser too");
  name();
  button.hidden = false;
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      if (subscription) {
        await ask(`/api/v1/me/push-subscriptions?endpoint=${encodeURIComponent(subscription.endpoint)}`, { method: "DELETE" });
        await subscription.unsubscribe();
        subscription = null;
      } else if ((await Notification.requestPermission()) === "granted") {
        const { public_key: key } = await ask("/api/v1/me/push-key");
        subscription = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(key) });
        const { endpoint, keys } = subscription.toJSON();
        await ask("/api/v1/me/push-subscriptions", { method: "POST", body: { endpoint, keys } });
      }
      name();
    } catch (error) {
      say(error);
    } finally {
      button.disabled = false;
    }
  });
}
