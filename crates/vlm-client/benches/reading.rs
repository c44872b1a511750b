//! How long a streamed answer of 10,000 events takes to be read, from a server on loopback that
//! has it ready. `cargo bench -p vlm-client --bench reading`.
#![expect(clippy::print_stdout, reason = "figures are read on the terminal")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use vlm_client::{AnswerEvent, AskHeaders, ChatRequest, Client, Endpoint};

const EVENTS: usize = 10_000;
/// 20 bytes.
const TEXT: &str = " and one more thing,";
/// Answers that are measured, after a tenth as many to settle.
const ANSWERS: usize = 100;
const LONG: Duration = Duration::from_secs(60);

/// An answer as most servers write it, and one with what some of them add to each event.
const SHAPES: [(&str, &str); 2] = [
    (
        "as vLLM writes it",
        r#"{"id":"chatcmpl-7f4e2a","object":"chat.completion.chunk","created":1764150000,"model":"Qwen/Qwen2.5-VL-7B-Instruct","choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":null,"finish_reason":null}]}"#,
    ),
    (
        "with all that OpenRouter adds",
        r#"{"id":"gen-1764150000-9fQ","provider":"Some Provider","model":"qwen/qwen2.5-vl-72b-instruct","object":"chat.completion.chunk","created":1764150000,"choices":[{"index":0,"delta":{"role":"assistant","content":"TEXT","reasoning":null,"reasoning_details":[]},"finish_reason":null,"native_finish_reason":null,"logprobs":null}],"usage":null,"system_fingerprint":"fp_44709d6fcb"}"#,
    ),
];

fn answer(event: &str) -> Vec<u8> {
    let mut body = format!("data: {}\n\n", event.replace("TEXT", TEXT)).repeat(EVENTS);
    body += "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
    body += "data: [DONE]\n\n";
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    format!("{head}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Answers every question on every connection with these bytes.
fn serve(answer: Vec<u8>) -> Endpoint {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let _ = serve_one(&stream, &answer);
        }
    });
    Endpoint::new(&format!("http://{address}/v1"), None).expect("it is an address")
}

fn serve_one(mut stream: &TcpStream, answer: &[u8]) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let mut length = 0;
        let mut line = String::new();
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or(0);
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
        stream.write_all(answer)?;
    }
}

/// Asks and reads to the end; the time that took.
async fn read(client: &Client, endpoint: &Endpoint) -> Duration {
    let request = ChatRequest {
        model: "m".into(),
        prompt: "?".into(),
        max_tokens: 9,
        stream: true,
        ..ChatRequest::default()
    };
    let began = Instant::now();
    let mut stream =
        client.ask(endpoint, &request, &AskHeaders::default(), LONG).await.expect("it answers");
    let mut bytes = 0;
    while let Some(event) = stream.next().await {
        if let AnswerEvent::Text(text) = event.expect("the answer is good") {
            bytes += text.len();
        }
    }
    // But for the blank at its beginning.
    assert_eq!(bytes, EVENTS * TEXT.len() - 1);
    began.elapsed()
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime starts");
    let client = Client::new().expect("certificates can be read");
    println!("{EVENTS} events of {} bytes each", TEXT.len());
    println!("{:<30} {:>12} {:>12}", "", "least, ms", "median, ms");
    for (name, event) in SHAPES {
        let endpoint = serve(answer(event));
        let mut times: Vec<Duration> = runtime.block_on(async {
            let mut times = Vec::new();
            for n in 0..ANSWERS + ANSWERS / 10 {
                let took = read(&client, &endpoint).await;
                if n >= ANSWERS / 10 {
                    times.push(took);
                }
            }
            times
        });
        times.sort_unstable();
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        println!("{name:<30} {:>12.2} {:>12.2}", ms(times[0]), ms(times[times.len() / 2]));
    }
}
