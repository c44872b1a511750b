use std::{env, ffi::OsString, fs};

use super::{
    log::log,
    support::{Started, config},
};

#[tokio::test]
async fn no_key_is_in_the_environment_the_arguments_or_the_files_of_a_media_process() {
    let names = ["VLM_API_KEY", "LIVE_VLM_API_KEY", "OPENAI_API_KEY", "PATH"];
    let secrets = names.map(|name| (OsString::from(name), OsString::from("a-secret-key")));
    let home = env::vars_os().filter(|(name, _)| name == "HOME");
    let secret_file = fs::File::open("/etc/hostname").unwrap();
    rustix::io::fcntl_setfd(&secret_file, rustix::io::FdFlags::empty()).unwrap();
    let started = Started::by(config(), secrets.into_iter().chain(home));
    let answered = started.answer("ada").await;
    for what in ["environ", "cmdline"] {
        let bytes = fs::read(format!("/proc/{}/{what}", started.zygote())).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.is_empty() && !text.contains("a-secret-key"), "{text}");
    }
    // Only root may look, as the process hides from others of its user.
    let Ok(files) = fs::read_dir(format!("/proc/{}/fd", started.pid(&answered))) else { return };
    for file in files {
        let file = file.unwrap().path();
        let Ok(what) = fs::read_link(&file) else { continue };
        let kind = what.to_string_lossy().split(':').next().unwrap().to_owned();
        let is_its_own = matches!(kind.as_str(), "socket" | "anon_inode" | "pipe" | "/dev/null");
        assert!(is_its_own, "{}: {}", file.display(), what.display());
    }
}

#[tokio::test]
async fn media_processes_draw_random_numbers_of_their_own() {
    let started = Started::new(config());
    let mut drawn: Vec<Vec<String>> = Vec::new();
    for user in ["ada", "bob"] {
        let answer = started.answer(user).await.sdp;
        let of = |begin: &str| {
            let line = answer.lines().find(|line| line.starts_with(begin));
            line.unwrap_or_else(|| panic!("{begin} of {answer}")).to_owned()
        };
        let what = ["a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:", "o="];
        drawn.push(what.into_iter().map(of).collect());
    }
    for (one, other) in drawn[0].iter().zip(&drawn[1]) {
        assert_ne!(one, other);
    }
}

#[tokio::test]
async fn openssl_draws_other_random_numbers_in_each_media_process() {
    let (written, _guard) = log();
    let started = Started::faulty(config());
    let mut drawn = Vec::new();
    for (user, process) in [("ada", "process=1 "), ("bob", "process=2 ")] {
        let _answered = started.answer(user).await;
        let line = written.wait_for(&["random Some([", process]).await;
        drawn.push(line.replace(process, ""));
    }
    assert_ne!(drawn[0], drawn[1]);
}
