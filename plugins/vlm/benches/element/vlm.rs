//! A VLM server in a process of its own, so that its CPU time is not taken for the element's.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The argument that makes this program the server.
pub(crate) const ARGUMENT: &str = "--as-vlm";

/// How long the server takes for an answer.
#[derive(Clone, Copy)]
pub(crate) enum Takes {
    /// It never answers.
    Forever,
    /// So many milliseconds.
    Ms(u64),
}

/// The server's process; it ends with this.
pub(crate) struct Vlm {
    process: Child,
    pub(crate) base: String,
}

impl Vlm {
    pub(crate) fn start(takes: Takes) -> Self {
        let takes = match takes {
            Takes::Forever => "forever".to_owned(),
            Takes::Ms(ms) => ms.to_string(),
        };
        let mut process = Command::new(std::env::current_exe().expect("a program has a path"))
            .args([ARGUMENT, &takes])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("this program starts a second time");
        let mut base = String::new();
        let said = process.stdout.take().expect("it is piped");
        BufReader::new(said).read_line(&mut base).expect("the server says its address");
        Self { process, base: base.trim().to_owned() }
    }
}

impl Drop for Vlm {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the second process does: serves until its parent is gone.
pub(crate) fn serve(takes: &str) {
    let takes = takes.parse().map_or(Takes::Forever, Takes::Ms);
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = listener.local_addr().expect("it is bound");
    writeln!(std::io::stdout(), "http://{address}/v1").expect("the parent listens");
    std::thread::spawn(|| {
        // The parent never writes: this ends with it.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    for stream in listener.incoming().flatten() {
        std::thread::spawn(move || talk(stream, takes));
    }
}

fn talk(stream: TcpStream, takes: Takes) -> Option<()> {
    const BODY: &str = concat!(
        r#"{"choices":[{"message":{"content":"A grey street; two people cross it."},"#,
        r#""finish_reason":"stop"}],"usage":{"prompt_tokens":300,"completion_tokens":9}}"#
    );
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    let mut writer = stream;
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim().to_ascii_lowercase();
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line.is_empty() {
                break;
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink()).ok()?;
        match takes {
            Takes::Forever => loop {
                std::thread::park();
            },
            Takes::Ms(ms) => std::thread::sleep(Duration::from_millis(ms)),
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ";
        // In one piece: TCP would hold a second one back.
        let answer = format!("{head}{}\r\n\r\n{BODY}", BODY.len());
        writer.write_all(answer.as_bytes()).ok()?;
    }
}
