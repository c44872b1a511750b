//! That the modules of a crate form no circles: whoever reads one can go on downwards, and never
//! comes back to where they began.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use syn::{
    Attribute, ExprPath, Item, ItemMod, ItemUse, TypePath, UseTree,
    visit::{self, Visit},
};

use super::root;

type Name = Vec<String>;

/// The modules of a crate that are files of their own, and what each takes from where.
#[derive(Default)]
struct Modules {
    /// Every path that a module names.
    named: BTreeMap<Name, BTreeSet<Name>>,
    /// What a module calls something that it takes from elsewhere.
    imported: BTreeMap<Name, BTreeMap<String, Name>>,
}

impl Modules {
    fn read(src: &Path) -> Self {
        let mut modules = Self::default();
        let mut files = Vec::new();
        sources(src, &mut files);
        for file in &files {
            let name = module(file.strip_prefix(src).unwrap());
            let text = fs::read_to_string(file).unwrap();
            modules.add(name, &text);
        }
        modules
    }

    fn add(&mut self, name: Name, text: &str) {
        let file = syn::parse_file(text).unwrap_or_else(|error| panic!("{name:?}: {error}"));
        let mut paths = Paths { module: &name, found: Vec::new(), imported: BTreeMap::new() };
        paths.visit_file(&file);
        let Paths { found, imported, .. } = paths;
        self.named.entry(name.clone()).or_default().extend(found);
        self.imported.entry(name).or_default().extend(imported);
    }

    /// The module that has what this path of the crate names: re-exports are followed.
    fn owner(&self, path: &[String], depth: usize) -> Name {
        let own = (0..=path.len()).rev().find(|len| self.named.contains_key(&path[..*len]));
        let len = own.unwrap_or_default();
        let (module, rest) = path.split_at(len);
        let known = rest.first().and_then(|name| self.imported.get(module)?.get(name));
        match known {
            Some(from) if depth < 8 && from != path => {
                let on: Name = from.iter().chain(&rest[1..]).cloned().collect();
                self.owner(&on, depth + 1)
            }
            _ => module.to_vec(),
        }
    }

    /// The modules that each one uses, except those around it and those within it: a folder's
    /// `mod.rs` and its files are one.
    fn arrows(&self) -> BTreeMap<Name, BTreeSet<Name>> {
        let used = |(module, paths): (&Name, &BTreeSet<Name>)| {
            let owners = paths.iter().map(|path| self.owner(path, 0));
            let others = owners.filter(|other| {
                !other.is_empty() && !other.starts_with(module) && !module.starts_with(other)
            });
            (module.clone(), others.collect())
        };
        self.named.iter().map(used).collect()
    }

    /// The shortest way from each module back to itself.
    fn circles(&self) -> Vec<Vec<String>> {
        let arrows = self.arrows();
        let shown = |name: &Name| name.join("::");
        let back = |start: &Name| {
            let mut ways = vec![vec![start.clone()]];
            let mut seen = BTreeSet::new();
            let mut at = 0;
            while let Some(way) = ways.get(at).cloned() {
                at += 1;
                for next in arrows.get(way.last().unwrap()).into_iter().flatten() {
                    if next == start {
                        return Some(way.iter().chain([next]).map(shown).collect::<Vec<_>>());
                    }
                    if seen.insert(next.clone()) {
                        ways.push([&way[..], std::slice::from_ref(next)].concat());
                    }
                }
            }
            None
        };
        arrows.keys().filter_map(back).collect()
    }
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        if path.is_dir() {
            sources(&path, found);
        } else if name.ends_with(".rs") && !name.ends_with("tests.rs") {
            found.push(path);
        }
    }
}

/// `a/b.rs` and `a/b/mod.rs` are both `a::b`.
fn module(file: &Path) -> Name {
    let mut name: Name =
        file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(name.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        name.pop();
    }
    name
}

/// Collects the paths of a file, from the crate's root.
struct Paths<'a> {
    module: &'a Name,
    found: Vec<Name>,
    imported: BTreeMap<String, Name>,
}

