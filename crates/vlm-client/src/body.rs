//! The bodies of responses that are not answers, with a bound.

use reqwest::{Response, header::CONTENT_ENCODING};
use tokio::time::{Instant, timeout_at};

use vlm_replies::{Failure, Packed, Unpacker};

use crate::{
    endpoint::Endpoint,
    error::{Error, innermost},
};

/// Why a body was not read to its end.
enum Stopped {
    TooLong,
    Packed(Packed),
}

impl From<Packed> for Stopped {
    fn from(packed: Packed) -> Self {
        Self::Packed(packed)
    }
}

/// What unpacks a response's body.
pub(crate) fn unpacker(response: &Response) -> Unpacker {
    let said = response.headers().get(CONTENT_ENCODING);
    Unpacker::new(said.and_then(|said| said.to_str().ok()))
}

/// The whole of a body of at most `limit` bytes.
pub(crate) async fn whole(
    response: Response,
    endpoint: &Endpoint,
    limit: usize,
) -> Result<Vec<u8>, Error> {
    let mut body = Vec::new();
    read(response, endpoint, limit, &mut body).await.map(|()| body)
}

/// As much of a body as there is until `deadline` within `limit` bytes, and as can be read: some
/// refusals quote the whole request, its pictures too.
pub(crate) async fn beginning(
    response: Response,
    endpoint: &Endpoint,
    limit: usize,
    deadline: Instant,
) -> Vec<u8> {
    let mut body = Vec::new();
    let _ = timeout_at(deadline, read(response, endpoint, limit, &mut body)).await;
    body
}

async fn read(
    mut response: Response,
    endpoint: &Endpoint,
    limit: usize,
    body: &mut Vec<u8>,
) -> Result<(), Error> {
    let stopped = |stopped| {
        let reason = match stopped {
            Stopped::TooLong => format!("its body is larger than {limit} bytes"),
            Stopped::Packed(packed) => packed.to_string(),
        };
        endpoint.error(Failure::Protocol { reason })
    };
    let mut unpacker = unpacker(&response);
    let mut take = |bytes: &[u8]| {
        let room = limit - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room { Err(Stopped::TooLong) } else { Ok(()) }
    };
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => unpacker.feed(&chunk, &mut take).map_err(stopped)?,
            Ok(None) => return unpacker.end(&mut take).map_err(stopped),
            Err(error) => {
                return Err(endpoint.error(Failure::Cut { reason: innermost(&error) }));
            }
        }
    }
}
