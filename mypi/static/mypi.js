// What makes the pages handier; each of them works without it.

const said = document.getElementById("said");

function say(text) {
  if (said) said.textContent = text;
}

// Copy buttons

async function copy(text, shown) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  // Over plain http from another host browsers offer the old way only: what is selected.
  const field = document.createElement("textarea");
  field.className = "unseen";
  field.value = text;
  shown.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  if (!done) throw new Error("the browser refused");
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const around = button.closest(".copyable");
  const text = button.dataset.copy || around.querySelector("code").textContent;
  try {
    await copy(text, around);
  } catch {
    say("The browser did not let it be copied");
    return;
  }
  button.focus();
  button.classList.add("done");
  say("Copied");
  setTimeout(() => {
    button.classList.remove("done");
    say("");
  }, 2000);
});

// Search as you type

const PAUSE = 150;

class Search {
  constructor(form) {
    this.form = form;
    this.input = form.querySelector("input[type=search]");
    this.list = document.createElement("ul");
    this.list.id = `${this.input.id}-found`;
    this.list.className = "found";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", "Projects");
    form.append(this.list);
    const roles = { role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": this.list.id };
    for (const [name, value] of Object.entries(roles)) this.input.setAttribute(name, value);
    this.input.addEventListener("input", () => this.later());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("mousedown", (event) => event.preventDefault()); // the input keeps the focus
    form.addEventListener("focusout", (event) => {
      if (!form.contains(event.relatedTarget)) this.close();
    });
  }

  later() {
    clearTimeout(this.timer);
    this.asked?.abort();
    const words = this.input.value.trim();
    if (!words) {
      this.close();
      return;
    }
    this.timer = setTimeout(() => this.ask(words), PAUSE);
  }

  async ask(words) {
    this.asked = new AbortController();
    const address = new URL(this.form.action);
    address.search = new URLSearchParams({ q: words });
    try {
      const answer = await fetch(address, { headers: { Accept: "application/json" }, signal: this.asked.signal });
      if (answer.ok) this.show(words, await answer.json());
    } catch {
      // A newer word was typed, or the index cannot be reached: the form itself still asks.
    }
  }

  show(words, found) {
    const options = found.results.map((project, place) => {
      const option = document.createElement("li");
      option.id = `${this.list.id}-${place}`;
      option.setAttribute("role", "option");
      option.setAttribute("aria-selected", "false");
      const link = document.createElement("a");
      link.href = new URL(project.url, this.form.action).href;
      link.tabIndex = -1;
      const name = document.createElement("strong");
      name.textContent = project.display;
      const version = document.createElement("span");
      version.className = "version";
      version.textContent = project.version ?? "";
      const summary = document.createElement("span");
      summary.className = "summary";
      summary.textContent = project.summary;
      link.append(name, " ", version, " ", summary);
      option.append(link);
      return option;
    });
    this.active = -1;
    this.list.replaceChildren(...options);
    this.input.removeAttribute("aria-activedescendant");
    this.open(options.length > 0);
    say(found.total === 0 ? `Nothing found for ${words}` : `${found.total} found`);
  }

  open(shown) {
    this.list.hidden = !shown;
    this.input.setAttribute("aria-expanded", String(shown));
  }

  close() {
    clearTimeout(this.timer);
    this.asked?.abort();
    this.active = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.open(false);
  }

  key(event) {
    const options = [...this.list.children];
    if (this.list.hidden || options.length === 0) return;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      options[this.active]?.setAttribute("aria-selected", "false");
      // One place before the first is the input itself.
      this.active = ((this.active + 1 + step + options.length + 1) % (options.length + 1)) - 1;
      const option = options[this.active];
      option?.setAttribute("aria-selected", "true");
      option?.scrollIntoView({ block: "nearest" });
      if (option) this.input.setAttribute("aria-activedescendant", option.id);
      else this.input.removeAttribute("aria-activedescendant");
    } else if (event.key === "Escape") {
      event.preventDefault(); // the first closes the list, the next empties the input
      this.close();
    } else if (event.key === "Enter" && this.active >= 0) {
      event.preventDefault();
      options[this.active].querySelector("a").click();
    }
  }
}

for (const form of document.querySelectorAll("form[data-search]")) new Search(form);
