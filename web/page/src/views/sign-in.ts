import type { Who } from "../account.ts";
import { keyInFragment, signIn, signInWords, signOut, whoAmI } from "../account.ts";
import { reason } from "../api.ts";
import type { Scope } from "../scope.ts";
import { byId, find } from "./dom.ts";
import { Field } from "./field.ts";

export interface SignInEvents {
  /** Somebody is in, or nobody needs to be (null). Comes again after each `ask`. */
  entered(user: string | null): void;
  left(): void;
  /** Why somebody who wanted out is still in. */
  stayed(message: string): void;
}

export interface SignInView {
  /** Shows the form in place of everything else. */
  ask(): void;
}

/** The form that stands before everything else, and the way out again. */
export function signInView(scope: Scope, events: SignInEvents): SignInView {
  const main = find("main", HTMLElement);
  const form = byId("sign-in", HTMLFormElement);
  const submit = find("button", HTMLButtonElement, form);
  const key = new Field(scope, "sign-in-key", HTMLInputElement);
  const account = byId("account", HTMLElement);
  const user = byId("user", HTMLElement);
  const out = byId("sign-out", HTMLButtonElement);
  const state = byId("connection", HTMLElement);

  const ask = () => {
    main.hidden = true;
    account.hidden = true;
    state.hidden = true;
    form.hidden = false;
    key.input.focus();
  };

  const enter = (who: Who) => {
    form.hidden = true;
    main.hidden = false;
    state.hidden = false;
    const name = who.is === "signed in" ? who.user : null;
    account.hidden = name === null;
    user.textContent = name ?? "";
    events.entered(name);
  };

  const show = async (secret: string) => {
    submit.disabled = true;
    key.busy("Signing in…");
    try {
      const who = await signIn(secret);
      if (scope.ended) return;
      key.input.value = "";
      key.clear();
      enter(who);
    } catch (error) {
      if (scope.ended) return;
      ask();
      key.wrong(signInWords(error));
    } finally {
      submit.disabled = false;
    }
  };

  /** The key in the address, taken out of it and so out of the history. */
  const takeKey = (): string | null => {
    const found = keyInFragment(location.hash);
    if (found !== null) history.replaceState(null, "", location.pathname + location.search);
    return found;
  };

  scope.listen(form, "submit", (event) => {
    event.preventDefault();
    const secret = key.input.value.trim();
    if (secret !== "") void show(secret);
    else key.wrong("Enter the key that you were given.");
  });
  scope.listen(out, "click", async () => {
    try {
      await signOut();
      events.left();
    } catch (error) {
      events.stayed(`You are still signed in. ${reason(error)}`);
    }
  });
  scope.listen(window, "hashchange", () => {
    const found = takeKey();
    if (found !== null) void show(found);
  });

  const found = takeKey();
  if (found !== null) void show(found);
  else {
    void whoAmI().then((who) => {
      if (scope.ended) return;
      if (who.is === "signed out") ask();
      else enter(who);
    });
  }
  return { ask };
}
