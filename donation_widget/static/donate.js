/**
 * A campaign's form and thanks page in the browser: the fees of an amount while it is typed, the way to the payment in
 * another window, and the talk with the page around the frame. Without it both pages work as well.
 *
 * Amounts are BigInt in atomic units, by the rules of `amounts.py`; nothing here decides what is charged.
 */
const POLL_MS = 2000;
const SLOW_MS = 8000; // after FAST_FOR_MS, and while nobody looks
const FAST_FOR_MS = 180000;
const VERSION = 1; // of the messages to the page around
const BPS = 10000n;
const BREATH = 500; // hashes, some hundredths of a second

const root = document.documentElement;
const main = document.getElementById("donate");
const form = document.getElementById("give");
const byId = (id) => document.getElementById(id);

/* --- the page around the frame ------------------------------------------------------------------------------- */

const host = document.body.dataset.host; // the server has checked that this site may frame us

function tell(type, more = {}) {
  if (host && window.parent !== window) window.parent.postMessage({ v: VERSION, type: `streampay:${type}`, ...more }, host);
}

function watchHeight() {
  // The root's height never falls below the frame's own; the body's is that of what is in it.
  const say = () => tell("resize", { height: Math.ceil(document.body.getBoundingClientRect().height) });
  new ResizeObserver(say).observe(document.body);
  say();
}

/* --- amounts ------------------------------------------------------------------------------------------------- */

const DIGITS = "\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u06f0\u06f1\u06f2\u06f3\u06f4\u06f5\u06f6\u06f7\u06f8\u06f9";
const MAX_LENGTH = 40;

