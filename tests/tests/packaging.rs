//! What scripts/install.sh installs and scripts/package.sh packages, with the programs of this
//! test run: a release build takes minutes.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use tempfile::TempDir;

/// By `systemd-analyze security`, in tenths of its figure.
const MOST_EXPOSED: u32 = 20;
const VERSION: &str = env!("CARGO_PKG_VERSION");

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"))
}

/// What a command that must succeed prints.
fn output(command: &mut Command) -> String {
    let output = run(command);
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{stdout}{stderr}", output.status);
    stdout.into_owned()
}

fn script(name: &str) -> Command {
    let mut command = Command::new(root().join("scripts").join(name));
    // A registry that is asked is an error, and the folder of the programs is not cargo's.
    command.env("CARGO_NET_OFFLINE", "true").env_remove("CARGO_TARGET_DIR");
    command.env_remove("SUDO_UID");
    command
}

/// A folder with the plugin and the server under the names that they have for users.
fn binaries() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let plugin = std::env::current_exe().unwrap().with_file_name("libgstvlm.so");
    assert!(plugin.exists(), "{} was not built with the tests", plugin.display());
    symlink(plugin, folder.path().join("libgstvlm.so")).unwrap();
    for (built, name) in [
        (env!("CARGO_BIN_EXE_live-vlm-under-test"), "live-vlm"),
        (env!("CARGO_BIN_EXE_live-vlm-under-test-media"), "live-vlm-media"),
    ] {
        symlink(built, folder.path().join(name)).unwrap();
    }
    folder
}

fn files_in(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_in(&entry.path()));
        } else {
            found.insert(entry.path());
        }
    }
    found
}

/// The only file of this name in a folder.
fn the(name: &str, folder: &Path) -> PathBuf {
    let found = files_in(folder);
    let mut named = found.iter().filter(|path| path.file_name().is_some_and(|file| file == name));
    match (named.next(), named.next()) {
        (Some(path), None) => path.clone(),
        _ => panic!("not one {name}: {found:#?}"),
    }
}

/// GStreamer loads this plugin and no other, and knows its element.
fn assert_loads(plugin: &Path) {
    let registry = tempfile::tempdir().unwrap();
    let inspected = output(
        Command::new("gst-inspect-1.0")
            .arg("vlmanalyze")
            .env("GST_PLUGIN_PATH", plugin.parent().unwrap())
            .env("GST_PLUGIN_SYSTEM_PATH", "")
            .env("GST_REGISTRY", registry.path().join("registry")),
    );
    assert!(inspected.contains(plugin.to_str().unwrap()), "{inspected}");
    assert!(inspected.contains("Element Properties"), "{inspected}");
}

fn assert_runs(server: &Path) {
    let version = output(Command::new(server).arg("--version"));
    assert_eq!(version.trim(), format!("live-vlm {VERSION}"));
    // GStreamer is the media processes' alone.
    let libraries = output(Command::new("ldd").arg(server));
    let reads_video = |line: &&str| line.contains("libgst") || line.contains("libglib");
    assert_eq!(libraries.lines().find(reads_video), None);
    let media = server.with_file_name("live-vlm-media");
    assert!(output(Command::new("ldd").arg(media)).lines().any(|line| reads_video(&line)));
}

/// systemd takes the unit, with `server` as what it starts.
fn assert_unit(unit: &Path, server: &Path) {
    let text = fs::read_to_string(unit).unwrap();
    let starts = text.lines().find_map(|line| line.strip_prefix("ExecStart=")).unwrap();
    let (program, rest) = starts.split_once(' ').unwrap();
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().join("live-vlm.service");
    fs::write(&here, text.replace(starts, &format!("{} {rest}", server.display()))).unwrap();
    assert!(server.ends_with(program.trim_start_matches('/')) || server == program, "{text}");
    // ./test.sh installs it, with systemd.
    let analyze = || Command::new("systemd-analyze");
    let said = run(analyze().args(["verify", "--man=no"]).arg(&here));
    // A setting that it does not know is a warning only; other units are the host's.
    let warned = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && !warned.contains("live-vlm.service"), "{warned}");
    // Of 100: what the service could do to the host, if somebody took it over.
    let threshold = format!("--threshold={MOST_EXPOSED}");
    let said = run(analyze().args(["security", "--offline=true", &threshold]).arg(&here));
    let (table, why) =
        (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(table.contains("Overall exposure level"), "{table}{why}");
    assert!(said.status.success(), "{table}{why}");
    // A crash leaves nobody's keys on the disk, and the next one does not leave it stopped.
    for setting in ["LimitCORE=0", "StartLimitIntervalSec=0", "Restart=on-failure"] {
        assert!(text.lines().any(|line| line == setting), "{setting}\n{text}");
    }
}

