// Asks the browser for a passkey where a page has a place for one: to sign in, to show once more who it is, or to add one.
"use strict";

async function post(path, body, csrf) {
  const headers = { "Content-Type": "application/json", "Accept": "application/json" };
  if (csrf) headers["X-CSRF-Token"] = csrf;
  const response = await fetch("/api/v1/session" + path, { method: "POST", headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.detail || response.statusText);
  return answer;
}

const acts = {
  async "sign-in"() {
    const { ticket, options } = await post("/passkey/challenge", {});
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    const credential = await navigator.credentials.get({ publicKey });
    await post("/passkey", { ticket, credential: credential.toJSON() });
  },
  async verify(place) {
    const { ticket, options } = await post("/passkey/challenge", {});
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey);
    const credential = await navigator.credentials.get({ publicKey });
    await post("/passkey/verify", { ticket, credential: credential.toJSON() }, place.dataset.csrf);
  },
  async add(place) {
    const csrf = place.dataset.csrf;
    const { ticket, options } = await post("/passkeys/challenge", {}, csrf);
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options.publicKey);
    const credential = await navigator.credentials.create({ publicKey });
    const label = place.querySelector("input").value || "passkey";
    const { recovery_codes } = await post("/passkeys", { ticket, label, credential: credential.toJSON() }, csrf);
    if (!recovery_codes) return;
    const codes = place.querySelector(".codes");
    codes.querySelector("pre").textContent = recovery_codes.join("\n");
    codes.hidden = false;
    return "stay";
  },
};

for (const place of document.querySelectorAll("[data-passkey]")) {
  if (!window.PublicKeyCredential || !PublicKeyCredential.parseRequestOptionsFromJSON) break;
  const wrong = place.querySelector(".wrong");
  place.hidden = false;
  place.querySelector("button").addEventListener("click", async () => {
    wrong.hidden = true;
    try {
      const outcome = await acts[place.dataset.passkey](place);
      if (outcome !== "stay") location.assign(place.dataset.next);
    } catch (error) {
      wrong.textContent = error.name === "NotAllowedError" ? "Nothing was shown, or it took too long." : error.message;
      wrong.hidden = false;
    }
  });
}
