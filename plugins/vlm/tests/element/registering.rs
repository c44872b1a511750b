//! An application makes the plugin known to its process.

use std::{
    sync::{Arc, Barrier},
    thread,
};

#[test]
fn threads_that_register_the_plugin_at_once_register_it_once() {
    gst::init().unwrap();
    let start = Arc::new(Barrier::new(16));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let start = start.clone();
            thread::spawn(move || {
                start.wait();
                gstvlm::register_static().unwrap();
                gst::ElementFactory::make("vlmanalyze").build().unwrap();
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let ours = gst::Registry::get().plugins();
    assert_eq!(ours.iter().filter(|plugin| plugin.plugin_name() == "vlm").count(), 1);
}