/** Return the atomic units of what was typed; null where the server would refuse it. */
function atomicOf(text, exponent) {
  const plain = text.replace(/[\s\u00a0\u202f']/g, "").replace(/[\u066b,]/g, ".");
  const digits = plain.replace(/[\u0660-\u0669\u06f0-\u06f9]/g, (one) => DIGITS.indexOf(one) % 10);
  const found = text.length > MAX_LENGTH ? null : /^(\d+)(?:\.(\d+))?$/.exec(digits);
  const decimals = found?.[2] ?? "";
  return found && decimals.length <= exponent ? BigInt(found[1] + decimals.padEnd(exponent, "0")) : null;
}

/** Return what covers the fees: all of the gift is left after `bps` of the whole and the fixed part; rounded up. */
function coverOf(gift, bps, fixed) {
  const [whole, share] = [(gift + fixed) * BPS, BPS - bps];
  return (whole + share - 1n) / share - gift;
}

/** Return an amount as people write it here, exact. */
function moneyText(atomic, { exponent, currency, fiat }) {
  const digits = String(atomic).padStart(Number(exponent) + 1, "0");
  const point = digits.length - Number(exponent);
  const major = Number(exponent) ? `${digits.slice(0, point)}.${digits.slice(point)}` : digits;
  const locale = root.lang === "ar" ? "ar-u-nu-latn" : root.lang;
  if (fiat === "true") return new Intl.NumberFormat(locale, { style: "currency", currency }).format(major);
  return `${new Intl.NumberFormat(locale, { maximumFractionDigits: Number(exponent) }).format(major)}\u00a0${currency}`;
}

function chosenAmount(data) {
  const preset = form.querySelector("[name=preset]:checked");
  const text = !preset || preset.value === "other" ? byId("amount").value : preset.value;
  const atomic = atomicOf(text, Number(data.exponent));
  return atomic !== null && atomic >= BigInt(data.least) && atomic <= BigInt(data.most) ? atomic : null;
}

function drawAmounts() {
  const data = form.dataset;
  const atomic = chosenAmount(data);
  const box = byId("covers_fees");
  const cover = atomic === null || !box ? null : coverOf(atomic, BigInt(data.bps), BigInt(data.fixed));
  if (byId("sum-other")) byId("sum-other").textContent = cover === null ? "" : `+\u2060${moneyText(cover, data)}`;
  drawValidity(atomic);
  const total = atomic === null ? null : atomic + (box?.checked ? cover : 0n);
  byId("send").textContent = total === null ? plainLabel : data.give.replace("{amount}", moneyText(total, data));
}

let plainLabel = "";

function startForm() {
  plainLabel = byId("send").textContent;
  form.addEventListener("input", ({ target }) => {
    if (target.id === "amount" && byId("preset-other")) byId("preset-other").checked = true;
    drawAmounts();
  });
  form.addEventListener("change", ({ target }) => {
    if (target.id === "preset-other") byId("amount").focus();
  });
  if (form.target) {
    form.addEventListener("submit", goOnElsewhere);
    byId("change").addEventListener("click", changeGift);
  }
  if (form.dataset.work) work(Number(form.dataset.work));
  form.noValidate = false; // what is missing is told before another window opens
  byId("send").addEventListener("click", drawAmounts); // a browser may have filled something in without a word
  byId("problems")?.focus();
  drawAmounts();
}

/**
 * Do the work that is asked for while the form is misused: find a number whose hash with the form's token begins with
 * so many zero bits, by the rules of `gateway/domain/giving_limits.py`; then send the form.
 */
async function work(bits) {
  const [token, text] = [form.elements.form.value, new TextEncoder()];
  for (let answer = 0; ; answer += 1) {
    const digest = await crypto.subtle.digest("SHA-256", text.encode(`${token}:${answer}`));
    if (answer % BREATH === 0) await new Promise((resolve) => setTimeout(resolve)); // the page shows what it waits for
    if (new DataView(digest).getUint32(0) >>> (32 - bits)) continue;
    byId("proof").value = answer;
    form.submit();
    return;
  }
}

/** Give the browser our sentences for what the server would refuse. */
function drawValidity(atomic) {
  const preset = form.querySelector("[name=preset]");
  const isOther = !preset || byId("preset-other").checked;
  byId("amount").setCustomValidity(isOther && atomic === null ? form.dataset.bounds : "");
  preset?.setCustomValidity(form.querySelector("[name=preset]:checked") ? "" : form.dataset.choose);
  const often = form.querySelector("[name=frequency]:checked, [type=hidden][name=frequency]")?.value ?? "once";
  const repeats = often !== "once";
  if (byId("repeat_email")) Object.assign(byId("repeat_email"), { required: repeats, disabled: !repeats });
  byId("email").disabled = repeats;
}

/* --- the payment in another window --------------------------------------------------------------------------- */

function goOnElsewhere() {
  tell("opened");
  if (form.hidden) return;
  // The browser sends the form when this turn is over; what is hidden then is sent all the same.
  showAway(true);
  const asked = main.dataset.formStatus;
  follow(asked, ({ page }) => {
    if (asked !== main.dataset.formStatus) return true; // the donor is at another form by now
    if (page) location.replace(page);
    return Boolean(page);
  });
}

function showAway(isAway) {
  form.hidden = isAway;
  byId("away").hidden = !isAway;
  byId("away-words").textContent = isAway ? byId("away-words").dataset.words : "";
}

/** Go back to the form with all that was written; it is another form now, so that it gives another gift. */
async function changeGift(event) {
  event.preventDefault();
  const { href } = event.currentTarget;
  try {
    const fresh = await fetchPage(href);
    form.elements.form.value = fresh.querySelector("[name=form]").value;
    main.dataset.formStatus = fresh.getElementById("donate").dataset.formStatus;
    showAway(false);
    form.querySelector("input:checked, #amount").focus();
  } catch {
    location.assign(href); // the browser says what is wrong
  }
}

/** Ask until `take` is done with the answer; the server says it, never the other window. */
function follow(address, take) {
  const since = Date.now();
  let etag = "";
  const again = (ms) => setTimeout(ask, ms * (0.8 + Math.random() * 0.4));
  const pause = () => (document.hidden || Date.now() - since > FAST_FOR_MS ? SLOW_MS : POLL_MS);
  async function ask() {
    let wait = pause();
    try {
      const answer = await fetch(address, { headers: etag ? { "If-None-Match": etag } : {}, cache: "no-store" });
      if (answer.status === 200) {
        const news = await answer.json();
        if (await take(news)) return;
        etag = answer.headers.get("ETag") ?? "";
      } else if (answer.status === 429 || answer.status >= 500) wait = 1000 * Number(answer.headers.get("Retry-After") ?? 5);
      else if (answer.status !== 304) return;
    } catch {
      wait = SLOW_MS; // offline: what was not taken is asked for again
    }
    again(wait);
  }
  again(POLL_MS / 2);
}

/* --- what became of a gift ----------------------------------------------------------------------------------- */

let fingerprint = main?.dataset.fingerprint;

function startGift() {
  if (byId("status").dataset.state === "received") tell("completed");
  if (main.dataset.final !== "true") follow(main.dataset.status, takeNews);
}

async function takeNews(news) {
  if (news.fingerprint !== fingerprint) {
    const fresh = await fetchPage(location.href);
    for (const part of fresh.querySelectorAll("[data-part]")) byId(part.id).replaceWith(document.importNode(part, true));
    Object.assign(byId("status").dataset, { state: news.state, tone: news.tone });
    byId("sentence").textContent = news.sentence;
    document.title = news.sentence;
    fingerprint = news.fingerprint;
    if (news.state === "received") tell("completed");
  }
  return news.final;
}

function fetchPage(address) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // parses without a string sink, unlike fetch with DOMParser
    request.open("GET", address);
    request.responseType = "document";
    request.timeout = 15000;
    request.onload = () => (request.status === 200 && request.response ? resolve(request.response) : reject(new Error()));
    request.onerror = request.ontimeout = () => reject(new Error("offline"));
    request.send();
  });
}

/* --- start --------------------------------------------------------------------------------------------------- */

root.classList.add("js");
if (form) startForm();
if (main?.dataset.page === "gift") startGift();
if (host) {
  document.addEventListener("keydown", ({ key }) => key === "Escape" && tell("close"));
  tell("ready");
  watchHeight();
}