impl Paths<'_> {
    /// From the crate's root; `None` for what is of another crate.
    fn absolute(&self, path: &[String]) -> Option<Name> {
        let mut base = self.module.clone();
        let mut rest = path;
        match path.first()?.as_str() {
            "crate" => {
                base.clear();
                rest = &path[1..];
            }
            "self" => rest = &path[1..],
            "super" => {
                while rest.first().is_some_and(|part| part == "super") {
                    base.pop();
                    rest = &rest[1..];
                }
            }
            _ => return None,
        }
        base.extend_from_slice(rest);
        Some(base)
    }

    fn take(&mut self, tree: &UseTree, mut path: Name) {
        match tree {
            UseTree::Path(next) => {
                path.push(next.ident.to_string());
                self.take(&next.tree, path);
            }
            UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.take(tree, path.clone()));
            }
            UseTree::Glob(_) => self.note(&path, None),
            UseTree::Name(name) if name.ident == "self" => {
                let called = path.last().cloned();
                self.note(&path, called);
            }
            UseTree::Name(name) => {
                path.push(name.ident.to_string());
                self.note(&path, Some(name.ident.to_string()));
            }
            UseTree::Rename(rename) => {
                path.push(rename.ident.to_string());
                self.note(&path, Some(rename.rename.to_string()));
            }
        }
    }

    fn note(&mut self, path: &[String], called: Option<String>) {
        // A path that begins with a module declared here is one within it.
        let absolute = self.absolute(path).or_else(|| {
            let within: Name = self.module.iter().chain(path).cloned().collect();
            Some(within).filter(|_| called.is_some())
        });
        if let Some(absolute) = absolute {
            if let Some(called) = called {
                self.imported.insert(called, absolute.clone());
            }
            self.found.push(absolute);
        }
    }

    fn note_path(&mut self, path: &syn::Path) {
        let path: Name = path.segments.iter().map(|part| part.ident.to_string()).collect();
        if path.len() > 1
            && let Some(absolute) = self.absolute(&path)
        {
            self.found.push(absolute);
        }
    }
}

impl<'ast> Visit<'ast> for Paths<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !is_for_tests(item) {
            visit::visit_item(self, item);
        }
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        // A module inside this file has paths of its own, which `super` would lead astray.
        if item.content.is_none() {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.take(&item.tree, Vec::new());
    }

    fn visit_type_path(&mut self, path: &'ast TypePath) {
        self.note_path(&path.path);
        visit::visit_type_path(self, path);
    }

    fn visit_expr_path(&mut self, path: &'ast ExprPath) {
        self.note_path(&path.path);
        visit::visit_expr_path(self, path);
    }
}

fn is_for_tests(item: &Item) -> bool {
    let attributes: &[Attribute] = match item {
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        _ => return false,
    };
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute.meta.require_list().is_ok_and(|list| list.tokens.to_string() == "test")
    })
}

/// The folders of the workspace's crates.
fn crates() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let manifest: toml::Table = manifest.parse().unwrap();
    let members = manifest["workspace"]["members"].as_array().unwrap();
    members.iter().map(|member| member.as_str().unwrap().to_owned()).collect()
}

#[test]
fn modules_form_no_circles() {
    let mut found = BTreeMap::new();
    for name in crates() {
        let circles = Modules::read(&root().join(&name).join("src")).circles();
        if !circles.is_empty() {
            found.insert(name, circles);
        }
    }
    assert!(found.is_empty(), "these modules lead back to themselves: {found:#?}");
}

#[test]
fn a_circle_is_found_behind_a_re_export_too() {
    let mut modules = Modules::default();
    let name = |text: &str| text.split("::").map(str::to_owned).collect::<Name>();
    modules.add(Vec::new(), "mod a; mod b; pub use a::One; pub use b::Two;");
    modules.add(name("a"), "use crate::Two; pub struct One(Two);");
    modules.add(name("b"), "pub struct Two; fn two() -> Option<super::a::One> { None }");
    assert_eq!(modules.circles(), [["a", "b", "a"], ["b", "a", "b"]]);
    modules.add(name("c"), "use crate::a::One; #[cfg(test)] mod tests { use crate::c::X; }");
    assert_eq!(modules.circles().len(), 2);
}
