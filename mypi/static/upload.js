// Uploading several files, one request each, with progress. Without this the form sends one.

const form = document.querySelector("form[data-upload]");
const input = form.querySelector("input[type=file]");
const button = form.querySelector("button");
const list = document.querySelector("[data-sent]");
const said = document.getElementById("said");
const waiting = [];
let busy = false;

function say(text) {
  said.textContent = text;
}

function leave(event) {
  event.preventDefault();
}

class Sending {
  constructor(file) {
    this.file = file;
    this.item = document.createElement("li");
    const head = document.createElement("div");
    head.className = "head";
    const name = document.createElement("strong");
    name.textContent = file.name;
    this.amount = document.createElement("span");
    this.amount.className = "end number";
    this.amount.textContent = "waiting";
    head.append(name, this.amount);
    this.bar = document.createElement("progress");
    this.bar.max = 1;
    this.bar.value = 0;
    this.bar.setAttribute("aria-label", `Upload of ${file.name}`);
    this.outcome = document.createElement("p");
    this.outcome.className = "outcome";
    this.item.append(head, this.bar, this.outcome);
    list.prepend(this.item);
  }

  send() {
    return new Promise((resolve) => {
      const request = new XMLHttpRequest(); // fetch tells nothing of how much was sent
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRF-Token", form.elements.csrf_token.value);
      request.upload.addEventListener("progress", (event) => this.progress(event));
      request.addEventListener("load", () => resolve(this.answered(request)));
      request.addEventListener("error", () => resolve(this.failed("The index could not be reached; try again.")));
      const body = new FormData();
      body.append("content", this.file, this.file.name);
      request.send(body);
    });
  }

  progress(event) {
    if (!event.lengthComputable) return;
    this.bar.value = event.loaded / event.total;
    this.amount.textContent = event.loaded < event.total ? `${Math.floor((100 * event.loaded) / event.total)} %` : "checking";
  }

  answered(request) {
    let told = {};
    try {
      told = JSON.parse(request.responseText);
    } catch {
      // A proxy's own page.
    }
    if (request.status !== 200) return this.failed(told.message ? `${told.message}.` : `The answer was ${request.status}; try again.`);
    const link = document.createElement("a");
    link.href = `${form.dataset.project}${told.project}/`;
    link.textContent = `${told.project} ${told.version}`;
    this.finish("good", "published");
    this.outcome.append("Published: ", link);
    say(`${this.file.name} is published`);
    return true;
  }

  failed(why) {
    this.finish("bad", "not published");
    this.outcome.textContent = why;
    say(`${this.file.name} was not published. ${why}`);
    return false;
  }

  finish(kind, amount) {
    this.bar.remove();
    this.amount.textContent = amount;
    this.outcome.classList.add(kind);
  }
}

async function work() {
  if (busy) return;
  busy = true;
  addEventListener("beforeunload", leave);
  while (waiting.length > 0) await waiting.shift().send();
  removeEventListener("beforeunload", leave);
  busy = false;
}

function take(files) {
  for (const file of files) waiting.push(new Sending(file));
  work();
}

input.multiple = true;
form.querySelector("[data-hint]").hidden = false;
button.parentElement.hidden = true;
form.addEventListener("submit", (event) => event.preventDefault());
input.addEventListener("change", () => {
  take(input.files);
  input.value = "";
});
for (const kind of ["dragenter", "dragover"]) {
  addEventListener(kind, (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    form.classList.add("over");
  });
}
addEventListener("dragleave", (event) => {
  if (event.relatedTarget === null) form.classList.remove("over");
});
addEventListener("drop", (event) => {
  if (!event.dataTransfer?.files.length) return;
  event.preventDefault();
  form.classList.remove("over");
  take(event.dataTransfer.files);
});
