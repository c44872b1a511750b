//! A page's WebSocket.

use std::net::SocketAddr;

use axum::http::header::{self, HeaderMap};
use futures_util::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{
    net::{TcpSocket, TcpStream, lookup_host},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message, client::IntoClientRequest, protocol::CloseFrame},
};

use crate::{refused::Refused, within};

type Stream = WebSocketStream<TcpStream>;
/// A message, or how the connection ended.
type Came = Result<Value, Option<CloseFrame>>;

/// Messages that may wait to be read here.
const ROOM: usize = 4096;

/// A WebSocket to the server. Like a browser's, it is read whatever else the test waits for, so
/// that pings are answered.
#[derive(Debug)]
pub struct Socket {
    to_server: SplitSink<Stream, Message>,
    came: mpsc::Receiver<Came>,
    reads: watch::Sender<bool>,
    reader: JoinHandle<()>,
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Socket {
    /// Connects to a `ws://` address with this cookie and origin.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn open(
        url: &str,
        cookie: Option<&str>,
        origin: Option<&str>,
    ) -> Result<Self, Refused> {
        let headers = [(header::COOKIE, cookie), (header::ORIGIN, origin)].into_iter();
        let headers = headers.filter_map(|(name, value)| Some((name, value?.parse().ok()?)));
        Self::open_with(url, headers.collect()).await
    }

    /// Connects to a `ws://` address with these headers.
    ///
    /// # Errors
    /// When the server refuses.
    ///
    /// # Panics
    /// When there is no server.
    pub async fn open_with(url: &str, headers: HeaderMap) -> Result<Self, Refused> {
        let mut request = match url.into_client_request() {
            Ok(request) => request,
            Err(error) => panic!("{url}: {error}"),
        };
        request.headers_mut().extend(headers);
        let stream = match connect(request.uri().authority().map_or("", |at| at.as_str())).await {
            Ok(stream) => stream,
            Err(error) => panic!("{url}: {error}"),
        };
        match within("the WebSocket's opening", client_async(request, stream)).await {
            Ok((stream, _)) => Ok(Self::over(stream)),
            Err(tungstenite::Error::Http(response)) => {
                let retry_after = response.headers().get(header::RETRY_AFTER);
                let body = response.body().as_deref().unwrap_or_default();
                Err(Refused {
                    status: response.status().as_u16(),
                    retry_after: retry_after
                        .and_then(|value| value.to_str().ok())
                        .map(str::to_owned),
                    body: serde_json::from_slice(body).unwrap_or_default(),
                })
            }
            Err(error) => panic!("{url}: {error}"),
        }
    }

    fn over(stream: Stream) -> Self {
        let (to_server, mut from_server) = stream.split();
        let (messages, came) = mpsc::channel(ROOM);
        let (reads, mut may_read) = watch::channel(true);
        let reader = tokio::spawn(async move {
            loop {
                let _ = may_read.wait_for(|reads| *reads).await;
                let came = tokio::select! {
                    came = next(&mut from_server) => came,
                    _ = may_read.changed() => continue,
                };
                let is_over = came.is_err();
                if messages.send(came).await.is_err() || is_over {
                    return;
                }
            }
        });
        Self { to_server, came, reads, reader }
    }

    /// Does not read any more, nor answer pings, before somebody waits for a message.
    pub fn stop_reading(&self) {
        self.reads.send_replace(false);
    }

    /// The two messages with which every connection begins: the settings among them.
    ///
    /// # Panics
    /// When it begins otherwise.
    pub async fn greeting(&mut self) -> Value {
        assert_eq!(self.next().await["type"], "status");
        let config = self.next().await;
        assert_eq!(config["type"], "server_config", "{config}");
        config
    }

    /// Sends a message.
    ///
    /// # Panics
    /// When the connection is closed.
    pub async fn send(&mut self, message: &Value) {
        self.send_raw(Message::Text(message.to_string().into())).await;
    }

    /// Sends whatever a WebSocket can carry.
    ///
    /// # Panics
    /// When the connection is closed.
    pub async fn send_raw(&mut self, message: Message) {
        if let Err(error) = self.try_send(message).await {
            panic!("the WebSocket is closed: {error}");
        }
    }

    /// Sends whatever a WebSocket can carry.
    ///
    /// # Errors
    /// When the connection is closed.
    pub async fn try_send(&mut self, message: Message) -> Result<(), tungstenite::Error> {
        within("sending", self.to_server.send(message)).await
    }

    /// The next message.
    ///
    /// # Panics
    /// When none comes, or it is no JSON.
    pub async fn next(&mut self) -> Value {
        match self.next_or_close().await {
            Ok(message) => message,
            Err(close) => panic!("the WebSocket was closed: {close:?}"),
        }
    }

    /// The next message of one of these types; others that come before are dropped.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn next_of(&mut self, types: &[&str]) -> Value {
        loop {
            let message = self.next().await;
            if types.iter().any(|wanted| message["type"] == **wanted) {
                return message;
            }
        }
    }

    /// Sends a setting and gives what it is answered with: the confirmation or the error.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn ask(&mut self, message: &Value) -> Value {
        self.send(message).await;
        self.reply().await
    }

    /// The next confirmation or error.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn reply(&mut self) -> Value {
        self.next_of(&[
            "prompt_updated",
            "model_updated",
            "processing_updated",
            "max_latency_updated",
            "debug_updated",
            "error",
        ])
        .await
    }

    /// Everything that came before the answer to a message sent now, but for signs of life: those
    /// come every few seconds, however long a test takes.
    ///
    /// # Panics
    /// As [`next`](Self::next).
    pub async fn so_far(&mut self) -> Vec<Value> {
        self.send(&json!({"type": "set_debug", "debug": false})).await;
        let mut messages = Vec::new();
        loop {
            match self.next().await {
                message if message["type"] == "debug_updated" => return messages,
                message if message["type"] == "alive" => {}
                message => messages.push(message),
            }
        }
    }

    /// The close frame with which the connection ends, if it ends with one.
    ///
    /// # Panics
    /// When it does not end.
    pub async fn closed(&mut self) -> Option<CloseFrame> {
        loop {
            if let Err(close) = self.next_or_close().await {
                return close;
            }
        }
    }

    /// Says goodbye and waits for the server's.
    pub async fn close(mut self) {
        if self.to_server.close().await.is_ok() {
            self.closed().await;
        }
    }

    async fn next_or_close(&mut self) -> Came {
        self.reads.send_replace(true);
        within("a message", self.came.recv()).await.unwrap_or(Err(None))
    }
}

/// The next message. Pings are answered on the way.
async fn next(from_server: &mut SplitStream<Stream>) -> Came {
    loop {
        match from_server.next().await {
            Some(Ok(Message::Text(text))) => match serde_json::from_str(&text) {
                Ok(message) => return Ok(message),
                Err(error) => panic!("{text} is no JSON: {error}"),
            },
            Some(Ok(Message::Close(frame))) => return Err(frame),
            Some(Err(_)) | None => return Err(None),
            Some(Ok(_)) => {}
        }
    }
}

/// Room for few messages only, so that a client that does not read is soon noticed.
async fn connect(address: &str) -> std::io::Result<TcpStream> {
    // The server's tests listen by IPv4.
    let address = lookup_host(address).await?.find(SocketAddr::is_ipv4);
    let address = address.ok_or(std::io::ErrorKind::AddrNotAvailable)?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(64 * 1024)?;
    socket.connect(address).await
}
