// A little markdown, as VLMs write it: parsed into a tree of plain data, so that it can be tested
// without a browser, then made into nodes with createElement and text only.

type Tag = "p" | "strong" | "em" | "code" | "pre" | "ul" | "ol" | "li" | "a" | "br";
export type Node = string | { tag: Tag; children: Node[]; href?: string };

const FENCE = /^\s*(?:```|~~~)/;
const HEADING = /^\s{0,3}#{1,6}\s+(.*?)\s*#*$/;
const BULLET = /^\s*[-*+•]\s+(.*)$/;
const NUMBERED = /^\s*\d{1,3}[.)]\s+(.*)$/;

const INLINE =
  /(`+)(.+?)\1(?!`)|\*\*(?=\S)(.+?)(?<=\S)\*\*|__(?=\S)(.+?)(?<=\S)__(?!\w)|\*(?=[^\s*])([^*]+?)(?<=\S)\*|(?<!\w)_(?=[^\s_])([^_]+?)(?<=\S)_(?!\w)|\[([^\]]+)\]\(([^\s()]+)\)/;

export function parseMarkdown(source: string): Node[] {
  const lines = source.split(/\r?\n/);
  const blocks: Node[] = [];
  let paragraph: string[] = [];
  const flush = () => {
    if (paragraph.length > 0) blocks.push({ tag: "p", children: linesOf(paragraph) });
    paragraph = [];
  };

  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    if (FENCE.test(line)) {
      flush();
      // A block still being written has no closing fence yet.
      const end = lines.findIndex((later, index) => index > at && FENCE.test(later));
      const last = end === -1 ? lines.length : end;
      const code = lines.slice(at + 1, last).join("\n");
      blocks.push({ tag: "pre", children: [{ tag: "code", children: [code] }] });
      at = last;
      continue;
    }
    const heading = HEADING.exec(line)?.[1];
    const item = listItem(line);
    if (heading !== undefined) {
      flush();
      blocks.push({ tag: "p", children: [{ tag: "strong", children: parseInline(heading) }] });
    } else if (item !== null) {
      flush();
      addItem(blocks, item.tag, item.text);
    } else if (line.trim() === "") {
      flush();
    } else {
      paragraph.push(line.trim());
    }
  }
  flush();
  return blocks;
}

function listItem(line: string): { tag: "ul" | "ol"; text: string } | null {
  const bullet = BULLET.exec(line)?.[1];
  if (bullet !== undefined) return { tag: "ul", text: bullet };
  const numbered = NUMBERED.exec(line)?.[1];
  return numbered === undefined ? null : { tag: "ol", text: numbered };
}

function addItem(blocks: Node[], tag: "ul" | "ol", text: string): void {
  const item: Node = { tag: "li", children: parseInline(text) };
  const before = blocks.at(-1);
  if (typeof before === "object" && before.tag === tag) before.children.push(item);
  else blocks.push({ tag, children: [item] });
}

function linesOf(lines: string[]): Node[] {
  return lines.flatMap((line, index): Node[] => {
    const nodes = parseInline(line);
    return index === 0 ? nodes : [{ tag: "br", children: [] }, ...nodes];
  });
}

export function parseInline(source: string): Node[] {
  const nodes: Node[] = [];
  let rest = source;
  for (let found = INLINE.exec(rest); found !== null; found = INLINE.exec(rest)) {
    if (found.index > 0) nodes.push(rest.slice(0, found.index));
    nodes.push(inlineNode(found));
    rest = rest.slice(found.index + found[0].length);
  }
  if (rest !== "") nodes.push(rest);
  return nodes;
}

function inlineNode(found: RegExpExecArray): Node {
  const [whole, , code, bold1, bold2, italic1, italic2, label, target] = found;
  if (code !== undefined)
    return { tag: "code", children: [code.trim() === "" ? code : code.trim()] };
  const bold = bold1 ?? bold2;
  if (bold !== undefined) return { tag: "strong", children: parseInline(bold) };
  const italic = italic1 ?? italic2;
  if (italic !== undefined) return { tag: "em", children: parseInline(italic) };
  const href = safeLink(target ?? "");
  if (label === undefined || href === null) return whole;
  return { tag: "a", href, children: [label] };
}

/** An answer may be made to say anything by what the camera sees: only plain web links are links. */
function safeLink(target: string): string | null {
  if (!/^https?:\/\//i.test(target)) return null;
  try {
    return new URL(target).href;
  } catch {
    return null;
  }
}

export function renderMarkdown(source: string, document: Document): DocumentFragment {
  const fragment = document.createDocumentFragment();
  for (const node of parseMarkdown(source)) fragment.append(toDom(node, document));
  return fragment;
}

function toDom(node: Node, document: Document): HTMLElement | string {
  if (typeof node === "string") return node;
  const element = document.createElement(node.tag);
  if (node.href !== undefined) {
    element.setAttribute("href", node.href);
    element.setAttribute("rel", "noopener noreferrer nofollow");
    element.setAttribute("target", "_blank");
  }
  element.append(...node.children.map((child) => toDom(child, document)));
  return element;
}
