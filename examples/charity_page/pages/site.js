// What the widget tells the page around it; a charity might count gifts here, without cookies and without names.
for (const word of ["ready", "resize", "opened", "completed", "close"]) {
  document.addEventListener(`streampay:${word}`, () => {
    const seen = document.documentElement.dataset.seen ?? "";
    if (!seen.split(" ").includes(word)) document.documentElement.dataset.seen = `${seen} ${word}`.trim();
  });
}
