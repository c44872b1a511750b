//! The stand-in VLM that truthfully describes pixels.

pub(crate) struct Demo {
    pub(crate) base: String,
    _runtime: tokio::runtime::Runtime,
}

impl Demo {
    pub(crate) fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let options = demo_vlm::Options {
            port: 0,
            token_delay: std::time::Duration::ZERO,
            ..demo_vlm::Options::default()
        };
        let listener = runtime.block_on(options.bind()).unwrap();
        let base = format!("http://{}/v1", listener.local_addr().unwrap());
        runtime.spawn(demo_vlm::serve(listener, options, std::future::pending()));
        Self { base, _runtime: runtime }
    }
}
