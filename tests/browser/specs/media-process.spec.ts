// The process that receives a person's video ends, and what the page makes of it.
import { kill } from "node:process";
import { expect, MAIN, test } from "../support/test.ts";

/** From the crash to the next answer, in seconds. */
const BACK_S = 2;

for (const signal of ["SIGABRT", "SIGKILL"] as const) {
  test(`video whose process ends by ${signal} is back with settings and history`, MAIN, async ({
    startServer,
    startVlm,
    viewer,
  }) => {
    const vlm = await startVlm();
    const server = await startServer({ apiBase: vlm.apiBase });
    const person = await viewer();
    await person.visit(server);
    await person.ask("Is the door open?");
    await person.set("interval", 0.8);
    await person.play();
    await person.readAnswers(2);
    const controls = await person.controls();
    const session = person.sessionId;
    const history = person.page.getByTestId("history").getByRole("listitem");
    const before = await history.count();
    const states = await person.watchStates();

    const [process = 0] = await server.mediaProcesses();
    expect(process).toBeGreaterThan(0);
    kill(process, signal);
    const killed = Date.now();
    // It is lost, and live again.
    await expect.poll(async () => (await states()).length, { intervals: [50] }).toBeGreaterThan(2);
    await person.readAnswers(1);
    const seconds = (Date.now() - killed) / 1000;
    console.log(`answers again after ${seconds.toFixed(2)} s`);
    expect(seconds).toBeLessThan(BACK_S);

    expect((await states()).map(({ words }) => words)).toEqual([
      "Live",
      "The video stopped unexpectedly, connecting again…",
      "Live",
    ]);
    expect(person.messages("vlm_response").at(-1)).toMatchObject({ prompt: "Is the door open?" });
    expect(await person.controls()).toEqual(controls);
    expect(person.sessionId).toBe(session);
    await expect.poll(() => history.count()).toBeGreaterThan(before);
    await expect(person.problem).toBeHidden();
    expect(server.log).toContain(`ended by ${signal}`);
    expect(await server.mediaProcesses()).not.toContain(process);
  });
}
