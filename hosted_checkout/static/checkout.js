/**
 * The checkout page in the browser: follows the state, talks to wallets, copies. Without it the page works as well.
 *
 * No library and no string sink: the page runs under Trusted Types with no policy. New content is fetched as a parsed
 * document and moved in node by node, so focus, open questions and the one live region stay where they are.
 * Wallets: https://github.com/wallet-standard/wallet-standard; what a wallet returns is a hint until the chain shows it.
 */
const FAST_MS = 1500; // while somebody waits in front of the page
const SLOW_MS = 4000; // after FAST_FOR_MS without any news
const HIDDEN_MS = 15000;
const FAST_FOR_MS = 120000;
const TRIES = 3; // for a request that may be repeated
const ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";

const root = document.documentElement;
const main = document.getElementById("checkout");
const byId = (id) => document.getElementById(id);
const language = `lang=${root.lang}`;
const address = (part) => `${main.dataset.path}${part}?${language}`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const kebab = (name) => name.replaceAll("_", "-");
const say = (name) => main.getAttribute(`data-say-${kebab(name)}`);

/* --- status: the server's word, and for moments the browser's own -------------------------------------------- */

let server = { ...readStatus(), title: document.title };
let local = null;

function readStatus() {
  const { state, tone } = byId("status").dataset;
  return { state, tone, sentence: byId("sentence").textContent };
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // an unchanged sentence is not read out again
}

function draw() {
  const shown = local ?? server;
  const region = byId("status");
  region.dataset.tone = shown.tone;
  region.dataset.state = shown.state;
  setText(byId("sentence"), shown.sentence);
  byId("detail").hidden = local !== null;
  document.title = local ? local.sentence : server.title;
  byId("icon").href = main.getAttribute(`data-icon-${shown.tone}`);
  for (const button of document.querySelectorAll(".wallet")) {
    if (isPaying) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
  byId("gift").inert = isPaying; // another answer would change the price under the wallet's hands
}

function showLocal(state, sentence) {
  const [tone, words] = (say(state) ?? say("failed")).split(/\|(.*)/s);
  local = { state, tone, sentence: sentence ?? words };
  setText(byId("note"), "");
  draw();
}

function clearLocal(...states) {
  if (local && (!states.length || states.includes(local.state))) {
    local = null;
    draw();
  }
}

let noteTimer = 0;

function note(text) {
  clearTimeout(noteTimer);
  setText(byId("note"), text);
  noteTimer = setTimeout(() => setText(byId("note"), ""), 6000);
}

/* --- following the server ------------------------------------------------------------------------------------ */

let etag = "";
let fingerprint = main.dataset.fingerprint;
let newsAt = Date.now();
let failures = 0;
let timer = 0;
let isOver = main.dataset.final === "true";
const drawn = new Map(partsOf(document).map((part) => [part.id, part.innerHTML]));

function partsOf(page) {
  return [...page.querySelectorAll("[data-part]")];
}

function schedule(ms) {
  clearTimeout(timer);
  if (!isOver) timer = setTimeout(poll, ms * (0.8 + Math.random() * 0.4));
}

function pause() {
  if (document.hidden) return HIDDEN_MS;
  return Date.now() - newsAt < FAST_FOR_MS ? FAST_MS : SLOW_MS;
}

async function poll() {
  let wait = 0;
  try {
    const headers = etag ? { "If-None-Match": etag } : {};
    const answer = await fetch(address("/status"), { headers, cache: "no-store" });
    if (answer.status === 200) await take(answer);
    else if (answer.status === 429 || answer.status >= 500) wait = 1000 * Number(answer.headers.get("Retry-After") ?? 5);
    else if (answer.status !== 304) isOver = true;
    failures = 0;
    clearLocal("offline");
  } catch {
    failures += 1;
    if (failures > 1 || !navigator.onLine) showOffline();
  }
  schedule(Math.max(pause(), wait || 0));
}

function showOffline() {
  if (!isPaying && local?.state !== "offline") showLocal("offline");
}

async function take(answer) {
  const news = await answer.json();
  const hasMoved = news.state !== server.state;
  if (news.fingerprint !== fingerprint) await swapParts(); // throws when offline: then nothing counts as seen
  etag = answer.headers.get("ETag") ?? "";
  fingerprint = news.fingerprint;
  server = news;
  isOver = news.final;
  if (hasMoved) {
    newsAt = Date.now();
    setText(byId("note"), ""); // what was said of the state before
  }
  if (hasMoved && !isPaying) local = null;
  draw();
}

function fetchPage() {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // parses without a string sink, unlike fetch with DOMParser
    request.open("GET", address(""));
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(new Error()));
    request.onerror = request.ontimeout = () => reject(new Error("offline"));
    request.send();
  });
}

