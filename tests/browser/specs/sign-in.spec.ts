import AxeBuilder from "@axe-core/playwright";
import { expect, MAIN, test } from "../support/test.ts";
import type { Viewer } from "../support/viewer.ts";

const ON = { args: ["--sign-in", "on"] };
/** What the browser says of a request that is refused, which is what these tests provoke. */
const REFUSED = /status of 4(01|29)|WebSocket connection to .* failed/;

function form(person: Viewer) {
  const { page } = person;
  return {
    whole: page.getByTestId("sign-in"),
    key: page.getByLabel("Key", { exact: true }),
    submit: page.getByTestId("sign-in-submit"),
    note: page.locator("#sign-in-key-note"),
    user: page.getByTestId("user"),
    out: page.getByTestId("sign-out"),
    main: page.locator("main"),
  };
}

test("the address that the server prints signs in, and leaves no key in the address bar", MAIN, async ({
  startServer,
  viewer,
}) => {
  const server = await startServer(ON);
  expect(server.invitation).toMatch(/^\/#key=lvk_.{43}$/);
  const person = await viewer();
  await person.page.goto(server.url + server.invitation);
  await expect(person.connection).toHaveText("Ready");
  await expect(form(person).user).toHaveText("operator");
  expect(person.page.url()).toBe(`${server.url}/`);
  expect(await person.page.evaluate(() => history.length)).toBeLessThanOrEqual(2);
  await person.play();
  await person.readAnswers(1);

  // The cookie signs in from now on.
  await person.visit(server);
  await expect(form(person).whole).toBeHidden();
  // No script can read it, and nothing of the key is kept.
  const kept = await person.page.evaluate(() => document.cookie + JSON.stringify(localStorage));
  expect(kept).not.toContain("lvk_");
  expect(kept).not.toContain("sign_in");
});

test("who has no key is asked for one, told in words what is wrong with it, and let in with it", MAIN, async ({
  startServer,
  viewer,
}) => {
  const server = await startServer(ON);
  const { key } = await server.addKey("ada");
  const person = await viewer();
  person.expectComplaint(REFUSED);
  await person.page.goto(server.url);
  const { whole, key: field, submit, note, user, main } = form(person);
  await expect(whole).toBeVisible();
  await expect(main).toBeHidden();
  await expect(field).toBeFocused();
  expect(person.sessionIds).toEqual([]);

  await submit.click();
  await expect(note).toHaveText("Enter the key that you were given.");
  await field.fill("lvk_wrong");
  await field.press("Enter");
  await expect(note).toContainText("It may be mistyped, expired or revoked.");
  await expect(field).toHaveAttribute("aria-invalid", "true");
  // A running server notices a new key within a second or so.
  await expect(async () => {
    await field.fill(key);
    await field.press("Enter");
    await expect(user).toHaveText("ada", { timeout: 1500 });
  }).toPass();
  await expect(whole).toBeHidden();
  await expect(person.connection).toHaveText("Ready");
});

test("whoever signs out leaves nothing to the next", async ({ startServer, startVlm, viewer }) => {
  const vlm = await startVlm();
  const server = await startServer({ ...ON, apiBase: vlm.apiBase });
  const person = await viewer();
  person.expectComplaint(REFUSED);
  await person.page.goto(server.url + server.invitation);
  await person.ask("Is anybody at the door?");
  await person.play();
  await person.readAnswers(2);
  const { whole, out, user, key } = form(person);
  await out.click();
  await expect(whole).toBeVisible();
  await expect(user).toBeHidden();
  await person.page.reload();
  await expect(whole).toBeVisible();

  await key.fill(server.invitation.replace(/^.*key=/, ""));
  await key.press("Enter");
  await expect(person.connection).toHaveText("Ready");
  await expect(person.prompt).not.toHaveValue(/door/);
  await expect(person.answer).toBeEmpty();
});

test("a key that is revoked ends the session, and another goes on in the same page", async ({
  startServer,
  viewer,
}) => {
  const server = await startServer(ON);
  const old = await server.addKey("ada");
  const next = await server.addKey("ada");
  const person = await viewer();
  person.expectComplaint(REFUSED);
  await person.page.goto(server.url);
  const { whole, key, main } = form(person);
  const enter = (secret: string) =>
    expect(async () => {
      await key.fill(secret);
      await key.press("Enter");
      await expect(whole).toBeHidden({ timeout: 1500 });
    }).toPass();
  await enter(old.key);
  await person.play();
  await person.readAnswers(1);

  await server.revokeKey(old.id);
  await expect(whole).toBeVisible();
  await expect(main).toBeHidden();
  const sessions = person.sessionIds.length;
  await enter(next.key);
  await expect(person.connection).toHaveText("Ready");
  expect(person.sessionIds.length).toBe(sessions + 1);
  await person.play();
  await person.readAnswers(1);
});

for (const dark of [false, true]) {
  test(`the form is for everybody, in ${dark ? "dark" : "light"} colours and on a phone`, async ({
    startServer,
    viewer,
  }) => {
    const server = await startServer(ON);
    const person = await viewer({ dark, width: 360, height: 740 });
    person.expectComplaint(REFUSED);
    await person.page.goto(server.url);
    const { whole, key, note } = form(person);
    await expect(whole).toBeVisible();
    await key.fill("lvk_wrong");
    await key.press("Enter");
    await expect(note).toContainText("mistyped");
    await fits(person);
    // The page is open already: the address changes its fragment only.
    await person.page.goto(server.url + server.invitation);
    await expect(form(person).out).toBeVisible();
    await fits(person);
  });
}

async function fits(person: Viewer): Promise<void> {
  const { violations } = await new AxeBuilder({ page: person.page }).analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  expect(grave.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
  const sideways = await person.page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
  expect(sideways).toBe(0);
}
