// Finds by words in the contents. Without this file the contents are a plain list of links.
const field = document.querySelector("#filter");
const found = document.querySelector(".found");
const entries = [...document.querySelectorAll(".contents [data-words]")];
const groups = [...document.querySelectorAll(".contents > li")];
const contents = document.querySelector("nav > details");
const narrow = matchMedia("(max-width: 63.99rem)");

function show() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const entry of entries) {
    const text = entry.dataset.words.toLowerCase();
    entry.hidden = !words.every((word) => text.includes(word));
    count += entry.hidden ? 0 : 1;
  }
  for (const group of groups) {
    group.hidden = [...group.querySelectorAll("[data-words]")].every((entry) => entry.hidden);
  }
  found.textContent = words.length ? `${count} of ${entries.length}` : "";
}

field.closest("p").hidden = false;
field.addEventListener("input", show);
field.addEventListener("keydown", (event) => {
  if (event.key === "Escape") {
    field.value = "";
    show();
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !(event.target instanceof HTMLInputElement) && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    contents.open = true;
    field.focus();
  }
});
// On a phone the contents stand above the text: closed until they are asked for, and after a choice.
if (narrow.matches && !location.hash) contents.open = false;
narrow.addEventListener("change", () => {
  contents.open = !narrow.matches;
});
contents.addEventListener("click", (event) => {
  if (narrow.matches && event.target.closest("a")) contents.open = false;
});
