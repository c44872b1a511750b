import assert from "node:assert/strict";
import { test } from "node:test";
import { keyInFragment, parseWho, signIn, signInWords, whoAmI } from "../src/account.ts";
import { Refused } from "../src/api.ts";

/** A server that answers every request with this. */
async function answering<T>(status: number, body: unknown, run: () => Promise<T>): Promise<T> {
  const { fetch } = globalThis;
  globalThis.fetch = async () => new Response(JSON.stringify(body), { status });
  try {
    return await run();
  } finally {
    globalThis.fetch = fetch;
  }
}

function refusalOf(code: string, retry: number | null = null): unknown {
  return {
    type: "error",
    code,
    field: null,
    message: "In the server's words.",
    allowed: null,
    retry_after_s: retry,
    limit: null,
    value: null,
  };
}

test("the key in an address is found, and other fragments are left alone", () => {
  assert.equal(keyInFragment("#key=lvk_a-b_c"), "lvk_a-b_c");
  assert.equal(keyInFragment("#a=b&key=lvk_a"), "lvk_a");
  assert.equal(keyInFragment("#key=a.b.c"), "a.b.c");
  for (const none of ["", "#", "#key=", "#key=%20", "#answer", "#keys=lvk_a"]) {
    assert.equal(keyInFragment(none), null, none);
  }
});

test("who somebody is, is believed only if it is said rightly", () => {
  assert.deepEqual(parseWho({ sign_in: "on", user: "ada", groups: [] }), {
    is: "signed in",
    user: "ada",
  });
  assert.deepEqual(parseWho({ sign_in: "off", user: "browser:1", groups: [] }), {
    is: "signed in",
    user: null,
  });
  for (const wrong of [null, [], "on", {}, { sign_in: "on" }, { sign_in: "on", user: 7 }]) {
    assert.deepEqual(parseWho(wrong), { is: "unknown" });
  }
});

test("only a server that says so wants a sign-in", async () => {
  assert.deepEqual(await answering(401, refusalOf("sign_in_required"), whoAmI), {
    is: "signed out",
  });
  assert.deepEqual(await answering(503, null, whoAmI), { is: "unknown" });
  assert.deepEqual(await answering(200, { sign_in: "on", user: "ada", groups: [] }, whoAmI), {
    is: "signed in",
    user: "ada",
  });
});

test("why a sign-in failed is said in words", async () => {
  const words = async (status: number, body: unknown): Promise<string> => {
    try {
      await answering(status, body, () => signIn("lvk_wrong"));
    } catch (error) {
      return signInWords(error);
    }
    return "";
  };
  assert.match(await words(401, refusalOf("sign_in_failed")), /mistyped, expired or revoked/);
  assert.equal(
    await words(429, refusalOf("limit_reached", 5.2)),
    "Too many tries. Try again in 6 s.",
  );
  assert.equal(
    await words(400, refusalOf("bad_field")),
    "This is not a key. Copy the whole key that you were given.",
  );
  assert.equal(await words(403, refusalOf("foreign_origin")), "In the server's words.");
  assert.match(await words(502, null), /502/);
  assert.match(signInWords(new TypeError("no reply")), /cannot reach the server/);
  assert.ok(new Refused("x") instanceof Error);
});
