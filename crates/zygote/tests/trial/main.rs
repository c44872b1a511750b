//! A zygote whose children do what they are told by a word on their socket.

use std::{
    env,
    fs::File,
    io::{Read, Write, stderr, stdout},
    os::unix::net::UnixStream,
    process::{Command, ExitCode},
    sync::{OnceLock, mpsc},
    thread,
};

/// What the initialisation has found, which children have, too.
static FOUND: OnceLock<String> = OnceLock::new();

fn main() -> ExitCode {
    let how = env::args().nth(1).unwrap_or_default();
    if how == "owner" {
        return own();
    }
    match live_vlm_zygote::serve(|| init(&how), child) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// Has a zygote and a child, says their numbers, and waits to be killed.
fn own() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let program = Command::new(env::current_exe().unwrap());
        let zygote = live_vlm_zygote::Zygote::start(program).await.unwrap();
        let errors = File::options().write(true).open("/dev/null").unwrap();
        let child = zygote.fork(errors.into()).await.unwrap();
        let _ = writeln!(stdout(), "{} {}", zygote.pid(), child.pid());
        std::future::pending::<ExitCode>().await
    })
}

fn init(how: &str) -> Result<(), String> {
    FOUND.set(format!("initialised by {}", std::process::id())).unwrap();
    match how {
        "failing" => Err("nothing can be initialised".to_owned()),
        "threaded" => {
            // It has its name only once it runs.
            let (tell, runs) = mpsc::channel();
            let thread = move || {
                tell.send(()).unwrap();
                loop {
                    thread::park();
                }
            };
            let named = thread::Builder::new().name("a-thread".to_owned());
            named.spawn(thread).map_err(|error| error.to_string())?;
            runs.recv().map_err(|error| error.to_string())
        }
        _ => Ok(()),
    }
}

fn child(mut socket: UnixStream) -> u8 {
    loop {
        let mut word = [0; 8];
        if socket.read_exact(&mut word).is_err() {
            return 0;
        }
        let said = match std::str::from_utf8(&word).unwrap().trim_end() {
            "found" => FOUND.get().unwrap().clone(),
            "files" => files(),
            "thread" => thread::spawn(|| "from a thread".to_owned()).join().unwrap(),
            "complain" => {
                let _ = writeln!(stderr(), "something is wrong");
                "done".to_owned()
            }
            "panic" => panic!("as told"),
            "abort" => std::process::abort(),
            "seven" => return 7,
            "hang" => loop {
                thread::park();
            },
            other => panic!("{other}"),
        };
        socket.write_all(said.as_bytes()).unwrap();
        socket.write_all(b"\n").unwrap();
    }
}

/// What each open file is, in order of their numbers.
fn files() -> String {
    let folder = "/proc/self/fd";
    let numbers = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut numbers: Vec<u32> =
        numbers.map(|name| name.to_str().unwrap().parse().unwrap()).collect();
    numbers.sort_unstable();
    let what = |number: u32| {
        // The folder itself was one of them.
        let link = std::fs::read_link(format!("{folder}/{number}")).ok()?;
        Some(link.to_string_lossy().split(':').next().unwrap().to_owned())
    };
    numbers.into_iter().filter_map(what).collect::<Vec<_>>().join(", ")
}
