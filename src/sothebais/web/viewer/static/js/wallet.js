// Wallets in the browser (EIP-1193) and the sentence they sign (EIP-4361).

import { ask } from "./api.js";

export const hasWallet = () => typeof window.ethereum?.request === "function";

/** Have the wallet sign the house's sentence; what the house takes as proof. */
export async function proveWallet(statement) {
  const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
  const chain = Number(await window.ethereum.request({ method: "eth_chainId" }));
  const asked = await ask("/api/v1/auth/nonce", { method: "POST" });
  // a wallet may be on a network the house does not know; signing needs none
  const chainId = asked.chain_ids.includes(chain) ? chain : asked.chain_ids[0];
  const message = [
    `${asked.domain} wants you to sign in with your Ethereum account:`,
    address,
    "",
    statement,
    "",
    `URI: ${asked.uri}`,
    `Version: ${asked.version}`,
    `Chain ID: ${chainId}`,
    `Nonce: ${asked.nonce}`,
    `Issued At: ${asked.issued_at}`,
    `Expiration Time: ${asked.expires_at}`,
  ].join("\n");
  const hex = `0x${[...new TextEncoder().encode(message)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
  const signature = await window.ethereum.request({ method: "personal_sign", params: [hex, address] });
  return { message, signature, chain: "ethereum" };
}
