//! A cable between a client and a server: a TCP relay that can be cut without anybody being told,
//! as when a network goes away.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

/// The cable; whatever goes through it ends when it is dropped.
#[derive(Debug)]
pub struct Cable {
    address: SocketAddr,
    whole: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Cable {
    /// A cable to this address.
    ///
    /// # Panics
    /// When there is no port to be had.
    pub async fn to(server: SocketAddr) -> Self {
        let bound = match TcpListener::bind(("127.0.0.1", 0)).await {
            Ok(listener) => listener.local_addr().map(|address| (listener, address)),
            Err(error) => Err(error),
        };
        let (listener, address) = bound.unwrap_or_else(|error| panic!("no port: {error}"));
        let (whole, state) = watch::channel(true);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let mut state = state.clone();
                connections.spawn(async move {
                    // A connection that is opened meanwhile is accepted, and gets no further.
                    let _ = state.wait_for(|whole| *whole).await;
                    if let Ok(server) = TcpStream::connect(server).await {
                        carry(client, server, &state).await;
                    }
                });
            }
        });
        Self { address, whole, task }
    }

    /// Where the client's end is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on nothing gets through, and nobody is told.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// From now on everything gets through, what was sent meanwhile first.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: TcpStream, whole: &watch::Receiver<bool>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    tokio::join!(
        copy(from_client, to_server, whole.clone()),
        copy(from_server, to_client, whole.clone())
    );
}

/// Ends of streams get through like everything else: not while it is cut.
async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut whole: watch::Receiver<bool>) {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        if whole.wait_for(|whole| *whole).await.is_err() {
            return;
        }
        if count == 0 {
            let _ = to.shutdown().await;
            return;
        }
        if to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}
