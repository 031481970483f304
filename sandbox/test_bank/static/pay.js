/**
 * The card form in the browser: groups the number, names the brand, fills in test cards, and keeps every other number
 * from being sent at all. Without it the page works as well; the bank checks everything again.
 */
const form = document.getElementById("card-form");
const number = document.getElementById("number");
const expiry = document.getElementById("expiry");
const BRANDS = [[/^4/, "Visa"], [/^3[47]/, "American Express"], [/^5[1-5]/, "Mastercard"]];
const LONGEST = 19; // digits of a card number, ISO/IEC 7812

const digitsOf = (text) => text.replace(/[^0-9]/g, "");
const isAmex = (digits) => /^3[47]/.test(digits);

function spaced(digits) {
  const ends = isAmex(digits) ? [4, 10, 15] : [4, 8, 12, 16, 20];
  return ends.map((end, at) => digits.slice(ends[at - 1] ?? 0, end)).filter(Boolean).join(" ");
}

/* Rewrite a field while somebody types in it, and leave the cursor behind the same digit. */
function rewrite(field, written) {
  const before = digitsOf(field.value.slice(0, field.selectionStart)).length;
  if (field.value === written) return;
  field.value = written;
  let place = 0;
  for (let seen = 0; place < written.length && seen < before; place += 1) if (/[0-9]/.test(written[place])) seen += 1;
  field.setSelectionRange(place, place);
}

function showNumber() {
  const digits = digitsOf(number.value).slice(0, LONGEST);
  rewrite(number, spaced(digits));
  document.getElementById("brand").textContent = BRANDS.find(([start]) => start.test(digits))?.[1] ?? "";
}

function showExpiry(event) {
  const digits = digitsOf(expiry.value);
  const month = /^[2-9]/.test(digits) ? `0${digits}` : digits;
  if (event.inputType?.startsWith("delete") || month.length < 2 || month.length > 4) return;
  rewrite(expiry, `${month.slice(0, 2)} / ${month.slice(2)}`);
  if (month !== digits || expiry.selectionStart >= 2) expiry.setSelectionRange(expiry.value.length, expiry.value.length);
}

function tell(field, sentence) {
  const problem = document.getElementById(`${field.id}-problem`);
  problem.textContent = sentence;
  problem.hidden = sentence === "";
  if (sentence) field.setAttribute("aria-invalid", "true");
  else field.removeAttribute("aria-invalid");
}

function fill(card) {
  const year = (new Date(form.dataset.day).getUTCFullYear() + 3) % 100;
  const made = { email: "shopper@example.com", number: card, expiry: `12 / ${String(year).padStart(2, "0")}`, name: "Test Shopper" };
  for (const [name, value] of Object.entries({ ...made, cvc: isAmex(card) ? "1234" : "123" })) {
    const field = document.getElementById(name);
    if (!field) continue; // the e-mail is not always asked for
    if (!field.value || !["email", "name"].includes(name)) field.value = value;
    tell(field, "");
  }
  showNumber();
  form.querySelector("button").focus();
}

function isListed(digits) {
  return document.querySelector(`[data-card="${digits}"]`) !== null;
}

if (form) {
  number.addEventListener("input", showNumber);
  expiry.addEventListener("input", showExpiry);
  showNumber();
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-card]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    fill(link.dataset.card);
  });
  form.addEventListener("submit", (event) => {
    const digits = digitsOf(number.value);
    if (digits && !isListed(digits)) {
      event.preventDefault();
      number.value = "";
      showNumber();
      tell(number, form.dataset.notListed);
      number.focus();
    } else if (form.querySelector("[aria-disabled]")) {
      event.preventDefault();
    } else {
      form.querySelector("button").setAttribute("aria-disabled", "true");
    }
  });
  // A page that comes back from the browser's memory may be sent again.
  window.addEventListener("pageshow", () => form.querySelector("button").removeAttribute("aria-disabled"));
}
