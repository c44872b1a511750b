//! Endpoints that somebody else named reach what they may and nothing else, whatever their names
//! lead to, and whenever.

use std::{
    collections::{BTreeSet, VecDeque},
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    task::JoinHandle,
};
use vlm_client::{ApiKey, AskHeaders, ChatRequest, Client, Endpoint, Error, ErrorKind, Reach};

const LONG: Duration = Duration::from_secs(20);
const LIST: &str = "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{\"data\":[{\"id\":\"m\"}]}";

/// A server at this address that answers every request the same; what it was asked.
struct Listener {
    port: u16,
    asked: mpsc::UnboundedReceiver<String>,
    task: JoinHandle<()>,
}

impl Listener {
    async fn at(address: &str, port: u16, reply: &str) -> Self {
        let listener = TcpListener::bind((address, port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, asked) = mpsc::unbounded_channel();
        let reply = reply.to_owned();
        let task = tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 8192];
                let read = stream.read(&mut request).await.unwrap_or_default();
                let _ = tell.send(String::from_utf8_lossy(&request[..read]).into_owned());
                let _ = stream.write_all(reply.as_bytes()).await;
            }
        });
        Self { port, asked, task }
    }

    fn requests(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.asked.try_recv().ok()).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client whose names lead to these addresses, one set for each look-up.
fn client(answers: &[&[&str]]) -> Client {
    let answers: VecDeque<Vec<IpAddr>> = answers
        .iter()
        .map(|addresses| addresses.iter().map(|address| address.parse().unwrap()).collect())
        .collect();
    let answers = Arc::new(Mutex::new(answers));
    Client::new().unwrap().with_lookup(move |_| {
        let next = answers.lock().unwrap().pop_front();
        Box::pin(async { next.ok_or_else(|| io::Error::other("one look-up too many")) })
    })
}

fn public_and(allowed: &[&str]) -> Arc<Reach> {
    Arc::new(Reach::Public(allowed.iter().map(|text| text.parse().unwrap()).collect()))
}

fn foreign(host: &str, port: u16, reach: &Arc<Reach>) -> Endpoint {
    Endpoint::foreign(&format!("http://{host}:{port}/v1"), None, Arc::clone(reach)).unwrap()
}

#[tokio::test]
async fn a_name_that_leads_inside_is_refused_without_a_connection() {
    let mut secret = Listener::at("127.0.0.1", 0, LIST).await;
    let reach = public_and(&[]);
    let mut said = BTreeSet::new();
    let mut insides = BTreeSet::new();
    for inside in [
        "127.0.0.1",
        "::ffff:127.0.0.1",
        "10.0.0.1",
        "169.254.169.254",
        "fd00:ec2::254",
        "169.254.0.1",
        "240.0.0.1",
    ] {
        let endpoint = foreign("vlm.example", secret.port, &reach);
        let error = client(&[&[inside]]).models(&endpoint, LONG).await.unwrap_err();
        assert_eq!(error.kind.name(), "not-allowed", "{inside}: {error}");
        assert!(error.to_string().contains("allowed_api_bases"), "{error}");
        assert!(!error.to_string().contains(inside), "the address stays untold: {error}");
        assert!(!error.is_passing());
        said.insert(error.to_string());
        let ErrorKind::Forbidden { inside, .. } = error.kind else { panic!("{error:?}") };
        insides.insert(inside);
    }
    // Nor does the message tell what kind of address it is, which the operator can know.
    assert_eq!(said.len(), 1, "{said:?}");
    assert_eq!(insides.len(), 5, "{insides:?}");
    assert_eq!(secret.requests(), [] as [String; 0]);
}