#[test]
fn install_puts_everything_below_a_prefix_and_uninstall_takes_it_away() {
    let (binaries, folder) = (binaries(), tempfile::tempdir().unwrap());
    let prefix = folder.path();
    let install = |arguments: &[&str]| {
        let mut command = script("install.sh");
        command.arg("--prefix").arg(prefix).arg("--binaries").arg(binaries.path()).args(arguments);
        output(&mut command)
    };

    let told = install(&["all"]);
    let installed = files_in(prefix);
    assert_loads(&the("libgstvlm.so", prefix));
    let plugins = the("libgstvlm.so", prefix).parent().unwrap().to_owned();
    assert!(plugins.ends_with("gstreamer-1.0"), "{plugins:?}");
    assert!(told.contains(&format!("GST_PLUGIN_PATH={}", plugins.display())), "{told}");
    assert_runs(&prefix.join("bin/live-vlm"));
    assert_unit(&the("live-vlm.service", prefix), &prefix.join("bin/live-vlm"));
    for path in ["live-vlm/install.md", "live-vlm/live-vlm.toml", "live-vlm/LICENSE-MIT"] {
        assert!(prefix.join("share/doc").join(path).is_file(), "{path}");
    }

    install(&["all"]);
    assert_eq!(files_in(prefix), installed, "again is the same");

    install(&["--uninstall", "server"]);
    assert_loads(&the("libgstvlm.so", prefix));
    for path in ["bin/live-vlm", "bin/live-vlm-media", "share/doc/live-vlm"] {
        assert!(!prefix.join(path).exists(), "{path}");
    }
    install(&["--uninstall", "all"]);
    assert_eq!(files_in(prefix), BTreeSet::new());
    install(&["--uninstall", "all"]);
}

#[test]
fn the_plugin_goes_where_it_is_told_below_a_destdir() {
    let (binaries, folder) = (binaries(), tempfile::tempdir().unwrap());
    let mut command = script("install.sh");
    command.arg("--binaries").arg(binaries.path()).arg("--destdir").arg(folder.path());
    output(command.args(["--plugin-dir", "/opt/plugins", "plugin"]));
    assert_loads(&folder.path().join("opt/plugins/libgstvlm.so"));
    assert!(folder.path().join("usr/local/share/doc/gstreamer1.0-vlm/INSTALL.md").is_file());
    assert!(!folder.path().join("usr/local/bin").exists());
}

#[test]
fn what_cannot_be_installed_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&[&str], &str); 5] = [
        (&[], "plugin, server or all"),
        (&["plugins"], "\"plugins\" is not known"),
        (&["plugin", "--prefix"], "--prefix needs a folder"),
        (&["plugin", "--prefix", "/dev/null/x"], "/dev/null is not a folder"),
        (&["plugin", "--prefix", ".", "--binaries", "."], "no libgstvlm.so"),
    ];
    for (arguments, wanted) in cases {
        let mut command = script("install.sh");
        let output = run(command.current_dir(folder.path()).args(arguments));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(wanted), "{arguments:?}: {said}");
    }
    // Without cargo: nothing but these is found.
    let tools = tempfile::tempdir().unwrap();
    for tool in ["bash", "dirname", "id", "realpath"] {
        symlink(Path::new("/usr/bin").join(tool), tools.path().join(tool)).unwrap();
    }
    let mut command = script("install.sh");
    command.env("PATH", tools.path()).env("HOME", folder.path()).arg("plugin");
    let output = run(command.arg("--plugin-dir").arg(folder.path()));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("Run ./run.sh once"), "{said}");
    assert_eq!(files_in(folder.path()), BTreeSet::new());
}

