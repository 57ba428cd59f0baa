//! One connection: requests in, the bytes of answers out, until either side ends it.

use super::{Answer, Request, Then, request};
use bytes::BytesMut;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::sleep,
};

/// Talks until the client closes or an answer says so. An error is a client that left in the middle.
pub(super) async fn converse(mut stream: TcpStream, answer: impl Fn(&Request) -> Answer) -> io::Result<()> {
    stream.set_nodelay(true)?; // each write leaves at once, so that pieces stay pieces
    let mut buffer = BytesMut::new();
    while let Some(request) = request::read(&mut stream, &mut buffer).await? {
        let answer = answer(&request);
        pause(answer.delay, &mut stream).await?;
        for (at, piece) in answer.pieces(&request).iter().enumerate() {
            if at > 0 {
                pause(answer.pace, &mut stream).await?;
            }
            stream.write_all(piece).await?;
        }
        match answer.then {
            Then::Listen if request.header("connection") == Some("close") => return stream.shutdown().await,
            Then::Listen => {}
            Then::Close => return stream.shutdown().await,
            Then::Reset => return stream.set_zero_linger(),
            Then::Silence => return left(&mut stream).await,
        }
    }
    Ok(())
}

/// Waits, unless the client leaves before.
async fn pause(time: Duration, stream: &mut TcpStream) -> io::Result<()> {
    if time.is_zero() {
        return Ok(());
    }
    tokio::select! {
        () = sleep(time) => Ok(()),
        gone = left(stream) => gone,
    }
}

/// Says nothing until the client has left.
async fn left(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 256]).await? > 0 {}
    Err(io::ErrorKind::ConnectionAborted.into())
}
