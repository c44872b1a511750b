import AxeBuilder from "@axe-core/playwright";
import type { ScriptedVlm } from "../support/scripted-vlm.ts";
import { expect, test } from "../support/test.ts";
import type { Viewer } from "../support/viewer.ts";

for (const dark of [false, true]) {
  test(`nothing stands in anybody's way in ${dark ? "dark" : "light"} colours`, async ({
    startServer,
    startVlm,
    viewer,
  }) => {
    const vlm = await startVlm();
    const server = await startServer({ apiBase: vlm.apiBase });
    const person = await viewer({ dark });
    await person.visit(server);
    expect(await barriers(person)).toEqual([]);
    await everythingShown(person, vlm);
    expect(await barriers(person)).toEqual([]);
    // The stand-in's notice is shown only where the stand-in answers.
    await person.visit(await startServer());
    await expect(person.page.getByTestId("stand-in-notice")).toBeVisible();
    expect(await barriers(person)).toEqual([]);
  });
}

test("the Tab key reaches every control, in the order in which they stand", async ({
  startServer,
  viewer,
}) => {
  const server = await startServer();
  const person = await viewer();
  await person.visit(server);
  const { page } = person;
  await page.getByTestId("more").getByText("More").click();
  await page.getByText("Connect a VLM").click();
  await expect(page.locator(".service").first()).toBeVisible();
  const controls = await page.evaluate(() => {
    const all = document.querySelectorAll<HTMLElement>(
      "a[href], button, input, select, textarea, summary, [tabindex='0']",
    );
    const reachable = [...all].filter(
      (control) => control.checkVisibility() && !control.matches(":disabled"),
    );
    for (const [at, control] of reachable.entries()) control.dataset.stop = String(at);
    (document.activeElement as HTMLElement | null)?.blur();
    getSelection()?.removeAllRanges();
    scrollTo(0, 0);
    return reachable.length;
  });
  expect(controls).toBeGreaterThan(25);
  await page.locator("h1").click();
  const stops: number[] = [];
  for (let at = 0; at < controls; at++) {
    await page.keyboard.press("Tab");
    const focused = page.locator(":focus");
    stops.push(Number(await focused.getAttribute("data-stop")));
    // The question's field shows it on the frame around it.
    const outlined = await focused.evaluate((control) => {
      const frame = control.closest(".composer") ?? control;
      return [control, frame].some((each) => getComputedStyle(each).outlineStyle !== "none");
    });
    expect(outlined, `${await focused.getAttribute("id")} shows the focus`).toBe(true);
  }
  expect(stops).toEqual(Array.from({ length: controls }, (_, at) => at));
});

test("a phone 360 pixels wide needs no sideways scrolling", async ({
  startServer,
  startVlm,
  viewer,
}) => {
  const word = "Donaudampfschifffahrtsgesellschaftskapitän".repeat(3);
  const vlm = await startVlm({
    models: [`${"a-very-long-family-of-models/".repeat(4)}vl`],
    answer: () => `${word} and\n\n\`\`\`\n${word}\n\`\`\`\n\n- ${word}`,
  });
  const server = await startServer({ apiBase: vlm.apiBase });
  const person = await viewer({ width: 360, height: 740 });
  await person.visit(server);
  expect(await overflow(person)).toBe(0);
  await everythingShown(person, vlm);
  expect(await overflow(person)).toBe(0);
  await person.visit(await startServer());
  await expect(person.page.getByTestId("stand-in-notice")).toBeVisible();
  expect(await overflow(person)).toBe(0);
});

/** Opens all that folds, plays, reads answers, and meets every kind of trouble. */
async function everythingShown(person: Viewer, vlm: ScriptedVlm): Promise<void> {
  const { page } = person;
  await page.getByTestId("more").getByText("More").click();
  await page.getByText("Connect a VLM").click();
  await person.set("interval", 0.3);
  await person.play();
  await person.readAnswers(4);
  await expect(page.getByTestId("sparkline")).toBeVisible();
  await expect(page.getByTestId("history").getByRole("listitem").first()).toBeVisible();
  await person.write("interval", "0");
  await page.getByTestId("api-base").fill("ftp://nowhere");
  await page.getByTestId("connect-vlm").click();
  await expect(page.locator("#interval-note")).not.toBeEmpty();
  vlm.fail(500);
  await expect(person.answer).toHaveAttribute("data-state", "failed");
}

async function barriers(person: Viewer): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page: person.page }).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .flatMap(({ id, nodes }) =>
      nodes.map((node) => `${id}: ${node.target.join(" ")}: ${node.failureSummary}`),
    );
}

function overflow(person: Viewer): Promise<number> {
  return person.page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    return scrollWidth - clientWidth;
  });
}
