"use strict";
// A search stands in the address behind the #, so that it can be kept and passed on.
const form = document.getElementById("search");
const entries = [...document.querySelectorAll("article")];
const texts = new Map();
const text = (entry) => {
  if (!texts.has(entry)) texts.set(entry, entry.textContent.toLowerCase());
  return texts.get(entry);
};
const named = (entry, what) => (entry.dataset[what] || "").toLowerCase().split("\n");
const find = () => {
  const words = form.q.value.toLowerCase().split(/\s+/).filter(Boolean);
  const by = form.by.value.toLowerCase();
  const on = form.on.value.trim().toLowerCase();
  let found = 0;
  for (const entry of entries) {
    const fits = words.every((word) => text(entry).includes(word))
      && (!by || named(entry, "by").includes(by))
      && (!on || named(entry, "on").some((one) => one.includes(on)));
    entry.hidden = !fits;
    if (fits) found += 1;
  }
  document.getElementById("count").textContent = `${found} of ${entries.length} entries`;
};
const isEntry = () => /^#e\d+$/.test(location.hash);
const read = () => {
  if (isEntry()) {
    const entry = document.getElementById(location.hash.slice(1));
    if (entry && entry.hidden) {
      form.reset();
      find();
      entry.scrollIntoView();
    }
    return;
  }
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const field of ["q", "by", "on"]) form[field].value = asked.get(field) || "";
  find();
};
form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("input", () => {
  const asked = new URLSearchParams();
  for (const field of ["q", "by", "on"]) if (form[field].value) asked.set(field, form[field].value);
  history.replaceState(null, "", `#${asked}`);
  find();
});
window.addEventListener("hashchange", read);
form.hidden = false;
read();
