// Asks for a token and a namespace, where the page is in a cluster.

import { announce } from "./elements.js";
import { chosenNamespace, hasToken, setToken } from "./requests.js";

/** The form that asks for a token, and the fields of the top; `restart` forgets all that is shown and begins again. */
export class SignIn {
  constructor(restart) {
    this.restart = restart;
    this.form = document.getElementById("signin");
    this.field = document.getElementById("token");
    this.words = document.getElementById("signin-words");
    this.place = document.getElementById("place");
    this.out = document.getElementById("signout");
    this.namespace = document.getElementById("namespace");
    this.form.addEventListener("submit", (event) => this.take(event));
    this.out.addEventListener("click", () => this.forget());
    this.place.addEventListener("submit", (event) => this.choose(event));
  }

  /** Show the form, with why. */
  ask(words) {
    this.words.textContent = `${words}.`;
    announce(words);
    setToken("");
    this.show(true);
    this.field.focus();
  }

  take(event) {
    event.preventDefault();
    const given = this.field.value.trim();
    if (!given) return;
    setToken(given.replace(/^bearer\s+/i, ""));
    this.field.value = "";
    this.show(false);
    this.restart();
  }

  /** The server has accepted the user; `hasTokens` says whether it asks for tokens at all. */
  accepted(hasTokens) {
    this.show(false);
    this.place.hidden = !hasTokens;
    this.out.hidden = !hasToken();
    this.namespace.value = chosenNamespace();
  }

  show(isShown) {
    this.form.hidden = !isShown;
    document.body.classList.toggle("with-signin", isShown);
    if (isShown) this.place.hidden = this.out.hidden = true;
  }

  forget() {
    setToken("");
    this.restart();
  }

  choose(event) {
    event.preventDefault();
    const chosen = this.namespace.value.trim();
    history.replaceState(null, "", location.pathname + (chosen ? `?namespace=${encodeURIComponent(chosen)}` : ""));
    this.restart();
  }
}
