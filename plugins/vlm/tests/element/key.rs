//! A key goes to the server that it was given for, and nowhere else.

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
    let (first, second) = (Vlm::start(), Vlm::start());
    let element = vlmanalyze(&first);
    element.set_property("api-base", second.base());
    element.set_property("api-key", KEY);
    element.set_property("api-base", first.base());
    let bench = Bench::with(element, &[]);
    let said = warnings(&bench);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("set api-key after api-base"), "{}", said[0]);
    assert!(!said[0].contains(KEY));
}

/// The warnings on the bus.
fn warnings(bench: &Bench) -> Vec<String> {
    let all = std::iter::from_fn(|| bench.bus.pop_filtered(&[gst::MessageType::Warning]));
    let texts = all.map(|message| match message.view() {
        gst::MessageView::Warning(warning) => warning.error().to_string(),
        other => panic!("{other:?}"),
    });
    texts.collect()
}

fn from_environment() -> gst::Element {
    gst::ElementFactory::make("vlmanalyze").property("model", "m").build().unwrap()
}

#[test]
fn the_environments_key_goes_to_the_server_that_a_property_names() {
    init_with_env(&[("VLM_API_KEY", KEY)]);
    let vlm = Vlm::start();
    let mut bench = Bench::with(from_environment(), &[("api-base", &vlm.base())]);
    bench.push(0);
    assert_eq!(vlm.asked().authorization.as_deref(), Some("Bearer sk-very-secret"));
    assert_eq!(warnings(&bench), [] as [String; 0]);
}

#[test]
fn a_key_of_the_environment_that_is_for_another_server_is_warned_of_on_the_bus() {
    let other = Vlm::start();
    init_with_env(&[("VLM_API_KEY", KEY), ("VLM_API_BASE", other.base())]);
    let vlm = Vlm::start();
    let mut bench = Bench::with(from_environment(), &[("api-base", &vlm.base())]);
    bench.push(0);
    assert_eq!(vlm.asked().authorization, None);
    let said = warnings(&bench);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].contains("VLM_API_KEY") && said[0].contains(other.base()), "{said:?}");
    assert!(!said[0].contains(KEY));
}

#[test]
fn a_key_that_cannot_be_one_is_refused_by_name() {
    init_with_env(&[("VLM_API_KEY", "sk-a\nsk-b")]);
    let vlm = Vlm::start();
    let mut bench = Bench::with(from_environment(), &[("api-base", &vlm.base())]);
    bench.push(0);
    let asked = vlm.asked();
    assert_eq!(asked.authorization, None);
    bench.set("api-key", "sk-very\nsecret");
    asked.answer("one");
    let said = warnings(&bench);
    let [environment, property] = &said[..] else { panic!("{said:?}") };
    assert!(environment.starts_with("VLM_API_KEY: the key has a line break"), "{said:?}");
    assert!(property.starts_with("api-key: the key has a line break"), "{said:?}");
    assert!(!property.contains("secret"));
}

#[test]
fn a_file_without_an_authority_is_refused_by_name() {
    init();
    let bench = Bench::with(vlmanalyze(&Vlm::start()), &[("ca-file", &"/nowhere/ca.pem")]);
    let said = warnings(&bench);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("ca-file: /nowhere/ca.pem cannot be read"), "{said:?}");
    assert_eq!(bench.element.property::<String>("ca-file"), "");
}

#[test]
fn a_key_may_be_given_with_the_word_that_goes_before_it() {
    init();
    let vlm = Vlm::start();
    let mut bench = Bench::new(&vlm, &[("api-key", &"Bearer sk-1")]);
    bench.push(0);
    assert_eq!(vlm.asked().authorization.as_deref(), Some("Bearer sk-1"));
}

#[test]
fn headers_go_to_their_server_alone_and_cannot_be_read() {
    init();
    let (first, second) = (Vlm::start(), Vlm::start());
    let headers = r#"{"Authorization": "Basic very-secret"}"#;
    let mut bench = Bench::new(&first, &[("headers", &headers)]);
    let flags = bench.element.find_property("headers").unwrap().flags();
    assert!(!flags.contains(glib::ParamFlags::READABLE));
    bench.push(0);
    let asked = first.asked();
    assert_eq!(asked.authorization.as_deref(), Some("Basic very-secret"));
    bench.set("api-base", second.base());
    asked.hung_up();
    assert_eq!(second.asked().authorization, None);
    let said = warnings(&bench);
    assert!(said[0].contains("headers"), "{said:?}");
}
