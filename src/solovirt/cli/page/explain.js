"use strict";
// Each side of a machine lights up the other. A click (or Enter) pins what is lit; Escape, or the same again, lets go.
(() => {
  const status = document.getElementById("status");
  const idle = status.textContent;
  let pinned = null;

  const targetOf = (event) =>
    event.target instanceof Element ? event.target.closest("li[tabindex], button.token") : null;

  const linesOf = (item) => [Number(item.dataset.line), Number(item.dataset.end || item.dataset.line)];

  function partners(item) {
    const [first, last] = linesOf(item);
    if (!first) return [];
    const within = (other) => {
      const line = Number(other.dataset.line);
      return line >= first && line <= last;
    };
    const other = item.tagName === "LI" ? "button.token[data-line]" : "li[tabindex]";
    return [...item.closest(".machine").querySelectorAll(other)].filter(within);
  }

  function tell(item, found) {
    if (item.tagName === "LI") {
      status.textContent = `Line ${item.dataset.line}: ${found.length} ${found.length === 1 ? "token" : "tokens"}`;
    } else {
      const place = item.dataset.place ? ` [${item.dataset.place}]` : "";
      status.textContent = `${item.textContent} — ${item.dataset.kind}: ${item.dataset.why}${place}`;
    }
  }

  function light(item, scroll) {
    for (const lit of document.querySelectorAll(".lit")) lit.classList.remove("lit");
    if (!item) {
      status.textContent = idle;
      return;
    }
    const found = partners(item);
    for (const each of [item, ...found]) each.classList.add("lit");
    if (scroll && found.length) found[0].scrollIntoView({ block: "nearest" });
    tell(item, found);
  }

  function pin(item) {
    if (pinned) {
      pinned.classList.remove("pinned");
      pinned.setAttribute("aria-pressed", "false");
    }
    pinned = pinned === item ? null : item;
    if (pinned) {
      pinned.classList.add("pinned");
      pinned.setAttribute("aria-pressed", "true");
    }
    light(pinned, true);
  }

  document.addEventListener("mouseover", (event) => {
    if (!pinned) light(targetOf(event), false);
  });
  document.addEventListener("focusin", (event) => {
    if (!pinned) light(targetOf(event), true);
  });
  document.addEventListener("click", (event) => {
    const item = targetOf(event);
    if (item) pin(item);
  });
  document.addEventListener("keydown", (event) => {
    const item = targetOf(event);
    if (event.key === "Escape" && pinned) pin(pinned);
    if (item && item.tagName === "LI" && (event.key === "Enter" || event.key === " ")) {
      event.preventDefault();
      pin(item);
    }
  });
  document.getElementById("reasons").addEventListener("change", (event) => {
    document.body.classList.toggle("all-reasons", event.target.checked);
  });
})();
