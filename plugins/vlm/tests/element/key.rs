//! A key goes to the server that it was given for, and nowhere else.

use std::sync::{Arc, Mutex};

use gst::{glib, prelude::*};
use gstvlm::VlmAnalyze;
use vlm_client::{ApiKey, Endpoint};

use crate::support::{Bench, Vlm, init, init_with_env, vlmanalyze};

const KEY: &str = "sk-very-secret";

#[test]
fn a_key_cannot_be_read() {
    init();
    let element = vlmanalyze(&Vlm::start());
    let flags = element.find_property("api-key").unwrap().flags();
    assert!(flags.contains(glib::ParamFlags::WRITABLE));
    assert!(!flags.contains(glib::ParamFlags::READABLE));
}

#[test]
fn a_key_is_sent_and_is_in_no_message() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("api-key", &KEY)]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.authorization.as_deref(), Some("Bearer sk-very-secret"));
    asked.answer("one");
    bench.done();
    bench.push(1000);
    // As some servers do.
    vlm.asked().reply(401, &[], &format!("wrong key {KEY}"));
    let error = bench.error();
    assert!(error.message.contains("wrong key (key)"), "{}", error.message);
    assert!(!format!("{:?}", bench.element.property::<gst::Structure>("stats")).contains(KEY));
}

/// Both servers are asked by one element, the second after it was set.
fn second_server_gets(change: impl FnOnce(&Bench, &Vlm), env: &[(&str, &str)]) -> Option<String> {
    init_with_env(env);
    let (first, second) = (Vlm::start(), Vlm::start());
    let mut bench = if env.is_empty() {
        Bench::new(&first, &[("api-key", &KEY)])
    } else {
        // SAFETY: no other thread of this test reads the environment.
        unsafe { std::env::set_var("VLM_API_BASE", first.base()) };
        let element = gst::ElementFactory::make("vlmanalyze").property("model", "m").build();
        Bench::with(element.unwrap(), &[])
    };
    bench.push(0);
    let asked = first.asked();
    assert_eq!(asked.authorization.as_deref(), Some("Bearer sk-very-secret"));
    change(&bench, &second);
    asked.hung_up();
    second.asked().authorization
}

#[test]
fn a_key_does_not_follow_to_another_server() {
    let to = |bench: &Bench, vlm: &Vlm| bench.set("api-base", vlm.base());
    assert_eq!(second_server_gets(to, &[]), None);
}

#[test]
fn a_key_from_the_environment_does_not_follow_either() {
    let to = |bench: &Bench, vlm: &Vlm| bench.set("api-base", vlm.base());
    assert_eq!(second_server_gets(to, &[("VLM_API_KEY", KEY)]), None);
}

#[test]
fn a_server_and_its_key_can_be_changed_in_one_step() {
    let to = |bench: &Bench, vlm: &Vlm| {
        let endpoint = Endpoint::new(vlm.base(), ApiKey::new("sk-2")).unwrap();
        bench.element.downcast_ref::<VlmAnalyze>().unwrap().set_endpoint(&endpoint);
    };
    assert_eq!(second_server_gets(to, &[]).as_deref(), Some("Bearer sk-2"));
}

#[test]
fn a_changed_key_is_used_at_once() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("api-key", &KEY)]);
    bench.push(0);
    let asked = vlm.asked();
    bench.set("api-key", "sk-2");
    asked.hung_up();
    assert_eq!(vlm.asked().authorization.as_deref(), Some("Bearer sk-2"));
}

/// Who sets the key first, as `gst-launch-1.0` may, is told why it is not sent.
#[test]
fn a_key_that_is_dropped_is_warned_of() {
    init();
    let said = Arc::new(Mutex::new(Vec::new()));
    gst::log::set_threshold_for_name("vlmanalyze", gst::DebugLevel::Warning);
    gst::log::remove_default_log_function();
    gst::log::add_log_function({
        let said = Arc::clone(&said);
        move |category, _, _, _, _, _, message| {
            if category.name() == "vlmanalyze" {
                said.lock().unwrap().push(message.get().unwrap().to_string());
            }
        }
    });
    let (first, second) = (Vlm::start(), Vlm::start());
    let element = vlmanalyze(&first);
    element.set_property("api-base", second.base());
    assert!(said.lock().unwrap().is_empty(), "no key was dropped");
    element.set_property("api-key", KEY);
    element.set_property("api-base", first.base());
    let said = said.lock().unwrap();
    assert_eq!(said.len(), 1);
    assert!(said[0].contains("set api-key after api-base"), "{}", said[0]);
    assert!(!said[0].contains(KEY));
}
