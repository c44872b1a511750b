use tokio::{runtime, sync::watch};
use vlm_client::{Client, DispatcherConfig, Endpoint};

use super::*;
use crate::{
    config::{Config, Options},
    limits::Now,
    metrics::Metrics,
    overload::{Overload, Overloaded},
    reach::Askers,
    usage::{Usage, UsageDb, UsageOptions},
    user::User,
};

fn sessions(reached: watch::Receiver<Option<Overloaded>>) -> Sessions {
    let client = Client::new().unwrap();
    let runtime = runtime::Handle::current();
    let metrics = Metrics::new(false);
    let off = UsageOptions { usage_db: Some(UsageDb::Off), ..UsageOptions::default() };
    Sessions::new(SessionsConfig {
        defaults: Defaults {
            endpoint: Endpoint::new("http://localhost:9/v1", None).unwrap(),
            model: String::new(),
            stand_in: false,
            prompt: "?".into(),
            max_tokens: 9,
            interval: Duration::from_secs(1),
        },
        dispatcher: Dispatcher::new(DispatcherConfig::default(), client, &runtime),
        network: NetworkOptions::default(),
        own_endpoints: OwnEndpoints::new(Askers::Anybody, &[]),
        live: Live::new(&Config::without_file(&Options::default()).unwrap()),
        limits: Limits::new(Now::read()),
        grace: Duration::from_secs(60),
        observer: Observer {
            overload: Overload::told(reached),
            traces: None,
            usage: Usage::start(&off).unwrap(),
            metrics,
        },
    })
}

#[tokio::test]
async fn overload_keeps_new_sessions_out_and_leaves_running_ones_alone() {
    let (tell, reached) = watch::channel(None);
    let sessions = sessions(reached);
    let (user, address) = (User::signed_in("ada", Vec::new()), [192, 0, 2, 1].into());
    let ada = Requester { user, address, credential: None };
    let running = sessions.open(None, &ada).unwrap().id().to_string();
    tell.send_replace(Some(Overloaded::Cpu { used: 0.95, most: 0.9 }));

    let refusal = sessions.open(None, &ada).unwrap_err();
    assert_eq!((refusal.code, refusal.retry_after_s), (Code::Overloaded, Some(10.0)));
    assert!(refusal.message.contains("95%") && refusal.message.contains("90%"), "{refusal:?}");
    assert_eq!(sessions.open(Some(&running), &ada).unwrap().id().to_string(), running);
    assert_eq!(sessions.count(), 1);

    tell.send_replace(None);
    sessions.open(None, &ada).unwrap();
    sessions.close(Duration::from_secs(9)).await;
}
