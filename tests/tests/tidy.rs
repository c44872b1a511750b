//! Rules of the repository that a compiler does not check.

#[path = "tidy/modules.rs"]
mod modules;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use clap::CommandFactory;
use serde_json::Value;

const LONGEST_SOURCE: usize = 500;
const LONGEST_TEST: usize = 700;
const LONGEST_PROSE: usize = 100;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files with one of these extensions that are ours.
fn files(extensions: &[&str]) -> Vec<PathBuf> {
    const OTHERS: [&str; 5] = ["node_modules", "target", "dist", ".git", "test-results"];
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type().unwrap().is_dir() {
                if !OTHERS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|ext| extensions.iter().any(|e| ext == *e)) {
                found.push(path);
            }
        }
    }
    found
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_relative_link_resolves() {
    let mut broken = Vec::new();
    for path in files(&["md"]) {
        let text = fs::read_to_string(&path).unwrap();
        for target in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (file, heading) = target.split_once('#').unwrap_or((&target, ""));
            let place = match file {
                "" => path.clone(),
                file => path.parent().unwrap().join(file),
            };
            let found = match heading {
                "" => place.exists(),
                heading => fs::read_to_string(&place)
                    .is_ok_and(|text| headings(&text).iter().any(|found| found == heading)),
            };
            if !found {
                broken.push(format!("{}: {target}", shown(&path)));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// The targets of `[text](target)` and of `src` and `href` attributes, outside of code.
fn links(markdown: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (_, line) in prose(markdown) {
        // Every second part between backticks is code; what is left is joined again.
        let text: String = line.split('`').step_by(2).collect::<Vec<_>>().join("`");
        for (mark, end) in [("](", ')'), ("src=\"", '"'), ("href=\"", '"')] {
            let targets = text.split(mark).skip(1).filter_map(|rest| rest.split(end).next());
            found.extend(targets.filter_map(|t| t.split_whitespace().next()).map(str::to_owned));
        }
    }
    found
}

/// What a link writes behind `#` for each heading.
fn headings(markdown: &str) -> Vec<String> {
    let as_linked = |heading: &str| -> String {
        let kept = heading.trim().to_lowercase();
        kept.chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect()
    };
    prose(markdown)
        .filter_map(|(_, line)| line.strip_prefix('#'))
        .map(|line| as_linked(line.trim_start_matches('#')))
        .collect()
}

/// The lines outside of fenced blocks, with their numbers.
fn prose(markdown: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut in_code = false;
    (1..).zip(markdown.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !in_code && !fence
    })
}

#[test]
fn headings_are_written_as_links_name_them() {
    let text = "# A b: `c-d`\n```\n# not\n```\n## Where ...\n";
    assert_eq!(headings(text), ["a-b-c-d", "where-"]);
}

#[test]
fn documents_are_wrapped_so_that_their_diffs_can_be_read() {
    let mut long = Vec::new();
    for path in files(&["md"]) {
        let text = fs::read_to_string(&path).unwrap();
        for (number, line) in prose(&text) {
            // Neither tables nor HTML can be wrapped, nor a word by itself.
            let can_be = !line.starts_with(['|', '<']) && line.trim().contains(' ');
            if can_be && line.chars().count() > LONGEST_PROSE {
                long.push(format!("{}:{number}", shown(&path)));
            }
        }
    }
    assert!(long.is_empty(), "longer than {LONGEST_PROSE} characters: {long:#?}");
}

#[test]
fn links_are_found_in_text_and_not_in_code() {
    let text = "a [b](c.md#d) `[e](f)` [`g`](h \"i\")\n```\n[j](k)\n```\n<img src=\"l.png\">";
    assert_eq!(links(text), ["c.md#d", "h", "l.png"]);
}

/// The names between backticks in a text that are those of source files.
fn named_files(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split('`').skip(1).step_by(2);
    words.filter(|word| {
        let is_path = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
        [".rs", ".ts", ".sh"].iter().any(|end| word.ends_with(end)) && word.chars().all(is_path)
    })
}

#[test]
fn the_guides_to_the_sources_name_files_that_exist() {
    let existing: Vec<String> =
        files(&["rs", "ts", "sh"]).iter().map(|path| format!("/{}", shown(path))).collect();
    let mut missing = Vec::new();
    for guide in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = read(guide);
        for name in named_files(&text) {
            // Many a name is that of a file beside another.
            let end = format!("/{}", name.trim_start_matches("./"));
            if !existing.iter().any(|path| path.ends_with(&end)) {
                missing.push(format!("{guide}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn files_are_found_between_backticks() {
    let text = "`a/b.rs`, c.rs, `crates/*/d.rs`, `e.md`\n```sh\n./f.sh\n```\n`g.ts` beside it";
    assert_eq!(named_files(text).collect::<Vec<_>>(), ["a/b.rs", "g.ts"]);
}

#[test]
fn no_source_file_is_too_long() {
    let mut long = Vec::new();
    for path in files(&["rs", "ts", "css", "html", "mjs", "js", "sh"]) {
        let name = shown(&path);
        let is_test = name.contains("tests/") || name.contains("test/") || name.contains("_tests");
        let limit = if is_test { LONGEST_TEST } else { LONGEST_SOURCE };
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        if lines > limit {
            long.push(format!("{name}: {lines} lines, at most {limit}"));
        }
    }
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn every_flag_is_documented() {
    let documented = read("docs/configuration.md");
    let words: BTreeSet<&str> =
        documented.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '_')).collect();
    let command = live_vlm::config::Cli::command();
    let mut missing = Vec::new();
    for argument in command.get_arguments() {
        let flag = argument.get_long().map(|long| format!("--{long}"));
        let variable = argument.get_env().map(|name| name.to_string_lossy().into_owned());
        missing
            .extend(flag.into_iter().chain(variable).filter(|name| !words.contains(name.as_str())));
    }
    assert!(missing.is_empty(), "docs/configuration.md does not mention {missing:?}");
}

#[test]
fn every_message_is_documented() {
    let documented = read("docs/protocol.md");
    let pinned: Value = serde_json::from_str(&read("web/page/protocol.json")).unwrap();
    for side in ["from_client", "from_server"] {
        for message in pinned[side].as_array().unwrap() {
            let kind = message["type"].as_str().unwrap();
            let begins = format!("`{{type: \"{kind}\"");
            assert!(documented.contains(&begins), "docs/protocol.md has no {begins}");
        }
    }
}

#[test]
fn nothing_is_left_to_be_done_in_the_sources() {
    // Not written out, or this file would be found.
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let mut left = Vec::new();
    for path in files(&["rs", "ts", "css", "html", "mjs", "js", "sh", "toml", "yml", "yaml"]) {
        for (number, line) in fs::read_to_string(&path).unwrap().lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                left.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    assert!(left.is_empty(), "{left:#?}");
}

/// As `1.92` or `1.92.0` has it.
fn version(text: &str) -> Vec<u32> {
    let mut parts: Vec<u32> = text.split('.').map(|part| part.parse().unwrap()).collect();
    parts.resize(3, 0);
    parts
}

/// Clippy sees to it that our own code uses nothing newer.
#[test]
fn no_dependency_needs_a_newer_rust_than_we_promise() {
    let platform = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--offline", "--format-version=1", "--filter-platform"])
        .arg(platform)
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let promised = version(env!("CARGO_PKG_RUST_VERSION"));
    let newer: Vec<String> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|package| package["rust_version"].as_str().is_some_and(|v| version(v) > promised))
        .map(|package| format!("{} wants {}", package["name"], package["rust_version"]))
        .collect();
    assert!(newer.is_empty(), "{newer:#?}");
}