#[test]
fn the_debian_packages_have_what_they_should() {
    let (binaries, folder) = (binaries(), tempfile::tempdir().unwrap());
    let mut command = script("package.sh");
    command.arg("--fast").arg("--binaries").arg(binaries.path());
    command.arg("--output").arg(folder.path());
    let printed = output(&mut command);
    let [plugin, server] = &printed.lines().map(PathBuf::from).collect::<Vec<_>>()[..] else {
        panic!("not two packages: {printed}")
    };

    let at = Package::open(plugin, "gstreamer1.0-vlm");
    at.needs(&["libgstreamer1.0-0 (>=", "libc6 (>=", "gstreamer1.0-plugins-good"]);
    let loaded = the("libgstvlm.so", at.folder.path());
    assert!(loaded.parent().unwrap().ends_with("gstreamer-1.0"), "{loaded:?}");
    assert_loads(&loaded);
    at.has(&[
        "usr/share/doc/gstreamer1.0-vlm/copyright",
        "usr/share/doc/gstreamer1.0-vlm/licences-of-crates.txt.gz",
    ]);

    let at = Package::open(server, "live-vlm");
    at.needs(&["libgstreamer1.0-0 (>=", "gstreamer1.0-nice", "gstreamer1.0-plugins-bad"]);
    at.has(&[
        "etc/live-vlm/live-vlm.toml",
        "usr/lib/sysusers.d/live-vlm.conf",
        "usr/lib/tmpfiles.d/live-vlm.conf",
        "usr/share/doc/live-vlm/install.md",
        "usr/share/doc/live-vlm/licences-of-crates.txt.gz",
    ]);
    let program = at.folder.path().join("usr/bin/live-vlm");
    assert_runs(&program);
    assert_unit(&at.folder.path().join("usr/lib/systemd/system/live-vlm.service"), &program);
    output(
        Command::new(&program)
            .args(["config", "check", "--config"])
            .arg(at.folder.path().join("etc/live-vlm/live-vlm.toml")),
    );
    let control = at.control();
    assert_eq!(
        fs::read_to_string(control.path().join("conffiles")).unwrap().trim(),
        "/etc/live-vlm/live-vlm.toml"
    );
    // Its user is made, and it is not started before it is configured.
    let after = fs::read_to_string(control.path().join("postinst")).unwrap();
    assert!(after.contains("systemd-sysusers"), "{after}");
    let mut orders = after.lines().filter(|line| line.contains("deb-systemd-invoke"));
    assert!(orders.all(|line| line.contains(" try-restart ")), "{after}");
    assert!(after.contains("if deb-systemd-helper debian-installed"), "{after}");
}

/// A package, and what is in it.
struct Package {
    file: PathBuf,
    folder: TempDir,
}

impl Package {
    /// Takes it apart as dpkg does.
    fn open(file: &Path, name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        output(Command::new("dpkg-deb").arg("-x").arg(file).arg(folder.path()));
        let package = Self { file: file.to_owned(), folder };
        assert_eq!(package.field("Package"), name);
        assert_eq!(package.field("Version"), VERSION);
        // Nobody but root may change what is installed.
        for file in files_in(package.folder.path()) {
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o022, 0, "{}: {mode:o}", file.display());
        }
        let listed = output(Command::new("dpkg-deb").arg("--contents").arg(&package.file));
        let others = listed.lines().find(|line| !line.split_whitespace().any(|word| word == "0/0"));
        assert_eq!(others, None, "not root's");
        package
    }

    fn field(&self, name: &str) -> String {
        let value = output(Command::new("dpkg-deb").arg("--field").arg(&self.file).arg(name));
        value.trim().to_owned()
    }

    fn needs(&self, packages: &[&str]) {
        let depends = self.field("Depends");
        for package in packages {
            assert!(depends.contains(package), "no {package}: {depends}");
        }
    }

    fn has(&self, files: &[&str]) {
        for file in files {
            assert!(self.folder.path().join(file).is_file(), "no {file}");
        }
    }

    fn control(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        output(Command::new("dpkg-deb").arg("-e").arg(&self.file).arg(folder.path()));
        folder
    }
}
