//! Turns a video file into a WebVTT track and a file of answers, one line of JSON each.
//!
//! ```console
//! cargo run -p gst-plugin-vlm --example captions -- VIDEO OUT.vtt OUT.jsonl --interval 2
//! ```
//!
//! `busy=wait` holds the file until the VLM is free, so that every sample is asked about. A question
//! that fails, and fails again, ends it with an error: both files then end where it got to.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    time::Duration,
};

use clap::Parser;
use gst::prelude::*;
use gstvlm::{
    analyze::{Busy, ErrorPolicy},
    messages::{Answer, AnswerError},
};

/// Captions a video with what a VLM says of it.
#[derive(Parser)]
struct Options {
    /// The video to ask about.
    video: PathBuf,
    /// The WebVTT file to write.
    vtt: PathBuf,
    /// The file of answers to write, one JSON object in a line.
    jsonl: PathBuf,
    /// What to ask about each sample.
    #[arg(long)]
    prompt: Option<String>,
    /// Seconds of video between two samples.
    #[arg(long, default_value_t = 1.0)]
    interval: f64,
    /// Base address of the OpenAI-compatible server, as http://localhost:8000/v1
    #[arg(long)]
    api_base: Option<String>,
    /// The model to ask; without it, the first vision model that the server lists.
    #[arg(long)]
    model: Option<String>,
}

fn main() -> ExitCode {
    match captions(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn captions(options: &Options) -> Result<(), String> {
    let video = std::path::absolute(&options.video)
        .ok()
        .filter(|video| video.is_file())
        .ok_or_else(|| format!("{}: there is no such file", options.video.display()))?;
    let interval = Duration::try_from_secs_f64(options.interval)
        .ok()
        .and_then(|interval| u64::try_from(interval.as_nanos()).ok())
        .ok_or("--interval: give a number of seconds, 0 or more")?;
    let cannot_write =
        |path: &Path, error: &io::Error| format!("{}: cannot be written: {error}", path.display());
    let answers =
        File::create(&options.jsonl).map_err(|error| cannot_write(&options.jsonl, &error))?;
    File::create(&options.vtt).map_err(|error| cannot_write(&options.vtt, &error))?;
    gst::init().map_err(|error| format!("GStreamer does not start: {error}"))?;
    gstvlm::register_static().map_err(|error| error.to_string())?;

    let pipeline = pipeline(&video, options, interval)?;
    let outcome = pipeline
        .set_state(gst::State::Playing)
        .map_err(|_| first_error(&pipeline))
        .and_then(|_| follow(&pipeline, BufWriter::new(answers), &options.jsonl));
    let _ = pipeline.set_state(gst::State::Null);
    outcome
}

fn pipeline(video: &Path, options: &Options, interval: u64) -> Result<gst::Pipeline, String> {
    let make = |name: &str| {
        gst::ElementFactory::make(name)
            .build()
            .map_err(|_| format!("GStreamer has no element {name}; install its plugin"))
    };
    let failed = |error: gst::glib::BoolError| error.to_string();
    let uri = gst::glib::filename_to_uri(video, None).map_err(|error| error.to_string())?;
    let source = make("uridecodebin3")?;
    source.set_property("uri", uri);
    let convert = make("videoconvert")?;
    let vlm = make("vlmanalyze")?;
    vlm.set_property("busy", Busy::Wait);
    vlm.set_property("error-policy", ErrorPolicy::Fail);
    vlm.set_property("interval", interval);
    let settings =
        [("prompt", &options.prompt), ("api-base", &options.api_base), ("model", &options.model)];
    for (name, value) in settings {
        if let Some(value) = value {
            vlm.set_property(name, value);
        }
    }
    let sink = make("fakesink")?;
    sink.set_property("sync", false);
    let webvtt = make("webvttenc")?;
    let file = make("filesink")?;
    file.set_property("location", &options.vtt);

    let pipeline = gst::Pipeline::new();
    pipeline.add_many([&source, &convert, &vlm, &sink, &webvtt, &file]).map_err(failed)?;
    gst::Element::link_many([&convert, &vlm, &sink]).map_err(failed)?;
    vlm.link_pads(Some("text"), &webvtt, None).map_err(failed)?;
    webvtt.link(&file).map_err(failed)?;
    source.connect_pad_added(move |_, pad| {
        // One video is asked about; sound and further videos are left.
        let is_video = pad.name().starts_with("video");
        if let Some(sink) = convert.static_pad("sink").filter(|it| is_video && !it.is_linked()) {
            let _ = pad.link(&sink);
        }
    });
    Ok(pipeline)
}

/// Writes the answers down until the video ends.
fn follow(pipeline: &gst::Pipeline, mut answers: impl Write, path: &Path) -> Result<(), String> {
    let bus = pipeline.bus().ok_or("the pipeline has no bus")?;
    for message in bus.iter_timed(None) {
        match message.view() {
            gst::MessageView::Eos(_) => break,
            gst::MessageView::Error(error) => return Err(told(error)),
            _ => {}
        }
        if let Some(answer) = Answer::from_message(&message).filter(|answer| answer.done) {
            writeln!(answers, "{}", answer.to_json())
                .map_err(|error| format!("{}: cannot be written: {error}", path.display()))?;
        } else if let Some(error) = AnswerError::from_message(&message) {
            let _ = writeln!(io::stderr(), "{}: {}", error.kind, error.message);
        }
    }
    answers.flush().map_err(|error| format!("{}: cannot be written: {error}", path.display()))
}

fn first_error(pipeline: &gst::Pipeline) -> String {
    let message = pipeline.bus().and_then(|bus| bus.pop_filtered(&[gst::MessageType::Error]));
    match message.as_ref().map(|message| message.view()) {
        Some(gst::MessageView::Error(error)) => told(error),
        _ => "the pipeline does not start".to_owned(),
    }
}

fn told(error: &gst::message::Error) -> String {
    let debug = error.debug().map(|debug| format!(" ({debug})")).unwrap_or_default();
    format!("{}{debug}", error.error())
}
