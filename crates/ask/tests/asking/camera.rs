//! Something to ask about.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use live_vlm_ask::{Answer, Asker, ChosenModel, Failure, QuestionSettings, Subject, Told};
use live_vlm_dispatch::{Backend, Dispatcher, DispatcherConfig, Slots};
use tokio::runtime::Handle;
use vlm_client::{Client, Endpoint, Picture};

/// Numbers its frames, and writes down all that becomes of them.
#[derive(Clone)]
pub(crate) struct Camera {
    pub(crate) settings: QuestionSettings,
    pub(crate) asks: Arc<AtomicBool>,
    /// Whether there is a frame.
    pub(crate) sees: bool,
    pub(crate) is_due: bool,
    log: Arc<Mutex<Vec<String>>>,
}

impl Camera {
    pub(crate) fn new(endpoint: &Endpoint) -> Self {
        let settings = QuestionSettings {
            model: "m".into(),
            ..QuestionSettings::new(endpoint.clone(), "What is it?")
        };
        Self {
            settings,
            asks: Arc::new(true.into()),
            sees: true,
            is_due: false,
            log: Arc::default(),
        }
    }

    /// All that has happened since.
    pub(crate) fn log(&self) -> Vec<String> {
        std::mem::take(&mut *self.log.lock().unwrap())
    }

    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

impl Subject for Camera {
    type Clip = Instant;

    fn settings(&mut self) -> Result<QuestionSettings, Failure> {
        match self.settings.prompt.as_str() {
            "" => Err(Failure::new("settings", "there is no prompt".into(), false)),
            _ => Ok(self.settings.clone()),
        }
    }

    fn is_urgent(&self) -> bool {
        false
    }

    fn asks(&self) -> bool {
        self.asks.load(Ordering::Relaxed)
    }

    fn near(&self) {
        self.note("near");
    }

    async fn choose(&mut self) -> Option<Instant> {
        self.note("choose");
        self.sees.then(Instant::now)
    }

    fn put_back(&mut self, _: Instant) {
        self.note("put back");
    }

    fn captured(&self, clip: &Instant) -> Instant {
        *clip
    }

    async fn pictures(&mut self, _: &mut Instant) -> Result<Vec<Picture>, Failure> {
        Ok(vec![Picture::jpeg(&[0xff, 0xd8])])
    }

    fn tell(&mut self, _: &Instant, answer: &Answer, told: Told<'_>) {
        let Answer { seq, text, delta, finish_reason, .. } = answer;
        self.note(match told {
            Told::Asked => format!("{seq} asked"),
            Told::SoFar => format!("{seq} so far {text} +{delta}"),
            Told::Complete => format!("{seq} complete {text} ({finish_reason})"),
            Told::Cancelled => format!("{seq} cancelled {text} ({finish_reason})"),
            Told::Missed => format!("{seq} missed"),
            Told::Worthless(failure) => format!("{seq} worthless {}", failure.kind),
        });
    }

    fn is_due(&self) -> bool {
        self.is_due
    }
}

/// A dispatcher with one slot a server.
pub(crate) fn dispatcher() -> Dispatcher {
    let config =
        DispatcherConfig { default_slots: Some(Slots::Fixed(1)), ..DispatcherConfig::default() };
    Dispatcher::new(config, Client::new().unwrap(), &Handle::current())
}

pub(crate) fn add(dispatcher: &Dispatcher, endpoint: &Endpoint) {
    dispatcher.add_backend(Backend {
        models: Some(vec!["m".into()]),
        ..Backend::new(endpoint.clone(), Slots::Fixed(1))
    });
}

pub(crate) fn asker(dispatcher: &Dispatcher) -> Asker {
    Asker::new(dispatcher.clone(), Arc::<ChosenModel>::default(), "somebody".into())
}

/// Waits until so many ask this server and so many wait.
pub(crate) async fn load(dispatcher: &Dispatcher, endpoint: &Endpoint, load: (usize, usize)) {
    crate::soon(async {
        while dispatcher.load(endpoint) != load {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