#[tokio::test]
async fn a_name_whose_address_changes_does_not_get_a_connection_inside() {
    // Both are this host's; the operator allows the first, which stands for a public one.
    let mut open = Listener::at("127.0.0.2", 0, LIST).await;
    let mut secret = Listener::at("127.0.0.1", open.port, LIST).await;
    let reach = public_and(&["127.0.0.2"]);
    let client = client(&[&["127.0.0.2"], &["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]]);
    let endpoint = foreign("rebinding.example", open.port, &reach);
    // One look-up a connection: what was checked is what is connected to.
    client.models(&endpoint, LONG).await.unwrap();
    let error = client.models(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "not-allowed", "{error}");
    // Of several addresses those that may be reached are.
    client.models(&endpoint, LONG).await.unwrap();
    assert_eq!(open.requests().len(), 2);
    assert_eq!(secret.requests(), [] as [String; 0]);
}

async fn ask(client: &Client, endpoint: &Endpoint) -> Result<(), Error> {
    let request = ChatRequest {
        model: "m".into(),
        prompt: "?".into(),
        max_tokens: 9,
        stream: true,
        ..ChatRequest::default()
    };
    let answer = client.ask(endpoint, &request, &AskHeaders::default(), LONG).await;
    answer.map(drop)
}

#[tokio::test]
async fn questions_go_no_further_than_lists_of_models_do() {
    let mut open = Listener::at("127.0.0.2", 0, LIST).await;
    let mut secret = Listener::at("127.0.0.1", open.port, LIST).await;
    let client = client(&[&["127.0.0.2"], &["127.0.0.1"]]);
    let endpoint = foreign("rebinding.example", open.port, &public_and(&["127.0.0.2"]));
    ask(&client, &endpoint).await.unwrap();
    assert_eq!(ask(&client, &endpoint).await.unwrap_err().kind.name(), "not-allowed");
    assert_eq!(open.requests().len(), 1);

    let away = format!("HTTP/1.1 307 x\r\nlocation: http://127.0.0.1:{}/\r\n\r\n", secret.port);
    let redirecting = Listener::at("127.0.0.2", 0, &away).await;
    let client = self::client(&[&["127.0.0.2"]]);
    let endpoint = foreign("vlm.example", redirecting.port, &public_and(&["127.0.0.2"]));
    assert_eq!(ask(&client, &endpoint).await.unwrap_err().kind.name(), "redirect");
    assert_eq!(secret.requests(), [] as [String; 0]);
}

#[tokio::test]
async fn a_connection_is_not_shared_with_those_who_may_not_make_it() {
    let kept = "HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n{\"data\":[]}\n";
    let server = Listener::at("127.0.0.2", 0, kept).await;
    let client = client(&[&["127.0.0.2"], &["127.0.0.2"]]);
    let allowed = foreign("vlm.example", server.port, &public_and(&["127.0.0.2"]));
    client.models(&allowed, LONG).await.unwrap();
    let other = foreign("vlm.example", server.port, &public_and(&[]));
    assert_eq!(client.models(&other, LONG).await.unwrap_err().kind.name(), "not-allowed");
}

#[tokio::test]
async fn an_allowed_name_and_port_are_reached() {
    let mut server = Listener::at("127.0.0.1", 0, LIST).await;
    let port = server.port;
    let reach = public_and(&[&format!("vlm.example:{port}")]);
    let client = client(&[&["127.0.0.1"], &["127.0.0.1"]]);
    client.models(&foreign("vlm.example", port, &reach), LONG).await.unwrap();
    let other = client.models(&foreign("other.example", port, &reach), LONG).await.unwrap_err();
    assert_eq!(other.kind.name(), "not-allowed");
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_redirect_inside_is_not_followed() {
    let mut secret = Listener::at("127.0.0.1", 0, LIST).await;
    let to = format!(
        "HTTP/1.1 307 Temporary Redirect\r\nlocation: http://127.0.0.1:{}/v1\r\n\
         content-length: 0\r\nconnection: close\r\n\r\n",
        secret.port
    );
    let open = Listener::at("127.0.0.2", 0, &to).await;
    let endpoint = foreign("vlm.example", open.port, &public_and(&["127.0.0.2"]));
    let error = client(&[&["127.0.0.2"]]).models(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "redirect", "{error}");
    assert_eq!(secret.requests(), [] as [String; 0]);
}

#[tokio::test]
async fn a_foreign_endpoint_has_no_key_but_its_own() {
    let mut server = Listener::at("127.0.0.2", 0, LIST).await;
    let reach = public_and(&["127.0.0.0/8"]);
    let base = format!("http://127.0.0.2:{}/v1", server.port);
    let ours = Endpoint::new(&base, ApiKey::new("sk-ours")).unwrap();
    let theirs = Endpoint::foreign(&base, None, Arc::clone(&reach)).unwrap();
    let with_key = Endpoint::foreign(&base, ApiKey::new("sk-theirs"), reach).unwrap();
    let client = Client::new().unwrap();
    for endpoint in [&ours, &theirs, &with_key] {
        client.models(endpoint, LONG).await.unwrap();
    }
    let keys: Vec<_> = server
        .requests()
        .iter()
        .map(|asked| {
            asked
                .split("Bearer ")
                .nth(1)
                .and_then(|rest| rest.split("\r\n").next())
                .map(str::to_owned)
        })
        .collect();
    assert_eq!(keys, [Some("sk-ours".into()), None, Some("sk-theirs".into())]);
}

#[tokio::test]
async fn no_proxy_is_told_of_a_foreign_endpoint() {
    let mut proxy = Listener::at("127.0.0.1", 0, LIST).await;
    // SAFETY: nothing else reads the environment yet; this test has a process of its own.
    unsafe { std::env::set_var("HTTP_PROXY", format!("http://127.0.0.1:{}", proxy.port)) };
    let endpoint = foreign("inside.example", 80, &public_and(&[]));
    let error = client(&[&["10.0.0.1"]]).models(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "not-allowed", "{error}");
    // Nor of those of people who may reach anything: their keys are for the servers they name.
    // Reserved names, which lead nowhere (RFC 6761, section 6.4).
    let key = || ApiKey::new("sk-theirs");
    let anything = Arc::new(Reach::Anything);
    let endpoint = Endpoint::foreign("http://vlm.invalid/v1", key(), anything).unwrap();
    let client = Client::new().unwrap();
    let error = client.models(&endpoint, LONG).await.unwrap_err();
    assert_eq!(error.kind.name(), "network", "{error}");
    assert_eq!(proxy.requests(), [] as [String; 0]);
    // The operator's own servers are reached as the system says, except on this host.
    let own = Endpoint::new("http://vlm.invalid/v1", key()).unwrap();
    client.models(&own, LONG).await.unwrap();
    assert_eq!(proxy.requests().len(), 1);
    let here = Listener::at("127.0.0.1", 0, LIST).await;
    for host in ["0.0.0.0", "localhost.", "[::ffff:127.0.0.1]"] {
        let own = Endpoint::new(&format!("http://{host}:{}/v1", here.port), key()).unwrap();
        // Not every system knows the name with its dot.
        let listed = client.models(&own, LONG).await;
        assert!(listed.is_ok() || host == "localhost.", "{host}: {listed:?}");
        assert_eq!(proxy.requests(), [] as [String; 0], "{host}");
    }
}

#[tokio::test]
async fn a_failed_look_up_is_a_matter_of_the_network() {
    let endpoint = foreign("gone.example", 80, &public_and(&[]));
    let error = client(&[]).models(&endpoint, LONG).await.unwrap_err();
    assert!(matches!(error.kind, ErrorKind::Network { .. }), "{error:?}");
}