async function swapParts() {
  const fresh = await fetchPage();
  const focused = document.activeElement?.id;
  for (const part of partsOf(fresh)) {
    if (drawn.get(part.id) === part.innerHTML) continue;
    drawn.set(part.id, part.innerHTML);
    const old = byId(part.id);
    const open = [...old.querySelectorAll("details[open]")].map((details) => details.id);
    const next = document.importNode(part, true);
    for (const details of next.querySelectorAll("details")) details.open = open.includes(details.id);
    old.replaceWith(next);
  }
  setText(document.querySelector(".amount-label"), fresh.querySelector(".amount-label").textContent);
  drawWallets();
  startClock();
  // A focused control that is gone hands its focus to the status, where the news stands.
  if (focused && document.activeElement?.id !== focused) focusOn(byId(focused) ?? byId("status"));
}

function focusOn(node) {
  if (!node.matches("a, button, summary")) node.tabIndex = -1;
  node.focus({ preventScroll: true });
}

/* --- deadline ------------------------------------------------------------------------------------------------ */

const NEAR_S = 180;
const ANNOUNCED = new Map([[120, "two-minutes"], [30, "half-minute"]]);
let clockTimer = 0;
let announced = Infinity; // seconds left when the clock last spoke or looked

function startClock() {
  clearInterval(clockTimer);
  const box = document.querySelector(".deadline");
  if (!box) return;
  const skew = Number(box.dataset.now) - Date.now(); // the server's clock decides
  const tick = () => {
    const left = Math.max(0, Math.round((Number(box.dataset.ends) - Date.now() - skew) / 1000));
    box.hidden = left > NEAR_S;
    box.querySelector(".clock").textContent = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}`;
    for (const [at, name] of ANNOUNCED) if (announced > at && left <= at && announced !== Infinity) note(say(name));
    announced = left;
    if (left === 0) {
      clearInterval(clockTimer);
      schedule(1000);
    }
  };
  tick();
  clockTimer = setInterval(tick, 1000);
}

/* --- wallets ------------------------------------------------------------------------------------------------- */

const wallets = new Map();
let isPaying = false;

function register(...found) {
  for (const wallet of found) if (isSolana(wallet)) wallets.set(wallet.name, standardWallet(wallet));
  drawWallets();
  return () => found.forEach((wallet) => wallets.delete(wallet.name) && drawWallets());
}

function isSolana(wallet) {
  const features = wallet.features ?? {};
  const canPay = "solana:signTransaction" in features || "solana:signAndSendTransaction" in features;
  return canPay && "standard:connect" in features && wallet.chains.some((chain) => chain.startsWith("solana:"));
}

function standardWallet(wallet) {
  const feature = (name) => wallet.features[`solana:${name}`];
  let account;
  const ask = (name, bytes, chain) => {
    const input = { account, transaction: bytes };
    // A wallet that has never heard of the local chain can still sign for it.
    if (wallet.chains.includes(chain)) input.chain = chain;
    return feature(name)[name](input);
  };
  return {
    name: wallet.name,
    icon: wallet.icon,
    canSend: Boolean(feature("signAndSendTransaction")),
    canSign: Boolean(feature("signTransaction")),
    readsVersions: Object.values(wallet.features).some((one) => one?.supportedTransactionVersions?.includes(0)),
    async connect() {
      const { accounts } = await wallet.features["standard:connect"].connect();
      account = accounts.find((one) => one.chains.some((chain) => chain.startsWith("solana:")));
      if (!account) throw Object.assign(new Error("no account"), { code: 4100 });
      return account.address;
    },
    send: async (bytes, chain) => base58((await ask("signAndSendTransaction", bytes, chain))[0].signature),
    sign: async (bytes, chain) => base64((await ask("signTransaction", bytes, chain))[0].signedTransaction),
  };
}

/** The provider of Phantom versions older than Wallet Standard, by its documented request() form. */
function legacyWallet(provider) {
  return {
    name: "Phantom",
    canSend: true,
    canSign: false,
    readsVersions: true,
    connect: async () => String((await provider.connect()).publicKey),
    send: async (bytes) =>
      (await provider.request({ method: "signAndSendTransaction", params: { message: base58(bytes) } })).signature,
  };
}

function offered(chain) {
  const isLocal = chain === "solana:localnet";
  const found = [...wallets.values()].filter((wallet) => wallet.canSign || (wallet.canSend && !isLocal));
  const legacy = window.phantom?.solana;
  return !found.length && !isLocal && legacy?.isPhantom ? [legacyWallet(legacy)] : found;
}

function drawWallets() {
  const box = byId("wallets");
  if (!box) return;
  const buttons = offered(box.dataset.chain).map((wallet) => walletButton(wallet, box.dataset));
  const none = document.createElement("p");
  none.className = "hint desk-only";
  none.textContent = box.dataset.none;
  const focused = document.activeElement?.id;
  box.replaceChildren(...(buttons.length ? buttons : [none]));
  if (focused?.startsWith("wallet-")) byId(focused)?.focus();
  draw();
}

function walletButton(wallet, { label, chain }) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "wallet";
  button.id = `wallet-${wallet.name}`;
  if (wallet.icon?.startsWith("data:image/")) {
    const icon = document.createElement("img");
    icon.src = wallet.icon;
    icon.alt = "";
    button.append(icon);
  }
  button.append(label.replace("{wallet}", wallet.name));
  button.addEventListener("click", () => pay(wallet, chain));
  return button;
}

async function pay(wallet, chain) {
  if (isPaying) return; // a second click changes nothing
  isPaying = true;
  showLocal("preparing");
  try {
    const account = await wallet.connect();
    const built = await post("build", { account, legacy: !wallet.readsVersions });
    showLocal("asking");
    await (usesSend(wallet, chain) ? sendBy(wallet, built) : signBy(wallet, built));
    isPaying = false;
    clearLocal();
    newsAt = Date.now();
    schedule(0);
  } catch (error) {
    isPaying = false;
    if (error.sentence) showLocal("failed", error.sentence);
    else showLocal(errorState(error));
  }
  draw();
}

/** On a real cluster the wallet sends by itself, as its makers advise; on the local chain only we know the way. */
function usesSend(wallet, chain) {
  return wallet.canSend && (chain !== "solana:localnet" || !wallet.canSign);
}

async function sendBy(wallet, built) {
  let signature;
  try {
    signature = await wallet.send(bytesOf(built.payload), built.chain);
  } catch (error) {
    // Only a wallet that lacks the method has certainly sent nothing; any other error may come after the money left.
    if (wallet.canSign && (error.code === -32601 || error.code === 4200)) return signBy(wallet, built);
    throw error;
  }
  showLocal("sent");
  return post("hint", { signature }).catch(() => null); // the chain tells the server too
}

async function signBy(wallet, built) {
  const payload = await wallet.sign(bytesOf(built.payload), built.chain);
  showLocal("sent");
  return post("submit", { payload });
}

function errorState(error) {
  if (error.code === 4001 || /reject|cancel|denied|declined/i.test(error.message ?? "")) return "rejected";
  return { 4100: "unauthorized", 4900: "wrong_network", "-32002": "busy" }[error.code] ?? "failed";
}

/** Post to a wallet route. The same request may be sent again: building moves nothing, equal bytes land once. */
async function post(route, body) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  for (let turn = 1; ; turn += 1) {
    try {
      const answer = await fetch(address(`/wallet/${route}`), options);
      if (answer.ok) return answer.status === 204 ? {} : await answer.json();
      throw Object.assign(new Error(route), { sentence: (await answer.json()).message });
    } catch (error) {
      if (error.sentence) throw error;
      if (turn === TRIES) throw Object.assign(error, { sentence: say("offline").split(/\|(.*)/s)[1] });
      await sleep(turn * 1000);
    }
  }
}

const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const base64 = (bytes) => btoa(String.fromCharCode(...bytes));

function base58(bytes) {
  let number = bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  let text = "";
  for (; number > 0n; number /= 58n) text = ALPHABET[Number(number % 58n)] + text;
  for (const byte of bytes) {
    if (byte !== 0) break;
    text = `1${text}`;
  }
  return text;
}

/* --- start --------------------------------------------------------------------------------------------------- */

root.classList.add("js");

const answers = new WeakMap();

/** Say on the button as well that it copied: on a phone the status is out of sight. */
function answerAt(button) {
  button.dataset.label ??= button.textContent;
  setText(button, button.dataset.copied);
  clearTimeout(answers.get(button));
  answers.set(button, setTimeout(() => setText(button, button.dataset.label), 2500));
}

document.addEventListener("click", async ({ target }) => {
  const button = target.closest?.("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    note(button.dataset.copied);
    answerAt(button);
  } catch {
    note(say("copy-failed"));
  }
});

document.addEventListener("submit", (event) => {
  if (event.target.dataset.sent) event.preventDefault(); // a double click submits once
  else if ("leaves" in (event.submitter?.dataset ?? {})) showLocal("leaving"); // a provider may take a moment
  event.target.dataset.sent = "yes";
});

// A problem was told once; a reload must not tell it again.
if (location.search.includes("problem=")) history.replaceState(null, "", address(""));

addEventListener("pageshow", (event) => event.persisted && location.reload()); // a page from the cache is out of date
addEventListener("offline", showOffline);
addEventListener("online", () => schedule(0));
document.addEventListener("visibilitychange", () => !document.hidden && schedule(0));

addEventListener("wallet-standard:register-wallet", ({ detail }) => detail({ register }));
drawWallets();
startClock();
schedule(FAST_MS);
// Wallets answer at once, within this call: everything above must stand before it.
dispatchEvent(new CustomEvent("wallet-standard:app-ready", { detail: { register } }));
