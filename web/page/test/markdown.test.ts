import assert from "node:assert/strict";
import { test } from "node:test";
import { parseInline, parseMarkdown, renderMarkdown } from "../src/markdown.ts";

const p = (...children: unknown[]) => ({ tag: "p", children });

test("plain text is one paragraph; an empty line begins another", () => {
  assert.deepEqual(parseMarkdown("A cup.\n\nA table."), [p("A cup."), p("A table.")]);
  assert.deepEqual(parseMarkdown(""), []);
});

test("a line break stays one", () => {
  assert.deepEqual(parseMarkdown("one\ntwo"), [p("one", { tag: "br", children: [] }, "two")]);
});

test("bold, italic and code", () => {
  assert.deepEqual(parseInline("a **b** *c* `d` __e__ _f_"), [
    "a ",
    { tag: "strong", children: ["b"] },
    " ",
    { tag: "em", children: ["c"] },
    " ",
    { tag: "code", children: ["d"] },
    " ",
    { tag: "strong", children: ["e"] },
    " ",
    { tag: "em", children: ["f"] },
  ]);
  assert.deepEqual(parseInline("**a *b* c**"), [
    { tag: "strong", children: ["a ", { tag: "em", children: ["b"] }, " c"] },
  ]);
});

test("what only looks like markdown stays text", () => {
  for (const text of ["2 * 3 * 4", "snake_case_name", "**open", "a ` b", "[label]", "# no", "5*"]) {
    assert.deepEqual(parseInline(text), [text]);
  }
});

test("nothing inside code is markdown", () => {
  assert.deepEqual(parseInline("`**x**`"), [{ tag: "code", children: ["**x**"] }]);
});

test("headings are bold paragraphs", () => {
  const bold = p({ tag: "strong", children: ["Scene"] });
  assert.deepEqual(parseMarkdown("## Scene\ntext"), [bold, p("text")]);
});

test("lists", () => {
  const li = (text: string) => ({ tag: "li", children: [text] });
  assert.deepEqual(parseMarkdown("Seen:\n- cup\n- table\n1. one\n2) two"), [
    p("Seen:"),
    { tag: "ul", children: [li("cup"), li("table")] },
    { tag: "ol", children: [li("one"), li("two")] },
  ]);
});

test("code blocks, also one still being written", () => {
  const pre = (code: string) => ({ tag: "pre", children: [{ tag: "code", children: [code] }] });
  assert.deepEqual(parseMarkdown('```json\n{"a": 1}\n```\nend'), [pre('{"a": 1}'), p("end")]);
  assert.deepEqual(parseMarkdown("```\n- x\n**y**"), [pre("- x\n**y**")]);
});

test("only web links are links", () => {
  assert.deepEqual(parseInline("[it](https://example.org/a)"), [
    { tag: "a", href: "https://example.org/a", children: ["it"] },
  ]);
  for (const bad of [
    "[x](javascript:alert(1))",
    "[x](data:text/html,1)",
    "[x](//host)",
    "[x](https://)",
  ]) {
    assert.equal(JSON.stringify(parseInline(bad)).includes('"tag":"a"'), false, bad);
  }
});

test("HTML is text, and a page is made with elements and text only", () => {
  assert.deepEqual(parseMarkdown("<img src=x onerror=alert(1)>"), [
    p("<img src=x onerror=alert(1)>"),
  ]);
  const fragment = renderMarkdown("**b** <i> [l](http://h/)", fakeDocument());
  assert.equal(String(fragment), "<p><strong>{b}</strong>{ <i> }<a href rel target>{l}</a></p>");
});

test("long hostile text takes no time", () => {
  const began = performance.now();
  for (const text of ["*a ".repeat(3000), "`".repeat(6000), "[".repeat(6000), "_a".repeat(3000)]) {
    parseMarkdown(text);
  }
  assert.ok(performance.now() - began < 1500);
});

function fakeDocument(): Document {
  const element = (tag: string) => {
    const parts: string[] = [];
    const attributes: string[] = [];
    return {
      setAttribute: (name: string) => attributes.push(` ${name}`),
      append: (...children: unknown[]) => {
        parts.push(
          ...children.map((each) => (typeof each === "string" ? `{${each}}` : String(each))),
        );
      },
      toString: () =>
        tag === "" ? parts.join("") : `<${tag}${attributes.join("")}>${parts.join("")}</${tag}>`,
    };
  };
  return { createElement: element, createDocumentFragment: () => element("") } as never;
}
