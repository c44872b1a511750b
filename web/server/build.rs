//! Builds the browser page and puts its files into the binary.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, exit},
};

fn main() {
    let page = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default()).join("../page");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    for watched in ["src", "build.mjs", "package-lock.json", "node_modules/.package-lock.json"] {
        println!("cargo::rerun-if-changed={}", page.join(watched).display());
    }
    if !page.join("node_modules").is_dir() {
        fail("the page's packages are not installed; run ./run.sh once, or `npm ci` in web/page");
    }
    let dist = out.join("page");
    let _ = fs::remove_dir_all(&dist);
    let built = Command::new(node(&page)).arg("build.mjs").arg(&dist).current_dir(&page).status();
    match built {
        Ok(status) if status.success() => {}
        Ok(status) => fail(&format!("`node build.mjs` in web/page failed ({status})")),
        Err(error) => fail(&format!("cannot run node: {error}; run ./run.sh once")),
    }
    fs::write(out.join("page_files.rs"), listing(&dist)).unwrap_or_else(|error| {
        fail(&format!("cannot write the list of the page's files: {error}"));
    });
}

/// The Node that `./run.sh` installs, if it had to; else the one of this machine.
fn node(page: &Path) -> PathBuf {
    let own = page.join("../../target/node/bin/node");
    own.canonicalize().unwrap_or_else(|_| PathBuf::from("node"))
}

fn listing(dist: &Path) -> String {
    let entries = fs::read_dir(dist).unwrap_or_else(|error| {
        fail(&format!("the page was not built into {}: {error}", dist.display()))
    });
    let mut names: Vec<String> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort();
    let lines: String = names
        .iter()
        .map(|name| {
            format!(
                "    ({name:?}, include_bytes!(concat!(env!(\"OUT_DIR\"), \"/page/{name}\"))),\n"
            )
        })
        .collect();
    format!("&[\n{lines}]\n")
}

fn fail(why: &str) -> ! {
    println!("cargo::error={why}");
    exit(1);
}
