import { join } from "node:path";
import { expect, test } from "../support/test.ts";

const DOCS = join(import.meta.dirname, "../../../docs");

for (const dark of [false, true]) {
  test(`the page in ${dark ? "dark" : "light"} colours`, async ({ startServer, viewer, cameras }) => {
    const server = await startServer();
    const person = await viewer({ camera: await cameras.clip(), dark, height: 890 });
    // Chromium calls the camera by the path of its file.
    await person.context.addInitScript(() => {
      Object.defineProperty(MediaDeviceInfo.prototype, "label", { get: () => "Camera" });
    });
    await person.visit(server);
    // The clip lasts two seconds: so each answer is about another moment of it.
    await person.set("interval", 1.3);
    await person.page.getByRole("button", { name: "What changed" }).click();
    await expect(person.page.locator("#prompt-note")).toHaveText("Applied");
    await person.chooseModel("demo-vlm-brief");
    await person.play();
    await person.readAnswers(8);
    await expect(person.page.locator(".note[data-state='applied']")).toHaveCount(0);
    await person.page.evaluate(() => scrollTo(0, 0));
    await expect(person.answer).toHaveAttribute("data-state", "done");
    const path = join(DOCS, dark ? "screenshot-dark.png" : "screenshot.png");
    await person.page.screenshot({ path });
  });
}
