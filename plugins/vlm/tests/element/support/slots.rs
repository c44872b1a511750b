//! A dispatcher as an application makes one, with few slots.

use std::time::Instant;

use gst::prelude::*;
use gstvlm::context::context;
use live_vlm_dispatch::{Dispatcher, DispatcherConfig, Member};
use tokio::runtime::Runtime;
use vlm_client::{Client, Endpoint};

use super::{Bench, LONG, Vlm, vlmanalyze};

pub(crate) struct Slots {
    pub(crate) dispatcher: Dispatcher,
    pub(crate) runtime: Runtime,
    pub(crate) endpoint: Endpoint,
}

impl Slots {
    pub(crate) fn new(slots: usize, vlm: &Vlm) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let default_slots = Some(live_vlm_dispatch::Slots::Fixed(slots));
        let config = DispatcherConfig { default_slots, ..DispatcherConfig::default() };
        let dispatcher = Dispatcher::new(config, Client::new().unwrap(), runtime.handle());
        Self { dispatcher, runtime, endpoint: Endpoint::new(vlm.base(), None).unwrap() }
    }

    /// An element on a bench that asks through this dispatcher.
    pub(crate) fn bench(&self, vlm: &Vlm, properties: &[(&str, &dyn ToValue)]) -> Bench {
        let element = vlmanalyze(vlm);
        element.set_context(&context(&self.dispatcher));
        Bench::with(element, properties)
    }

    /// Somebody else who asks the same server.
    pub(crate) fn join(&self) -> Member {
        self.dispatcher.join(&self.endpoint, "").unwrap()
    }

    /// How many ask and how many wait.
    pub(crate) fn load(&self) -> (usize, usize) {
        self.dispatcher.load(&self.endpoint)
    }

    pub(crate) fn wait_for_load(&self, load: (usize, usize)) {
        let began = Instant::now();
        while self.load() != load {
            assert!(began.elapsed() < LONG, "{:?} ask and wait, not {load:?}", self.load());
            std::thread::yield_now();
        }
    }
}
